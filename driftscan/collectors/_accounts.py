"""Rows of passwd(5), group(5) and shadow(5), read as glibc's `files` service reads them.

Blank lines and comments are skipped; leading white space is ignored; fields that are missing at the end are
empty; a row whose numbers are none is skipped by glibc, and reported here as malformed. `+` and `-` rows (the
`compat` service of nsswitch.conf(5)) are rows with those names.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from driftscan.model.source import Captures, File, Line, Redact, lines

PASSWD = File("/etc/passwd", redact=Redact.SHADOW)
"""Reduced, because the second field of passwd and group may hold a password."""
GROUP = File("/etc/group", redact=Redact.SHADOW)
SHADOW = File("/etc/shadow", redact=Redact.SHADOW)
NSSWITCH = File("/etc/nsswitch.conf", max_bytes=64 << 10)

_NUMBER = re.compile(r"[ \t]*([+-]?)([0-9]{1,18})", re.ASCII)
MAX_ID = 0xFFFFFFFF
NO_ID = -1


@dataclass(frozen=True, slots=True)
class User:
    """A row of passwd. `field`: the reduced password field. Ids are NO_ID where a row of `compat` has none."""

    line: int
    name: str
    field: str
    uid: int
    gid: int
    description: str
    directory: str
    shell: str


@dataclass(frozen=True, slots=True)
class Group:
    """A row of group. `field`: the reduced password field."""

    line: int
    name: str
    field: str
    gid: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Malformed:
    """A line that is no row, with the name that it would have."""

    line: int
    name: str


def is_compat(name: str) -> bool:
    """Whether a row speaks of another directory service (`+`, `+name`, `-@netgroup`)."""
    return name[:1] in {"+", "-"}


def users(captures: Captures) -> Iterator[User | Malformed]:
    """The rows of /etc/passwd in order."""
    return iter(_users(captures.text(PASSWD)))


@lru_cache(maxsize=4)
def _users(text: str) -> tuple[User | Malformed, ...]:
    """Several collectors ask for them, of many hosts that have the same."""
    found: list[User | Malformed] = []
    for line, parts in _rows(lines(text)):
        name, field, uid, gid, description, directory, shell = _pad(parts, 7)
        if name and all(_is_number(number, name) for number in (uid, gid)):
            found.append(User(line, name, field, _number(uid), _number(gid), description, directory, shell))
        else:
            found.append(Malformed(line, name))
    return tuple(found)


def groups(captures: Captures) -> Iterator[Group | Malformed]:
    """The rows of /etc/group in order."""
    for line, parts in _rows(captures.lines(GROUP)):
        name, field, gid, members = _pad(parts, 4)
        if name and _is_number(gid, name):
            names = {member.strip(" \t") for member in members.split(",")} - {""}
            yield Group(line, name, field, _number(gid), tuple(sorted(names)))
        else:
            yield Malformed(line, name)


def _rows(lines: Iterable[Line]) -> Iterator[tuple[int, list[str]]]:
    for line in lines:
        text = line.text.lstrip(" \t\v\f\r")
        if text and text[0] != "#":
            yield line.number, text.split(":")


def _pad(parts: list[str], count: int) -> list[str]:
    """Exactly `count` fields; the last one keeps the colons of the rest, as in glibc."""
    return [*parts[: count - 1], ":".join(parts[count - 1 :])] + [""] * (count - 1 - len(parts))


def _is_number(text: str, name: str) -> bool:
    """A row of `compat` may leave its numbers out."""
    return _number(text) != NO_ID or (not text and is_compat(name))


def _number(text: str) -> int:
    """As strtoul(3) within 32 bits; NO_ID where there is no such number."""
    match = _NUMBER.fullmatch(text)
    if match is None or int(match[2]) > (0 if match[1] == "-" else MAX_ID):
        return NO_ID
    return int(match[2])
