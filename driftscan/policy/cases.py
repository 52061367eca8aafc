"""Runs the inline tests of rules: each case on facts or a mutation of its own, nothing else in sight."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from driftscan.model.codec import encode_resource, thaw
from driftscan.model.drift import Attribution, Cause, CauseType, Change, Delta, Difference, Grade, Mutation
from driftscan.model.finding import Result
from driftscan.model.manifest import Manifest, Provenance
from driftscan.model.names import show
from driftscan.model.patterns import split_pattern
from driftscan.model.proof import Proof, Rank
from driftscan.model.records import Records
from driftscan.model.resource import Resource, ResourceId
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, ImageRef, Resources, Snapshot
from driftscan.model.source import Gap, Status
from driftscan.model.times import nanoseconds
from driftscan.model.zone import ZoneClass
from driftscan.policy.applies import applies
from driftscan.policy.conditions import NOWHERE
from driftscan.policy.facts import Facts
from driftscan.policy.judge import control_outcome, judge_mutations
from driftscan.policy.matching import allows, matches
from driftscan.policy.model import Applies, Case, Context, Control, DriftRule, Policy, Quantifier, Rule
from driftscan.policy.outcome import outcome


@dataclass(frozen=True, slots=True)
class Said:
    """What a rule says of a case: the result (`mixed`: it matches some of what it is asked `each` of), the keys of the
    resources at fault, and the evidence."""

    result: str
    at_fault: frozenset[str] = frozenset()
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What came of one case. `others`: other rules of the file that said something though the case speaks against it,
    each with what it said."""

    rule: Rule
    case: Case
    said: Said
    others: tuple[tuple[Rule, tuple[str, ...]], ...] = ()

    @property
    def where(self) -> str:
        """file:line of the case."""
        return f"{self.rule.ref.file}:{self.case.line}"

    @property
    def lacking(self) -> tuple[str, ...]:
        """Keys of resources that ought to be at fault and are not."""
        return tuple(sorted(_at_fault(self.case) - self.said.at_fault)) if self.case.at_fault is not None else ()

    @property
    def unexpected(self) -> tuple[str, ...]:
        """Keys of resources that are at fault and ought not to be."""
        return tuple(sorted(self.said.at_fault - _at_fault(self.case))) if self.case.at_fault is not None else ()

    @property
    def holds(self) -> bool:
        """Whether the rule said what the case expects."""
        return as_expected(self.case, self.said)

    @property
    def passed(self) -> bool:
        """Whether the rule said what the case expects, and no other rule spoke."""
        return self.holds and not self.others


def run(policies: Iterable[Policy]) -> Iterator[CaseResult]:
    """All cases of all rules, in the order of the files. A case without labels is about a host that the policy is for,
    whatever its role and image.

    A control's passing case is an example of how a host should be: a control of the same file that finds fault with
    what stands in it is unexpected. So is a more severe drift rule that judges the mutation of a matching case: then
    the case's own rule would not say what the host is told."""
    for policy in policies:
        for rule in policy.rules:
            for case in rule.tests:
                found = said(rule, case)
                others = tuple(_others(policy, rule, case)) if as_expected(case, found) else ()
                yield CaseResult(rule, case, found, others)


def untested(rule: Rule) -> tuple[str, ...]:
    """The results that a rule ought to have a case for and has none."""
    wanted = ("match", "no-match") if isinstance(rule, DriftRule) else ("pass", "fail")
    return tuple(result for result in wanted if all(case.expect != result for case in rule.tests))


def said(rule: Rule, case: Case) -> Said:
    """What a rule says of a case."""
    rule = replace(rule, applies=_for_case(rule, case))
    if isinstance(rule, DriftRule):
        return _drift(rule, case)
    assert isinstance(rule, Control)
    return _control(rule, case)


def as_expected(case: Case, found: Said) -> bool:
    """Whether that is what the case expects."""
    return case.expect == found.result and (case.at_fault is None or _at_fault(case) == found.at_fault)


def _at_fault(case: Case) -> frozenset[str]:
    """The keys that a case expects to be at fault."""
    return frozenset(case.at_fault or ())


def _for_case(rule: Rule, case: Case) -> tuple[Applies, ...]:
    """What a rule asks of a host, so that a case without labels need not tell its role and image."""
    return rule.applies if "labels" in case.data else tuple(Applies(os=part.os) for part in rule.applies)


def _others(policy: Policy, rule: Rule, case: Case) -> Iterator[tuple[Rule, tuple[str, ...]]]:
    if isinstance(rule, Control) and case.expect == Result.PASS:
        snapshot = snapshot_of(rule, case.data)
        facts, context = Facts.of(snapshot, nanoseconds(snapshot.taken_at)), _context(snapshot, case)
        for other in policy.controls:
            fits = _for_case(rule, case) if other.applies == rule.applies else other.applies
            if other is not rule and applies(fits, context) and (lines := _fault(other, facts)):
                yield other, lines
    elif isinstance(rule, DriftRule) and case.expect == "match":
        rules = tuple(
            replace(each, applies=_for_case(rule, case)) if each.applies == rule.applies else each
            for each in policy.drift
        )
        alone = replace(policy, drift=rules, windows=case.windows, applies=())
        judged = judge_mutations([alone], _mutations(case), _drift_context(case))
        refs = {each.rule for each in judged} - {rule.ref}
        yield from (
            (other, (f"{other.severity.word}: it judges the mutation",)) for other in rules if other.ref in refs
        )


def _fault(control: Control, facts: Facts) -> tuple[str, ...]:
    """The evidence if a control finds fault with what is there; not for what the few facts of a case lack."""
    quantifier, count = control.demand.quantifier, control.demand.count
    if quantifier is Quantifier.ANY or (count is not None and count.test(0, NOWHERE) is not True):
        return ()
    found = outcome(control, facts)
    return found.evidence if found.rows else ()


def _drift(rule: DriftRule, case: Case) -> Said:
    context = _drift_context(case)
    covers = partial(allows, exactly=False) if rule.allow else matches
    mutations = _mutations(case)
    fits = [
        applies(rule.applies, context) is not False and covers(rule.match, mutation, context) for mutation in mutations
    ]
    if all(fits) or not any(fits):
        return Said("match" if fits[0] else "no-match")
    wrong = [one for one, fit in zip(mutations, fits, strict=True) if fit is not (case.expect == "match")]
    word = "no match" if case.expect == "match" else "a match"
    return Said(
        "mixed", evidence=tuple(show(f"{each.kind} {each.key}: {word}") for one in wrong for each in one.differences)
    )


def _mutations(case: Case) -> list[Mutation]:
    """The mutation of a case; with `each` one for each of its differences."""
    data = case.data["mutation"]
    if not case.data.get("each"):
        return [mutation_of(data)]
    return [mutation_of({**data, "differences": [difference]}) for difference in data["differences"]]


def _drift_context(case: Case) -> Context:
    return Context(
        labels=case.data.get("labels", {}),
        manifest=_manifest(case.data.get("baseline") == "stand-in"),
        windows=case.windows,
    )


def _manifest(stand_in: bool) -> Manifest:
    provenance = Provenance(baked_at="", tool="driftscan", stand_in=stand_in)
    return Manifest(image=ImageRef(), provenance=provenance, resources=Resources(), coverage=())


def mutation_of(data: Mapping[str, Any]) -> Mutation:
    """A mutation as a case writes it."""
    return Mutation(
        id="F-000000000000",
        title=data["cause"],
        cause=Cause(CauseType(data["cause"]), data.get("subject", ""), data.get("detail", "")),
        differences=tuple(_difference(each) for each in data.get("differences", ())),
        attribution=Attribution(
            Grade(data.get("grade", "none")), data.get("actor"), data.get("command"), data.get("at")
        ),
        proof=Proof({Rank(data["proof"]): 1}) if "proof" in data else None,
    )


def _difference(data: Mapping[str, Any]) -> Difference:
    expected, actual = thaw(data.get("expected", {})), thaw(data.get("actual", {}))
    return Difference(
        kind=data["kind"],
        key=data["key"],
        change=Change(data["change"]),
        attributes={name: Delta(expected.get(name), actual.get(name)) for name in {**expected, **actual}},
        zone=ZoneClass(data.get("zone", "sealed")),
    )


def _control(rule: Control, case: Case) -> Said:
    snapshot = snapshot_of(rule, case.data)
    found = control_outcome(rule, Facts.of(snapshot, nanoseconds(snapshot.taken_at)), _context(snapshot, case))
    return Said(found.result.value, frozenset(found.keys), found.evidence)


def _context(snapshot: Snapshot, case: Case) -> Context:
    system = snapshot.resources.get("os_version", "-")
    return Context(os=system.attributes if system else None, labels=case.data.get("labels", {}))


def snapshot_of(rule: Control, data: Mapping[str, Any]) -> Snapshot:
    """A snapshot that has the case's facts, has looked at every kind that the rule reads, and has the case's gaps;
    a gap that is a whole kind means that nothing collected it."""
    found = [
        Resource(kind, key, thaw(attributes))
        for kind, resources in data.get("facts", {}).items()
        for key, attributes in resources.items()
    ]
    gaps = data.get("gaps", ())
    blind = {pattern for pattern in gaps if split_pattern(pattern)[0] == pattern}
    kinds = {rule.selection.kind, *(premise.selection.kind for premise in rule.premises), *data.get("facts", {})}
    coverage = CollectorCoverage(
        name="case",
        version=1,
        kinds=tuple(sorted(kinds - blind)),
        status=CollectorStatus.PARTIAL if gaps else CollectorStatus.COMPLETE,
        gaps=tuple(Gap("case", Status.FORBIDDEN, "the case hides it", (pattern,)) for pattern in gaps),
    )
    files = sorted((each for each in found if each.kind == "file"), key=lambda each: each.key)
    small: dict[ResourceId, Resource] = {each.id: each for each in found if each.kind != "file"}
    records = Records([each.key for each in files], [encode_resource(each) for each in files])
    return Snapshot(
        host="case",
        target="case",
        taken_at=data.get("at", ""),
        resources=Resources(small, records),
        coverage=(coverage,),
        live=data.get("live", True),
    )
