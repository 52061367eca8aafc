"""GitLab's code quality report: what differs, as issues of the policy or inventory file that speaks of it
(https://docs.gitlab.com/ci/testing/code_quality/)."""

import json
from collections.abc import Iterator

from driftscan.model.finding import Severity
from driftscan.model.result import HostResult, ScanResult
from driftscan.reports import _findings as finding
from driftscan.reports import _words as words
from driftscan.reports._base import Report, Style
from driftscan.reports._findings import NOT_SCANNED, Finding

SEVERITIES = {
    Severity.CRITICAL: "blocker",
    Severity.HIGH: "critical",
    Severity.MEDIUM: "major",
    Severity.LOW: "minor",
    Severity.INFO: "info",
}
_MOST = 1000
"""Characters of a description."""


def _render(result: ScanResult, _style: Style) -> Iterator[str]:
    yield "["
    before = "\n"
    for host in result.hosts:
        for issue in _issues(host):
            yield before + json.dumps(issue)
            before = ",\n"
    yield "\n]\n"


def _issues(host: HostResult) -> Iterator[dict[str, object]]:
    """Open findings alone: what is waived is no issue."""
    name = words.short(host.host, 200)
    if why := finding.unscanned(host):
        yield _issue(host, None, NOT_SCANNED, f"{name} was not, or not wholly, scanned: {why[0]}", "critical")
    if not host.counts:
        return
    for one in finding.findings(host):
        if one.open:
            rule = words.short(one.rule.id, 200)
            description = f"{name}: {one.title} ({one.action.word}) [{one.id}]"
            yield _issue(host, one, rule, description, SEVERITIES[one.severity])


def _issue(host: HostResult, one: Finding | None, rule: str, description: str, severity: str) -> dict[str, object]:
    place = finding.place(one, host)
    file = place.file if place.own or place.shipped else finding.FALLBACK
    return {
        "type": "issue",
        "check_name": rule,
        "description": description[:_MOST],
        "severity": severity,
        "fingerprint": finding.fingerprint(host, one.id if one else NOT_SCANNED),
        "location": {"path": file.removeprefix("./"), "lines": {"begin": place.line}},
    }


report = Report(name="gitlab", doc="GitLab code quality (gl-code-quality-report.json)", render=_render)
