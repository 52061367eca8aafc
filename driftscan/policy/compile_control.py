"""A control: its selection, its demand, its premises, its message."""

import re
from collections.abc import Mapping
from typing import Any

from driftscan.model.finding import Result
from driftscan.model.patterns import is_literal
from driftscan.model.resource import Kind, Plane, Value
from driftscan.policy.compile_conditions import COUNT, compile_condition, compile_predicate, read_value
from driftscan.policy.conditions import NOWHERE
from driftscan.policy.familiar import impossible
from driftscan.policy.model import Control, Demand, Premise, Quantifier, Selection
from driftscan.policy.scope import UNRESOLVED, Scope
from driftscan.schema_check import Path, did_you_mean, quoted

_FIELD = re.compile(r"\{([^{}]*)\}")
_NOTHING = Demand(quantifier=Quantifier.EVERY)


def compile_control(scope: Scope, raw: Mapping[str, Any], path: Path, common: Mapping[str, Any]) -> Control:
    """A control whose kind, columns, operators and message fields exist and that asks for something."""
    kind = scope.kind(raw["over"], (*path, "over"))
    if kind is None:
        empty = Selection(kind=raw["over"], plane=Plane.IMAGE)
        return Control(**common, selection=empty, demand=_NOTHING, missing=Result.FAIL)
    selection = _selection(scope, kind, raw, path)
    demand = _demand(scope, kind, raw, path)
    _check_message(scope, kind, raw, path)
    return Control(
        **common,
        selection=selection,
        demand=demand,
        missing=_missing(scope, raw, path, selection, demand),
        premises=_premises(scope, raw, path),
        message=raw.get("message", ""),
        fix=raw.get("fix", ""),
        refs={name: tuple(ids) for name, ids in raw.get("refs", {}).items()},
    )


def _premises(scope: Scope, raw: Mapping[str, Any], path: Path) -> tuple[Premise, ...]:
    found: list[Premise] = []
    for index, each in enumerate(raw.get("only_if", ())):
        where: Path = (*path, "only_if", index)
        kind = scope.kind(each["over"], (*where, "over"))
        if kind is not None:
            found.append(
                Premise(selection=_selection(scope, kind, each, where), demand=_demand(scope, kind, each, where))
            )
    return tuple(found)


def _selection(scope: Scope, kind: Kind, raw: Mapping[str, Any], path: Path) -> Selection:
    named: list[str] = []
    globs: list[str] = []
    for index, key in enumerate(_keys(scope, raw, path)):
        if not isinstance(key, str) or not key.strip("*"):
            where = (*path, "key", index) if isinstance(raw["key"], list) else (*path, "key")
            scope.problem(where, f"{quoted(key)} asks for nothing: leave 'key' out to mean all")
            continue
        if what := impossible(kind, key):
            scope.problem((*path, "key", index) if isinstance(raw["key"], list) else (*path, "key"), what)
        (named if is_literal(key) else globs).append(key)
    default = {
        name: read_value(scope, column, value, (*path, "default", name))
        for name, given in raw.get("default", {}).items()
        if (value := scope.value(given, (*path, "default", name))) is not UNRESOLVED
        and (column := scope.column(kind, name, (*path, "default", name))) is not None
    }
    if default and not named:
        scope.problem((*path, "default"), "'default' needs a 'key' without wildcards", key=True)
    return Selection(
        kind=kind.name,
        plane=kind.plane,
        named=tuple(named),
        globs=tuple(globs),
        where=compile_predicate(scope, kind, raw["where"], (*path, "where")) if "where" in raw else None,
        default=default or None,
    )


def _keys(scope: Scope, raw: Mapping[str, Any], path: Path) -> list[Any]:
    given = scope.value(raw.get("key", []), (*path, "key"))
    items = given if isinstance(given, list) else [given]
    return [item for item in (scope.value(item, (*path, "key")) for item in items) if item is not UNRESOLVED]


def _demand(scope: Scope, kind: Kind, raw: Mapping[str, Any], path: Path) -> Demand:
    words = [word for word in ("require", "forbid") if word in raw]
    if len(words) != 1:
        what = "gives both 'require' and 'forbid'" if words else "asks for nothing: give 'require' or 'forbid'"
        scope.problem((*path, words[1]) if words else path, f"this rule {what}", key=True)
        return _NOTHING
    word = words[0]
    data, where = raw[word], (*path, word)
    if data == "present":
        count = compile_condition(scope, COUNT, {"ge": 1} if word == "require" else 0, where)
        return Demand(quantifier=Quantifier.COUNT, count=count)
    quantified = [name for name in ("any", "every", "none", "count") if name in data]
    if word == "require" and quantified:
        return _quantified(scope, kind, quantified[0], data, where)
    if quantified:
        scope.problem((*where, quantified[0]), f"'{quantified[0]}' belongs under 'require'", key=True)
    quantifier = Quantifier.EVERY if word == "require" else Quantifier.NONE
    return Demand(quantifier=quantifier, predicate=compile_predicate(scope, kind, data, where))


def _quantified(scope: Scope, kind: Kind, name: str, data: Mapping[str, Any], path: Path) -> Demand:
    where = (*path, name)
    if len(data) > 1:
        scope.problem(where, f"'{name}' stands alone under 'require'", key=True)
        return _NOTHING
    if name != "count":
        return Demand(quantifier=Quantifier(name), predicate=compile_predicate(scope, kind, data[name], where))
    count = compile_condition(scope, COUNT, data[name], where)
    if count.words and not any(count.test(number, NOWHERE) is False for number in range(1000)):
        scope.problem(where, "any number fits: 'count' asks for nothing")
    return Demand(quantifier=Quantifier.COUNT, count=count)


def _missing(scope: Scope, raw: Mapping[str, Any], path: Path, selection: Selection, demand: Demand) -> Result:
    """The stated result; it must be stated where nothing else says what an absent resource means."""
    given = raw.get("missing")
    if demand.quantifier is Quantifier.COUNT:
        if given:
            scope.problem((*path, "missing"), "how many there are is asked, so 'missing' says nothing", key=True)
        return Result.FAIL
    if selection.default is not None and not selection.globs:
        if given:
            scope.problem((*path, "missing"), "'default' says what a missing one has: drop 'missing'", key=True)
        return Result.PASS
    if given is None and demand.quantifier is not Quantifier.NONE:
        scope.problem(path, "say with 'missing: fail' or 'missing: pass' what it means if there is none", key=True)
    return Result(given) if given else Result.PASS


def _check_message(scope: Scope, kind: Kind, raw: Mapping[str, Any], path: Path) -> None:
    known: Mapping[str, Value] = dict.fromkeys([*kind.attributes, "key"])
    for name in _FIELD.findall(raw.get("message", "")):
        if name not in known:
            what = f"the message names {quoted(name)}, which is no column of {kind.name}{did_you_mean(name, known)}"
            scope.problem((*path, "message"), what)
