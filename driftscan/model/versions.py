"""Which of two package versions is newer, as the package systems themselves order them.

dpkg: Debian Policy 5.6.12 (https://www.debian.org/doc/debian-policy/ch-controlfields.html#version). rpm: the
documented behaviour of rpmvercmp (rpm-version(7)), with `~` before and `^` after what it follows. apk:
apk-package(5), "Package version". Python: PEP 440. npm: Semantic Versioning 2.0.0, section 11. Versions come from the
scanned host: for dpkg and rpm any text has a place in the order, of the others a text that is no version has none.
Numbers are compared as digits, never converted.
"""

import re
from itertools import zip_longest
from typing import Any, TypeVar

_Ordered = TypeVar("_Ordered", str, tuple[int, str], list[int], tuple[Any, ...])
_MAX = 512
_PIECE = re.compile(r"[0-9]+|[A-Za-z]+|~|\^")
_APK = re.compile(
    r"([0-9]+)((?:\.[0-9]+)*)([a-z]?)((?:_(?:alpha|beta|pre|rc|cvs|svn|git|hg|p)[0-9]*)*)(?:~([0-9a-f]+))?(?:-r([0-9]+))?",
    re.ASCII,
)
_APK_SUFFIXES = {
    name: rank for rank, name in enumerate(("alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p"))
}
_PEP440 = re.compile(
    r"""\s*v?(?:(?P<epoch>[0-9]+)!)?(?P<release>[0-9]+(?:\.[0-9]+)*)
    (?:[-_.]?(?P<phase>alpha|beta|preview|pre|rc|a|b|c)[-_.]?(?P<pre>[0-9]*))?
    (?P<post>-(?P<bare>[0-9]+)|[-_.]?(?:post|rev|r)[-_.]?(?P<after>[0-9]*))?
    (?P<dev>[-_.]?dev[-_.]?(?P<work>[0-9]*))?
    (?:\+(?P<local>[a-z0-9]+(?:[-_.][a-z0-9]+)*))?\s*""",
    re.ASCII | re.IGNORECASE | re.VERBOSE,
)
_PHASES = {"a": 1, "alpha": 1, "b": 2, "beta": 2, "c": 3, "rc": 3, "pre": 3, "preview": 3}
_FINAL = 4
_SEMVER = re.compile(
    r"[v=\s]*(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(?:-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?\s*",
    re.ASCII,
)


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


def compare_apk(left: str, right: str) -> int | None:
    """-1, 0, 1: the order of two `number{.number}{letter}{_suffix{number}}{~commit}{-r#}` of Alpine; None: one of
    them is none."""
    one, other = _APK.fullmatch(left[:_MAX]), _APK.fullmatch(right[:_MAX])
    if one is None or other is None:
        return None
    return (
        _digits(one[1], other[1])
        or _apk_numbers(one[2], other[2])
        or _sign(one[3], other[3])
        or _apk_suffixes(one[4], other[4])
        or _sign(one[5] or "", other[5] or "")
        or _sign(_apk_optional(one[6]), _apk_optional(other[6]))
    )


def compare_pep440(left: str, right: str) -> int | None:
    """-1, 0, 1: the order of two versions of Python distributions; None: one of them is none."""
    one, other = _PEP440.fullmatch(left[:_MAX]), _PEP440.fullmatch(right[:_MAX])
    return None if one is None or other is None else _sign(_pep440(one), _pep440(other))


def compare_npm(left: str, right: str) -> int | None:
    """-1, 0, 1: the precedence of two semantic versions (what stands behind `+` has none); None: one is none."""
    one, other = _SEMVER.fullmatch(left[:_MAX]), _SEMVER.fullmatch(right[:_MAX])
    return None if one is None or other is None else _sign(_semver(one), _semver(other))


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


def _number(digits: str) -> tuple[int, str]:
    """Digits such that tuples order as the numbers do."""
    bare = digits.lstrip("0")
    return len(bare), bare


def _apk_numbers(one: str, other: str) -> int:
    """A later number with a leading zero is a fraction: if either has one, they are compared as text."""
    for left, right in zip_longest(one.split(".")[1:], other.split(".")[1:]):
        if left is None or right is None:
            return 1 if right is None else -1
        fraction = left.startswith("0") or right.startswith("0")
        if found := _sign(left, right) if fraction else _digits(left, right):
            return found
    return 0


def _apk_optional(digits: str | None) -> tuple[Any, ...]:
    """A number that may be left out: even 0 is more than none."""
    return (True, _number(digits)) if digits else (False,)


def _apk_suffixes(one: str, other: str) -> int:
    """In turn; no suffix is after those of a version to come and before those of a later state."""
    for left, right in zip_longest(one.split("_")[1:], other.split("_")[1:], fillvalue=""):
        names = left.rstrip("0123456789"), right.rstrip("0123456789")
        if found := _sign(*((_APK_SUFFIXES[name], "") for name in names)):
            return found
        numbers = (_apk_optional(left[len(names[0]) :]), _apk_optional(right[len(names[1]) :]))
        if found := _sign(*numbers):
            return found
    return 0


def _pep440(found: "re.Match[str]") -> tuple[Any, ...]:
    """What orders a version: epoch, release without zeros at its end, phase, post, dev, local."""
    release = [_number(part) for part in found["release"].split(".")]
    while len(release) > 1 and release[-1] == (0, ""):
        release.pop()
    phase = _PHASES[found["phase"].lower()] if found["phase"] else _FINAL
    if not found["phase"] and not found["post"] and found["dev"]:
        phase = 0  # 1.0.dev1 is before 1.0a1
    local = [
        (1, _number(part), "") if part.isdigit() else (0, _number(""), part.lower())
        for part in re.split("[-_.]", found["local"] or "")
        if part
    ]
    return (
        _number(found["epoch"] or "0"),
        release,
        (phase, _number(found["pre"] or "0")),
        (bool(found["post"]), _number(found["bare"] or found["after"] or "0")),
        (not found["dev"], _number(found["work"] or "0")),
        local,
    )


def _semver(found: "re.Match[str]") -> tuple[Any, ...]:
    before = [
        (0, _number(part), "") if part.isdigit() else (1, _number(""), part)
        for part in (found[4] or "").split(".")
        if part
    ]
    return _number(found[1]), _number(found[2]), _number(found[3]), not before, before
