"""Inline tests of a rule: checked for kinds and columns when the policy is loaded, run by `cases.py`."""

from collections.abc import Mapping
from typing import Any

from driftscan.model.patterns import split_pattern
from driftscan.model.resource import Kind
from driftscan.policy.compile_conditions import read_value
from driftscan.policy.model import Case
from driftscan.policy.scope import Scope
from driftscan.policy.window import compile_windows
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
        given = case.get("patch_window")
        windows = compile_windows(scope, given, (*where, "patch_window")) if given else ()
        found.append(Case(case["expect"], case, scope.line(where), windows, _at_fault(scope, raw, case, where)))
    return tuple(found)


def _at_fault(scope: Scope, raw: Mapping[str, Any], case: Mapping[str, Any], path: Path) -> tuple[str, ...] | None:
    """The keys that are to be at fault; `all` stands for every resource of the rule's kind among the facts."""
    given = case.get("at_fault")
    if given is None:
        return None
    if "on" in raw or case["expect"] != "fail":
        scope.problem((*path, "at_fault"), "'at_fault' is for a control's test that is to fail", key=True)
    return tuple(case.get("facts", {}).get(raw.get("over"), {})) if given == "all" else tuple(given)


def _check_facts(scope: Scope, case: Mapping[str, Any], path: Path) -> None:
    for name in ("mutation", "baseline", "patch_window", "each"):
        if name in case:
            scope.problem((*path, name), f"a control's test has 'facts', not '{name}'", key=True)
    for index, pattern in enumerate(case.get("gaps", ())):
        scope.kind(split_pattern(pattern)[0], (*path, "gaps", index))
    for name, resources in case.get("facts", {}).items():
        where: Path = (*path, "facts", name)
        kind = scope.kind(name, where)
        for key, columns in resources.items() if kind else ():
            if kind and isinstance(columns, Mapping):
                _check_columns(scope, kind, columns, (*where, key))
            else:
                scope.problem((*where, key), f"expected the columns of this {name}, found {quoted(columns)}")


def _check_columns(scope: Scope, kind: Kind, columns: Mapping[str, Any], path: Path) -> None:
    """A value of another type than the collector's would make a case prove something else."""
    for name, value in columns.items():
        column = scope.column(kind, name, (*path, name))
        if column is not None and column.type == "text" and type(value) is int:
            scope.problem((*path, name), f"'{name}' is text, {value} is not: put it in quotes")
        elif column is not None and value is not None and column.type != "mapping":
            read_value(scope, column, value, (*path, name))


def _check_mutation(scope: Scope, case: Mapping[str, Any], path: Path) -> None:
    if "mutation" not in case:
        scope.problem(path, "a drift rule's test needs a 'mutation'", key=True)
        return
    if "each" in case and "differences" not in case["mutation"]:
        scope.problem((*path, "each"), "'each' asks of each difference: the mutation has none", key=True)
    for index, difference in enumerate(case["mutation"].get("differences", ())):
        where: Path = (*path, "mutation", "differences", index)
        kind = scope.kind(difference["kind"], (*where, "kind"))
        for side in ("expected", "actual"):
            if kind and side in difference:
                _check_columns(scope, kind, difference[side], (*where, side))
