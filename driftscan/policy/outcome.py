"""One control over the facts of one target: pass, fail, unknown or not applicable, and why."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from driftscan.model.finding import Result
from driftscan.model.names import show
from driftscan.model.resource import Value
from driftscan.policy.conditions import NOWHERE, Row
from driftscan.policy.facts import Facts, Selected
from driftscan.policy.model import Control, Demand, Quantifier, Selection
from driftscan.policy.truth import Truth, every, opposite, some

MAX_EVIDENCE = 100
"""Lines of evidence of one control; a last line says how many more there are."""
MAX_VALUE = 160
"""Characters of a value in a line of evidence."""
MISSING = "missing"
"""What was read of a named resource that is not there."""
_RESULTS: Mapping[Truth, Result] = {True: Result.PASS, False: Result.FAIL, None: Result.UNKNOWN}


@dataclass(frozen=True)
class Outcome:
    """`rows`: the resources at fault; `missing`: the keys of those that are at fault as they are not there; `columns`:
    what was read of the rows."""

    result: Result
    evidence: tuple[str, ...] = ()
    rows: Sequence[Row] = ()
    missing: Sequence[str] = ()
    columns: Sequence[str] = ()

    @property
    def keys(self) -> list[str]:
        """The keys of the resources at fault; one may be told twice."""
        return [*(row.key for row in self.rows), *self.missing]

    @cached_property
    def failing(self) -> frozenset[tuple[str, str]]:
        """(key, what was read of it) of each resource at fault, to be compared with the image's."""
        read = ((row.key, repr([row.value(name) for name in self.columns])) for row in self.rows)
        return frozenset((*read, *((key, MISSING) for key in self.missing)))


def outcome(control: Control, facts: Facts) -> Outcome:
    """The control's result for facts of a target to which it applies."""
    for premise in control.premises:
        held = decide(premise.selection, premise.demand, Result.FAIL, facts)
        if held.result is Result.UNKNOWN:
            return Outcome(Result.UNKNOWN, held.evidence)
        if held.result is not Result.PASS:
            return Outcome(Result.NOT_APPLICABLE)
    return decide(control.selection, control.demand, control.missing, facts, control.message)


def decide(selection: Selection, demand: Demand, missing: Result, facts: Facts, message: str = "") -> Outcome:
    """What a demand on a selection comes to. `missing`: the result for nothing selected."""
    if facts.out_of_reach(selection):
        return Outcome(Result.NOT_APPLICABLE)
    if reason := facts.unavailable(selection):
        return Outcome(Result.UNKNOWN, (f"{selection.kind}: {show(reason)}",))
    narrowed = demand.quantifier is Quantifier.NONE and missing is Result.PASS  # else it matters whether any is there
    predicate = demand.predicate
    found = facts.select(selection, predicate, narrowed=narrowed)
    truths = facts.truths(selection.kind, predicate, found.rows) if predicate else []
    if demand.quantifier is Quantifier.COUNT:
        result = _RESULTS[_counted(demand, found)]
    elif found.empty or (missing is Result.NOT_APPLICABLE and not (found.rows or found.doubtful or found.hidden)):
        result = missing
    else:
        doubted = facts.truths(selection.kind, predicate, found.doubtful) if predicate else []
        result = _RESULTS[_quantified(demand.quantifier, found, truths, doubted, missing)]
        if not found.rows and not (found.missing and missing is not Result.NOT_APPLICABLE) and result is not missing:
            result = Result.UNKNOWN  # perhaps nothing is selected
    if result is Result.FAIL:
        if missing is not Result.FAIL or (demand.count and demand.count.test(0, NOWHERE) is True):
            found.missing.clear()  # what is not there is then not at fault
        wrong = demand.quantifier is Quantifier.NONE
        at_fault = found.rows
        if predicate:
            at_fault = [row for row, truth in zip(found.rows, truths, strict=True) if truth is wrong]
        columns = predicate.reads() if predicate else ()
        told = at_fault[:MAX_EVIDENCE]
        tell = _teller(selection.kind, demand, columns, message)
        lines = facts.of_each(selection.kind, demand, told, lambda rows: [*map(tell, rows)])
        lines = [*_head(selection, demand, found), *lines, *_missing(selection, demand, found)]
        evidence = _evidence(lines, len(at_fault) - len(told))
        return Outcome(result, evidence, at_fault, found.missing, columns)
    if result is Result.UNKNOWN:
        return Outcome(result, _evidence(_doubts(selection, demand, found, truths)))
    return Outcome(result)


def _quantified(
    quantifier: Quantifier, found: Selected, truths: list[Truth], doubted: list[Truth], missing: Result
) -> Truth:
    """`truths`: whether the predicate holds of each row that is selected; `doubted`: of each that perhaps is."""
    absent: Truth = missing is Result.PASS
    gone = [absent] * len(found.missing) if missing is not Result.NOT_APPLICABLE else []
    unseen: list[Truth] = [None] * bool(found.hidden)
    if quantifier is Quantifier.EVERY:
        return every([*truths, *(some([None, truth]) for truth in doubted), *gone, *unseen])
    perhaps = (every([None, truth]) for truth in doubted)
    if quantifier is Quantifier.ANY:
        return some([*truths, *perhaps, *gone, *unseen])
    return opposite(some([*truths, *perhaps, *map(opposite, gone), *unseen]))


def _counted(demand: Demand, found: Selected) -> Truth:
    """A condition on a number of which only bounds are known: what all numbers within them agree on."""
    assert demand.count is not None
    least = len(found.rows)
    if found.hidden:
        # What lies behind a gap has no upper bound; a condition that stays the same far beyond is decided.
        possible = {demand.count.test(number, NOWHERE) for number in (*range(least, least + 1001), 10**9)}
    else:
        possible = {demand.count.test(number, NOWHERE) for number in range(least, least + len(found.doubtful) + 1)}
    return possible.pop() if len(possible) == 1 else None


def _evidence(lines: Iterable[str], more: int = 0) -> tuple[str, ...]:
    """`more`: how many there are besides."""
    found = [*lines]
    more += len(found[MAX_EVIDENCE:])
    shown = map(show, found[:MAX_EVIDENCE])
    return (*shown, f"and {more} more") if more else tuple(shown)


def _head(selection: Selection, demand: Demand, found: Selected) -> Iterator[str]:
    if demand.quantifier is Quantifier.COUNT and demand.count:
        count = len(found.rows) or "none"
        yield f"{selection.kind}: {count} {_wanted(selection)}, expected {demand.count.words}"


def _missing(selection: Selection, demand: Demand, found: Selected) -> Iterator[str]:
    if demand.quantifier is not Quantifier.COUNT:
        for key in found.missing:
            yield f"{selection.kind} {key}: not there{_typeless(selection, key)}"
        if found.empty:
            yield f"{selection.kind}: none {_wanted(selection)}"


def _typeless(selection: Selection, key: str) -> str:
    """Units are named with their type, scripts of init without: neither can be refused beforehand."""
    typeless = selection.kind == "service" and "." not in key
    return f" (names of units end in their type: {key}.service)" if typeless else ""


def _wanted(selection: Selection) -> str:
    keys = ", ".join((*selection.named, *selection.globs))
    columns = selection.where.columns if selection.where else ()
    where = " and ".join(f"{name} {condition.words}" for name, condition in columns)
    parts = (f"like {keys}" if keys else "", f"with {where}" if where else "")
    return " ".join(filter(None, parts)) or "there"


def _teller(kind: str, demand: Demand, columns: Sequence[str], message: str) -> Callable[[Row], str]:
    """What is told of a row at fault; it depends on the row and the control alone."""
    predicate = demand.predicate

    def told(row: Row) -> str:
        if message:
            return _filled(message, row)
        if predicate is None:
            return f"{kind} {row.key}"
        if demand.quantifier is not Quantifier.NONE and (failing := predicate.failing(row)):
            facts = [f"{name} is {_shown(row.value(name))}, expected {words}" for name, words in failing]
            return f"{kind} {row.key}: {'; '.join(facts)}"
        joint = ", " if demand.quantifier is Quantifier.NONE else "; "
        return f"{kind} {row.key}: {joint.join([f'{name} is {_shown(row.value(name))}' for name in columns])}"

    return lambda row: f"{told(row)} (the built-in default)" if row.assumed else told(row)


def _filled(message: str, row: Row) -> str:
    """The template with its fields; one pass, so that a value with braces is not read as a template."""
    parts = message.split("{")
    out = [parts[0]]
    for part in parts[1:]:
        name, brace, rest = part.partition("}")
        out.append(_shown(row.value(name)) + rest if brace else "{" + part)
    return "".join(out)


def _shown(value: Value) -> str:
    if type(value) is str and 0 < len(value) <= MAX_VALUE:
        return value
    if value is None:
        return "absent"
    if isinstance(value, bool):
        return str(value).lower()
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return (text if len(text) <= MAX_VALUE else text[:MAX_VALUE] + "...") or "empty"


def _doubts(selection: Selection, demand: Demand, found: Selected, truths: Sequence[Truth]) -> Iterator[str]:
    yield from found.hidden
    for row in found.doubtful:
        yield f"{selection.kind} {row.key}: not all of it is known"
    for row, truth in zip(found.rows, truths, strict=False):
        if demand.predicate is not None and truth is None:
            facts = ", ".join(
                f"{name} is {_shown(row.value(name)) if row.knows(name) else 'not known'}"
                for name in demand.predicate.reads()
            )
            yield f"{selection.kind} {row.key}: cannot tell: {facts}"
