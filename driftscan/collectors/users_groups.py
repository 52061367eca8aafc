"""Local accounts: users and groups, from /etc/passwd and /etc/group."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping

from driftscan.collectors._accounts import (
    GROUP,
    NO_ID,
    NSSWITCH,
    PASSWD,
    Group,
    Malformed,
    User,
    groups,
    is_compat,
    users,
)
from driftscan.collectors._base import Collector
from driftscan.collectors._gaps import few_gaps
from driftscan.collectors._text import hidden, key, unique, value
from driftscan.model.resource import Attribute, Kind, Resource, Value
from driftscan.model.source import Captures, Gap, Status

USER = Kind(
    "user",
    "A user of /etc/passwd",
    "name; a repeated name gets `#2`, `#3`, ... (programs see the first alone)",
    {
        "uid": Attribute(int, "User id; 0 is root whatever the name"),
        "gid": Attribute(int, "Primary group's id"),
        "description": Attribute(str, "The comment field (GECOS)"),
        "directory": Attribute(str, "Home directory"),
        "shell": Attribute(str, "Login shell; empty: /bin/sh"),
        "groups": Attribute(tuple, "Names of groups that list the user, without the primary one"),
    },
)
GROUP_KIND = Kind(
    "group",
    "A group of /etc/group",
    "name; a repeated name gets `#2`, `#3`, ...",
    {
        "gid": Attribute(int, "Group id"),
        "members": Attribute(tuple, "Names of the users that it lists"),
        "password": Attribute(str, "`locked`, `empty`, or the scheme of a group password in this file"),
    },
)
_COMPAT = re.compile(r"^(passwd|group)[ \t]*:[^#\n]*\bcompat\b", re.MULTILINE)


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """Users and groups; one file that cannot be read hides its own kind alone."""
    return few_gaps(_parse(captures), "users_groups", "user", "group")


def _parse(captures: Captures) -> Iterator[Resource | Gap]:
    memberships: Mapping[str, set[str]] | None = None
    if captures[GROUP].status in (Status.OK, Status.ABSENT):
        group_rows = list(groups(captures))
        memberships = _memberships(group_rows)
        yield from _groups(group_rows)
    else:
        reason = captures[GROUP].detail or "/etc/group could not be read"
        yield Gap("users_groups", captures[GROUP].status, reason, ("group", "user"))
    if captures[PASSWD].status in (Status.OK, Status.ABSENT):
        yield from _users(list(users(captures)), memberships)
    else:
        reason = captures[PASSWD].detail or "/etc/passwd could not be read"
        yield Gap("users_groups", captures[PASSWD].status, reason, ("user",))
    yield from _elsewhere(captures)


def _groups(rows: list[Group | Malformed]) -> Iterator[Resource | Gap]:
    seen: dict[str, int] = {}
    for row in rows:
        if isinstance(row, Malformed):
            yield _malformed("group", row)
            continue
        attributes: dict[str, Value] = {
            "gid": _id(row.gid),
            "members": tuple(value(member) for member in row.members),
            "password": value(row.field),
        }
        yield Resource("group", key(unique(row.name, seen)), attributes)


def _users(rows: list[User | Malformed], memberships: Mapping[str, set[str]] | None) -> Iterator[Resource | Gap]:
    seen: dict[str, int] = {}
    for row in rows:
        if isinstance(row, Malformed):
            yield _malformed("user", row)
            continue
        attributes: dict[str, Value] = {
            "uid": _id(row.uid),
            "gid": _id(row.gid),
            "description": value(row.description),
            "directory": value(row.directory),
            "shell": value(row.shell),
        }
        if memberships is not None:
            attributes["groups"] = tuple(sorted(value(name) for name in memberships.get(row.name, ())))
        yield Resource("user", key(unique(row.name, seen)), attributes)


def _id(number: int) -> int | None:
    return None if number == NO_ID else number


def _memberships(rows: list[Group | Malformed]) -> Mapping[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        if isinstance(row, Group):
            for member in row.members:
                found[member].add(row.name)
    return found


def _malformed(kind: str, row: Malformed) -> Gap:
    file = "/etc/passwd" if kind == "user" else "/etc/group"
    hides = hidden(kind, row.name) if row.name else kind
    return Gap("users_groups", Status.FAILED, f"{file} line {row.line}: not a row of {kind}s", (hides,))


def _elsewhere(captures: Captures) -> Iterator[Gap]:
    """Rows of `compat` let in accounts that no file of the host names: the local ones are whole, those are unseen."""
    if captures[NSSWITCH].status is not Status.OK:
        return
    compat = {match[1] for match in _COMPAT.finditer(captures.text(NSSWITCH))}
    for database, source, rows in (("passwd", PASSWD, users), ("group", GROUP, groups)):
        if database not in compat or captures[source].status is not Status.OK:
            continue
        if any(not isinstance(row, Malformed) and is_compat(row.name) for row in rows(captures)):
            reason = f"{source.path} has + rows: accounts of a directory service are not seen"
            yield Gap("users_groups", Status.UNSUPPORTED, reason)


collector = Collector(
    name="users_groups",
    version=1,
    doc="Local users and groups with their memberships",
    kinds=(USER, GROUP_KIND),
    sources=(PASSWD, GROUP, NSSWITCH),
    parse=parse,
)
