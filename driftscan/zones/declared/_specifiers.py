"""Specifiers of tmpfiles.d(5) and systemd.unit(5) (`%t`, `%m`): what they stand for on any host of an image."""

import re
from collections.abc import Mapping

from driftscan.zones.declared._paths import globs, path

PLACES = {
    "%": "%",
    "C": "/var/cache",
    "L": "/var/log",
    "S": "/var/lib",
    "T": "/tmp",  # noqa: S108 - what systemd calls it, not a place to write to
    "V": "/var/tmp",  # noqa: S108
    "t": "/run",
    "h": "/root",
    "u": "root",
    "U": "0",
    "g": "root",
    "G": "0",
}
"""Those of the system manager, whose user is root."""
_ID = "?" * 32
_ANY = {"m": _ID, "b": _ID, "H": "*", "l": "*", "v": "*"}
"""Machine and boot id have 32 digits; names of hosts and kernels have no length that is known."""
_SPECIFIER = re.compile(r"%(.?)", re.DOTALL)


_WILD = re.compile(r"[*?\[{\\]")


def literal(text: str, own: Mapping[str, str]) -> str | None:
    """The pattern of a path that is no glob, whose specifiers may stand for others on each host; None where it is not
    known, or what stands in it would be read as a glob."""
    found = resolved(text, own)
    if found is None or not ("*" in found or "?" in found):
        return None if found is None else path(found)
    return None if _WILD.search(text) else next(iter(globs(found)), None)


def resolved(text: str, own: Mapping[str, str]) -> str | None:
    """A text with its specifiers as what they stand for, wildcards where that is another on each host. `own`: of what
    the text belongs to. None where one is not known: what it names is not known either."""
    known = {**PLACES, **_ANY, **own}
    letters = _SPECIFIER.findall(text)
    if any(letter not in known for letter in letters):
        return None
    return _SPECIFIER.sub(lambda found: known[found[1]], text)
