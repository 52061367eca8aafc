"""SARIF 2.1.0 (OASIS, errata 01): one run for the whole fleet. GitHub refuses files of over 20 runs, 25,000 results
or 10 MB packed, and keeps the 5,000 results that are most severe (docs.github.com, "SARIF support for code scanning"):
the most severe come first, and what is left out is said in a notification."""

import json
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from driftscan import __version__
from driftscan.model.finding import Severity
from driftscan.model.result import HostResult, ScanResult, Since
from driftscan.reports import _findings as finding
from driftscan.reports import _words as words
from driftscan.reports._base import Report, Style
from driftscan.reports._build import plain
from driftscan.reports._findings import Finding, Place

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST_RESULTS = 25_000
MOST_PACKED = 7_000_000
"""Bytes, packed, after which no result is added: GitHub takes 10 MB, and notifications (at most 2 MB) are to come."""
MOST_NOTIFIED, MOST_RULES, MOST_TAGS = 1_000, 10_000, 20
TEXT = 1_000
"""Characters of a message; GitHub shows as many of a rule's help."""
FINGERPRINT = "driftscan/v1"
BASE = "DRIFTSCAN_POLICIES"
LEVELS = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
SCORES = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.0",
    Severity.INFO: "0.0",
}
"""`security-severity`: from 9.0 on GitHub says critical, from 7.0 high, from 4.0 medium, above 0.0 low."""


@dataclass(slots=True)
class _Rules:
    """What the run says of its rules, and how many results there are: known before the first result is written."""

    first: dict[str, Finding] = field(default_factory=dict)
    worst: dict[str, Severity] = field(default_factory=dict)
    results: Counter[Severity] = field(default_factory=Counter)

    def index(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(sorted(self.first)[:MOST_RULES])}


def _render(result: ScanResult, _style: Style) -> Iterator[str]:
    rules = _rules(result)
    index = rules.index()
    packed = _Packed()
    head = {"$schema": SCHEMA, "version": "2.1.0"}
    yield f'{json.dumps(head)[:-1]}, "runs": [{{\n"tool": {json.dumps(_tool(rules, index))},\n"results": ['
    written = 0
    for one in _results(result, index):
        text = json.dumps(one)
        if written == MOST_RESULTS or packed.add(text) > MOST_PACKED:
            break
        yield f"{',' if written else ''}\n{text}"
        written += 1
    invocation = _invocation(result, rules.results.total() - written)
    resolved = _resolved(result)
    rest = {
        "invocations": [invocation],
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {BASE: {"description": {"text": "The policies that driftscan ships."}}},
        "automationDetails": {"id": f"driftscan/{plain(result.id)}"},
        "properties": {
            "scan": plain(result.id),
            "mode": result.mode,
            "by": plain(result.by),
            **({"resolved": resolved} if resolved else {}),
        },
    }
    yield f"\n],\n{json.dumps(rest)[1:-1]}}}]}}\n"


class _Packed:
    """How many bytes of gzip what was written so far makes."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(6)
        self._bytes = 0

    def add(self, text: str) -> int:
        self._bytes += len(self._packer.compress(text.encode()))
        return self._bytes


def _told(host: HostResult) -> list[Finding]:
    """What becomes a result: what is open and what is waived."""
    if not host.counts:
        return []
    return [one for one in finding.findings(host) if one.open or one.waived]


def _rules(result: ScanResult) -> _Rules:
    rules = _Rules()
    for host in result.hosts:
        for one in _told(host):
            name = _rule_id(one)
            rules.first.setdefault(name, one)
            rules.worst[name] = max(one.severity, rules.worst.get(name, Severity.INFO))
            rules.results[one.severity] += 1
    return rules


def _rule_id(one: Finding) -> str:
    return words.short(one.rule.id, 200) or "unnamed"


def _results(result: ScanResult, index: dict[str, int]) -> Iterator[dict[str, Any]]:
    """The most severe first; once over the fleet for each severity, rather than all results in memory."""
    beside = any(host.since for host in result.hosts)
    for severity in sorted(Severity, reverse=True):
        for host in result.hosts:
            judged = [one.severity for one in host.mutations] + [one.severity for one in host.controls]
            if severity in judged:
                yield from (_result(host, one, index, beside) for one in _told(host) if one.severity is severity)


def _tool(rules: _Rules, index: dict[str, int]) -> dict[str, Any]:
    return {
        "driver": {
            "name": "driftscan",
            "version": __version__,
            "semanticVersion": __version__,
            "rules": [_rule(name, rules.first[name], rules.worst[name]) for name in index],
        }
    }


def _rule(name: str, one: Finding, worst: Severity) -> dict[str, Any]:
    title = one.title if one.result is not None else f"Drift that rule {name} speaks of"
    why = words.short(one.rule.why, TEXT) or title
    tags = ["drift" if one.result is None else "compliance"]
    tags += [words.short(f"{catalogue}:{number}", 100) for catalogue, ids in one.refs.items() for number in ids]
    helped = why + (f"\n\nFix: {one.fix}" if one.fix else "")
    return {
        "id": name,
        "shortDescription": {"text": _cut(title)},
        "fullDescription": {"text": _cut(why)},
        "help": {"text": _cut(helped)},
        "defaultConfiguration": {"level": LEVELS[worst]},
        "properties": {"tags": sorted(set(tags))[:MOST_TAGS], "security-severity": SCORES[worst], "precision": "high"},
    }


def _result(host: HostResult, one: Finding, index: dict[str, int], beside: bool) -> dict[str, Any]:
    name = _rule_id(one)
    who = words.short(host.host, 200)
    said = "\n".join((f"{who}: {one.title} ({one.action.word})", *one.lines, f"driftscan explain {one.id}"))
    return {
        "ruleId": name,
        **({"ruleIndex": index[name]} if name in index else {}),
        "kind": "fail",
        "level": LEVELS[one.severity],
        **({"baselineState": _state(host.since, one.id)} if beside else {}),
        "message": {"text": _cut(said)},
        "locations": [_location(finding.place(one, host), host, one)],
        "partialFingerprints": {FINGERPRINT: finding.fingerprint(host, one.id)},
        "suppressions": _suppressions(one),
        "properties": {"finding": one.id, "host": who, "severity": one.severity.word, "action": one.action.word},
    }


def _state(since: Since | None, finding_id: str) -> str:
    """Beside earlier scans (3.27.24). Of a host that they did not reach all is new."""
    if since is None or finding_id in since.new:
        return "new"
    return "updated" if finding_id in since.updated else "unchanged"


def _resolved(result: ScanResult) -> list[dict[str, str]]:
    """What earlier scans knew and this one would have seen. No results of the state `absent`: services that do not heed
    it would show them as open."""
    told = [
        {
            "fingerprint": finding.fingerprint(host, each.id),
            "finding": each.id,
            "host": words.short(host.host, 200),
            "title": words.short(each.title, finding.TITLE),
            "why": each.why,
        }
        for host in result.hosts
        if host.since
        for each in host.since.resolved
    ]
    return told[:MOST_NOTIFIED]


def _cut(text: str) -> str:
    """A message within the limit, in which nothing is a link (SARIF 3.11.6: `[text](target)`)."""
    inert = text.replace("](", "]\\x28")
    return inert if len(inert) <= TEXT else f"{inert[:TEXT]}…"


def _location(place: Place, host: HostResult, one: Finding | None) -> dict[str, Any]:
    who = words.short(host.host, 200)
    logical = [{"name": who, "fullyQualifiedName": who, "kind": "host"}]
    if one and one.about:
        kind, key = one.about[0], words.short(one.about[1], finding.TITLE)
        logical.append({"name": key, "fullyQualifiedName": f"{who}/{kind}/{key}", "kind": words.short(kind, 100)})
    return {
        "physicalLocation": {"artifactLocation": _artifact(place), "region": {"startLine": place.line}},
        "logicalLocations": logical,
    }


def _artifact(place: Place) -> dict[str, str]:
    """A file of the reader's repository by its relative path, a shipped one beneath a base of ours, any other whole."""
    uri = quote(place.file.removeprefix("./"), safe="/")
    if place.shipped:
        return {"uri": uri, "uriBaseId": BASE}
    return {"uri": f"file://{uri}" if uri.startswith("/") else uri}


def _suppressions(one: Finding) -> list[dict[str, Any]]:
    if not one.waived:
        return []
    return [{"kind": "external", "status": "accepted", "justification": _cut(finding.waiver_line(one.waiver))}]


def _invocation(result: ScanResult, left_out: int) -> dict[str, Any]:
    missed = [(host, why) for host in result.hosts if (why := finding.unscanned(host))]
    told = [_notification(host, why) for host, why in missed[:MOST_NOTIFIED]]
    if left_out:
        more = words.plural(left_out, "result")
        told.append(_plainly(f"{more} left out, the least severe: services take no more. The JSON report has all."))
    if len(missed) > MOST_NOTIFIED:
        more = words.plural(len(missed) - MOST_NOTIFIED, "more host")
        told.append(_plainly(f"{more} not, or not wholly, scanned. The JSON report names them."))
    if result.interrupted:
        told.append(_plainly("The scan was interrupted."))
    return {
        "executionSuccessful": not missed and not result.interrupted,
        "startTimeUtc": result.started_at,
        "endTimeUtc": result.finished_at,
        "toolExecutionNotifications": told,
    }


def _notification(host: HostResult, why: tuple[str, ...]) -> dict[str, Any]:
    who = words.short(host.host, 200)
    return {
        "level": "error",
        "descriptor": {"id": finding.NOT_SCANNED},
        "message": {"text": _cut("\n".join((f"{who} was not, or not wholly, scanned.", *why)))},
        "locations": [_location(finding.place(None, host), host, None)],
    }


def _plainly(text: str) -> dict[str, Any]:
    return {"level": "warning", "message": {"text": text}}


report = Report(name="sarif", doc="SARIF 2.1.0 for code scanning: one run for the fleet", render=_render, screen=False)
