"""What a drift rule reads: each part of `match`, and of its `unless`, of a mutation and of its differences."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from driftscan.model.codec import thaw
from driftscan.model.drift import CauseType, Change, Grade
from driftscan.model.patterns import compile_key_glob
from driftscan.model.proof import Rank
from driftscan.model.resource import Value
from driftscan.model.zone import ZoneClass
from driftscan.policy.conditions import Condition, Row
from driftscan.policy.model import Case, DriftRule, Match
from driftscan.policy.operators import sample
from driftscan.policy.reading import Flip, Reading, plain, tries

_WORDS: Mapping[str, tuple[str, ...]] = {
    "cause": tuple(CauseType),
    "grade": tuple(Grade),
    "change": tuple(Change),
    "zone": tuple(ZoneClass),
    "proof": tuple(Rank),
    "baseline": ("image", "stand-in"),
}
"""Facts that have but these values."""
_OF_MUTATION = ("cause", "subject", "detail", "grade", "actor", "command", "proof")
_OF_DIFFERENCE = ("kind", "change", "zone")
_ABSENT = {"subject": "", "detail": "", "grade": Grade.NONE.value, "zone": ZoneClass.SEALED.value, "baseline": "image"}
"""What a fact is that a case leaves out."""
_SIDES = ("expected", "actual")


@dataclass(frozen=True, slots=True)
class _Leaf:
    """One condition on one fact of a mutation. `test`: takes the value and the kind of the difference that has it."""

    place: str
    fact: str
    test: Callable[[Value, str], bool]
    near: tuple[Value, ...]
    side: str = ""


def match_readings(rule: DriftRule) -> Iterator[Reading]:
    """Every reading of a drift rule."""
    leaves = list(_leaves(rule.match, "match"))
    for leaf in leaves:
        same = [each for each in leaves if (each.fact, each.side) == (leaf.fact, leaf.side) and each is not leaf]
        yield Reading(leaf.place, _flips(rule, leaf, same))
    for place, match in (("match", rule.match), ("match unless", rule.match.unless)):
        if match and match.attribute:
            text = f"{place} attribute: {', '.join(sorted(match.attribute))}"
            yield Reading(text, _attribute_flips(rule, match))
        if match and match.within:
            yield Reading(f"{place} within: {match.within}", _time_flips(rule))


def _leaves(match: Match, place: str) -> Iterator[_Leaf]:
    for name in (*_OF_MUTATION, *_OF_DIFFERENCE):
        wanted: tuple[str, ...] = tuple(sorted(getattr(match, name))) if name in _CLOSED else getattr(match, name)
        if wanted:
            test = _one_of(wanted) if name in _CLOSED else _like(wanted)
            yield _Leaf(f"{place} {name}: {', '.join(wanted)}", name, test, _near(name, wanted))
    if match.baseline:
        yield _Leaf(f"{place} baseline: {match.baseline}", "baseline", _one_of((match.baseline,)), _WORDS["baseline"])
    for glob in match.key:
        yield _Leaf(f"{place} key: {glob}", "key", _like((glob,)), (sample(glob),))
    for side in _SIDES:
        columns: tuple[tuple[str, Condition], ...] = getattr(match, side)
        for name, condition in columns:
            test = _holds(condition)
            yield _Leaf(f"{place} {side} {name}: {condition.words}", name, test, condition.near, side)
    if match.unless:
        yield from _leaves(match.unless, f"{place} unless")


_CLOSED = frozenset({"cause", "grade", "proof", "kind", "change", "zone"})


def _near(name: str, wanted: tuple[str, ...]) -> tuple[str, ...]:
    return _WORDS.get(name) or tuple(map(sample, wanted))


def _one_of(wanted: tuple[str, ...]) -> Callable[[Value, str], bool]:
    return lambda value, kind: value in wanted


def _like(globs: Iterable[str]) -> Callable[[Value, str], bool]:
    return lambda value, kind: (
        isinstance(value, str) and any(compile_key_glob(kind, glob).fullmatch(value) for glob in globs)
    )


def _holds(condition: Condition) -> Callable[[Value, str], bool]:
    return lambda value, kind: condition.test(value, Row("", kind=kind)) is True


def _flips(rule: DriftRule, leaf: _Leaf, same: list[_Leaf]) -> Callable[[Case], Iterator[Flip]]:
    near = [value for each in (leaf, *same) for value in each.near]
    near += [value for case in rule.tests for value, _, _ in _facts(case, leaf)]

    def flips(case: Case) -> Iterator[Flip]:
        for old, kind, put in _facts(case, leaf):
            for new in _WORDS.get(leaf.fact, ()) if not leaf.side and leaf.fact in _WORDS else tries(old, near):
                possible = leaf.side or isinstance(new, str)
                if possible and leaf.test(old, kind) and not leaf.test(new, kind):
                    alone = all(each.test(old, kind) is each.test(new, kind) for each in same)
                    yield Flip(rule, put(new), alone)

    return flips


def _facts(case: Case, leaf: _Leaf) -> Iterator[tuple[Value, str, Callable[[Value], Case]]]:
    """Each fact of a case that a leaf looks at: its value, the kind of its difference, and how to put another."""
    mutation = case.data["mutation"]
    if leaf.fact == "baseline" and not leaf.side:
        yield case.data.get("baseline", "image"), "", lambda new: replace(case, data={**case.data, "baseline": new})
    elif leaf.fact in _OF_MUTATION and not leaf.side:
        old = mutation.get(leaf.fact, _ABSENT.get(leaf.fact))
        yield old, "", lambda new: _with_mutation(case, {**mutation, leaf.fact: new})
    else:
        for index, difference in enumerate(mutation.get("differences", ())):
            if not leaf.side:
                old = difference.get(leaf.fact, _ABSENT.get(leaf.fact))
                yield old, difference["kind"], _putter(case, index, {}, leaf.fact)
            elif any(leaf.fact in difference.get(side, {}) for side in _SIDES):
                columns = difference.get(leaf.side, {})
                yield (
                    thaw(columns).get(leaf.fact),
                    difference["kind"],
                    _putter(case, index, columns, leaf.fact, leaf.side),
                )


def _putter(case: Case, index: int, columns: Mapping[str, Any], name: str, side: str = "") -> Callable[[Value], Case]:
    def put(new: Value) -> Case:
        change = {side: {**columns, name: plain(new)}} if side else {name: new}
        return _with_difference(case, index, change)

    return put


def _with_mutation(case: Case, mutation: Mapping[str, Any]) -> Case:
    return replace(case, data={**case.data, "mutation": mutation})


def _with_difference(case: Case, index: int, change: Mapping[str, Any]) -> Case:
    mutation = case.data["mutation"]
    differences = list(mutation["differences"])
    differences[index] = {**differences[index], **change}
    return _with_mutation(case, {**mutation, "differences": differences})


def _attribute_flips(rule: DriftRule, match: Match) -> Callable[[Case], Iterator[Flip]]:
    """Which columns changed is the fact: they are taken out."""
    alone = match.attribute.isdisjoint(name for name, _ in (*match.expected, *match.actual))

    def flips(case: Case) -> Iterator[Flip]:
        for index, difference in enumerate(case.data["mutation"].get("differences", ())):
            sides = {side: difference.get(side, {}) for side in _SIDES}
            if any(match.attribute & set(columns) for columns in sides.values()):
                change = {side: _without(columns, match.attribute) for side, columns in sides.items()}
                yield Flip(rule, _with_difference(case, index, change), alone)

    return flips


def _time_flips(rule: DriftRule) -> Callable[[Case], Iterator[Flip]]:
    """When it happened is the fact: what has no time is in no window."""

    def flips(case: Case) -> Iterator[Flip]:
        mutation = case.data["mutation"]
        if "at" in mutation:
            yield Flip(rule, _with_mutation(case, _without(mutation, frozenset({"at"}))))

    return flips


def _without(columns: Mapping[str, Any], names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in columns.items() if name not in names}
