"""The Debian security tracker's `data/json`: source package -> CVE -> release -> state (its bin/tracker_service.py,
`page_json`)."""

from collections.abc import Iterator
from typing import Any

from driftscan.advisories import _json as js
from driftscan.advisories._systems import of_codename
from driftscan.model.advisory import Advisory, Span

_URGENCIES = {"high": "high", "medium": "medium", "low": "low"}
_IGNORED = {"unimportant": "unimportant", "end-of-life": "end of life"}
_STATES = frozenset({"open", "resolved", "undetermined"})


def advisories(text: str, where: str) -> Iterator[tuple[str, str, Advisory]]:
    """(system, source package, advisory) of the whole file, package by package. UsageError if it is none."""
    for source, issues in js.members(text, where):
        place = f"{where}: {source[: js.MAX_NAME]}"
        if not isinstance(issues, dict) or not source or len(source) > js.MAX_NAME or not source.isprintable():
            raise js.wrong(place, "not a source package with its issues")
        for name, issue in issues.items():
            at = f"{place}: {name[: js.MAX_NAME]}"
            if not isinstance(issue, dict) or len(name) > js.MAX_NAME or not name.isprintable():
                raise js.wrong(at, "not an issue")
            summary = js.summary(js.part(issue, "description", str, at))
            for release, state in js.part(issue, "releases", dict, at).items():
                if system := of_codename(release):
                    found = _advisory(name, summary, state, f"{at}: {release}")
                    if found is not None:
                        yield system, source, found


def _advisory(name: str, summary: str, state: Any, where: str) -> Advisory | None:
    """None: the release was never affected, or nobody knows whether it is."""
    if not isinstance(state, dict):
        raise js.wrong(where, "not the state of a release")
    status, urgency = js.word(state, "status", where), js.word(state, "urgency", where).rstrip("*")
    if status not in _STATES:
        raise js.wrong(where, "'status' is none of open, resolved, undetermined")
    fixed = js.word(state, "fixed_version", where)
    if status == "undetermined" or (status == "resolved" and fixed in {"", "0"}):
        return None
    return Advisory(
        id=name,
        spans=(Span(fixed=fixed if status == "resolved" else ""),),
        ignored=_ignored(state, urgency, where),
        severity=_URGENCIES.get(urgency, ""),
        summary=summary,
    )


def _ignored(state: dict[str, Any], urgency: str, where: str) -> str:
    """Why no update is made. `no-dsa` by itself only means that there is none by itself yet: it comes with the next
    point release."""
    if urgency in _IGNORED:
        return _IGNORED[urgency]
    if js.word(state, "nodsa_reason", where) == "ignored":
        return js.summary(js.part(state, "nodsa", str, where)) or "ignored"
    return ""
