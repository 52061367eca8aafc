"""The `match` of a drift rule."""

from collections.abc import Mapping
from typing import Any

from driftscan.model.drift import CauseType, Change, Grade
from driftscan.model.proof import Rank
from driftscan.model.resource import Kind
from driftscan.model.zone import ZoneClass
from driftscan.policy.compile_conditions import compile_condition
from driftscan.policy.conditions import Condition
from driftscan.policy.familiar import impossible
from driftscan.policy.model import Match
from driftscan.policy.operators import SYSTEM
from driftscan.policy.scope import Scope
from driftscan.policy.versions import PACKAGE
from driftscan.schema_check import Path
from driftscan.yaml_strict import listed


def compile_match(scope: Scope, raw: Mapping[str, Any], path: Path) -> Match:
    """A match whose kinds and columns exist."""
    kinds = _kinds(scope, raw, path)
    for index, name in enumerate(listed(raw.get("attribute"))):
        if kinds and not any(name in kind.attributes for kind in kinds):
            known = {column for kind in kinds for column in kind.attributes}
            scope.unknown(_item(raw, path, "attribute", index), "column", name, known)
    for index, glob in enumerate(listed(raw.get("key"))):
        if not glob.strip("*"):
            scope.problem(_item(raw, path, "key", index), "'*' asks for nothing: leave 'key' out")
        if not kinds and not glob.startswith("/"):
            scope.problem(_item(raw, path, "key", index), "give the 'kind' whose keys these are")
        if kinds and all(whys := [impossible(kind, glob) for kind in kinds]):
            scope.problem(_item(raw, path, "key", index), whys[0])
    for name in ("attribute", "expected", "actual"):
        if name in raw and not kinds:
            scope.problem((*path, name), f"'{name}' needs the 'kind' whose columns it speaks of", key=True)
    return Match(
        cause=frozenset(CauseType(word) for word in listed(raw.get("cause"))),
        subject=listed(raw.get("subject")),
        detail=listed(raw.get("detail")),
        grade=frozenset(Grade(word) for word in listed(raw.get("grade"))),
        proof=frozenset(Rank(word) for word in listed(raw.get("proof"))),
        actor=listed(raw.get("actor")),
        command=listed(raw.get("command")),
        within=raw.get("within", ""),
        baseline=raw.get("baseline", ""),
        kind=frozenset(kind.name for kind in kinds),
        key=listed(raw.get("key")),
        change=frozenset(Change(word) for word in listed(raw.get("change"))),
        attribute=frozenset(listed(raw.get("attribute"))),
        zone=frozenset(ZoneClass(word) for word in listed(raw.get("zone"))),
        expected=_columns(scope, kinds, raw, path, "expected"),
        actual=_columns(scope, kinds, raw, path, "actual"),
        unless=compile_match(scope, raw["unless"], (*path, "unless")) if "unless" in raw else None,
    )


def _item(raw: Mapping[str, Any], path: Path, name: str, index: int) -> Path:
    return (*path, name, index) if isinstance(raw[name], list) else (*path, name)


def _kinds(scope: Scope, raw: Mapping[str, Any], path: Path) -> list[Kind]:
    found = [scope.kind(name, _item(raw, path, "kind", index)) for index, name in enumerate(listed(raw.get("kind")))]
    kinds = [kind for kind in found if kind is not None]
    if not kinds and "kind" not in raw and any(key.startswith("/") for key in listed(raw.get("key"))):
        kinds = [scope.kinds["file"]] if "file" in scope.kinds else []
    return kinds


def _columns(
    scope: Scope, kinds: list[Kind], raw: Mapping[str, Any], path: Path, side: str
) -> tuple[tuple[str, Condition], ...]:
    found: list[tuple[str, Condition]] = []
    for name, asked in raw.get(side, {}).items():
        where: Path = (*path, side, name)
        owner = next((kind for kind in kinds if name in kind.attributes), kinds[0] if kinds else None)
        column = scope.column(owner, name, where) if owner else None
        if column is not None and column.name == "key":
            scope.problem(where, "the key is not a column of a difference: write 'key' beside 'kind'", key=True)
        elif column is not None:
            condition = compile_condition(scope, column, asked, where)
            if untold := condition.needs - ({SYSTEM} if column.kind != PACKAGE else set()):
                scope.problem(where, f"a difference does not tell {' or '.join(sorted(untold))}: ask it in a control")
            found.append((name, condition))
    return tuple(found)
