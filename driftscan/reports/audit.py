"""A report that an auditor can keep: what was scanned with what, what passed, failed and was accepted, for paper and
files. No script, nothing folded away, and the digest of the JSON report of the same scan. A few pages tell it; evidence
and whatever else is long is in annexes behind the place to sign."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from driftscan import __version__
from driftscan.model.result import HostImage, ImageMatch, ScanResult
from driftscan.reports import _patching_words as patching
from driftscan.reports import _words as words
from driftscan.reports import json
from driftscan.reports._base import Report, Style
from driftscan.reports._page import markup
from driftscan.reports._page.view import View

MATCHES = {
    ImageMatch.GIVEN: "given by whoever scanned",
    ImageMatch.INVENTORY: "named by the inventory",
    ImageMatch.CLOUD: "found by the image id that the cloud names",
    ImageMatch.OS_RELEASE: "found by the host's os-release: the host's own word",
    ImageMatch.UNKNOWN: "none was found",
    ImageMatch.STAND_IN: "none: the host's own package database stood in",
}
"""How a host's manifest was chosen, in words."""
MOST_NAMES = 4
"""Hosts that are named beside a finding where its evidence, with all of them, is in the annex."""
_NONE_FAILED = {
    "none": "None.",
    "none seen": "None was seen on the hosts that were scanned.",
    "not known": "Nothing is known: no host was scanned.",
}
OUTCOMES = ("pass", "fail", "waived", "unknown", "not-applicable")


def _render(result: ScanResult, _style: Style) -> Iterator[str]:
    yield from markup.render("audit.html", _values(View(result), result))


def _values(shown: View, result: ScanResult) -> dict[str, Any]:
    return {
        "view": shown,
        "result": result,
        "version": __version__,
        "style": markup.inline("audit.css"),
        "digest": json.digest(result),
        "patching": patching,
        "images": _images(result),
        "policies": sorted(Counter(policy.name.partition("/")[0] for policy in result.policies).items()),
        "most_names": MOST_NAMES,
        "matches": MATCHES,
        "outcomes": OUTCOMES,
        "audit_line": words.audit_line(result.hosts),
        "findings_of": words.findings_of,
        "reading_line": words.reading_line,
        "totals": _totals(shown),
        "none_failed": _NONE_FAILED[shown.no_findings],
    }


def _images(result: ScanResult) -> list[tuple[HostImage, int]]:
    """The manifests that hosts were compared with, and how many hosts."""
    counts = Counter(host.image for host in result.hosts)
    return sorted(counts.items(), key=lambda each: (-each[1], each[0].id, each[0].version, each[0].manifest_digest))


def _totals(shown: View) -> Counter[str]:
    """Controls asked of hosts, by outcome."""
    totals: Counter[str] = Counter()
    for each in shown.controls:
        totals.update(each.results)
    return totals


report = Report(name="audit", doc="HTML for auditors to keep and print: no script", render=_render, screen=False)
