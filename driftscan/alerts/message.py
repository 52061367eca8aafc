"""Many events, one message: the same thing on many hosts is one line, lines about the same hosts stand together, and
what is worst stands first."""

import json
import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from driftscan.model.event import Event, EventKind
from driftscan.model.finding import Action, Severity
from driftscan.model.names import show

MOST_LINES = 40
MOST_OF_COHORT = 10
"""Lines about the same hosts, where there are others, too."""
MOST_HOSTS = 5
MOST_TITLE = 200
"""Characters of a title, which a host may have had a say in."""
GOOD = frozenset({EventKind.RESOLVED, EventKind.COVERAGE_RESTORED, EventKind.ANSWERS})
_BY_FINDING = frozenset({EventKind.NEW, EventKind.RETURNED, EventKind.WORSENED, EventKind.RESOLVED})
_OF_HOSTS = frozenset({EventKind.COVERAGE_LOST, EventKind.COVERAGE_RESTORED, EventKind.SILENT, EventKind.ANSWERS})
_ENDPOINT = re.compile(r"[^\s@]+@(\[[^\s\]]+\]|[^\s:@]+)(?::\d+)?(?:: )?")
"""user@address:port, as transports name a host; at the beginning of a sentence a colon follows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Events that are alike. All texts are safe to show; `events` are as they were."""

    kind: str
    severity: str
    recommendation: str
    id: str
    title: str
    detail: str
    hosts: tuple[str, ...]
    events: tuple[Event, ...]

    @property
    def text(self) -> str:
        """As the usual message has it."""
        return self.what + self.where

    @property
    def what(self) -> str:
        """Without the hosts."""
        head = self.kind if not self.id else f"{self.kind} {self.id}"
        return f"[{self.severity}] {head}: {self.title}" + (f" ({self.detail})" if self.detail else "")

    @property
    def where(self) -> str:
        """On which hosts, in words; empty for what is of none."""
        return f" on {_named(self.hosts)}" if self.hosts else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """What the same hosts have in common: one upgrade of forty hosts is one of these, whatever it changed. `hosts`:
    safe to show; none for what is of no host."""

    hosts: tuple[str, ...]
    lines: tuple[Line, ...]

    @property
    def where(self) -> str:
        """Which hosts, in words."""
        return _named(self.hosts) if self.hosts else ""

    def rows(self, most: int) -> Iterator[str]:
        """As the usual message has it, with so many of its lines at most."""
        if len(self.lines) == 1:
            yield self.lines[0].text
            return
        yield f"{self.where}:"
        yield from (f"  {line.what}" for line in self.lines[:most])
        if len(self.lines) > most:
            yield f"  and {len(self.lines) - most} more"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a channel is told at once. `next`: the command that shows more; `expired`: events that are too old to be in
    it."""

    title: str
    cohorts: tuple[Cohort, ...]
    lines: tuple[Line, ...]
    events: tuple[Event, ...]
    next: str
    worst: str
    expired: int = 0

    @property
    def text(self) -> str:
        """The usual message."""
        return self.short(MOST_LINES)

    def short(self, most: int) -> str:
        """The usual message with so many lines of events at most."""
        rows = self.rows(most)
        if self.expired:
            rows.append(f"{self.expired} older events could not be delivered in time")
        return "\n".join([*rows, "", f"Next: {self.next}"])

    def rows(self, most: int) -> list[str]:
        """What happened, so many lines of it at most; and how many more there are."""
        each = most if len(self.cohorts) == 1 else MOST_OF_COHORT
        rows: list[str] = []
        left = most
        for index, cohort in enumerate(self.cohorts):
            if not left:
                rest = self.cohorts[index:]
                hosts = {host for one in rest for host in one.hosts}
                more = f"and {sum(len(one.lines) for one in rest)} more"
                return [*rows, more + (f" on {_count(hosts)}" if hosts else "")]
            shown = min(len(cohort.lines), each, left)
            rows += cohort.rows(shown)
            left -= shown
        return rows


def compose(events: Sequence[Event], expired: int = 0) -> Message:
    """One message of at least one event."""
    groups: dict[tuple[object, ...], list[Event]] = {}
    for event in events:
        groups.setdefault(_alike(event), []).append(event)
    ordered = sorted(groups.values(), key=_urgency)
    lines = tuple(map(_line, ordered))
    bad = [event.severity for event in events if event.kind not in GOOD]
    worst = max(bad, default=Severity.INFO)
    return Message(
        title=f"driftscan: {_told(lines)}" + (f" (worst: {worst.word})" if worst > Severity.INFO else ""),
        cohorts=tuple(_cohorts(lines)),
        lines=lines,
        events=tuple(events),
        next=_next(ordered[0][0]),
        worst=worst.word,
        expired=expired,
    )


def changes(events: Sequence[Event]) -> str:
    """What changed, to stand above a report."""
    message = compose(events)
    return "\n".join([message.title, *message.rows(MOST_LINES), "", ""])


def as_json(message: Message, channel: str, text: str) -> bytes:
    """For programs: driftscan.alerts/1 (docs/alerts.md). `text`: the message for people."""
    told = {
        "schema": "driftscan.alerts/1",
        "channel": channel,
        "title": message.title,
        "text": text,
        "expired": message.expired,
        "events": [_as_data(event) for event in message.events],
        "cohorts": [
            {
                "hosts": list(dict.fromkeys(event.host for event in cohort.lines[0].events if event.host)),
                "lines": [_as_line(line.events[0]) for line in cohort.lines],
            }
            for cohort in message.cohorts
        ],
    }
    return json.dumps(told, ensure_ascii=True, allow_nan=False).encode() + b"\n"


def sample() -> tuple[Event, ...]:
    """Events that never were: to try a template, and to test a channel."""
    at = "2026-01-01T00:00:00Z"
    return (
        Event(kind=EventKind.ADOPTED, at=at, title="this is a test: nothing happened", severity=Severity.INFO),
        Event(kind=EventKind.SILENT, at=at, host="test-1", title="a test, too", severity=Severity.INFO),
    )


def _as_data(event: Event) -> dict[str, object]:
    return {"at": event.at, "host": event.host, **_as_line(event), "labels": dict(event.labels)}


def _as_line(event: Event) -> dict[str, object]:
    return {
        "kind": event.kind.value,
        "id": event.subject,
        "title": event.title,
        "severity": event.severity.word,
        "recommendation": event.action.word,
        "detail": event.detail,
    }


def _alike(event: Event) -> tuple[object, ...]:
    """The same finding has other titles and actors on other hosts; hosts that are lost for one reason are one line."""
    if event.kind in _BY_FINDING:
        return event.kind, event.subject, event.severity, event.action, event.detail
    if event.kind in _OF_HOSTS:
        return event.kind, event.title, _reason(event.detail)
    return event.kind, event.subject, event.title, event.detail


def _reason(detail: str) -> str:
    """Why a host was lost, without its address: of many hosts, the reason alone is the same."""
    found = _ENDPOINT.search(detail)
    if found is None or detail.startswith("jump host "):  # that one many have in common
        return detail
    return detail.replace(found[0], "" if found[0].endswith(": ") else "the host", 1).replace(found[1], "...")


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
        title=_short(first.title or first.kind.value),
        detail=_short(_reason(first.detail) if first.kind in _OF_HOSTS and len(group) > 1 else first.detail),
        hosts=tuple(dict.fromkeys(_short(event.host) for event in group if event.host)),
        events=tuple(group),
    )


def _cohorts(lines: Sequence[Line]) -> Iterator[Cohort]:
    """Lines about the same hosts, in the order of the first of each."""
    together: dict[object, list[Line]] = {}
    for index, line in enumerate(lines):
        together.setdefault(frozenset(line.hosts) or index, []).append(line)
    for same in together.values():
        yield Cohort(hosts=same[0].hosts, lines=tuple(same))


def _told(lines: Sequence[Line]) -> str:
    """What happened to how many hosts. What is about a host is counted by hosts, what is about a finding by findings:
    the same one on forty hosts is one."""
    counts: Counter[EventKind] = Counter()
    for line in lines:
        kind = line.events[0].kind
        counts[kind] += len(line.hosts) if kind in _OF_HOSTS else 1
    first = next((line.title for line in lines if line.kind == EventKind.ADOPTED), "")
    if first and len(lines) == 1:
        return first
    said = ", ".join(f"{counts[kind]} {kind.value}" for kind in EventKind if counts[kind])
    hosts = dict.fromkeys(host for line in lines for host in line.hosts)
    if len(hosts) == 1:
        return f"{said} on {next(iter(hosts))}"
    return f"{said} on {_count(hosts)}" if hosts and not counts.keys() <= _OF_HOSTS else said


def _named(hosts: Sequence[str]) -> str:
    if len(hosts) == 1:
        return hosts[0]
    more = ", ..." if len(hosts) > MOST_HOSTS else ""
    return f"{_count(hosts)}: {', '.join(hosts[:MOST_HOSTS])}{more}"


def _count(hosts: Collection[str]) -> str:
    return f"{len(hosts)} host{'s' if len(hosts) != 1 else ''}"


def _next(event: Event) -> str:
    if event.kind in _BY_FINDING:
        return f"driftscan explain {show(event.subject)}"
    if event.kind in {EventKind.WAIVER_EXPIRED, EventKind.WAIVER_EXPIRING}:
        return "driftscan waiver list"
    return f"driftscan history {shlex.quote(show(event.host))}" if event.host else "driftscan history"


def _short(text: str) -> str:
    shown = show(text)
    return shown if len(shown) <= MOST_TITLE else f"{shown[: MOST_TITLE - 3]}..."
