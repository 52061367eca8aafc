"""One control over the facts of one target: pass, fail, unknown or not applicable, and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class Outcome:
    """`failing`: (key, what was read of it) of each resource at fault, to be compared with the image's."""

    result: Result
    evidence: tuple[str, ...] = ()
    failing: frozenset[tuple[str, str]] = frozenset()


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
    found = facts.select(selection, demand.predicate if narrowed else None)
    predicate = demand.predicate
    truths = [predicate.holds(row) for row in found.rows] if predicate else []
    if demand.quantifier is Quantifier.COUNT:
        result = _RESULTS[_counted(demand, found)]
    elif found.empty or (missing is Result.NOT_APPLICABLE and not (found.rows or found.doubtful or found.hidden)):
        result = missing
    else:
        result = _RESULTS[_quantified(demand, found, truths, missing)]
        if not found.rows and not (found.missing and missing is not Result.NOT_APPLICABLE) and result is not missing:
            result = Result.UNKNOWN  # perhaps nothing is selected
    if result is Result.FAIL:
        if missing is not Result.FAIL or (demand.count and demand.count.test(0, NOWHERE) is True):
            found.missing.clear()  # what is not there is then not at fault
        wrong = demand.quantifier is Quantifier.NONE
        at_fault = found.rows
        if predicate:
            at_fault = [row for row, truth in zip(found.rows, truths, strict=True) if truth is wrong]
        lines = _evidence(_failures(selection, demand, found, at_fault, message))
        return Outcome(result, lines, frozenset(_faults(demand, found, at_fault)))
    if result is Result.UNKNOWN:
        return Outcome(result, _evidence(_doubts(selection, demand, found, truths)))
    return Outcome(result)


def _quantified(demand: Demand, found: Selected, truths: list[Truth], missing: Result) -> Truth:
    """`truths`: whether the predicate holds of each row that is selected."""
    predicate = demand.predicate
    assert predicate is not None
    absent: Truth = missing is Result.PASS
    gone = [absent] * len(found.missing) if missing is not Result.NOT_APPLICABLE else []
    unseen: list[Truth] = [None] * bool(found.hidden)
    if demand.quantifier is Quantifier.ANY:
        return some([*truths, *(every([None, predicate.holds(row)]) for row in found.doubtful), *gone, *unseen])
    doubted = [predicate.holds(row) for row in found.doubtful]
    if demand.quantifier is Quantifier.NONE:
        truths, doubted = [*map(opposite, truths)], [*map(opposite, doubted)]
    return every([*truths, *(some([None, truth]) for truth in doubted), *gone, *unseen])


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


def _evidence(lines: Iterator[str]) -> tuple[str, ...]:
    shown: list[str] = []
    more = 0
    for line in lines:
        if len(shown) < MAX_EVIDENCE:
            shown.append(show(line))
        else:
            more += 1
    return (*shown, f"and {more} more") if more else tuple(shown)


def _failures(
    selection: Selection, demand: Demand, found: Selected, at_fault: Sequence[Row], message: str
) -> Iterator[str]:
    if demand.quantifier is Quantifier.COUNT and demand.count:
        count = len(found.rows) or "none"
        yield f"{selection.kind}: {count} {_wanted(selection)}, expected {demand.count.words}"
    columns = demand.predicate.reads() if demand.predicate else ()
    for number, row in enumerate(at_fault):  # what will not be shown is only counted
        yield _line(selection, demand, row, columns, message) if number < MAX_EVIDENCE else ""
    if demand.quantifier is not Quantifier.COUNT:
        for key in found.missing:
            yield f"{selection.kind} {key}: not there"
        if found.empty:
            yield f"{selection.kind}: none {_wanted(selection)}"


def _wanted(selection: Selection) -> str:
    keys = ", ".join((*selection.named, *selection.globs))
    columns = selection.where.columns if selection.where else ()
    where = " and ".join(f"{name} {condition.words}" for name, condition in columns)
    parts = (f"like {keys}" if keys else "", f"with {where}" if where else "")
    return " ".join(filter(None, parts)) or "there"


def _line(selection: Selection, demand: Demand, row: Row, columns: Sequence[str], message: str) -> str:
    suffix = " (the built-in default)" if row.assumed else ""
    if message:
        return _filled(message, row) + suffix
    head = f"{selection.kind} {row.key}"
    predicate = demand.predicate
    if predicate is None:
        return head
    if demand.quantifier is Quantifier.NONE:
        facts = [f"{name} is {_shown(row.value(name))}" for name in columns]
        return f"{head}: {', '.join(facts)}{suffix}"
    facts = [f"{name} is {_shown(row.value(name))}, expected {words}" for name, words in predicate.failing(row)]
    facts = facts or [f"{name} is {_shown(row.value(name))}" for name in columns]
    return f"{head}: {'; '.join(facts)}{suffix}"


def _filled(message: str, row: Row) -> str:
    """The template with its fields; one pass, so that a value with braces is not read as a template."""
    parts = message.split("{")
    out = [parts[0]]
    for part in parts[1:]:
        name, brace, rest = part.partition("}")
        out.append(_shown(row.value(name)) + rest if brace else "{" + part)
    return "".join(out)


def _shown(value: Value) -> str:
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


def _faults(demand: Demand, found: Selected, at_fault: Sequence[Row]) -> Iterator[tuple[str, str]]:
    columns = demand.predicate.reads() if demand.predicate else ()
    for row in at_fault:
        yield row.key, repr([row.value(name) for name in columns])
    for key in found.missing:
        yield key, MISSING
