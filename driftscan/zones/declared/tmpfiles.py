"""tmpfiles.d(5): files and directories that are made, emptied and removed at boot and as they age.

* What is made where it is missing (`f d D v q Q p L C`) may come. Nothing is said of what it holds: its content stays
  sealed. `w`, `z`, `a`, `h` and the like write what stands in the file itself, so all boots have the same: no zone.
* A directory that is cleaned, by age or as `D` at boot, is scratch space: what lies beneath is free.
* What is removed (`r R`) may go.

Of files of one name that in /etc counts before that in /run before that in /usr (/usr/local before /usr/lib); files are
read by name, and of two lines about one path the first counts.
"""

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from driftscan.model.source import Captures, Glob, Member, Status, lines
from driftscan.model.zone import Zone
from driftscan.zones.declared._base import Declarer, free, made, origin_of, removed
from driftscan.zones.declared._paths import globs
from driftscan.zones.declared._specifiers import literal, resolved
from driftscan.zones.declared._words import words

DIRECTORIES = (
    "/etc/tmpfiles.d",
    "/run/tmpfiles.d",
    "/usr/local/lib/tmpfiles.d",
    "/usr/lib/tmpfiles.d",
    "/lib/tmpfiles.d",
)
"""In the order of precedence; the last is the third on systems where /lib is no link."""
CONFIG = Glob(tuple(f"{top}/*.conf" for top in DIRECTORIES), public=True)
_MAKES = frozenset("fFdDvqQpLC")
_DIRECTORIES = frozenset("dDevqQ")
_GLOBBED = frozenset("erR")
_ACTS = _MAKES | _GLOBBED


@dataclass(frozen=True, slots=True)
class _Line:
    """One pattern of a line; the glob of one line may become several."""

    kind: str
    path: str
    age: str
    origin: str


def parse(captures: Captures) -> Iterator[Zone]:
    """The zones of all lines that count."""
    seen: set[str] = set()
    for member in _files(captures.members(CONFIG)):
        for line in _lines(member):
            if line.path not in seen:
                seen.add(line.path)
                yield from _zones(line)


def _files(members: tuple[Member, ...]) -> list[Member]:
    """The files that count, in the order in which they are read. A link to /dev/null, or an empty file, masks."""
    chosen: dict[str, Member] = {}
    ranked = sorted(members, key=lambda member: DIRECTORIES.index(posixpath.dirname(member.path.decode())))
    for member in ranked:
        chosen.setdefault(posixpath.basename(member.path).decode("utf-8", "surrogateescape"), member)
    return [chosen[name] for name in sorted(chosen) if chosen[name].status is Status.OK]


def _lines(member: Member) -> Iterator[_Line]:
    where = member.path.decode("utf-8", "surrogateescape")
    for line in lines(member.data.decode("utf-8", "surrogateescape")):
        fields = () if line.text.lstrip().startswith("#") else words(line.text, 6)
        if len(fields) < 2 or fields[0][:1] not in _ACTS:
            continue
        kind = fields[0][:1]
        age = fields[5] if len(fields) > 5 else "-"
        for pattern in _patterns(kind, fields[1]):
            yield _Line(kind, pattern, age, origin_of(where, line.number))


def _patterns(kind: str, text: str) -> tuple[str, ...]:
    if kind in _GLOBBED:
        return globs(resolved(text, {}) or "")
    found = literal(text, {})
    return () if found is None else (found,)


def _zones(line: _Line) -> Iterator[Zone]:
    if line.kind in "rR":
        yield removed(line.path, "tmpfiles.d removes it at boot", line.origin)
        if line.kind == "R":
            yield removed(f"{line.path}/**", "tmpfiles.d removes it at boot", line.origin)
        return
    if line.kind in _MAKES:
        yield made(line.path, "tmpfiles.d makes it at boot where it is missing", line.origin)
    if line.kind == "D":
        yield free(f"{line.path}/**", "tmpfiles.d empties the directory at boot", line.origin)
    elif line.kind in _DIRECTORIES and line.age not in {"-", ""}:
        yield free(f"{line.path}/**", f"tmpfiles.d removes what is older than {line.age} in it", line.origin)


declarer = Declarer(
    name="tmpfiles",
    doc="What tmpfiles.d makes, empties and removes",
    sources=(CONFIG,),
    parse=parse,
)
