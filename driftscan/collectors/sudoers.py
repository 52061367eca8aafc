"""The rules of sudo, file by file in the order in which sudo reads them (sudoers(5)).

Of several rules that fit sudo takes the last. Rules with one header are told apart by their order; that rules with
different headers changed places is not seen here, only in the file's digest.
"""

import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from driftscan.collectors._base import Collector
from driftscan.collectors._gaps import few_gaps
from driftscan.collectors._sudoers import Rule, Unparsed, rules
from driftscan.collectors._text import hidden, key, lines, unique, value
from driftscan.model.resource import Attribute, Kind, Resource, Value
from driftscan.model.source import Captures, File, Gap, Glob, Line, Member, Status

MAIN = File("/etc/sudoers", max_bytes=1 << 20)
VENDOR = File("/usr/etc/sudoers", max_bytes=1 << 20)
"""Read where /etc/sudoers is absent (sudo 1.9.15 and later, as openSUSE builds it)."""
DIRECTORIES = ("/etc/sudoers.d", "/usr/etc/sudoers.d", "/usr/local/etc/sudoers.d")
FILES = Glob((*(f"{directory}/*" for directory in DIRECTORIES), "/etc/sudoers.*", "/etc/sudoers-*"), max_bytes=1 << 20)
"""No redaction: it would take the word after `NOPASSWD:` for a secret."""

MAX_DEPTH = 128
"""sudo's own limit of nested includes."""
MAX_RULES = 50_000

_TYPES = ("user_spec", "defaults", "alias", "include", "includedir")

KIND = Kind(
    "sudo_rule",
    "A line of sudoers: a user specification, a default, an alias, or an include",
    "file:header; the header is the left side: `%sudo`, `Defaults env_reset`, `User_Alias ADMINS`, "
    "`@includedir DIR`; a repeated one gets `#2`, `#3`, ...",
    {
        "type": Attribute(str, ", ".join(_TYPES), words=_TYPES),
        "source": Attribute(str, "The file that it stands in"),
        "header": Attribute(str, "The left side"),
        "rule_details": Attribute(str, "The rest, blanks in one form"),
        "users": Attribute(tuple, "Users, %groups and aliases that it names"),
        "nopasswd": Attribute(bool, "Whether it asks no password: NOPASSWD for some command, or !authenticate"),
        "all_commands": Attribute(bool, "Whether it allows ALL commands (aliases are not followed)"),
    },
    shape=r"/.*:.*",
)


@dataclass(slots=True)
class _Reader:
    """What is known while includes are followed. `open`: the files that led here, outermost first."""

    members: dict[str, Member]
    seen: dict[str, int] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    open: list[str] = field(default_factory=list)
    rules: int = 0

    def read(self, path: str, text: Iterable[Line]) -> Iterator[Resource | Gap]:
        self.open.append(path)
        self.done.add(path)
        for rule in rules(text):
            self.rules += 1
            if self.rules > MAX_RULES:
                yield Gap("sudoers", Status.TRUNCATED, f"more than {MAX_RULES} rules", ("sudo_rule",))
                break
            if isinstance(rule, Unparsed):
                hides = hidden("sudo_rule", path, after=":*")
                yield Gap("sudoers", Status.FAILED, f"{value(path)} line {rule.line}: not of sudoers' format", (hides,))
                continue
            yield _resource(path, rule, self.seen)
            if rule.type == "include":
                yield from self.include(_absolute(path, rule.details))
            elif rule.type == "includedir":
                yield from self.include_directory(_absolute(path, rule.details))
        self.open.pop()

    def include(self, path: str) -> Iterator[Resource | Gap]:
        """A file that was read before is not listed again: its rules are the same."""
        member = self.members.get(path)
        hides = hidden("sudo_rule", path, after=":*")
        if path in self.open or len(self.open) > MAX_DEPTH:
            yield Gap("sudoers", Status.FAILED, f"{value(path)} is included too deeply, or by itself", (hides,))
        elif path in self.done:
            return
        elif member is not None and member.status is Status.OK:
            yield from self.read(path, lines(FILES, member.data))
        elif member is not None or not _covered(path):
            status = Status.UNSUPPORTED if member is None else member.status
            yield Gap("sudoers", status, f"{value(path)} is included and could not be read", (hides,))

    def include_directory(self, path: str) -> Iterator[Resource | Gap]:
        if path not in DIRECTORIES:
            hides = hidden("sudo_rule", path, after="/*")
            yield Gap("sudoers", Status.UNSUPPORTED, f"{value(path)} is included and not looked at", (hides,))
            return
        for name in sorted(self.members):
            if name.rpartition("/")[0] == path and _is_read(name.rpartition("/")[2], self.members[name]):
                yield from self.include(name)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Every line that sudo reads; nothing where there is no sudoers file, whatever lies in sudoers.d."""
    return few_gaps(_parse(captures), "sudoers", "sudo_rule")


def _parse(captures: Captures) -> Iterator[Resource | Gap]:
    main = MAIN if captures.exists(MAIN) else VENDOR
    if captures.exists(main):
        members = {member.path.decode("utf-8", "surrogateescape"): member for member in captures.members(FILES)}
        yield from _Reader(members).read(main.path, captures.lines(main))


def _resource(path: str, rule: Rule, seen: dict[str, int]) -> Resource:
    attributes: dict[str, Value] = {
        "type": rule.type,
        "source": value(path),
        "header": value(rule.header),
        "rule_details": value(rule.details),
        "users": tuple(sorted(value(user) for user in rule.users)),
        "nopasswd": rule.nopasswd,
        "all_commands": rule.all_commands,
    }
    return Resource("sudo_rule", key(unique(f"{path}:{rule.header}", seen)), attributes, {"line": rule.line})


def _absolute(base: str, path: str) -> str:
    """A relative path is relative to the directory of the file that includes it."""
    whole = path if path.startswith("/") else f"{base.rpartition('/')[0]}/{path}"
    return whole.rstrip("/") or "/"


def _covered(path: str) -> bool:
    """Whether a file of this path would have been captured, so that its absence is a fact."""
    directory, _, name = path.rpartition("/")
    return directory in DIRECTORIES or (directory == "/etc" and name.startswith(("sudoers.", "sudoers-")))


def _is_read(name: str, member: Member) -> bool:
    """sudo skips directories and, so that package managers' leftovers do no harm, names with a dot or a final `~`."""
    return "." not in name and not name.endswith("~") and not stat.S_ISDIR(member.mode)


collector = Collector(
    name="sudoers",
    version=2,
    doc="The rules of sudo, from sudoers and what it includes",
    kinds=(KIND,),
    sources=(MAIN, VENDOR, FILES),
    parse=parse,
)
