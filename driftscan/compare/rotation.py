"""Names of rotated logs, as logrotate(8) writes them: `.N`, `-YYYYMMDD`, compressed or not, before an extension
(directive `extension`) or after it; and `.old`. Names of what is renewed, as certbot writes them: `privkey2.pem`."""

import re
from collections.abc import Iterator

from driftscan.model.records import Records

_STAMP = r"(?:\.[0-9]{1,5}|[-.][0-9]{8}(?:-?[0-9]{2,10})?|[-.][0-9]{4}-[0-9]{2}-[0-9]{2}|\.old)"
_PACKED = r"(?:\.(?:gz|xz|zst|bz2|lz4))?"
_AFTER = re.compile(rf"(?P<base>.+?){_STAMP}{_PACKED}")
_BEFORE = re.compile(rf"(?P<base>.+?){_STAMP}(?P<extension>\.[A-Za-z]{{1,10}}){_PACKED}")
_NUMBERED = re.compile(r"(?P<stem>(?:.*/)?[^/0-9.]+)(?P<number>[0-9]{1,6})(?P<extension>\.[a-z]{1,8})?", re.DOTALL)
_KEPT = 8


def base_of(key: str) -> str | None:
    """The log of which a path is a rotated copy; None if its name is not of that shape."""
    directory, slash, name = key.rpartition("/")
    if len(name) > 255:
        return None
    if found := _AFTER.fullmatch(name):
        return f"{directory}{slash}{found['base']}"
    if found := _BEFORE.fullmatch(name):
        return f"{directory}{slash}{found['base']}{found['extension']}"
    return None


def has_rotated(files: Records, key: str) -> bool:
    """Whether there is a rotated copy of a log."""
    stem = key.rpartition(".")[0] if "." in key.rpartition("/")[2] else key
    return any(base_of(name) == key for name in files.beneath(stem))


def predecessors(key: str) -> Iterator[str]:
    """The names that come before one with a number at its end (before an extension), the nearest first: those that
    may still be there, since whoever numbers what it renews keeps a few old ones (certbot: five)."""
    if found := _NUMBERED.fullmatch(key):
        number = int(found["number"])
        for before in range(number - 1, max(-1, number - 1 - _KEPT), -1):
            yield f"{found['stem']}{before}{found['extension']}"


def unnumbered(target: str) -> str:
    """A path without the number of its last component: what renewed links have in common."""
    found = _NUMBERED.fullmatch(target)
    return f"{found['stem']}{found['extension']}" if found else target
