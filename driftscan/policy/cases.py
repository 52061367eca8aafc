"""Runs the inline tests of rules: each case on facts or a mutation of its own, nothing else in sight."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from driftscan.model.codec import encode_resource, thaw
from driftscan.model.drift import Attribution, Cause, CauseType, Change, Delta, Difference, Grade, Mutation
from driftscan.model.finding import Result
from driftscan.model.manifest import Manifest, Provenance
from driftscan.model.patterns import split_pattern
from driftscan.model.proof import Proof, Rank
from driftscan.model.records import Records
from driftscan.model.resource import Resource, ResourceId
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, ImageRef, Resources, Snapshot
from driftscan.model.source import Gap, Status
from driftscan.model.zone import ZoneClass
from driftscan.policy.applies import applies
from driftscan.policy.judge import judge_controls
from driftscan.policy.matching import matches
from driftscan.policy.model import Applies, Case, Context, Control, DriftRule, Policy, Rule


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What came of one case. `where`: file:line of the case."""

    rule: str
    name: str
    where: str
    expected: str
    found: str
    evidence: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether the rule said what the case expects."""
        return self.expected == self.found


def run(policies: Iterable[Policy]) -> Iterator[CaseResult]:
    """All cases of all rules, in the order of the files. A case without labels is about a host that the policy is for,
    whatever its role and image."""
    for policy in policies:
        for rule in policy.rules:
            for case in rule.tests:
                yield _run(rule, case)


def untested(rule: Rule) -> tuple[str, ...]:
    """The results that a rule ought to have a case for and has none."""
    wanted = ("match", "no-match") if isinstance(rule, DriftRule) else ("pass", "fail")
    return tuple(result for result in wanted if all(case.expect != result for case in rule.tests))


def _run(rule: Rule, case: Case) -> CaseResult:
    if "labels" not in case.data:
        rule = replace(rule, applies=tuple(Applies(os=part.os) for part in rule.applies))
    evidence: tuple[str, ...] = ()
    if isinstance(rule, DriftRule):
        found = _drift(rule, case)
    else:
        assert isinstance(rule, Control)
        found, evidence = _control(rule, case)
    where = f"{rule.ref.file}:{case.line}"
    return CaseResult(rule.id, str(case.data.get("name", "")), where, case.expect, found, evidence)


def _drift(rule: DriftRule, case: Case) -> str:
    context = Context(
        labels=case.data.get("labels", {}),
        manifest=_manifest(case.data.get("baseline") == "stand-in"),
        windows=case.windows,
    )
    mutation = mutation_of(case.data["mutation"])
    fits = applies(rule.applies, context) is not False and matches(rule.match, mutation, context)
    return "match" if fits else "no-match"


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


def _control(rule: Control, case: Case) -> tuple[str, tuple[str, ...]]:
    snapshot = snapshot_of(rule, case.data)
    system = snapshot.resources.get("os_version", "-")
    context = Context(os=system.attributes if system else None, labels=case.data.get("labels", {}))
    policy = Policy(id=rule.policy, version=1, title="", file="", controls=(rule,))
    judged = judge_controls([policy], snapshot, context)[0]
    evidence = judged.evidence if judged.result in (Result.FAIL, Result.UNKNOWN) else ()
    return judged.result.value, evidence


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
        taken_at="",
        resources=Resources(small, records),
        coverage=(coverage,),
        live=data.get("live", True),
    )
