"""A scan's result as the plain data of the JSON contract (docs/formats/report.md)."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from driftscan import __version__
from driftscan.model.cohort import Cohort
from driftscan.model.drift import Difference
from driftscan.model.finding import Action, JudgedControl, JudgedMutation, Recommendation, RuleRef, Severity, Verdict
from driftscan.model.proof import WORTH, Proof
from driftscan.model.resource import Value
from driftscan.model.result import HostResult, ScanResult, Since
from driftscan.model.snapshot import CollectorCoverage, FileCoverage
from driftscan.model.source import Gap
from driftscan.model.waiver import Waiver
from driftscan.reports import _trends
from driftscan.reports._patching import built

SCHEMA = "driftscan.report/1"
_SURROGATE = re.compile("[\ud800-\udfff]")


def envelope(result: ScanResult) -> dict[str, Any]:
    """Everything but the hosts."""
    return {
        "schema": SCHEMA,
        "tool": {"name": "driftscan", "version": __version__},
        "scan": {
            "id": plain(result.id),
            "started_at": result.started_at,
            "finished_at": result.finished_at,
            "mode": result.mode,
            "interrupted": result.interrupted,
            "by": plain(result.by),
            "policies": [
                {"name": each.name, "version": each.version, "digest": each.digest, "file": plain(each.file)}
                for each in result.policies
            ],
            "advisories": [
                {"given": plain(each.given), "files": each.files, "digest": each.digest} for each in result.advisories
            ],
            "probe_digest": result.probe_digest,
        },
        "summary": _summary(result.hosts),
        "waivers": [{**_waiver(waiver), "state": state.value} for waiver, state in result.waivers],
        "patching": [plain(built(each)) for each in result.patching],
        "trends": plain(_trends.built(result.trends)) if result.trends else None,
    }


def host(result: HostResult) -> dict[str, Any]:
    """One host."""
    accounting = result.accounting
    return {
        "host": plain(result.host),
        "target": plain(result.target),
        "image": {
            "id": plain(result.image.id),
            "version": plain(result.image.version),
            "manifest_digest": result.image.manifest_digest,
            "match": result.image.match.value,
        },
        "labels": plain(result.labels),
        "origin": plain(result.origin),
        "verdict": result.verdict.value,
        "recommendation": _recommendation(result.recommendation),
        "accounting": {
            "raw": accounting.raw,
            "folded": accounting.folded,
            "allowed": accounting.allowed,
            "unexplained": accounting.unexplained,
        },
        "mutations": [_mutation(judged) for judged in result.mutations],
        "controls": [control(judged) for judged in result.controls],
        "coverage": {
            "collectors": {coverage.name: _collector(coverage) for coverage in _by_name(result.coverage)},
            "files": _files(result.files),
            "reading": {
                "mode": result.reading.mode.value,
                "probability": round(result.reading.probability, 6),
                "within_scans": result.reading.within,
                "since": result.reading.since,
            },
            "torn": bool(result.torn),
            "torn_because": plain(result.torn),
        },
        "not_baselined": plain(result.not_baselined),
        "notes": plain(result.notes),
        "errors": [
            {"kind": error.kind, "message": plain(error.message), "hint": plain(error.hint)} for error in result.errors
        ],
        "timings": dict(sorted(result.timings.items())),
        "since": _since(result.since) if result.since else None,
    }


def _since(since: Since) -> dict[str, Any]:
    return {
        "new": list(since.new),
        "updated": list(since.updated),
        "resolved": [
            {"id": each.id, "title": plain(each.title), "severity": each.severity.word, "why": each.why}
            for each in since.resolved
        ],
    }


def report(result: ScanResult) -> dict[str, Any]:
    """The whole report."""
    return {**envelope(result), "hosts": [host(one) for one in result.hosts]}


def plain(value: Value | Iterable[Any]) -> Any:
    """A value as JSON has it: tuples are arrays, keys are sorted, and text is valid Unicode: a byte that was not
    UTF-8 (a lone surrogate here) is written `\\xNN`."""
    if isinstance(value, str):
        return value if value.isascii() else _SURROGATE.sub(_written, value)
    if isinstance(value, Mapping):
        return {plain(name): plain(value[name]) for name in sorted(value)}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    return value


def difference(item: Difference) -> dict[str, Any]:
    """One difference; what explains it stands only where there is something to say."""
    built: dict[str, Any] = {
        "kind": item.kind,
        "key": plain(item.key),
        "change": item.change.value,
        "attributes": {
            name: {"expected": plain(delta.expected), "actual": plain(delta.actual)}
            for name, delta in sorted(item.attributes.items())
        },
        "zone": item.zone.value,
    }
    extras: dict[str, Value] = {
        "zone_reason": item.zone_reason,
        "why": item.why,
        "text": item.text,
        "observed": item.observed,
        "allowed": item.allowed,
    }
    built.update({name: plain(value) for name, value in extras.items() if value})
    return built


def _summary(hosts: tuple[HostResult, ...]) -> dict[str, Any]:
    verdicts = Counter(one.verdict for one in hosts)
    severities = Counter(severity for one in hosts for severity in one.open_severities())
    actions = Counter(one.recommendation.action for one in hosts)
    return {
        "hosts": {verdict.value: verdicts[verdict] for verdict in Verdict},
        "findings": {severity.word: severities[severity] for severity in Severity},
        "recommendations": {action.word: actions[action] for action in Action},
    }


def _recommendation(given: Recommendation) -> dict[str, Any]:
    return {
        "action": given.action.word,
        "sentence": plain(given.sentence),
        "because": list(given.because),
        "counterfactual": plain(given.counterfactual),
        "cure": {"replacement_cures": given.cure.replacement_cures, "cause": given.cure.cause.value},
        "command": plain(given.command),
    }


def _mutation(judged: JudgedMutation) -> dict[str, Any]:
    mutation = judged.mutation
    attribution = mutation.attribution
    return {
        "id": mutation.id,
        "title": plain(mutation.title),
        "severity": judged.severity.word,
        "action": judged.action.word,
        "rule": {"id": judged.rule.id, **_rule(judged.rule)},
        "state": judged.state.value,
        "cause": {
            "type": mutation.cause.type.value,
            "subject": plain(mutation.cause.subject),
            "detail": plain(mutation.cause.detail),
        },
        "attribution": {
            "grade": attribution.grade.value,
            "actor": plain(attribution.actor),
            "command": plain(attribution.command),
            "at": attribution.at,
            "evidence": plain(attribution.evidence),
        },
        "proof": _proof(mutation.proof) if mutation.proof else None,
        "cohort": _cohort(judged.cohort) if judged.cohort else None,
        "returned": judged.returned,
        "waiver": _waiver(judged.waiver) if judged.waiver else None,
        "waivers_considered": plain(judged.considered),
        "content": mutation.content,
        "explains": mutation.explains,
        "differences": [difference(item) for item in mutation.differences],
    }


def _proof(proof: Proof) -> dict[str, Any]:
    return {
        "rank": proof.rank.value,
        "files": {rank.value: count for rank, count in proof.files.items()},
        "origins": plain(proof.origins),
        "worth": WORTH[proof.rank],
    }


def _waiver(waiver: Waiver) -> dict[str, Any]:
    """What accepts a finding: of what it is, who says so, and until when."""
    return {
        "finding": waiver.finding or None,
        "rule": waiver.rule or None,
        "reason": waiver.reason,
        "owner": waiver.owner,
        "expires": waiver.expires.isoformat(),
        "ticket": waiver.ticket or None,
        "origin": plain(waiver.origin),
        "hosts": list(waiver.hosts),
        "labels": plain(waiver.labels),
        "image": list(waiver.image),
        "content": waiver.content or None,
        "resources": plain(waiver.resources),
        "added": waiver.added.isoformat() if waiver.added else None,
    }


def _rule(rule: RuleRef) -> dict[str, Any]:
    return {"file": plain(rule.file), "line": rule.line, "why": plain(rule.why), "policy": plain(rule.policy)}


def _cohort(cohort: Cohort) -> dict[str, Any]:
    return {
        "class": cohort.kind.value,
        "hosts": cohort.hosts,
        "of": cohort.of,
        "otherwise": cohort.otherwise,
        "later": cohort.later,
        "unsure": cohort.unsure,
        "by": [
            {"label": plain(each.label), "relation": each.relation.value, "value": plain(each.value)}
            for each in cohort.by
        ],
        "sentence": plain(cohort.sentence),
    }


def control(judged: JudgedControl) -> dict[str, Any]:
    """One control's result."""
    return {
        "id": judged.id,
        "finding": judged.finding,
        "title": plain(judged.title),
        "severity": judged.severity.word,
        "action": judged.action.word,
        "result": judged.result.value,
        "state": judged.state.value,
        "evidence": plain(judged.evidence),
        "about": [{"kind": kind, "key": plain(key)} for kind, key in judged.about],
        "rule": _rule(judged.rule),
        "waiver": _waiver(judged.waiver) if judged.waiver else None,
        "waivers_considered": plain(judged.considered),
        "cause": judged.cause.value,
        "refs": plain(judged.refs),
        "fix": plain(judged.fix),
    }


def _by_name(coverage: tuple[CollectorCoverage, ...]) -> list[CollectorCoverage]:
    return sorted(coverage, key=lambda one: one.name)


def _collector(coverage: CollectorCoverage) -> dict[str, Any]:
    return {
        "status": coverage.status.value,
        "resources": coverage.resources,
        "gaps": [gap(each) for each in coverage.gaps],
    }


def gap(found: Gap) -> dict[str, Any]:
    """One gap."""
    return {"status": found.status.value, "reason": plain(found.reason), "hides": plain(found.hides)}


def _files(counts: FileCoverage) -> dict[str, int]:
    names = ("seen", "hashed", "stat_only", "unreadable", "excluded", "raced", "over_limit", "hidden")
    return {name: getattr(counts, name) for name in names}


def _written(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\x{code - 0xDC00:02x}" if 0xDC80 <= code <= 0xDCFF else f"\\u{code:04x}"
