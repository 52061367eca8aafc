"""systemd's unit files as they lie on disk (systemd.unit(5)): which exist, which one counts, with which drop-ins.

The directories are searched in systemd's order (path-lookup.c, version 252; later versions have the same). What
generators write to /run at each boot follows from other files and is kept apart: it is no state of the image.
"""

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from driftscan.model.source import Captures, Glob, Member, Redact, Status

SEARCH = (
    "/etc/systemd/system.control",
    "/run/systemd/system.control",
    "/run/systemd/transient",
    "/run/systemd/generator.early",
    "/etc/systemd/system",
    "/etc/systemd/system.attached",
    "/run/systemd/system",
    "/run/systemd/system.attached",
    "/run/systemd/generator",
    "/usr/local/lib/systemd/system",
    "/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/run/systemd/generator.late",
)
CONFIG = "/etc/systemd/system"
TRANSIENT = "/run/systemd/transient"
GENERATED = frozenset(f"/run/systemd/generator{when}" for when in ("", ".early", ".late"))
DEPENDENCIES = (".wants", ".requires", ".upholds")
TYPES = ("service", "socket", "timer", "path", "mount", "automount", "swap", "target", "slice")

UNITS = Glob(tuple(f"{top}/*.{kind}" for top in SEARCH for kind in TYPES), redact=Redact.SECRETS)
DROP_INS = Glob(tuple(f"{top}/*.d/*.conf" for top in SEARCH), redact=Redact.SECRETS)
LINKS = Glob(tuple(f"{top}/*{kind}/*" for top in SEARCH for kind in DEPENDENCIES), max_files=20000, content=False)
LIB = Glob(("/lib",), content=False)
SOURCES = (UNITS, DROP_INS, LINKS, LIB)

_UNIT_NAME = re.compile(rf"[A-Za-z0-9:_.\\@-]{{1,240}}\.(?:{'|'.join(TYPES)})", re.ASCII)
_MAX_LINKS = 64


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or link in one of the directories. `target`: of a link, absolute inside the root."""

    directory: str
    name: str
    data: bytes
    target: str | None
    readable: bool

    @property
    def path(self) -> str:
        """Where it lies."""
        return f"{self.directory}/{self.name}"

    @property
    def shadows(self) -> bool:
        """Whether it is a link to a unit of its own name in another directory of the search."""
        if self.target is None:
            return False
        directory, name = posixpath.split(self.target)
        return directory in SEARCH and name == self.name

    @property
    def masks(self) -> bool:
        """Whether it stands for nothing: empty, or a link to /dev/null."""
        return self.target == "/dev/null" or (self.readable and not self.data and self.target is None)


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as systemd finds it. `name`: its own, after aliases; `entry`: the file that counts."""

    name: str
    entry: Entry


@dataclass(frozen=True)
class UnitFiles:
    """All unit files of a root."""

    units: Mapping[str, tuple[Entry, ...]]
    """Name -> entries in the order of the search."""
    drop_ins: Mapping[str, tuple[Entry, ...]]
    """Name of a directory (`ssh.service.d`) -> entries in the order of the search."""
    links: tuple[tuple[Entry, str], ...] = ()
    """Links in `*.wants` and the like: entry, and the name of that directory."""
    unreadable: tuple[str, ...] = field(default=())

    def find(self, name: str) -> Unit | None:
        """The unit that a name leads to, None if there is none or its links run in a circle."""
        for _ in range(_MAX_LINKS):
            entries = self.units.get(name) or self.units.get(template_of(name) or "")
            if not entries:
                return None
            entry = entries[0]
            if entry.target is None or entry.masks or posixpath.dirname(entry.target) not in SEARCH:
                return Unit(name, entry)
            base = posixpath.basename(entry.target)
            if base in {name, template_of(name)}:
                return Unit(name, entry)
            name = instance_of(base, name)
        return None

    def drop_ins_of(self, groups: Iterable[Iterable[str]]) -> tuple[Entry, ...]:
        """Drop-ins of directories (without `.d`), in the order in which they are applied: by file name. Of two of one
        name that of the earlier group counts; within a group that in the place that is searched first, then that of
        the nearer directory. A masked one is none."""
        chosen: dict[str, tuple[tuple[int, int, int], Entry]] = {}
        for number, kinds in enumerate(groups):
            for nearness, kind in enumerate(kinds):
                for entry in self.drop_ins.get(f"{kind}.d", ()):
                    rank = (number, _rank(entry), nearness)
                    if entry.name not in chosen or rank < chosen[entry.name][0]:
                        chosen[entry.name] = (rank, entry)
        return tuple(chosen[name][1] for name in sorted(chosen) if not chosen[name][1].masks)

    @cached_property
    def wants(self) -> Mapping[tuple[str, str], tuple[str, ...]]:
        """(directory of the search, name) -> names of links in its `*.wants` and the like that pull in the unit of
        that name, or an instance of it."""
        found: dict[tuple[str, str], list[str]] = {}
        for entry, _ in self.links:
            for name in (entry.name, template_of(entry.name)):
                if name:
                    found.setdefault((posixpath.dirname(entry.directory), name), []).append(entry.name)
        return {place: tuple(names) for place, names in found.items()}

    @cached_property
    def links_about(self) -> Mapping[tuple[str, str], tuple[Entry, ...]]:
        """(directory of the search, name) -> links right in it that have this name, or lead to a file of this name."""
        found: dict[tuple[str, str], list[Entry]] = {}
        for entries in self.units.values():
            for entry in entries:
                for name in {entry.name, posixpath.basename(entry.target)} if entry.target is not None else ():
                    found.setdefault((entry.directory, name), []).append(entry)
        return {place: tuple(entries) for place, entries in found.items()}

    @cached_property
    def pulled_by(self) -> Mapping[str, tuple[tuple[Entry, str], ...]]:
        """Name of a unit -> links of its name in `*.wants` and the like, each with the name of that directory."""
        found: dict[str, list[tuple[Entry, str]]] = {}
        for entry, parent in self.links:
            found.setdefault(entry.name, []).append((entry, parent))
        return {name: tuple(entries) for name, entries in found.items()}

    @cached_property
    def aliases(self) -> Mapping[str, tuple[str, ...]]:
        """Name of a unit -> other names that links give it."""
        found: dict[str, list[str]] = {}
        for name in sorted(self.units):
            unit = self.find(name)
            if unit is not None and unit.name != name and not unit.entry.masks:
                found.setdefault(unit.name, []).append(name)
        return {name: tuple(names) for name, names in found.items()}


def template_of(name: str) -> str | None:
    """`getty@.service` of `getty@tty1.service`; None if the name is of no instance."""
    prefix, at, rest = name.partition("@")
    instance, dot, kind = rest.rpartition(".")
    return f"{prefix}@.{kind}" if at and dot and prefix and instance else None


def instance_of(template: str, name: str) -> str:
    """The template with the instance of another name, if it is a template and that has one."""
    if "@." not in template or template_of(name) is None:
        return template
    instance = name.partition("@")[2].rpartition(".")[0]
    return template.replace("@.", f"@{instance}.", 1)


def drop_in_groups(name: str, aliases: Iterable[str] = ()) -> tuple[tuple[str, ...], ...]:
    """Directories (without `.d`) of a unit's drop-ins, a group for its name and each alias: the name, its template,
    the truncations at dashes (`foo-.service` for `foo-bar.service`); and the type as the last group."""
    groups = [tuple(dict.fromkeys(_directories(one))) for one in (name, *aliases)]
    return (*groups, (name.rpartition(".")[2],))


def _directories(name: str) -> Iterator[str]:
    prefix, _, kind = name.rpartition(".")
    for base in (prefix, (template_of(name) or "").rpartition(".")[0]):
        if base:
            yield f"{base}.{kind}"
            parts = base.partition("@")[0].split("-")
            yield from (f"{'-'.join(parts[:end])}-.{kind}" for end in range(len(parts) - 1, 0, -1))


def read(captures: Captures) -> UnitFiles:
    """UnavailableError if a glob as a whole could not be read; single files that could not are in `unreadable`."""
    merged = any(member.link is not None for member in captures.members(LIB))
    units: dict[str, list[Entry]] = {}
    drop_ins: dict[str, list[Entry]] = {}
    links: list[tuple[Entry, str]] = []
    unreadable: set[str] = set()
    for source in (UNITS, DROP_INS, LINKS):
        for entry in _entries(captures.members(source), merged):
            parent = posixpath.basename(entry.directory)
            if not entry.readable:
                unreadable.add(parent.removesuffix(".d") if source is DROP_INS else entry.name)
            if source is DROP_INS:
                drop_ins.setdefault(parent, []).append(entry)
            elif _UNIT_NAME.fullmatch(entry.name) and source is UNITS:
                units.setdefault(entry.name, []).append(entry)
            elif _UNIT_NAME.fullmatch(entry.name) and entry.target is not None:
                links.append((entry, parent))
    return UnitFiles(_ordered(units), _ordered(drop_ins), tuple(links), tuple(sorted(unreadable)))


def _ordered(entries: Mapping[str, list[Entry]]) -> Mapping[str, tuple[Entry, ...]]:
    return {name: tuple(sorted(same, key=_rank)) for name, same in sorted(entries.items())}


def _rank(entry: Entry) -> int:
    directory = entry.directory if entry.directory in SEARCH else posixpath.dirname(entry.directory)
    return SEARCH.index(directory)


def _entries(members: Iterable[Member], merged: bool) -> Iterator[Entry]:
    """Where /lib is a link to /usr/lib, the files below it are named by their place in /usr."""
    for member in members:
        path = _text(member.path)
        if member.mode & 0o170000 == 0o040000 or member.closed or (merged and path.startswith("/lib/")):
            continue
        directory, name = posixpath.split(path)
        target = None
        if member.link is not None:
            target = posixpath.normpath(posixpath.join(directory, _text(member.link)))
            if merged and target.startswith("/lib/"):
                target = "/usr" + target
        yield Entry(directory, name, member.data, target, member.status is Status.OK)


def _text(raw: bytes) -> str:
    """As it is on disk: names of units are full of backslashes, which are only doubled in keys."""
    return raw.decode("utf-8", "surrogateescape")


@dataclass(frozen=True, slots=True)
class Assignment:
    """`Name=value` in a section of a unit file, and the line where it begins. An empty value clears what was before."""

    section: str
    name: str
    value: str
    line: int


def assignments(data: bytes) -> Iterator[Assignment]:
    """The assignments of a file in order (systemd.syntax(7)). Lines that are none are passed over, as systemd does."""
    section = ""
    for number, line in _logical_lines(data.decode("utf-8", "surrogateescape")):
        if line.startswith("["):
            section = line.strip("[]")
            continue
        name, equals, given = line.partition("=")
        if equals:
            yield Assignment(section, name.strip(), given.strip(), number)


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """A backslash at the end joins; comments may stand between joined lines."""
    held: list[str] = []
    first = 0
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if line[:1] in {"#", ";"} or (not line and not held):
            continue
        first = first if held else number
        held.append(line.removesuffix("\\"))
        if not line.endswith("\\"):
            yield first, " ".join(held).strip()
            held = []
    if held:
        yield first, " ".join(held).strip()
