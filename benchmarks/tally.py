"""Which finding belongs to which act, and whether the right person and command were named: the rules by which the
figures of docs/accuracy.md are counted. Pure functions. A finding is the set of resources that it names: "kind key"."""

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

RIGHT, OTHER_COMMAND, OTHER_ACTOR, NOBODY = "right", "other command", "other actor", "nobody"


@dataclass(frozen=True)
class Act:
    """What a person does in one go, and what of the host it is expected to touch; said before anything is measured."""

    name: str
    command: str
    """For the person's shell on the host."""
    paths: tuple[str, ...]
    """Globs of the files that the act is about. At least one must be named for the act to be found."""
    touches: tuple[str, ...] = ()
    """The same for a tool that knows more than files: globs of "kind key". The default: the files."""
    follows: tuple[str, ...] = ()
    """Globs of files that follow from the act by themselves. They belong to it, and do not make it found."""
    says: tuple[str, ...] = ()
    """Parts of the command lines that did it. One of them is the right command."""
    package_files: frozenset[str] = field(default=frozenset(), repr=False)
    """Files of packages that came, went or changed while it was done, by dpkg's lists: they follow."""

    @property
    def resources(self) -> tuple[str, ...]:
        """What one finding of driftscan must name."""
        return self.touches or self.files

    @property
    def files(self) -> tuple[str, ...]:
        """What one entry of AIDE must name."""
        return tuple(f"file {path}" for path in self.paths)

    def is_followed_by(self, resource: str) -> bool:
        """Whether this is one of its own files, or follows from it."""
        kind, _, path = resource.partition(" ")
        return kind == "file" and (path in self.package_files or _matches(path, (*self.paths, *self.follows)))


@dataclass(frozen=True)
class Tally:
    """Numbers of findings: by the name of the act that they name, by that of the act they follow from, and the rest."""

    naming: Mapping[str, Sequence[int]]
    following: Mapping[str, Sequence[int]]
    strays: Sequence[int]

    def of(self, act: Act) -> Sequence[int]:
        """All findings that belong to an act."""
        return (*self.naming[act.name], *self.following[act.name])

    @property
    def missed(self) -> list[str]:
        """Acts of which no finding names what they are about."""
        return [name for name, findings in self.naming.items() if not findings]

    @property
    def merged(self) -> list[int]:
        """Findings that name what several acts are about."""
        counted = [number for findings in self.naming.values() for number in findings]
        return sorted({number for number in counted if counted.count(number) > 1})


def tally(
    findings: Sequence[AbstractSet[str]],
    acts: Sequence[Act],
    expected: Callable[[Act], Sequence[str]] = lambda act: act.resources,
) -> Tally:
    """A finding belongs to every act of which it names something expected; else to the first act that it follows from;
    else to none."""
    naming: dict[str, list[int]] = {act.name: [] for act in acts}
    following: dict[str, list[int]] = {act.name: [] for act in acts}
    strays = []
    for number, named in enumerate(findings):
        owners = [act for act in acts if any(_matches(resource, expected(act)) for resource in named)]
        for act in owners:
            naming[act.name].append(number)
        if owners:
            continue
        source = next((act for act in acts if any(act.is_followed_by(resource) for resource in named)), None)
        if source:
            following[source.name].append(number)
        else:
            strays.append(number)
    return Tally(naming, following, strays)


def judge(act: Act, actor: str, given: Sequence[Mapping[str, str | None]]) -> str:
    """The worst of the attributions of all findings that name what an act is about. NOBODY where there is none."""
    order = (RIGHT, OTHER_COMMAND, NOBODY, OTHER_ACTOR)
    return max((_judge_one(act, actor, one) for one in given), key=order.index, default=NOBODY)


def _judge_one(act: Act, actor: str, given: Mapping[str, str | None]) -> str:
    if not given["actor"]:
        return NOBODY
    if given["actor"] != actor:
        return OTHER_ACTOR
    return RIGHT if any(part in (given["command"] or "") for part in act.says) else OTHER_COMMAND


def _matches(text: str, globs: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(text, glob) for glob in globs)
