"""Results of scans, as short as can be."""

from driftscan.model.drift import Cause, CauseType, Mutation
from driftscan.model.finding import (
    Action,
    JudgedMutation,
    Recommendation,
    RuleRef,
    Severity,
    State,
    Verdict,
)
from driftscan.model.result import HostImage, HostResult, ScanResult


def host(name: str, *findings: str, verdict: Verdict = Verdict.FINDINGS) -> HostResult:
    mutations = tuple(
        JudgedMutation(
            mutation=Mutation(
                id=one, title=f"{one} on {name}", cause=Cause(CauseType.UNEXPLAINED, one), differences=()
            ),
            severity=Severity.HIGH,
            action=Action.REPLACE,
            rule=RuleRef("r"),
            state=State.WAIVED,
        )
        for one in findings
    )
    return HostResult(
        host=name,
        target=f"ssh://{name}",
        verdict=verdict,
        recommendation=Recommendation(action=Action.REPLACE, sentence="Replace it."),
        image=HostImage(id="ami-1", version="1", manifest_digest="sha256:00"),
        mutations=mutations,
    )


def scan(number: int, *hosts: HostResult) -> ScanResult:
    at = f"2026-11-21T10:{number:02}:00Z"
    return ScanResult(id=f"scan-{number}", started_at=at, finished_at=at, mode="full", hosts=hosts)
