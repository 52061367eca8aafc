"""Names of rotated logs, as logrotate(8) writes them: `.N`, `-YYYYMMDD`, compressed or not, before an extension
(directive `extension`) or after it; and `.old`."""

import re

from driftscan.model.records import Records

_STAMP = r"(?:\.[0-9]{1,5}|[-.][0-9]{8}(?:-?[0-9]{2,10})?|[-.][0-9]{4}-[0-9]{2}-[0-9]{2}|\.old)"
_PACKED = r"(?:\.(?:gz|xz|zst|bz2|lz4))?"
_AFTER = re.compile(rf"(?P<base>.+?){_STAMP}{_PACKED}")
_BEFORE = re.compile(rf"(?P<base>.+?){_STAMP}(?P<extension>\.[A-Za-z]{{1,10}}){_PACKED}")


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
