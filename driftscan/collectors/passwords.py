"""The state of each user's password, from shadow(5) and the second field of passwd(5). Never the hash: the
capture holds its scheme alone."""

from collections.abc import Iterator

from driftscan.collectors._accounts import PASSWD, SHADOW, Malformed, User, is_compat, users
from driftscan.collectors._base import Collector
from driftscan.collectors._gaps import few_gaps
from driftscan.collectors._text import hidden, key, number, unique, value
from driftscan.model.resource import Attribute, Kind, Resource, Value
from driftscan.model.source import Captures, Gap, Line, Status

KIND = Kind(
    "password",
    "The state of a user's password",
    "user's name; a repeated row gets `#2`, `#3`, ...",
    {
        "password_status": Attribute(
            str,
            "`set`: a hash that a password can match; `locked`: a hash behind `!`; `disabled`: no hash, no password "
            "matches; `empty`: no password is needed",
            words=("set", "locked", "disabled", "empty"),
        ),
        "hash_alg": Attribute(str, "Scheme of crypt(5), such as `y`, `6`, `des`; empty where there is no hash"),
        "min": Attribute(int, "Days before the password may be changed; of these numbers none is: no such bound"),
        "max": Attribute(int, "Days after which it must be changed"),
        "warning": Attribute(int, "Days of warning before"),
        "inactive": Attribute(int, "Days after its end during which it is still accepted"),
        "expire": Attribute(int, "Day (since 1970-01-01) on which the account ends"),
        "must_change": Attribute(bool, "The password must be changed at the next login (last change is day 0)"),
        "source": Attribute(str, "The file that holds the password field"),
        "shell": Attribute(str, "Login shell of the user, as passwd has it; none: there is no such user"),
    },
)
_AGES = ("min", "max", "warning", "inactive", "expire")


def parse(captures: Captures) -> Iterator[Resource | Gap]:
    """A resource per row of shadow, and per user whose password stands in passwd itself."""
    return few_gaps(_parse(captures), "passwords", "password")


def _parse(captures: Captures) -> Iterator[Resource | Gap]:
    seen: dict[str, int] = {}
    shadowed: set[str] = set()
    shells = {row.name: row.shell for row in users(captures) if not isinstance(row, Malformed)}
    for line in captures.lines(SHADOW):
        parts = line.text.split(":")
        if not line.text.strip() or line.text.startswith("#") or is_compat(parts[0]):
            continue
        if len(parts) < 2 or not parts[0]:
            hides = hidden("password", parts[0]) if parts[0] else "password"
            yield Gap("passwords", Status.FAILED, f"/etc/shadow line {line.number}: no row", (hides,))
            continue
        shadowed.add(parts[0])
        yield from _shadow_row(line, parts, unique(parts[0], seen), shells.get(parts[0]))
    for row in users(captures):
        if isinstance(row, Malformed):
            yield Gap("passwords", Status.FAILED, f"/etc/passwd line {row.line}: no row", ("password",))
        elif not is_compat(row.name) and (row.field != "locked" or row.name not in shadowed):
            yield _passwd_row(row, unique(row.name, seen))


def _shadow_row(line: Line, parts: list[str], name: str, shell: str | None) -> Iterator[Resource | Gap]:
    changed, *ages = (*parts[2:8], *[""] * 6)[:6]
    attributes = _state(parts[1]) | {"source": "/etc/shadow", "shell": None if shell is None else value(shell)}
    for column, text in zip(_AGES, ages, strict=True):
        attributes[column] = number(text)
        if attributes[column] is None and text not in {"", "-1"}:
            hides = (hidden("password", parts[0]),)
            yield Gap("passwords", Status.FAILED, f"/etc/shadow line {line.number}: {column} is no number", hides)
    day = number(changed)
    if day == 0:
        attributes["must_change"] = True
    yield Resource("password", key(name), attributes, {} if day is None else {"last_change": day})


def _passwd_row(row: User, name: str) -> Resource:
    return Resource("password", key(name), _state(row.field) | {"source": "/etc/passwd", "shell": value(row.shell)})


def _state(field: str) -> dict[str, Value]:
    """Status and scheme from the field as the target reduced it (`Redact.SHADOW`)."""
    if field in {"empty", ""}:
        return {"password_status": "empty", "hash_alg": ""}
    if field == "locked":
        return {"password_status": "disabled", "hash_alg": ""}
    state = "locked" if field.startswith("!") else "set"
    return {"password_status": state, "hash_alg": value(field.lstrip("!").strip("$"))}


collector = Collector(
    name="passwords",
    version=4,
    doc="State and scheme of passwords, and their ageing; never the hash",
    kinds=(KIND,),
    sources=(SHADOW, PASSWD),
    parse=parse,
)
