"""Which of two package versions is newer, as the package systems themselves order them.

dpkg: Debian Policy 5.6.12 (https://www.debian.org/doc/debian-policy/ch-controlfields.html#version). rpm: the
documented behaviour of rpmvercmp (rpm-version(7)), with `~` before and `^` after what it follows. Versions come from
the scanned host: any text has a place in the order, and numbers are compared as digits, never converted.
"""

import re
from itertools import zip_longest
from typing import TypeVar

_Ordered = TypeVar("_Ordered", str, tuple[int, str], list[int])
_MAX = 512
_PIECE = re.compile(r"[0-9]+|[A-Za-z]+|~|\^")


def compare_dpkg(left: str, right: str) -> int:
    """-1, 0, 1: the order of two Debian versions `[epoch:]upstream[-revision]`."""
    for one, other in zip(_dpkg_parts(left[:_MAX]), _dpkg_parts(right[:_MAX]), strict=True):
        if found := _dpkg_order(one, other):
            return found
    return 0


def compare_rpm(left: str, right: str) -> int:
    """-1, 0, 1: the order of two `[epoch:]version[-release]`."""
    for one, other in zip(_rpm_parts(left[:_MAX]), _rpm_parts(right[:_MAX]), strict=True):
        if found := rpmvercmp(one, other):
            return found
    return 0


def rpmvercmp(left: str, right: str) -> int:
    """-1, 0, 1: the order of two rpm version strings without epoch and release."""
    for one, other in zip_longest(_PIECE.findall(left[:_MAX]), _PIECE.findall(right[:_MAX]), fillvalue=""):
        if found := _rpm_order(one, other):
            return found
    return 0


def _rpm_order(one: str, other: str) -> int:
    if one == other:
        return 0
    if "~" in {one, other}:
        return -1 if one == "~" else 1
    if not one or not other:
        return 1 if one else -1
    if "^" in {one, other}:
        return -1 if one == "^" else 1
    if one.isdigit() != other.isdigit():
        return 1 if one.isdigit() else -1
    return _digits(one, other) if one.isdigit() else _sign(one, other)


def _dpkg_parts(version: str) -> tuple[str, str, str]:
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, dash, revision = rest.rpartition("-")
    return (epoch, upstream, revision) if dash else (epoch, rest, "0")


def _dpkg_order(left: str, right: str) -> int:
    """Non-digits and digits in turn; among non-digits `~` is before the end, the end before letters, letters before
    all else."""
    pattern = re.compile(r"([^0-9]*)([0-9]*)")
    a = b = 0
    while a < len(left) or b < len(right):
        one, other = pattern.match(left, a), pattern.match(right, b)
        assert one is not None
        assert other is not None
        words = _sign([*map(_weight, one[1]), 0], [*map(_weight, other[1]), 0])
        if found := words or _digits(one[2], other[2]):
            return found
        a, b = one.end(), other.end()
    return 0


def _weight(char: str) -> int:
    if char == "~":
        return -1
    return ord(char) if char.isascii() and char.isalpha() else ord(char) + 256


def _digits(one: str, other: str) -> int:
    one, other = one.lstrip("0"), other.lstrip("0")
    return _sign((len(one), one), (len(other), other))


def _sign(one: _Ordered, other: _Ordered) -> int:
    return (one > other) - (one < other)


def _rpm_parts(version: str) -> tuple[str, str, str]:
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, release = rest.partition("-")
    return epoch, upstream, release
