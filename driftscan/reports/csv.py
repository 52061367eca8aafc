"""CSV (RFC 4180) for spreadsheets: a row for each finding of each host, one for each host that has none, one for each
that was not, or not wholly, scanned."""

import csv
import io
import re
from collections.abc import Iterator

from driftscan.model.result import HostResult, ScanResult
from driftscan.reports import _findings as finding
from driftscan.reports import _words as words
from driftscan.reports._base import Report, Style
from driftscan.reports._findings import Finding

COLUMNS = (
    *("scan", "finished_at", "host", "target", "image", "verdict", "recommendation"),
    *("finding", "kind", "rule", "rule_file", "rule_line", "title", "severity", "action", "state", "result"),
    *("why", "fix", "waiver_reason", "waiver_owner", "waiver_expires"),
)
CELL = 32_000
"""Characters of a cell; spreadsheets take 32,767."""
_FORMULA = re.compile(r"['\s]*[=+\-@|%\uff1d\uff0b\uff0d\uff20\ufe62\ufe63\ufe66\ufe6b]|'")
"""What a spreadsheet may take for a formula, full-width forms included (OWASP, CSV injection); and the mark itself, so
that it can be told what was put before a text and what belongs to it."""


def _render(result: ScanResult, _style: Style) -> Iterator[str]:
    yield _row(COLUMNS)
    for host in result.hosts:
        of_host, found = _host(result, host), list(finding.findings(host))
        for one in found:
            yield _row((*of_host, *_finding(one)))
        why = finding.unscanned(host)
        if why or not found:
            kind = finding.NOT_SCANNED if why else ""
            yield _row((*of_host, "", kind, *[""] * 8, _joined(why), *[""] * 4))


def cell(text: str) -> str:
    """Text as a cell that no spreadsheet takes for a formula: `'` stands before what begins like one."""
    shown = words.short(text, CELL)
    return f"'{shown}" if _FORMULA.match(shown) else shown


def _row(cells: tuple[str, ...]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([cell(text) for text in cells])
    return out.getvalue()


def _host(result: ScanResult, host: HostResult) -> tuple[str, ...]:
    image = f"{host.image.id} {host.image.version}".strip()
    told = (host.verdict.value, host.recommendation.action.word)
    return (result.id, result.finished_at, host.host, host.target, image, *told)


def _finding(one: Finding) -> tuple[str, ...]:
    waiver = one.waiver
    return (
        one.id,
        "mutation" if one.result is None else "control",
        one.rule.id,
        one.rule.file,
        str(one.rule.line or ""),
        one.title,
        one.severity.word,
        one.action.word,
        one.state.value,
        one.result.value if one.result else "",
        _joined(one.lines),
        one.fix,
        *((waiver.reason, waiver.owner, waiver.expires.isoformat()) if waiver else ("", "", "")),
    )


def _joined(lines: tuple[str, ...]) -> str:
    return "; ".join(lines)


report = Report(name="csv", doc="for spreadsheets: a row per finding and host", render=_render, screen=False)
