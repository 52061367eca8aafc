"""Events become rows in the transaction that stores a scan: each change once, however often delivery is tried."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, bindparam, delete, func, insert, select

from driftscan.model.codec import canonical
from driftscan.model.event import Event, EventKind
from driftscan.model.finding import Action, Severity, State, Verdict
from driftscan.model.result import HostResult, ScanResult
from driftscan.model.waiver import Waiver, WaiverState
from driftscan.store._findings import CHUNK, Move, known_hosts, overtaken
from driftscan.store._news import SILENT_AFTER, Look, Standing, Watch, finding_news, host_news, known
from driftscan.store._schema import channel, event, host, host_watch, waiver_told
from driftscan.store._write import storable, upsert

KEPT_DAYS = 30
MOST_DETAIL = 300
"""Characters of a reason, which a host may have written."""
_WAIVERS = {WaiverState.EXPIRING: EventKind.WAIVER_EXPIRING, WaiverState.EXPIRED: EventKind.WAIVER_EXPIRED}
_SEVERITY = {
    EventKind.COVERAGE_LOST: Severity.MEDIUM,
    EventKind.COVERAGE_RESTORED: Severity.MEDIUM,
    EventKind.SILENT: Severity.HIGH,
    EventKind.ANSWERS: Severity.HIGH,
    EventKind.WAIVER_EXPIRING: Severity.LOW,
    EventKind.WAIVER_EXPIRED: Severity.MEDIUM,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Watching:
    """`scope`: which targets a scan was asked for, as any text that is the same for the same ones; empty: nobody is
    missed. `silent_after`: how many scans a host may miss. `channels`: who is told from this scan on, at the latest."""

    scope: str = ""
    silent_after: int = SILENT_AFTER
    channels: tuple[str, ...] = ()


class Outbox:
    """The events of one scan."""

    def __init__(self, connection: Connection, result: ScanResult, watching: Watching) -> None:
        """What is known before the scan is stored."""
        self._connection = connection
        self._result = result
        self._watching = watching
        self._names = {storable(each.host): each for each in result.hosts}
        self._known = frozenset(known_hosts(connection, list(self._names)))
        # Of no host anything is known: a new store, another inventory, a fleet that was replaced as a whole.
        self._first = not self._known and any(each.verdict.reached for each in result.hosts)
        self._new = self._first and connection.scalar(select(host.c.host).limit(1)) is None
        self._watched = self._watches()

    def write(self, moves: Sequence[Move]) -> tuple[Event, ...]:
        """Keep what is news; `moves`: what became of findings. What was kept."""
        news = [*self._adopted(moves)] if self._first else [*self._findings(moves)]
        news += self._hosts()
        news += self._waivers()
        newest = max(self._highest(event.c.number), self._highest(channel.c.told))
        self._join(newest)
        self._forget()
        if news:
            rows = [_row(each, self._result.id, newest + 1 + index) for index, each in enumerate(news)]
            self._connection.execute(insert(event), rows)
        return tuple(news)

    def _findings(self, moves: Iterable[Move]) -> Iterator[Event]:
        for move in moves:
            before = _standing(move.before._asdict()) if move.before is not None else None
            now = _standing(move.now)
            kind = finding_news(before, now)
            if kind is not None:
                yield Event(
                    kind=kind,
                    at=self._result.started_at,
                    host=move.host.host,
                    subject=move.now["fingerprint"],
                    title=move.now["title"],
                    severity=now.severity,
                    action=now.action,
                    detail=_why(kind, before, move.now),
                    labels=move.host.labels,
                )

    def _hosts(self) -> Iterator[Event]:
        """And keep what was told of them."""
        rows, gone = [], []
        for name, row in self._watched.items():
            found = self._names.get(name)
            look = self._look(found) if found is not None else self._absent(row)
            if row is not None and overtaken(row, self._result) is not None:
                continue
            if look is None:
                gone += [name] if found is not None and found.verdict is Verdict.GONE else []
                continue
            watch, kinds = self._told(name, row, look)
            rows.append(self._watch_row(name, row, watch))
            for kind in kinds:
                yield self._of_host(kind, name, found, watch)
        if rows:
            self._connection.execute(upsert(self._connection, host_watch), rows)
        if gone:
            which = host_watch.c.host == bindparam("h")
            self._connection.execute(delete(host_watch).where(which), [{"h": name} for name in gone])

    def _told(self, name: str, row: Row[Any] | None, look: Look) -> tuple[Watch, tuple[EventKind, ...]]:
        if row is None and name in self._known:
            return known(look), ()
        before = _watch(row) if row is not None else Watch()
        return host_news(before, look, self._watching.silent_after)

    def _look(self, found: HostResult) -> Look | None:
        """None: the scan says nothing of it."""
        if found.verdict in {Verdict.SETTLING, Verdict.GONE}:
            return None
        if found.verdict is Verdict.UNREACHABLE:  # of a scan that was interrupted, nobody may have asked it
            return None if self._result.interrupted else Look.NOTHING
        return Look.WHOLE if found.whole else Look.PART

    def _absent(self, row: Row[Any] | None) -> Look | None:
        """Of a host that is not in the scan: whether that says something."""
        same = row is not None and self._watching.scope and row.scope == self._watching.scope
        return Look.ABSENT if same and not self._result.interrupted else None

    def _watch_row(self, name: str, row: Row[Any] | None, watch: Watch) -> dict[str, str | int]:
        scope = self._watching.scope or (row.scope if row is not None else "")
        times = {"started_at": self._result.started_at, "finished_at": self._result.finished_at}
        flags = {"whole": int(watch.whole), "reached": int(watch.reached), "silent": int(watch.silent)}
        return {"host": name, "scope": scope, **times, **flags, "missed": watch.missed}

    def _of_host(self, kind: EventKind, name: str, found: HostResult | None, watch: Watch) -> Event:
        reason = found.errors[0].message if found is not None and found.errors else ""
        if found is None:
            reason = "it is no longer among the targets"
        elif kind is EventKind.ANSWERS:
            reason = ""
        return Event(
            kind=kind,
            at=self._result.started_at,
            host=found.host if found is not None else name,
            title=_of_coverage(kind, watch),
            severity=_SEVERITY[kind],
            detail=storable(reason[:MOST_DETAIL]),
            labels=found.labels if found is not None else {},
        )

    def _waivers(self) -> Iterator[Event]:
        told = {(row.waiver, row.kind) for row in self._connection.execute(select(waiver_told))}
        for waiver, state in self._result.waivers:
            kind, key = _WAIVERS.get(state), _key(waiver)
            if kind is None or (key, kind.value) in told:
                continue
            told.add((key, kind.value))
            self._connection.execute(insert(waiver_told), {"waiver": key, "kind": kind.value})
            ends = "expired" if kind is EventKind.WAIVER_EXPIRED else "expires"
            yield Event(
                kind=kind,
                at=self._result.started_at,
                subject=waiver.what,
                title=storable(f"waiver of {waiver.what} ({waiver.owner})"),
                severity=_SEVERITY[kind],
                detail=storable(f"{ends} on {waiver.expires}; {waiver.origin}"),
            )

    def _adopted(self, moves: Sequence[Move]) -> Iterator[Event]:
        """One sentence of hosts none of which was scanned before, and what is worst there. That they are clean is news
        of a new store alone, where it says that all is set up."""
        there = [(each, _standing(each.now)) for each in moves]
        found = [(each, now) for each, now in there if now.open and now.there]
        if not (found or self._new):
            return
        counts = Counter(now.severity for _, now in found)
        said = ", ".join(f"{counts[severity]} {severity.word}" for severity in sorted(counts, reverse=True))
        title = f"first scan: {_count(len(self._result.hosts), 'host')}, {_count(len(found), 'finding')}"
        missed = sum(not each.whole for each in self._result.hosts)
        details = [f"not, or not wholly, scanned: {missed}"] if missed else []
        if found:
            worst, _ = max(found, key=lambda one: (one[1].severity, one[1].action))
            title += f" ({said})"
            details.append(
                f"worst: {worst.now['fingerprint']}, {worst.now['title'][:MOST_DETAIL]} on {worst.now['host']}"
            )
        yield Event(
            kind=EventKind.ADOPTED,
            at=self._result.started_at,
            title=title,
            severity=max(counts, default=Severity.INFO),
            action=max((now.action for _, now in found), default=Action.NONE),
            detail="; ".join(details),
        )

    def _watches(self) -> dict[str, Row[Any] | None]:
        """Of the hosts of the scan, and of those that the same scan had before; by name."""
        found: dict[str, Row[Any] | None] = dict.fromkeys(self._names)
        names = list(self._names)
        asked: list[ColumnElement[bool]] = [
            host_watch.c.host.in_(names[start : start + CHUNK]) for start in range(0, len(names), CHUNK)
        ]
        if self._watching.scope:
            asked.append(host_watch.c.scope == self._watching.scope)
        for which in asked:
            found |= {row.host: row for row in self._connection.execute(select(host_watch).where(which))}
        return found

    def _highest(self, column: Any) -> int:
        return self._connection.scalar(select(func.max(column))) or 0

    def _join(self, newest: int) -> None:
        """Who is new is not told what was before."""
        there = set(self._connection.scalars(select(channel.c.name)))
        rows = [
            {"name": name, "told": newest, "attempts": 0, "error": "", "claim": "", "claimed_at": ""}
            for name in self._watching.channels
            if name not in there
        ]
        if rows:
            self._connection.execute(insert(channel), rows)

    def _forget(self) -> None:
        oldest = datetime.fromisoformat(self._result.started_at) - timedelta(days=KEPT_DAYS)
        self._connection.execute(delete(event).where(event.c.at < oldest.strftime("%Y-%m-%dT%H:%M:%SZ")))


def as_event(row: Row[Any]) -> Event:
    """The event of a row."""
    return Event(
        kind=EventKind(row.kind),
        at=row.at,
        host=row.host,
        subject=row.subject,
        title=row.title,
        severity=Severity.parse(row.severity),
        action=Action.parse(row.action),
        detail=row.detail,
        labels=json.loads(row.labels),
    )


def _row(each: Event, scan_id: str, number: int) -> dict[str, str | int]:
    return {
        "number": number,
        "scan": scan_id,
        "at": each.at,
        "kind": each.kind.value,
        "host": storable(each.host),
        "subject": storable(each.subject),
        "title": each.title,
        "severity": each.severity.word,
        "action": each.action.word,
        "detail": each.detail,
        "labels": json.dumps({storable(name): storable(value) for name, value in sorted(each.labels.items())}),
    }


def _standing(row: Mapping[str, Any]) -> Standing:
    there = row["resolved_at"] is None
    # A store that was brought up to date may hold a finding without what its last scan said.
    severity = Severity.parse(row["severity"]) if row["severity"] else Severity.INFO
    action = Action.parse(row["action"]) if row["action"] else Action.NONE
    return Standing(there, row["state"] in {State.OPEN.value, ""}, severity, action)


def _watch(row: Row[Any]) -> Watch:
    return Watch(whole=bool(row.whole), reached=bool(row.reached), missed=row.missed, silent=bool(row.silent))


def _of_coverage(kind: EventKind, watch: Watch) -> str:
    """What happened to a host, in words."""
    if kind is EventKind.SILENT:
        return f"missed in {_count(watch.missed, 'scan')} in a row"
    if kind is EventKind.ANSWERS:
        return "reached again"
    if kind is EventKind.COVERAGE_LOST:
        return "not wholly scanned" if watch.reached else "could not be scanned"
    return "wholly scanned again" if watch.whole else "scanned again, but not wholly"


def _why(kind: EventKind, before: Standing | None, now: Mapping[str, Any]) -> str:
    if kind is EventKind.RESOLVED:
        return _RESOLVED.get(now["resolved_why"], "")
    if kind is EventKind.WORSENED and before is not None:
        if not before.open:
            return "it is accepted no more"
        return f"it was {before.severity.word}, {before.action.word}"
    return ""


_RESOLVED = {"image": "judged against another image", "host-gone": "the host is gone"}


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _key(waiver: Waiver) -> str:
    """The same for the same waiver, wherever it stands and whatever its reason says."""
    labels = [[name, *globs] for name, globs in sorted(waiver.labels.items())]
    said = [waiver.finding, waiver.rule, waiver.content, waiver.owner, waiver.expires.isoformat()]
    return hashlib.sha256(canonical([*said, [*waiver.hosts], labels, [*waiver.image]])).hexdigest()
