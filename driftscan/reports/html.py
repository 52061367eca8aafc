"""One page for people: self-contained, inert whatever a host said, readable without its script."""

from collections.abc import Iterator
from typing import Any

from driftscan import __version__
from driftscan.model.finding import Action, Cure, CureCause
from driftscan.model.proof import WORTH
from driftscan.model.result import ScanResult
from driftscan.reports import _patching_words as patching
from driftscan.reports import _words as words
from driftscan.reports._base import Report, Style
from driftscan.reports._page import items, markup, timeline, trends, view
from driftscan.reports._page.index import index

FEW = 8
"""Failed controls of one host, versions and advisories of one package, that stand there unasked."""
MANY = 200
"""Hosts that one table lists with their reasons; cohorts, and what hosts said alike."""
LINKED = 500
"""Hosts that one list leads to."""
SEEN = 20
"""Answers of one control that hosts were seen to give."""
FAILED = 40
"""Failed controls of one host that are listed."""
MARKS = {
    Action.NONE: "\u00b7",
    Action.OBSERVE: "o",
    Action.INVESTIGATE: "?",
    Action.ROTATE: "R",
    Action.REPLACE: "X",
    Action.REBAKE: "B",
    Action.QUARANTINE: "Q",
}
"""What tells recommendations apart where colours do not."""


def _render(result: ScanResult, _style: Style) -> Iterator[str]:
    shown = view.View(result)
    yield from markup.render("page.html", _values(shown, result))


def _values(shown: view.View, result: ScanResult) -> dict[str, Any]:
    return {
        "view": shown,
        "result": result,
        "version": __version__,
        "style": markup.inline("page.css"),
        "script": markup.inline("page.js"),
        "index": index(shown),
        "timeline": timeline.draw(shown.happenings, result.finished_at),
        **trends.values(result.trends),
        "patching": patching,
        "mark": MARKS,
        "sign": words.SIGNS,
        "cure": _cure,
        "worth": WORTH,
        "unscanned": words.UNSCANNED,
        "findings_of": words.findings_of,
        "returned": words.RETURNED,
        "shown": view.SHOWN,
        "named": view.NAMED,
        "few": FEW,
        "many": MANY,
        "linked": LINKED,
        "part": view.PART,
        "seen": SEEN,
        "most_failed": FAILED,
        "audit_line": words.audit_line(result.hosts),
        "telling": words.telling,
        "finding_counts": words.finding_counts,
        "failed_controls": words.failed_controls,
        "accounting_line": words.accounting_line,
        "reading_line": words.reading_line,
        "lines_of": items.lines_of,
        "facts_of": items.facts_of,
        "bad": items.bad,
        "outcome": items.outcome,
        "distinct": items.distinct,
    }


def _cure(cure: Cure) -> str:
    """Whether a replacement ends it, in words; empty where nobody knows."""
    where = "" if cure.cause is CureCause.UNKNOWN else f"The fault lies with the {cure.cause.value}."
    ends = {True: "Replacing the host cures it.", False: "Replacing the host does not cure it.", None: ""}
    return f"{ends[cure.replacement_cures]} {where}".strip()


report = Report(name="html", doc="one page for people: the fleet, what happened, and why", render=_render, screen=False)
