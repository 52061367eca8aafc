"""Inline tests of a rule: checked for kinds and columns when the policy is loaded, run by `cases.py`."""

from collections.abc import Mapping
from typing import Any

from driftscan.model.patterns import split_pattern
from driftscan.policy.model import Case
from driftscan.policy.scope import Scope
from driftscan.schema_check import Path, quoted

_CONTROL = ("pass", "fail", "unknown", "not-applicable")
_DRIFT = ("match", "no-match")


def compile_cases(scope: Scope, raw: Mapping[str, Any], path: Path) -> tuple[Case, ...]:
    """The cases of a rule, as written."""
    found: list[Case] = []
    for index, case in enumerate(raw.get("tests", ())):
        where: Path = (*path, "tests", index)
        known = _DRIFT if "on" in raw else _CONTROL
        if case["expect"] not in known:
            scope.problem((*where, "expect"), f"{quoted(case['expect'])} is not for this rule: {', '.join(known)}")
        if "on" in raw:
            _check_mutation(scope, case, where)
        else:
            _check_facts(scope, case, where)
        found.append(Case(case["expect"], case, scope.line(where)))
    return tuple(found)


def _check_facts(scope: Scope, case: Mapping[str, Any], path: Path) -> None:
    for name in ("mutation", "baseline"):
        if name in case:
            scope.problem((*path, name), f"a control's test has 'facts', not '{name}'", key=True)
    for index, pattern in enumerate(case.get("gaps", ())):
        scope.kind(split_pattern(pattern)[0], (*path, "gaps", index))
    for name, resources in case.get("facts", {}).items():
        where: Path = (*path, "facts", name)
        kind = scope.kind(name, where)
        for key, attributes in resources.items() if kind else ():
            if not isinstance(attributes, Mapping):
                scope.problem((*where, key), f"expected the columns of this {name}, found {quoted(attributes)}")
                continue
            for column in attributes:
                if kind and scope.column(kind, column, (*where, key, column)):
                    continue


def _check_mutation(scope: Scope, case: Mapping[str, Any], path: Path) -> None:
    if "mutation" not in case:
        scope.problem(path, "a drift rule's test needs a 'mutation'", key=True)
        return
    for index, difference in enumerate(case["mutation"].get("differences", ())):
        where: Path = (*path, "mutation", "differences", index)
        kind = scope.kind(difference["kind"], (*where, "kind"))
        for side in ("expected", "actual"):
            for column in difference.get(side, {}) if kind else ():
                if kind:
                    scope.column(kind, column, (*where, side, column))
