"""Which attributes of a file say what, and what makes a file dangerous wherever it lies."""

from collections.abc import Mapping

from driftscan.model.resource import Value

CONTENT = frozenset({"size", "sha256", "md5", "target"})
"""What a file says."""
NAMES = frozenset({"nlink"})
"""What follows from the names that a file has."""
ALL = CONTENT | NAMES | {"type", "mode", "uid", "gid", "device", "acl", "capabilities", "selinux", "flags", "xattrs"}
"""Every column of a file."""
SET_ID = 0o6000
EXECUTE = 0o111


def mode_of(attributes: Mapping[str, Value]) -> int:
    """The permission bits of four octal digits; 0 where there are none (links)."""
    mode = attributes.get("mode")
    if isinstance(mode, str) and 0 < len(mode) <= 8 and all("0" <= digit <= "7" for digit in mode):
        return int(mode, 8) & 0o7777
    return 0


def is_regular(attributes: Mapping[str, Value]) -> bool:
    """Whether it is a regular file."""
    return attributes.get("type") == "regular"


def privilege(attributes: Mapping[str, Value]) -> str:
    """What gives whoever runs or opens the file more rights than they have, in words; empty: nothing does."""
    if attributes.get("type") in {"block", "character"}:
        return "a device node"
    if is_regular(attributes) and mode_of(attributes) & SET_ID:
        return "a set-id bit"
    if attributes.get("capabilities"):
        return "file capabilities"
    return ""


def is_executable(attributes: Mapping[str, Value]) -> bool:
    """Whether it is a regular file that someone may execute."""
    return is_regular(attributes) and bool(mode_of(attributes) & EXECUTE)
