"""What `driftscan policy test` prints: the rules that did not pass, for people, or all of them as JSON."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from driftscan.model.names import show
from driftscan.reports._words import plural

if TYPE_CHECKING:
    from driftscan.policy.cases import CaseResult
    from driftscan.policy.model import Rule
    from driftscan.policy.trial import Trial

_PLAIN = re.compile(r"[A-Za-z0-9_./@+-]+")
SCHEMA = "driftscan.policy-test/1"


def summary(found: "Sequence[Trial]") -> str:
    """One line that counts."""
    if not found:
        return "no rules of its own: nothing was tried"
    failed = sum(not trial.passed for trial in found)
    read = sum(trial.readings for trial in found)
    counts = f"{plural(len(found), 'rule')}, {plural(sum(len(trial.cases) for trial in found), 'case')}"
    counts += f", {read} facts flipped" if read else ""
    return f"{counts}: {f'{failed} failed' if failed else 'all good'}"


def text(trial: "Trial") -> Iterator[str]:
    """The lines about a rule; of cases that passed nothing."""
    rule = trial.rule
    yield f"{show(rule.ref.file)}:{rule.ref.line}: {show(rule.id)}: {'good' if trial.passed else 'FAILED'}"
    for case in trial.cases:
        if not case.passed:
            yield from ("  " + line for line in _case(case))
    for result in trial.untested:
        yield f"  no case expects {result}: add one to `tests:`, with what a host of yours has"
        yield f"    - {show(_outline(rule, result))}"
    if not trial.fired:
        yield "  never fired: it makes a finding in none of its cases"
    for place in trial.insensitive:
        yield f"  no case notices: {show(place)}"
    if trial.insensitive:
        yield "    add for each a case that it fits, and whose result is another without it"


def _outline(rule: "Rule", result: str) -> str:
    """A case of a rule with its values left out: those that fit the rule would come from it, mistakes included."""
    from driftscan.policy.model import Control, DriftRule
    from driftscan.policy.operators import sample

    if isinstance(rule, Control):
        selection, demand = rule.selection, rule.demand
        predicates = [each for each in (selection.where, demand.predicate) if each]
        columns = dict.fromkeys(name for each in predicates for name in each.reads() if name != "key")
        key = [*selection.named, *map(sample, selection.globs), "NAME"][0]
        told = ", ".join(f"{name}: ..." for name in columns)
        return f"{{expect: {result}, facts: {{{selection.kind}: {{{_quoted(key)}: {{{told}}}}}}}}}"
    assert isinstance(rule, DriftRule)
    match = rule.match
    cause = min(match.cause, default="...")
    kind = min(match.kind, default="...")
    key = sample(match.key[0]) if match.key else "..."
    difference = f"{{kind: {kind}, key: {_quoted(key)}, change: {min(match.change, default='...')}}}"
    return f"{{expect: {result}, mutation: {{cause: {cause}, differences: [{difference}]}}}}"


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(text, ensure_ascii=False)


def _case(result: "CaseResult") -> Iterator[str]:
    case, said = result.case, result.said
    name = f" '{show(case.data['name'])}'" if "name" in case.data else ""
    told = "" if case.expect == said.result else f", the rule says {said.result}"
    yield f"{show(result.where)}: case{name} expects {case.expect}{told}"
    yield from (f"  missing finding: {show(key)} is not at fault" for key in result.lacking)
    yield from (f"  unexpected finding: {show(key)} is at fault" for key in result.unexpected)
    for other, lines in result.others:
        yield f"  unexpected finding of {show(other.id)} ({show(other.ref.file)}:{other.ref.line}):"
        yield from (f"    {line}" for line in lines)
    if not result.holds:
        yield from (f"  {line}" for line in said.evidence)
    yield from (f"  given {show(line)}" for line in _given(case.data))


def _given(data: Any) -> Iterator[str]:
    for kind, rows in data.get("facts", {}).items():
        yield from (f"{kind} {key}: {_plain(columns)}" for key, columns in rows.items())
    mutation = data.get("mutation", {})
    yield from (f"{name}: {value}" for name, value in mutation.items() if name != "differences")
    yield from (f"difference {_plain(each)}" for each in mutation.get("differences", ()))
    yield from (f"{name}: {_plain(data[name])}" for name in ("gaps", "live", "labels", "baseline") if name in data)


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def as_json(found: "Sequence[Trial]") -> str:
    """Every rule with every case, `driftscan.policy-test/1`."""
    whole = {
        "schema": SCHEMA,
        "summary": {
            "rules": len(found),
            "cases": sum(len(trial.cases) for trial in found),
            "readings": sum(trial.readings for trial in found),
            "failed": sum(not trial.passed for trial in found),
        },
        "rules": [_trial(trial) for trial in found],
    }
    return json.dumps(whole, indent=2) + "\n"


def _trial(trial: "Trial") -> dict[str, Any]:
    rule = trial.rule
    return {
        "policy": rule.policy,
        "id": rule.id,
        "file": show(rule.ref.file),
        "line": rule.ref.line,
        "passed": trial.passed,
        "fired": trial.fired,
        "untested": list(trial.untested),
        "readings": trial.readings,
        "insensitive": list(trial.insensitive),
        "cases": [
            {
                "name": result.case.data.get("name", ""),
                "line": result.case.line,
                "passed": result.passed,
                "expected": result.case.expect,
                "found": result.said.result,
                "missing": list(result.lacking),
                "unexpected": list(result.unexpected),
                "others": [
                    {"id": other.id, "line": other.ref.line, "evidence": list(lines)} for other, lines in result.others
                ],
                "evidence": list(result.said.evidence),
            }
            for result in trial.cases
        ],
    }
