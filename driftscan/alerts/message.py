"""Many events, one message: the same thing on many hosts is one line, what is worst stands first."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from driftscan.model.event import Event, EventKind
from driftscan.model.finding import Action, Severity
from driftscan.model.names import show

MOST_LINES = 40
MOST_HOSTS = 5
MOST_TITLE = 200
"""Characters of a title, which a host may have had a say in."""
GOOD = frozenset({EventKind.RESOLVED, EventKind.COVERAGE_RESTORED, EventKind.ANSWERS})
_BY_FINDING = frozenset({EventKind.NEW, EventKind.RETURNED, EventKind.WORSENED, EventKind.RESOLVED})
_WORDS = {
    EventKind.COVERAGE_LOST: "no longer wholly scanned",
    EventKind.COVERAGE_RESTORED: "wholly scanned again",
    EventKind.SILENT: "silent",
    EventKind.ANSWERS: "answers again",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Events that are alike. All texts are safe to show."""

    kind: str
    severity: str
    recommendation: str
    id: str
    title: str
    detail: str
    hosts: tuple[str, ...]

    @property
    def text(self) -> str:
        """As the usual message has it."""
        head = self.kind if not self.id else f"{self.kind} {self.id}"
        return f"[{self.severity}] {head}: {self.title}" + (f" ({self.detail})" if self.detail else "") + self.where

    @property
    def where(self) -> str:
        """On which hosts, in words; empty for what is of none."""
        if not self.hosts:
            return ""
        if len(self.hosts) == 1:
            return f" on {self.hosts[0]}"
        more = ", ..." if len(self.hosts) > MOST_HOSTS else ""
        return f" on {len(self.hosts)} hosts: {', '.join(self.hosts[:MOST_HOSTS])}{more}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a channel is told at once. `next`: the command that shows more; `expired`: events that are too old to be in
    it."""

    title: str
    lines: tuple[Line, ...]
    events: tuple[Event, ...]
    next: str
    worst: str
    expired: int = 0

    @property
    def text(self) -> str:
        """The usual message."""
        rows = [line.text for line in self.lines[:MOST_LINES]]
        if len(self.lines) > MOST_LINES:
            rows.append(f"and {len(self.lines) - MOST_LINES} more")
        if self.expired:
            rows.append(f"{self.expired} older events could not be delivered in time")
        return "\n".join([*rows, "", f"Next: {self.next}"])


def compose(events: Sequence[Event], expired: int = 0) -> Message:
    """One message of at least one event."""
    groups: dict[tuple[object, ...], list[Event]] = {}
    for event in events:
        groups.setdefault(_alike(event), []).append(event)
    ordered = sorted(groups.values(), key=_urgency)
    counts = Counter(event.kind for event in events)
    told = ", ".join(f"{counts[kind]} {kind.value}" for kind in EventKind if counts[kind])
    bad = [event.severity for event in events if event.kind not in GOOD]
    worst = max(bad, default=Severity.INFO).word
    return Message(
        title=f"driftscan: {told}" + (f" (worst: {worst})" if bad else ""),
        lines=tuple(map(_line, ordered)),
        events=tuple(events),
        next=_next(ordered[0][0]),
        worst=worst,
        expired=expired,
    )


def changes(events: Sequence[Event]) -> str:
    """What changed, to stand above a report."""
    message = compose(events)
    return "\n".join([message.title, *(line.text for line in message.lines[:MOST_LINES]), "", ""])


def as_json(message: Message, channel: str) -> bytes:
    """For programs: driftscan.alerts/1 (docs/alerts.md)."""
    told = {
        "schema": "driftscan.alerts/1",
        "channel": channel,
        "title": message.title,
        "text": message.text,
        "expired": message.expired,
        "events": [_as_data(event) for event in message.events],
    }
    return json.dumps(told, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def sample() -> tuple[Event, ...]:
    """Events that never were: to try a template, and to test a channel."""
    at = "2026-01-01T00:00:00Z"
    return (
        Event(kind=EventKind.ADOPTED, at=at, title="this is a test: nothing happened", severity=Severity.INFO),
        Event(kind=EventKind.SILENT, at=at, host="test-1", severity=Severity.INFO, detail="a test, too"),
    )


def _as_data(event: Event) -> dict[str, object]:
    return {
        "kind": event.kind.value,
        "at": event.at,
        "host": event.host,
        "id": event.subject,
        "title": event.title,
        "severity": event.severity.word,
        "recommendation": event.action.word,
        "detail": event.detail,
        "labels": dict(event.labels),
    }


def _alike(event: Event) -> tuple[object, ...]:
    """The same finding has other titles and actors on other hosts; hosts that are lost for one reason are one line."""
    if event.kind in _BY_FINDING:
        return event.kind, event.subject, event.severity, event.action, event.detail
    return event.kind, event.subject, event.title, event.detail


def _urgency(group: Iterable[Event]) -> tuple[object, ...]:
    events = tuple(group)
    first = events[0]
    kinds = list(EventKind)
    return first.kind in GOOD, -first.severity, -first.action, kinds.index(first.kind), -len(events), first.subject


def _line(group: Sequence[Event]) -> Line:
    first = group[0]
    return Line(
        kind=first.kind.value,
        severity=first.severity.word,
        recommendation=first.action.word if first.action is not Action.NONE else "",
        id=show(first.subject) if first.kind in _BY_FINDING else "",
        title=_short(first.title or _WORDS.get(first.kind, first.kind.value)),
        detail=_short(first.detail),
        hosts=tuple(dict.fromkeys(show(event.host) for event in group if event.host)),
    )


def _next(event: Event) -> str:
    if event.kind in _BY_FINDING:
        return f"driftscan explain {show(event.subject)}"
    if event.kind in {EventKind.WAIVER_EXPIRED, EventKind.WAIVER_EXPIRING}:
        return "driftscan waiver list"
    return "driftscan history"


def _short(text: str) -> str:
    shown = show(text)
    return shown if len(shown) <= MOST_TITLE else f"{shown[: MOST_TITLE - 3]}..."
