"""Which differences between two images are explained by what was declared. What is not is the residual.

A declared package explains what its operation brought, as far as the candidate's package database has the digest of
it; a declared file explains that file and what is only a row of it. Nothing explains by lying near something else.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from driftscan.compare.attributes import CONTENT, NAMES, is_regular, mode_of, privilege
from driftscan.compare.evidence import Evidence
from driftscan.compare.folds._generated import leads_to
from driftscan.compare.folds._operations import Step, steps
from driftscan.compare.folds._parts import moved
from driftscan.compare.folds._proof import Ruling, rule
from driftscan.compare.loaded import is_gone
from driftscan.compare.pool import actual
from driftscan.compare.written import KINDS, written_in
from driftscan.model.declared import ANY, DeclaredChanges, Entry, FactEntry, FileEntry, PackageChange, PackageEntry
from driftscan.model.drift import CauseType, Change, Difference, Mutation
from driftscan.model.gate import UNDECLARED, Explained, Ground, Open
from driftscan.model.names import spellings
from driftscan.model.patterns import compile_key_glob, matches
from driftscan.model.proof import Rank
from driftscan.model.resource import ResourceId, Value

_CHANGES = {
    CauseType.PACKAGE_INSTALLED: PackageChange.INSTALLED,
    CauseType.PACKAGE_REMOVED: PackageChange.REMOVED,
    CauseType.PACKAGE_UPGRADED: PackageChange.UPGRADED,
    CauseType.PACKAGE_DOWNGRADED: PackageChange.DOWNGRADED,
    CauseType.PACKAGE_STATE: PackageChange.STATE,
}
_FOREIGN = frozenset({CauseType.LIBRARY_FOREIGN, CauseType.PROCESS_FOREIGN})
_SWITCHED = frozenset({"unit_file_state", "wanted_by", "drop_ins"})
"""Of a service: what somebody says of it, not its unit file."""
_ALTERNATIVES = "/etc/alternatives/"
"""Links there are differences of their own, and lead on."""
_ROOTS_ALONE = ("/usr/bin/", "/usr/lib", "/usr/sbin/", "/usr/share/")
"""Where root alone makes files: a link to nothing there stays one."""
_CALLED = {"/var/lib/dpkg/diversions": "dpkg-divert", "/var/lib/dpkg/statoverride": "dpkg-statoverride"}
"""Files that dpkg writes for those who call this program, and for no operation by itself."""
_BYTECODE = re.compile(r"(.+)/__pycache__/(.+?)\.[A-Za-z]+-\d+(?:\.opt-[a-z0-9]+)?\.pyc")
"""Where Python keeps a module compiled (PEP 3147, PEP 488)."""
_SHIPPED = frozenset({"mode", "uid", "gid"})
"""What an archive says of a file, beside its content."""
_HOPS = 8
_OTHERS_WRITE, _OTHERS_OR_GROUP_WRITE = 0o002, 0o022


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """One mutation, divided."""

    mutation: Mutation
    explained: tuple[Explained, ...]
    residual: tuple[Open, ...]
    unproved: tuple[Open, ...]


@dataclass(frozen=True, slots=True)
class Covering:
    """All mutations, divided, in their order; and the entries that explained nothing."""

    parts: tuple[Parts, ...]
    unused: tuple[Entry, ...]


def cover(
    mutations: Sequence[Mutation], declared: DeclaredChanges, evidence: Evidence, *, database: bool = True
) -> Covering:
    """Divide mutations that were folded without apt's history, so that each is about one package. `database`: whether
    `evidence` has the digests of the candidate's package database and of the files that changed; without them what is
    in the paths of a declared package is unproved."""
    work = _Work(declared, evidence, database)
    every = (item for mutation in mutations for item in _told(mutation))
    work.came = frozenset(item.key for item in every if item.kind == "file" and item.change is not Change.REMOVED)
    work.done = tuple(work.declared_steps(mutations))
    for mutation in mutations:
        work.explain(mutation)
    work.follow(mutations)
    return Covering(
        tuple(work.divided(mutation) for mutation in mutations),
        tuple(entry for entry in declared.entries if entry.origin not in work.used),
    )


class _Work:
    """What is explained so far."""

    def __init__(self, declared: DeclaredChanges, evidence: Evidence, database: bool) -> None:
        self.declared = declared
        self.evidence = evidence
        self.database = database
        self.found: dict[ResourceId, Explained] = {}
        self.unproved: dict[ResourceId, Open] = {}
        self.why: dict[ResourceId, str] = {}
        self.used: set[str] = set()
        self.came: frozenset[str] = frozenset()
        """Files that came or changed, each a difference that is judged by itself."""
        self.done: tuple[Step, ...] = ()
        """What happened to declared packages, whichever operation its files were folded with."""

    def declared_steps(self, mutations: Iterable[Mutation]) -> Iterator[Step]:
        for mutation in mutations:
            if kind := _CHANGES.get(mutation.cause.type):
                packages = [item for item in _told(mutation) if item.kind == "package"]
                yield from (step for step in steps(packages, self.evidence) if self._entry_of(step, kind))

    def explain(self, mutation: Mutation) -> None:
        for item in _told(mutation):
            if item.kind == "file":
                self._file(item)
            elif item.kind != "package":
                self._fact(item)
        if mutation.cause.type in _CHANGES:
            self._packages(mutation)

    def follow(self, mutations: Iterable[Mutation]) -> None:
        """What follows from declared files, wherever it was folded: rows first, then directories."""
        left = [item for mutation in mutations for item in _told(mutation) if item.id not in self.found]
        beside = {item.id for mutation in mutations if mutation.cause.type not in _FOREIGN for item in _told(mutation)}
        for item in left:
            gone = is_gone(item) and item.id in beside  # it was folded with its file
            sources = self.found.get(("file", item.key if gone else _source(item, self.evidence)))
            switched = item.kind == "service" and _is_switched(item)
            if sources is not None and not switched and not self._unvouched(item, sources.ground):
                self._took(item, sources.origin, Ground.FOLLOWS)
        self._directories(left)

    def divided(self, mutation: Mutation) -> Parts:
        told = _told(mutation)
        return Parts(
            mutation=mutation,
            explained=tuple(self.found[item.id] for item in told if item.id in self.found),
            residual=tuple(
                Open(item, self.why.get(item.id, UNDECLARED))
                for item in told
                if item.id not in self.found and item.id not in self.unproved
            ),
            unproved=tuple(self.unproved[item.id] for item in told if item.id in self.unproved),
        )

    def _took(self, item: Difference, origin: str, ground: Ground) -> None:
        self.found[item.id] = Explained(item, origin, ground)
        self.unproved.pop(item.id, None)
        self.used.add(origin)

    def _file(self, item: Difference) -> None:
        for entry in self.declared.files:
            if not any(compile_key_glob("file", glob).fullmatch(item.key) for glob in entry.paths):
                continue
            if why := self._refused(entry, item):
                self.why.setdefault(item.id, f"{entry.origin} names it, but {why}")
                continue
            with_content = bool(entry.sha256 or entry.tree)
            self._took(item, entry.origin, Ground.CONTENT if with_content else Ground.NAMED)
            return

    def _refused(self, entry: FileEntry, item: Difference) -> str:
        if item.change not in entry.changes:
            return f"not that it is {item.change.value}"
        if not entry.privileged and (what := _gained(item)):
            return f"it has {what}, and the entry is not `privileged`"
        if item.change is Change.REMOVED:
            return f"{entry.tree} has it" if item.key in entry.contents else ""
        now = self._now(item)
        if entry.sha256:
            return "" if is_regular(now) and now.get("sha256") == entry.sha256 else "it has other content"
        if not entry.tree:
            return ""
        wanted = entry.contents.get(item.key)
        if wanted is None:
            return f"{entry.tree} does not have it"
        value = {"regular": "sha256", "symlink": "target"}.get(wanted.type, "")
        same = now.get("type") == wanted.type and (not value or now.get(value) == wanted.value)
        return "" if same else f"it is not what {entry.tree} has"

    def _now(self, item: Difference) -> Mapping[str, Value]:
        found = self.evidence.resources.get(item.kind, item.key)
        return found.attributes if found else {}

    def _fact(self, item: Difference) -> None:
        for entry in self.declared.facts:
            if not any(matches(pattern, item.kind, item.key) for pattern in entry.patterns):
                continue
            if why := _refused_fact(entry, item):
                self.why.setdefault(item.id, f"{entry.origin} names it, but {why}")
                continue
            self._took(item, entry.origin, Ground.NAMED)
            return

    def _packages(self, mutation: Mutation) -> None:
        told = _told(mutation)
        packages = [item for item in told if item.kind == "package"]
        kind = _CHANGES[mutation.cause.type]
        for step in steps(packages, self.evidence):
            entry = self._entry_of(step, kind)
            if entry is None:
                continue
            for item in step.differences:
                self._took(item, entry.origin, Ground.NAMED)
            for item in told:
                if item.kind != "package" and item.id not in self.found:
                    self._of_package(item, step, entry.origin)

    def _entry_of(self, step: Step, kind: PackageChange) -> PackageEntry | None:
        name = step.key.partition("/")[0]
        for entry in self.declared.packages:
            if not any(compile_key_glob("package", glob).fullmatch(name) for glob in entry.names):
                continue
            if why := _refused_step(entry, step, kind):
                for item in step.differences:
                    self.why.setdefault(item.id, f"{entry.origin} names it, but {why}")
                continue
            return entry
        return None

    def _of_package(self, item: Difference, step: Step, origin: str) -> None:
        """What was folded into the operation on a declared package."""
        package = step.key
        ruling = self._archived(item, package)
        why = ruling.against if ruling else ""
        if why := why or _not_vouched(item, ruling) or self._astray(item):
            self.why.setdefault(item.id, f"it came with {package}, but {why}")
            return
        if ruling:
            self._took(item, origin, Ground.ARCHIVE)
            return
        if item.kind != "file" or item.change is Change.REMOVED or not _has_content(item):
            self._took(item, origin, Ground.LISTED)
            return
        shipped = self.evidence.shipped(package, item.key)
        if shipped is None:
            self._written(item, step, origin)
        elif not self.database or not item.observed.get("md5"):
            self.unproved[item.id] = Open(item, f"of {package}, and its content was not compared with the package's")
        elif shipped == item.observed["md5"]:
            self._took(item, origin, Ground.DATABASE)
        else:
            self.why.setdefault(item.id, f"{package} lists it, but has no digest that it fits")

    def _archived(self, item: Difference, package: str) -> Ruling | None:
        """What an archive of the package says of a file that it has; None: there is none, or it cannot tell."""
        if item.kind != "file" or item.change is Change.REMOVED:
            return None
        if not any(name in self.evidence.files_of(package) for name in spellings(item.key)):
            return None
        ruling = rule(item, package, self.evidence)
        return ruling if ruling.rank is Rank.ARCHIVE else None

    def _written(self, item: Difference, step: Step, origin: str) -> None:
        """What the operation wrote beside the package's own files."""
        why = self._not_written(item, step)
        if not why:
            self._took(item, origin, Ground.GENERATED)
        elif not self.database:
            self.unproved[item.id] = Open(item, f"of {step.key}, whose install scripts could not be read")
        else:
            self.why.setdefault(item.id, why)

    def _not_written(self, item: Difference, step: Step) -> str:
        """Why none of the declared packages wrote a file that packages' operations write; empty: one may have."""
        if found := _BYTECODE.fullmatch(item.key):
            source = f"{found[1]}/{found[2]}.py"
            return (
                ""
                if any(self._has(each, source) for each in self.done)
                else (f"no declared package has its source, {source}")
            )
        program = _CALLED.get(item.key, "")
        called = not program or not step.new or any(program in self.evidence.scripts_of(each.key) for each in self.done)
        return "" if called else f"no install script of a declared package calls {program}"

    def _has(self, step: Step, path: str) -> bool:
        """Whether a package has a path, or had it in the approved image."""
        known = (self.evidence.files_of(step.key), self.evidence.baseline_files.get(step.key, ()))
        return any(name in paths for paths in known for name in spellings(path))

    def _switched(self, item: Difference) -> str:
        """Why nobody who was declared made an alternative lead elsewhere; empty: somebody did, or had to, since what
        it led to went."""
        delta = item.attributes.get("target")
        if not item.key.startswith(_ALTERNATIVES) or delta is None or not isinstance(delta.expected, str):
            return ""
        before, now = (leads_to(item.key, str(target)) for target in (delta.expected, delta.actual))
        if all(self.evidence.resources.get("file", name) is None for name in spellings(before)):
            return ""
        name = re.compile(rf"(?<![\w.+-]){re.escape(item.key.removeprefix(_ALTERNATIVES))}(?![\w.+-])")
        if any(self._has(each, now) and name.search(self.evidence.scripts_of(each.key)) for each in self.done):
            return ""
        return f"no install script of a declared package makes {now} an alternative of that name"

    def _unvouched(self, item: Difference, ground: Ground) -> bool:
        """Whether a row follows from a file that an operation wrote, and no package has what it names."""
        if ground is not Ground.GENERATED:
            return False
        return item.kind != "login_shell" or not any(name in self._listed for name in spellings(item.key))

    @cached_property
    def _listed(self) -> frozenset[str]:
        """What packages of either image list, as far as that is known."""
        known = (*self.evidence.package_files.values(), *self.evidence.baseline_files.values())
        return frozenset(path for paths in known for path in paths)

    def _astray(self, item: Difference) -> str:
        """Why a link that came with a package does not lead to what packages have: nobody has a digest of links."""
        target = actual(item).get("target") if item.kind == "file" and item.change is not Change.REMOVED else None
        if not isinstance(target, str):
            return ""
        if item.change is Change.MODIFIED and (why := self._switched(item)):
            return why
        place = self._behind(leads_to(item.key, target))
        listed = any(name in self._listed for name in spellings(place))
        nowhere = place.startswith(_ROOTS_ALONE) and self.evidence.resources.get("file", place) is None
        if listed or nowhere or place in self.came or place.startswith(_ALTERNATIVES):
            return ""
        return f"it leads to {place}, which no package lists"

    def _behind(self, place: str) -> str:
        """Where a link to this place ends, as far as links of the candidate that are not differences lead on."""
        for _ in range(_HOPS):
            found = self.evidence.resources.get("file", place)
            target = found.attributes.get("target") if found is not None and place not in self.came else None
            if not isinstance(target, str):
                break
            place = leads_to(place, target)
        return place

    def _directories(self, left: Sequence[Difference]) -> None:
        """Directories that were made for something declared: those above it that came, deepest first."""
        above: dict[str, str] = {}
        for (kind, key), one in self.found.items():
            if kind == "file" and one.difference.change is Change.ADDED:
                above.setdefault(key.rpartition("/")[0], one.origin)
        for item in sorted(left, key=lambda each: each.key, reverse=True):
            now = actual(item)
            made = item.kind == "file" and item.change is Change.ADDED and now.get("type") == "directory"
            if made and item.key in above and not mode_of(now) & _OTHERS_OR_GROUP_WRITE:
                self._took(item, above[item.key], Ground.FOLLOWS)
                above.setdefault(item.key.rpartition("/")[0], above[item.key])


def _told(mutation: Mutation) -> list[Difference]:
    """What no zone accepts."""
    return [item for item in mutation.differences if not item.allowed]


def _gained(item: Difference) -> str:
    """What more a file can do now than before."""
    if item.change is Change.REMOVED:
        return ""
    now = actual(item)
    if item.change is Change.ADDED:
        return privilege(now)
    return privilege({"type": "regular", **now})


def _refused_fact(entry: FactEntry, item: Difference) -> str:
    if item.change not in entry.changes:
        return f"not that it is {item.change.value}"
    beyond = sorted(set(item.attributes) - entry.attributes)
    if entry.attributes and item.change is Change.MODIFIED and beyond:
        return f"not {', '.join(beyond)}"
    return ""


def _refused_step(entry: PackageEntry, step: Step, kind: PackageChange) -> str:
    if kind not in entry.changes:
        return f"not that it is {kind.value}"
    for said, found, word in ((entry.before, step.old, "from"), (entry.after, step.new, "to")):
        if said not in (ANY, found):
            return f"{word} version {said}, not {found or 'none'}"
    return ""


def _not_vouched(item: Difference, ruling: Ruling | None) -> str:
    """Why a package cannot answer for a difference that was folded into its operation; empty: it can. `ruling`: its
    archive's, which is for it."""
    shipped = _SHIPPED if ruling else frozenset()
    if item.kind == "service":
        return f"no package says that {moved(item)}" if _is_switched(item) else ""
    if item.kind != "file" or item.change is Change.REMOVED:
        return ""
    if item.change is Change.MODIFIED and (beyond := sorted(set(item.attributes) - CONTENT - NAMES - shipped)):
        return f"no package database vouches for {moved(item, beyond)}"
    now = actual(item)
    if now.get("acl"):
        return "it has an access list"
    if privilege(now):
        return f"it has {privilege(now)}"
    if now.get("type") != "symlink" and mode_of(now) & _OTHERS_WRITE and not (ruling and ruling.whole):
        return "everyone may write it"
    if not ruling and now.get("uid") and not item.key.startswith("/var/"):
        return f"it is owned by uid {now['uid']}"
    return ""


def _is_switched(item: Difference) -> bool:
    return item.change is Change.MODIFIED and not _SWITCHED.isdisjoint(item.attributes)


def _has_content(item: Difference) -> bool:
    """Whether a file that came or changed is a regular one with other content."""
    return "sha256" in item.attributes or "size" in item.attributes or is_regular(actual(item))


def _source(item: Difference, evidence: Evidence) -> str:
    """The file of which something is a row; empty: none is known."""
    match item.kind:
        case "cron":
            return item.key.rsplit("/", 2)[0]
        case "sudo_rule":
            return item.key.partition(":")[0]
        case "service":
            return _unit_file(item, evidence)
        case "sysctl":
            return _setting_file(item, evidence)
        case kind if kind in KINDS:
            return written_in(item, evidence)
        case _:
            return ""


def _setting_file(item: Difference, evidence: Evidence) -> str:
    """Where sysctl.d(5) sets a parameter that has the value that is set there; one that nothing sets any more follows
    from the file that set it."""
    resource = evidence.resources.get("sysctl", item.key)
    now = resource.attributes if resource else {}
    if "current_value" in item.attributes and now.get("current_value") != now.get("config_value"):
        return ""
    delta = item.attributes.get("config_file")
    found = now.get("config_file") or (delta.expected if delta else None)
    return found if isinstance(found, str) else ""


def _unit_file(item: Difference, evidence: Evidence) -> str:
    delta = item.attributes.get("fragment_path")
    if item.change is Change.REMOVED:
        found = delta.expected if delta else None
    else:
        resource = evidence.resources.get("service", item.key)
        found = resource.attributes.get("fragment_path") if resource else None
    return found if isinstance(found, str) else ""
