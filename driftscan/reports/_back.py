"""A JSON report as the result that it was made of: the way back from `_build`. Every format renders it as it rendered
the scan (a test says so); what no report has is missing: what zones allow, the collectors' versions."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from driftscan.model.advisory import AdvisoryUse
from driftscan.model.cohort import Cohort, CohortClass, Relation, Separator
from driftscan.model.drift import Accounting
from driftscan.model.finding import (
    Action,
    Cure,
    CureCause,
    JudgedControl,
    JudgedMutation,
    Recommendation,
    Result,
    RuleRef,
    Severity,
    State,
    Verdict,
)
from driftscan.model.result import (
    HostErrorRecord,
    HostImage,
    HostResult,
    ImageMatch,
    Mode,
    PolicyUse,
    Reading,
    Resolved,
    ScanResult,
    Since,
)
from driftscan.model.snapshot import CollectorCoverage, CollectorStatus, FileCoverage
from driftscan.model.source import Gap, Status
from driftscan.model.waiver import Waiver, WaiverState
from driftscan.reports import _trends
from driftscan.reports._mutations import mutation
from driftscan.reports._patching import back

Json = Mapping[str, Any]


def scan_result(data: Json) -> ScanResult:
    """The result of a report that fits its schema. Fields that older reports of version 1 lack are empty."""
    scan = data["scan"]
    return ScanResult(
        id=scan["id"],
        started_at=scan["started_at"],
        finished_at=scan["finished_at"],
        mode=scan["mode"],
        interrupted=scan["interrupted"],
        by=scan.get("by", ""),
        policies=tuple(
            PolicyUse(one["name"], one["version"], one["digest"], one["file"]) for one in scan.get("policies", ())
        ),
        advisories=tuple(
            AdvisoryUse(given=one["given"], files=one["files"], digest=one["digest"])
            for one in scan.get("advisories", ())
        ),
        probe_digest=scan.get("probe_digest", ""),
        waivers=tuple((_waiver(one), WaiverState(one["state"])) for one in data.get("waivers", ())),
        patching=tuple(back(one) for one in data.get("patching", ())),
        trends=_trends.back(data["trends"]) if data.get("trends") else None,
        hosts=tuple(_host(one) for one in data["hosts"]),
    )


def _host(data: Json) -> HostResult:
    coverage, image = data["coverage"], data["image"]
    return HostResult(
        host=data["host"],
        target=data["target"],
        verdict=Verdict(data["verdict"]),
        recommendation=_recommendation(data["recommendation"]),
        image=HostImage(
            id=image["id"],
            version=image["version"],
            manifest_digest=image["manifest_digest"],
            match=ImageMatch(image["match"]),
        ),
        labels=data.get("labels", {}),
        origin=data.get("origin", ""),
        accounting=Accounting(**{name: data["accounting"][name] for name in Accounting.__slots__}),
        mutations=tuple(_mutation(one) for one in data["mutations"]),
        controls=tuple(_control(one) for one in data["controls"]),
        coverage=tuple(_collector(name, one) for name, one in coverage["collectors"].items()),
        files=FileCoverage(**{name: coverage["files"].get(name, 0) for name in FileCoverage.__slots__}),
        reading=_reading(coverage.get("reading")),
        torn=tuple(coverage.get("torn_because") or (("the report does not say why",) if coverage["torn"] else ())),
        not_baselined=tuple(data["not_baselined"]),
        notes=tuple(data.get("notes", ())),
        errors=tuple(
            HostErrorRecord(kind=one["kind"], message=one["message"], hint=one["hint"]) for one in data["errors"]
        ),
        timings=data["timings"],
        since=_since(data["since"]) if data.get("since") else None,
    )


def _since(data: Json) -> Since:
    return Since(
        new=tuple(data["new"]),
        updated=tuple(data["updated"]),
        resolved=tuple(
            Resolved(id=one["id"], title=one["title"], severity=Severity.parse(one["severity"]), why=one["why"])
            for one in data["resolved"]
        ),
    )


def _recommendation(data: Json) -> Recommendation:
    cure = data["cure"]
    return Recommendation(
        action=Action.parse(data["action"]),
        sentence=data["sentence"],
        because=tuple(data["because"]),
        counterfactual=data["counterfactual"],
        cure=Cure(cure["replacement_cures"], CureCause(cure["cause"])),
        command=data.get("command", ""),
    )


def _mutation(data: Json) -> JudgedMutation:
    rule = data["rule"]
    return JudgedMutation(
        mutation=mutation(data),
        severity=Severity.parse(data["severity"]),
        action=Action.parse(data.get("action", "none")),
        rule=RuleRef(rule["id"], rule["file"], rule["line"], rule.get("why", ""), rule.get("policy", "")),
        state=State(data["state"]),
        cohort=_cohort(data["cohort"]) if data.get("cohort") else None,
        returned=data.get("returned", False),
        waiver=_waiver(data["waiver"]) if data.get("waiver") else None,
        considered=tuple(data.get("waivers_considered", ())),
    )


def _control(data: Json) -> JudgedControl:
    rule = data["rule"]
    return JudgedControl(
        id=data["id"],
        finding=data.get("finding", ""),
        title=data["title"],
        severity=Severity.parse(data["severity"]),
        action=Action.parse(data.get("action", "none")),
        result=Result(data["result"]),
        rule=RuleRef(data["id"], rule["file"], rule["line"], rule.get("why", ""), rule.get("policy", "")),
        state=State(data["state"]),
        evidence=tuple(data["evidence"]),
        about=tuple((one["kind"], one["key"]) for one in data.get("about", ())),
        refs={name: tuple(ids) for name, ids in data["refs"].items()},
        fix=data.get("fix", ""),
        waiver=_waiver(data["waiver"]) if data.get("waiver") else None,
        considered=tuple(data.get("waivers_considered", ())),
        cause=CureCause(data.get("cause", "unknown")),
    )


def _waiver(data: Json) -> Waiver:
    added = data.get("added")
    return Waiver(
        finding=data["finding"] or "",
        rule=data["rule"] or "",
        content=data.get("content") or "",
        resources=tuple(data.get("resources", ())),
        hosts=tuple(data.get("hosts", ())),
        labels={name: tuple(globs) for name, globs in data.get("labels", {}).items()},
        image=tuple(data.get("image", ())),
        reason=data["reason"],
        owner=data["owner"],
        expires=date.fromisoformat(data["expires"]),
        added=date.fromisoformat(added) if added else None,
        ticket=data["ticket"] or "",
        origin=data["origin"],
    )


def _cohort(data: Json) -> Cohort:
    return Cohort(
        kind=CohortClass(data["class"]),
        hosts=data["hosts"],
        of=data["of"],
        otherwise=data.get("otherwise", 0),
        later=data.get("later", 0),
        unsure=data.get("unsure", 0),
        by=tuple(Separator(one["label"], Relation(one["relation"]), one["value"]) for one in data["by"]),
    )


def _collector(name: str, data: Json) -> CollectorCoverage:
    gaps = tuple(Gap(name, Status(one["status"]), one["reason"], tuple(one["hides"])) for one in data["gaps"])
    return CollectorCoverage(name, 0, (), CollectorStatus(data["status"]), data["resources"], gaps)


def _reading(data: Json | None) -> Reading:
    if data is None:
        return Reading()
    return Reading(
        mode=Mode(data["mode"]), probability=data["probability"], within=data["within_scans"], since=data["since"]
    )
