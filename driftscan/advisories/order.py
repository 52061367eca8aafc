"""Versions in the order of the package system that they are of."""

from collections.abc import Callable, Iterable, Mapping
from functools import cmp_to_key

from driftscan.model.versions import compare_apk, compare_dpkg, compare_npm, compare_pep440, compare_rpm

_COMPARE: Mapping[str, Callable[[str, str], int | None]] = {
    "deb": compare_dpkg,
    "rpm": compare_rpm,
    "apk": compare_apk,
    "pypi": compare_pep440,
    "npm": compare_npm,
}


def compare(left: str, right: str, system: str) -> int | None:
    """-1, 0, 1; None where one of the two is no version of that system (`deb`, `rpm`, `apk`, `pypi`, `npm`)."""
    return _COMPARE[system](left, right)


def sorted_versions(versions: Iterable[str], system: str) -> list[str]:
    """From the least on; the pseudo version `0` of OSV is before all, and what is no version is after all."""

    def order(left: str, right: str) -> int:
        if "0" in (left, right):
            return (left != "0") - (right != "0")
        return compare(left, right, system) or (left > right) - (left < right) if left != right else 0

    return sorted(versions, key=cmp_to_key(order))


def latest(versions: Iterable[str], system: str) -> str:
    """The newest; empty of none."""
    return (sorted_versions(versions, system) or [""])[-1]
