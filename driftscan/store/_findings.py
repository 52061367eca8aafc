"""The findings of a scan, held against those that are known: what began, went on, ended, came back."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Row, bindparam, delete, insert, select, update

from driftscan.model.finding import Result, Verdict
from driftscan.model.result import HostResult, ScanResult
from driftscan.model.times import SECOND, nanoseconds
from driftscan.store._life import Life, Newer, seen, unseen
from driftscan.store._schema import episode, finding, host, host_label
from driftscan.store._sight import UNSEEN, Sight, needs
from driftscan.store._write import storable, upsert

SLACK = 600
"""Seconds: a scan that ended so much before one that was stored earlier was not overtaken; the clock was set back."""
CHUNK = 500
"""Hosts that are asked for in one statement."""
Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sighting:
    """What a scan says of a finding."""

    type: str
    severity: str
    action: str
    state: str
    title: str
    rule: str
    """A control's id; empty for mutations."""
    cause: str
    actor: str
    needs: str


@dataclass(frozen=True, slots=True)
class Move:
    """A finding that the scan spoke of: as it was known, None if it was not, and the columns that it has now."""

    host: HostResult
    before: Row[Any] | None
    now: Mapping[str, Any]


def save_findings(connection: Connection, result: ScanResult) -> list[Move]:
    """Keep what a scan found of each host that it reached, and the host as it was. What it spoke of."""
    changes = changes_of(connection, result)
    changes.write(connection)
    return changes.moves


def changes_of(connection: Connection, result: ScanResult) -> "Changes":
    """What a scan changes in what is known; nothing is written."""
    policies = [used.name for used in result.policies]
    reached = frozenset(each.host for each in result.hosts if each.verdict not in UNSEEN)
    names = {storable(each.host): each for each in result.hosts}
    everyone = sorted(reached)
    positions = {storable(each.host): position for position, each in enumerate(result.hosts)}
    known = _known(connection, list(names))
    before = known_hosts(connection, list(names))
    changes = Changes()
    for name, each in names.items():
        newer = overtaken(before.get(name), result)
        if each.verdict is Verdict.GONE:
            if newer is None:
                changes.end_all(each, known[name], result.started_at)
            continue
        sight = Sight(each, policies, reached)
        if each.verdict is not Verdict.UNREACHABLE or each.mutations:
            sightings = dict(_sightings(each, policies, everyone))
            changes.apply(each, name, known[name], sightings, result=result, sight=sight, newer=newer)
        if newer is None and each.verdict is not Verdict.UNREACHABLE:
            changes.host(result, name, positions[name], each.labels, whole=sight.whole)
    return changes


class Changes:
    """Rows to write, in as few statements as there are tables."""

    def __init__(self) -> None:
        self.moves: list[Move] = []
        self.findings: list[dict[str, Any]] = []
        """Those that the scan saw."""
        self.episodes: list[dict[str, Any]] = []
        """Those that begin or end."""
        self.hosts: list[dict[str, Any]] = []
        """Those that are now known as this scan found them."""
        self._ended: list[dict[str, Any]] = []
        self._labels: list[dict[str, Any]] = []

    def apply(
        self,
        found: HostResult,
        name: str,
        known: Mapping[str, Row[Any]],
        sightings: Mapping[str, Sighting],
        *,
        result: ScanResult,
        sight: Sight,
        newer: Newer | None,
    ) -> None:
        """What one host has, and has no more."""
        at = result.started_at
        for fingerprint, sighting in sightings.items():
            row = known.get(fingerprint)
            before = life_of(row) if row is not None else None
            life = seen(before, at, newer)
            told = {**asdict(sighting), "scan": result.id, "manifest": storable(sight.manifest)}
            if newer is not None and row is not None:
                told = {column: getattr(row, column) for column in told}  # the newer scan's word stands
            now = {"fingerprint": fingerprint, "host": name, **told, **asdict(life)}
            self.findings.append(now)
            self.moves.append(Move(found, row, now))
            self._episode(fingerprint, name, before, life)
        if newer is not None:
            return
        for fingerprint, row in known.items():
            gone = fingerprint not in sightings and row.resolved_at is None
            if gone and sight.would_see(row.rule, row.needs, row.manifest):
                why = "gone" if row.manifest == storable(sight.manifest) else "image"
                self._end(found, row, at, why)

    def end_all(self, found: HostResult, known: Mapping[str, Row[Any]], at: str) -> None:
        """There is no such host any more."""
        for row in known.values():
            if row.resolved_at is None:
                self._end(found, row, at, "host-gone")

    def host(self, result: ScanResult, name: str, position: int, labels: Mapping[str, str], *, whole: bool) -> None:
        """The host as the newest scan that reached it found it."""
        times = {"started_at": result.started_at, "finished_at": result.finished_at}
        self.hosts.append({"host": name, "scan": result.id, "position": position, **times, "whole": int(whole)})
        self._labels += [
            {"host": name, "name": storable(label), "value": storable(value)} for label, value in labels.items()
        ]

    def write(self, connection: Connection) -> None:
        """Write all rows."""
        for table, rows in ((finding, self.findings), (episode, self.episodes), (host, self.hosts)):
            if rows:
                connection.execute(upsert(connection, table), rows)
        if self._ended:
            same = (finding.c.fingerprint == bindparam("f"), finding.c.host == bindparam("h"))
            connection.execute(update(finding).where(*same), self._ended)
        if self.hosts:
            connection.execute(
                delete(host_label).where(host_label.c.host == bindparam("h")),
                [{"h": row["host"]} for row in self.hosts],
            )
        if self._labels:
            connection.execute(insert(host_label), self._labels)

    def _end(self, found: HostResult, row: Row[Any], at: str, why: str) -> None:
        before = life_of(row)
        life = unseen(before, at, why)
        ended = {"resolved_at": life.resolved_at, "resolved_why": life.resolved_why}
        self._ended.append({"f": row.fingerprint, "h": row.host, **ended})
        self.moves.append(Move(found, row, {**row._asdict(), **ended}))
        self._episode(row.fingerprint, row.host, before, life)

    def _episode(self, fingerprint: str, name: str, before: Life | None, life: Life) -> None:
        if before is not None and (before.opened_at, before.resolved_at) == (life.opened_at, life.resolved_at):
            return
        times = {"opened_at": life.opened_at, "resolved_at": life.resolved_at}
        self.episodes.append({"fingerprint": fingerprint, "host": name, "number": life.returned, **times})


def life_of(row: Row[Any]) -> Life:
    """The part of a finding's row that time changes."""
    return Life(
        row.first_seen,
        row.last_seen,
        row.opened_at,
        row.resolved_at,
        row.resolved_why,
        row.returned,
        row.returned_at,
    )


def _known(connection: Connection, names: Sequence[str]) -> Mapping[str, dict[str, Row[Any]]]:
    found: dict[str, dict[str, Row[Any]]] = defaultdict(dict)
    for start in range(0, len(names), CHUNK):
        query = select(finding).where(finding.c.host.in_(names[start : start + CHUNK]))
        for row in connection.execute(query):
            found[row.host][row.fingerprint] = row
    return found


def known_hosts(connection: Connection, names: Sequence[str]) -> dict[str, Row[Any]]:
    """What is known of hosts, by name."""
    found: dict[str, Row[Any]] = {}
    for start in range(0, len(names), CHUNK):
        query = select(host).where(host.c.host.in_(names[start : start + CHUNK]))
        found |= {row.host: row for row in connection.execute(query)}
    return found


def overtaken(before: Row[Any] | None, result: ScanResult) -> Newer | None:
    """The scan that overtook this one, if one did: it began later, and this one ended when that had, or nearly so. A
    scan that ended long before it, and is stored after it, was made when the clock had been set back: it is the
    newest, whatever its clock says."""
    if before is None or result.started_at >= before.started_at:
        return None
    if nanoseconds(before.finished_at) - nanoseconds(result.finished_at) > SLACK * SECOND:
        return None
    return Newer(before.started_at, bool(before.whole))


def _sightings(found: HostResult, policies: Sequence[str], reached: Sequence[str]) -> Iterator[tuple[str, Sighting]]:
    """By fingerprint, each mutation and each failed control."""
    for judged in found.mutations:
        mutation = judged.mutation
        yield (
            mutation.id,
            Sighting(
                type="mutation",
                severity=judged.severity.word,
                action=judged.action.word,
                state=judged.state.value,
                title=storable(mutation.title),
                rule="",
                cause=mutation.cause.type.value,
                actor=storable(mutation.attribution.actor or ""),
                needs=storable(needs(judged, policies, reached)),
            ),
        )
    for control in found.controls:
        if control.result is Result.FAIL:
            yield (
                control.finding,
                Sighting(
                    type="control",
                    severity=control.severity.word,
                    action=control.action.word,
                    state=control.state.value,
                    title=storable(control.title),
                    rule=control.id,
                    cause="control",
                    actor="",
                    needs="",
                ),
            )
