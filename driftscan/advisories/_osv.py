"""Records of OSV (https://ossf.github.io/osv-schema/), as far as they are about packages that we know of hosts."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from driftscan.advisories import _json as js
from driftscan.advisories._systems import ORDERS, PYPI, of_ecosystem, python_name
from driftscan.advisories.order import sorted_versions
from driftscan.model.advisory import Advisory, Span

FIELDS = frozenset(
    {
        "schema_version",
        "id",
        "modified",
        "published",
        "withdrawn",
        "aliases",
        "related",
        "upstream",
        "summary",
        "details",
        "severity",
        "affected",
        "references",
        "credits",
        "database_specific",
    }
)
_WORDS: Mapping[str, str] = {
    "critical": "critical",
    "high": "high",
    "important": "high",
    "medium": "medium",
    "moderate": "medium",
    "low": "low",
    "negligible": "low",
}
_IGNORED = {"unimportant": "unimportant", "end-of-life": "end of life"}
"""Urgencies of Debian for which it makes no update."""
_DAY = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T.*)?", re.ASCII)
_CVE = re.compile(r"CVE-[0-9]{4}-[0-9]{4,19}", re.ASCII)
_TYPES = frozenset({"ECOSYSTEM", "SEMVER"})
MAX_EVENTS = 1000


def advisories(record: Any, where: str) -> Iterator[tuple[str, str, Advisory]]:
    """(system, package, advisory) of one record; nothing of one that was withdrawn. UsageError if it is none."""
    if not isinstance(record, dict):
        raise js.wrong(where, "not an object")
    name = js.word(record, "id", where)
    if not name:
        raise js.wrong(where, "a record without 'id'")
    where = f"{where}: {name}" if name not in where else where
    if record.get("withdrawn"):
        return
    head = {
        "id": name,
        "aliases": _aliases(record, name, where),
        "published": day(js.part(record, "published", str, where)),
        "summary": js.summary(js.part(record, "summary", str, where) or js.part(record, "details", str, where)),
    }
    for place, affected in js.items(record, "affected", where):
        package = js.part(affected, "package", dict, place)
        system = of_ecosystem(js.word(package, "ecosystem", place))
        if system:
            told = js.word(package, "name", place)
            yield (
                system,
                python_name(told) if system == PYPI else told,
                _affected(head, record, affected, system, place),
            )


def day(time: str) -> str:
    """The day of a time of RFC 3339; empty if it is none."""
    found = _DAY.fullmatch(time)
    return found[1] if found else ""


def _aliases(record: Mapping[str, Any], name: str, where: str) -> tuple[str, ...]:
    """Names of the same, and of those that it mends (`upstream`; AlmaLinux has them under `related`)."""
    same = (*js.words(record, "aliases", where), *js.words(record, "upstream", where))
    related = (other for other in js.words(record, "related", where) if _CVE.fullmatch(other))
    return tuple(dict.fromkeys(other for other in (*same, *related) if other != name))


def _affected(
    head: Mapping[str, Any], record: Mapping[str, Any], affected: Mapping[str, Any], system: str, where: str
) -> Advisory:
    own = js.part(affected, "ecosystem_specific", dict, where)
    urgency = js.part(own, "urgency", str, where).rstrip("*")
    spans = tuple(_spans(affected, system, where))
    given = [*js.items(affected, "severity", where), *js.items(record, "severity", where)]
    database = js.part(record, "database_specific", dict, where)
    return Advisory(
        **head,
        spans=spans,
        versions=() if spans else js.words(affected, "versions", where),
        ignored=_IGNORED.get(urgency, ""),
        severity=_word(urgency, *_said(given), database.get("severity"), head["summary"].partition(":")[0]),
        vector=_vector(given),
    )


def _spans(affected: Mapping[str, Any], system: str, where: str) -> Iterator[Span]:
    for place, given in js.items(affected, "ranges", where):
        if js.word(given, "type", place) not in _TYPES:
            continue  # commits
        events = [_event(event, at) for at, event in js.items(given, "events", place)]
        if len(events) > MAX_EVENTS:
            raise js.wrong(place, f"more than {MAX_EVENTS} events")
        yield from _paired(events, system)


def _event(event: Mapping[str, Any], where: str) -> tuple[str, str]:
    if len(event) != 1 or not event.keys() <= {"introduced", "fixed", "last_affected", "limit"}:
        raise js.wrong(where, "an event is one of introduced, fixed, last_affected, limit")
    name = next(iter(event))
    return name, js.word(event, name, where)


def _paired(events: list[tuple[str, str]], system: str) -> Iterator[Span]:
    """Each beginning with its end. The schema lets events stand in any order."""
    events = [(name, version) for name, version in events if name != "limit"]
    if any((name == "introduced") == bool(index % 2) for index, (name, _) in enumerate(events)):
        order = sorted_versions({version for _, version in events}, ORDERS[system.partition(":")[0]])
        events.sort(key=lambda event: (order.index(event[1]), event[0] == "introduced"))
    begun: str | None = None
    for name, version in events:
        if name == "introduced":
            begun = version if begun is None else begun
        elif begun is not None:
            start = "" if begun == "0" else begun
            yield Span(start, fixed=version) if name == "fixed" else Span(start, last=version)
            begun = None
    if begun is not None:
        yield Span("" if begun == "0" else begun)


def _said(given: Iterable[tuple[str, Mapping[str, Any]]]) -> Iterator[Any]:
    """Words instead of vectors, as Ubuntu has them."""
    return (each.get("score") for _, each in given if not str(each.get("type")).startswith("CVSS"))


def _word(*candidates: Any) -> str:
    """The first that is a word for a severity."""
    lower = (text.strip().lower() for text in candidates if isinstance(text, str))
    return next((_WORDS[text] for text in lower if text in _WORDS), "")


def _vector(given: Iterable[tuple[str, Mapping[str, Any]]]) -> str:
    """The newest CVSS."""
    found = {str(each.get("type")): js.word(each, "score", where) for where, each in given}
    return next((found[name] for name in ("CVSS_V4", "CVSS_V3", "CVSS_V2") if found.get(name)), "")
