"""Versions: which system's order holds for a resource's version, and tests of that order."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from driftscan.model.resource import Value
from driftscan.model.versions import compare_apk, compare_dpkg, compare_npm, compare_pep440, compare_rpm, rpmvercmp
from driftscan.policy.arguments import ArgumentError
from driftscan.policy.conditions import Row, Test
from driftscan.policy.truth import Truth

_Order = Callable[[str, str], int | None]
PACKAGE = "package"
_BY_TYPE: Mapping[Value, _Order] = {"deb": compare_dpkg, "rpm": compare_rpm, "apk": compare_apk}
"""The orders of packages, by their column `type`."""
_BY_KIND: Mapping[str, _Order] = {"python_package": compare_pep440, "npm_package": compare_npm}
"""Those of other packages."""
_LITERAL = re.compile(r"[0-9A-Za-z.+~:^_!-]*[0-9][0-9A-Za-z.+~:^_!-]*")
"""A version of any system."""


def version_order(holds: Callable[[int, int], bool]) -> Callable[[Any], Test]:
    """A test of a version against the argument, in the order of the system that the resource belongs to. Not known
    where that is not known, or a text is no version of it."""

    def build(argument: Any) -> Test:
        bound = str(argument) if type(argument) is int else argument
        if not isinstance(bound, str) or not _LITERAL.fullmatch(bound):
            raise ArgumentError("must be a version")

        def test(value: Value, row: Row) -> Truth:
            if value is None or value == "":
                return False
            order = _order(row)
            found = order(value, bound) if order and isinstance(value, str) else None
            return None if found is None else holds(found, 0)

        return test

    return build


def _order(row: Row) -> _Order | None:
    if row.kind == PACKAGE:
        return _BY_TYPE.get(row.attributes.get("type"))
    return _BY_KIND.get(row.kind, _releases)


def _releases(left: str, right: str) -> int | None:
    """Numbers in turn, whatever stands between them, as rpm has it: `6.1.0-28-amd64`, `12.8`; none of a name."""
    return rpmvercmp(left, right) if left[:1].isdigit() and right[:1].isdigit() else None


def misfit(kind: str, argument: str) -> bool:
    """Whether a kind's versions are never like the argument: all comparisons with it would be not known."""
    return kind in _BY_KIND and _BY_KIND[kind](argument, argument) is None


def near_versions(argument: Any) -> Iterator[Value]:
    """A first version, those around the argument in most systems, a last one."""
    return iter(("0", "0.0.0", f"{argument}", f"{argument}~", f"{argument}.1", "99999", "99999.0.0"))
