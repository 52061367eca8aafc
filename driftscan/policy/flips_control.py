"""What a control reads: columns of the selected resources, whether they are there, defaults, and the system."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from driftscan.model.codec import thaw
from driftscan.model.resource import Value
from driftscan.model.times import nanoseconds
from driftscan.policy.conditions import Condition, Row
from driftscan.policy.model import Case, Control, Demand, Quantifier, Selection
from driftscan.policy.reading import Flip, Reading, plain, tries
from driftscan.policy.tables import matcher

_SYSTEM = "os_version"
_SYSTEM_NAMES = ("platform", "platform_like", "version_id")


@dataclass(frozen=True, slots=True)
class _Leaf:
    """One condition on a column of those resources of a kind whose key `fits`."""

    place: str
    kind: str
    column: str
    condition: Condition
    fits: Callable[[str], object]

    def turns(self, old: Value, new: Value, row: Row) -> bool:
        """Whether it says yes of the old value of a row and no of the new one."""
        return self.condition.test(old, row) is True and self.condition.test(new, row) is False

    def stays(self, old: Value, new: Value, row: Row) -> bool:
        """Whether it says the same of both."""
        return self.condition.test(old, row) is self.condition.test(new, row)


def control_readings(control: Control) -> Iterator[Reading]:
    """Every reading of a control, in the order of its keys in the documentation."""
    selections = [("", control.selection, control.demand)]
    selections += [(f"only_if[{n}] ", each.selection, each.demand) for n, each in enumerate(control.premises)]
    leaves = [leaf for where, selection, demand in selections for leaf in _leaves(where, selection, demand)]
    for where, selection, _ in selections:
        yield from _presences(control, where, selection)
    for leaf in leaves:
        yield Reading(leaf.place, _column_flips(control, leaf, leaves))
    for name, value in (control.selection.default or {}).items():
        near = [each for leaf in leaves if leaf.column == name for each in leaf.condition.near]
        yield Reading(f"default {name}", _default_flips(control, name, list(tries(value, near))))
    for part in control.applies:
        if part.os:
            yield Reading(f"applies_to os: {', '.join(part.os)}", _system_flips(control))


def _leaves(where: str, selection: Selection, demand: Demand) -> Iterator[_Leaf]:
    word = "forbid" if demand.quantifier is Quantifier.NONE else "require"
    for place, predicate in (("where", selection.where), (word, demand.predicate)):
        for column, condition in predicate.leaves() if predicate else ():
            text = f"{where}{place} {column}: {condition.words}"
            yield _Leaf(text, selection.kind, column, condition, _fits(selection.kind, _keys(selection)))


def _keys(selection: Selection) -> tuple[str, ...]:
    return (*selection.named, *selection.globs)


def _fits(kind: str, keys: tuple[str, ...]) -> Callable[[str], object]:
    return matcher(kind, keys) if keys else lambda key: True


def _rows(case: Case, kind: str) -> Mapping[str, Mapping[str, Any]]:
    rows: Mapping[str, Mapping[str, Any]] = case.data.get("facts", {}).get(kind, {})
    return rows


def _with_rows(case: Case, kind: str, rows: Mapping[str, Any]) -> Case:
    return replace(case, data={**case.data, "facts": {**case.data.get("facts", {}), kind: rows}})


def _presences(control: Control, where: str, selection: Selection) -> Iterator[Reading]:
    """Each key that is written names other resources: one of each must matter."""
    keys = _keys(selection)
    for key in keys:
        others = tuple(each for each in keys if each != key)
        yield Reading(f"{where}key {key}", _removals(control, selection.kind, (key,), others))
    if not keys:
        yield Reading(f"{where}over {selection.kind}", _removals(control, selection.kind, (), ()))


def _removals(
    control: Control, kind: str, keys: tuple[str, ...], others: tuple[str, ...]
) -> Callable[[Case], Iterator[Flip]]:
    fits = _fits(kind, keys)
    elsewhere = _fits(kind, others) if others else lambda key: False

    def flips(case: Case) -> Iterator[Flip]:
        rows = _rows(case, kind)
        for key in filter(fits, rows):
            rest = {name: columns for name, columns in rows.items() if name != key}
            yield Flip(control, _with_rows(case, kind, rest), alone=not elsewhere(key))

    return flips


def _column_flips(control: Control, leaf: _Leaf, leaves: list[_Leaf]) -> Callable[[Case], Iterator[Flip]]:
    same = [each for each in leaves if (each.kind, each.column) == (leaf.kind, leaf.column) and each is not leaf]
    near = [value for each in (leaf, *same) for value in each.condition.near]
    near += [value for case in control.tests for value in _values(case, leaf)]

    def flips(case: Case) -> Iterator[Flip]:
        rows = _rows(case, leaf.kind)
        for key, columns in rows.items():
            if not leaf.fits(key):
                continue
            if leaf.condition.known and leaf.column in columns:
                rest = {name: value for name, value in columns.items() if name != leaf.column}
                yield Flip(control, _with_rows(case, leaf.kind, {**rows, key: rest}))
            elif leaf.column == "key" or leaf.column in columns:
                row = Row(key, thaw(columns), kind=leaf.kind, now=nanoseconds(case.data.get("at", "")))
                old = row.value(leaf.column)
                for new in tries(old, near):
                    if leaf.turns(old, new, row) and (changed := _changed(rows, key, leaf, new)) is not None:
                        alone = all(each.stays(old, new, row) for each in same if each.fits(key))
                        yield Flip(control, _with_rows(case, leaf.kind, changed), alone)

    return flips


def _values(case: Case, leaf: _Leaf) -> Iterator[Value]:
    """What a case has where a leaf looks; for expressions, of which no fitting text can be made up."""
    for key, columns in _rows(case, leaf.kind).items():
        if leaf.column == "key":
            yield key
        elif leaf.column in columns:
            yield thaw(columns)[leaf.column]


def _changed(
    rows: Mapping[str, Mapping[str, Any]], key: str, leaf: _Leaf, new: Value
) -> Mapping[str, Mapping[str, Any]] | None:
    """The rows with one value changed; None if that key is taken, or out of the selection."""
    if leaf.column != "key":
        return {**rows, key: {**rows[key], leaf.column: plain(new)}}
    if not isinstance(new, str) or new in rows or not leaf.fits(new):
        return None
    return {new if name == key else name: columns for name, columns in rows.items()}


def _default_flips(control: Control, name: str, values: list[Value]) -> Callable[[Case], Iterator[Flip]]:
    def flips(case: Case) -> Iterator[Flip]:
        for value in values:
            default = {**(control.selection.default or {}), name: value}
            yield Flip(replace(control, selection=replace(control.selection, default=default)), case)

    return flips


def _system_flips(control: Control) -> Callable[[Case], Iterator[Flip]]:
    def flips(case: Case) -> Iterator[Flip]:
        yield Flip(
            control, _with_rows(case, _SYSTEM, {"-": {"platform": "other", "platform_like": "", "version_id": "0"}})
        )

    return flips
