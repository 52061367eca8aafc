"""Scans and their findings, and what they refer to."""

import stat
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import Executable, Row, func, insert, select, union

from driftscan.errors import IncompleteError
from driftscan.model.event import Event
from driftscan.model.finding import Severity
from driftscan.model.place import Place
from driftscan.model.result import HostResult, ScanResult, Since
from driftscan.model.trend import Spell
from driftscan.store._blobs import Blobs
from driftscan.store._bucket import Bucket
from driftscan.store._channels import Pending, claim, settle
from driftscan.store._findings import save_findings
from driftscan.store._open import FILE, database
from driftscan.store._outbox import Outbox, Watching
from driftscan.store._prune import GRACE, Pruned, Retention, prune_rows
from driftscan.store._rows import FindingRow, HostRow, LastRow, ScanRow, ScanSummary, as_row
from driftscan.store._schema import finding, host, host_result, host_watch, scan
from driftscan.store._since import since_known
from driftscan.store._spells import spells, spells_with
from driftscan.store._write import storable

NEWEST = (scan.c.started_at.desc(), scan.c.number.desc())
LAST = "\U0010ffff"
"""The last character of all."""


class Store:
    """What is kept between runs. Every method raises IncompleteError if the store cannot be read or written, is
    full, or is damaged: a scan goes on without its store."""

    def __init__(self, where: Path | Place) -> None:
        """Nothing is made or opened yet."""
        self.place = where if isinstance(where, Place) else Place(where)
        self.directory = self.place.directory
        self.blobs = Bucket(self.place.bucket) if self.place.bucket else Blobs(self.place.blobs)
        self._database = database(self.place)

    def save(
        self,
        result: ScanResult,
        report_json: bytes,
        watching: Watching = Watching(),  # noqa: B008 - a frozen value
    ) -> tuple[Event, ...]:
        """Keep a scan, all of it or nothing, and its JSON report. What changed since earlier ones, which is kept, too,
        until every channel was told. Where reports lie is asked outside of the turn, for which others wait."""
        report = self.blobs.put(report_json)
        with self._database.write() as connection:
            number = (connection.scalar(select(func.max(scan.c.number))) or 0) + 1
            outbox = Outbox(connection, result, watching)
            connection.execute(insert(scan), _scan(result, number, report))
            hosts = [_host(result, position, each) for position, each in enumerate(result.hosts)]
            if hosts:
                connection.execute(insert(host_result), hosts)
            news = outbox.write(save_findings(connection, result))
        # Now that a row refers to it no prune removes it; one that began before may have, if the same bytes were put a
        # day ago. The scan is kept, whatever comes of this.
        with suppress(IncompleteError):
            if not self.blobs.has(report):
                self.blobs.put(report_json)
        return news

    def open_to_all(self) -> list[Path]:
        """What of the store on this machine everybody may write to: who does decides what scans find."""
        places = (self.directory, self.directory / FILE, self.place.blobs)
        return [each for each in places if _is_open_to_all(each)]

    def claim(self, channel: str, now: str) -> Pending | None:
        """What a channel is to be told; None: nothing, or somebody else is telling it. It is to be settled."""
        with self._database.write() as connection:
            return claim(connection, channel, now)

    def settle(self, pending: Pending, error: str = "") -> None:
        """Keep that a channel was told, or why it could not be."""
        with self._database.write() as connection:
            settle(connection, pending, storable(error))

    def last_scan(self, name: str | None = None) -> ScanRow | None:
        """The scan that was stored last, or the newest that reached a host, whatever the verdict."""
        query = select(scan).order_by(scan.c.number.desc()).limit(1)
        if name is not None:
            query = select(scan).join(host, host.c.scan == scan.c.id).where(host.c.host == storable(name))
        rows = self._select(query)
        return _scan_row(rows[0]) if rows else None

    def scans(self, limit: int = 100) -> list[ScanRow]:
        """The newest scans, newest first."""
        return [_scan_row(row) for row in self._select(select(scan).order_by(*NEWEST).limit(limit))]

    def hosts(self, scan_id: str) -> list[HostRow]:
        """The hosts of a scan in its order."""
        query = select(host_result, scan.c.started_at).join(scan, scan.c.id == host_result.c.scan)
        query = query.where(host_result.c.scan == scan_id).order_by(host_result.c.position)
        return [as_row(HostRow, row) for row in self._select(query)]

    def last_of_each(self) -> list[LastRow]:
        """Every host that was ever reached, as the newest scan that reached it found it; by name."""
        last = (host_result.c.scan == host.c.scan) & (host_result.c.position == host.c.position)
        query = select(host_result, scan.c.started_at, scan.c.report).join(host, last)
        query = query.join(scan, scan.c.id == host_result.c.scan).order_by(host.c.host)
        return [as_row(LastRow, row) for row in self._select(query)]

    def summaries(self, since: str, limit: int) -> list[ScanSummary]:
        """The newest scans that did not begin before `since`, newest first, with how many hosts had which verdict."""
        query = select(scan).where(scan.c.started_at >= since).order_by(*NEWEST).limit(limit)
        with self._database.read() as connection:
            if connection is None:
                return []
            rows = connection.execute(query).all()
            first = min((row.started_at for row in rows), default="")
            counts = select(host_result.c.scan, host_result.c.verdict, func.count()).join(
                scan, scan.c.id == host_result.c.scan
            )
            counts = counts.where(scan.c.started_at >= first).group_by(host_result.c.scan, host_result.c.verdict)
            found: dict[str, dict[str, int]] = defaultdict(dict)
            for scan_id, verdict, count in connection.execute(counts) if rows else ():
                found[scan_id][verdict] = count
        return [_summary(row, found[row.id]) for row in rows]

    def host_names(self) -> list[str]:
        """Every host that a scan was to reach, by name."""
        rows = self._select(union(select(host.c.host), select(host_watch.c.host)))
        return sorted(row.host for row in rows)

    def scans_of(self, name: str, since: str, limit: int) -> list[HostRow]:
        """A host in the newest scans that did not begin before `since`, newest first."""
        query = select(host_result, scan.c.started_at).join(scan, scan.c.id == host_result.c.scan)
        query = query.where(host_result.c.host == storable(name), scan.c.started_at >= since)
        return [as_row(HostRow, row) for row in self._select(query.order_by(*NEWEST).limit(limit))]

    def spells(self, since: str) -> list[Spell]:
        """Every finding that is not waived and was there at any time from `since` on, each time that it was, with the
        labels and the image of its host's last scan."""
        with self._database.read() as connection:
            return spells(connection, since) if connection is not None else []

    def spells_with(self, result: ScanResult, since: str) -> list[Spell]:
        """The same as it will be when a scan is kept that is not kept yet."""
        with self._database.read() as connection:
            return spells_with(connection, result, since) if connection is not None else []

    def since_known(self, result: ScanResult) -> dict[str, Since]:
        """By name, what a scan that is not kept yet says beside those that are, of hosts that one of them reached."""
        with self._database.read() as connection:
            return since_known(connection, result) if connection is not None else {}

    def first_scan(self) -> str:
        """When the earliest scan began that is kept; empty if none is."""
        rows = self._select(select(func.min(scan.c.started_at)))
        return (rows[0][0] or "") if rows else ""

    def prune(self, retention: Retention, now: float) -> Pruned:
        """Remove scans that need not be kept, findings that ended before them, and reports that nothing refers to. A
        crash in between leaves reports, which the next time removes. `now`: seconds since 1970."""
        with self._database.write() as connection:
            scans, findings = prune_rows(connection, retention)
        reports = size = 0
        for old in self.blobs.old(now - GRACE):
            with self._database.write() as connection:  # nobody stores a scan meanwhile
                wanted = set(connection.scalars(select(scan.c.report)))
                unwanted = [each for each in old if each.digest not in wanted]
                removed, freed = self.blobs.remove(unwanted, now - GRACE)
            reports, size = reports + removed, size + freed
        return Pruned(scans=scans, findings=findings, reports=reports, size=size)

    def find_finding(self, id_or_prefix: str) -> list[FindingRow]:
        """The findings whose id begins so, on each host that has or had it, as the last scan said that saw it; that
        scan's newest first, then by host. An id that is there wholly is meant alone. Several ids in the answer: the
        prefix is ambiguous."""
        prefix = storable(id_or_prefix)
        query = (
            select(finding, scan.c.started_at, scan.c.report)
            .join(scan, scan.c.id == finding.c.scan)
            .where(finding.c.fingerprint >= prefix, finding.c.fingerprint < prefix + LAST)
            .order_by(*NEWEST, finding.c.host, finding.c.fingerprint)
        )
        rows = [as_row(FindingRow, row) for row in self._select(query)]
        whole = [row for row in rows if row.fingerprint == id_or_prefix]
        return whole or rows

    def findings_of(self, name: str) -> list[FindingRow]:
        """All findings of a host, those that are there first, the worst and the oldest of them first."""
        query = select(finding, scan.c.started_at, scan.c.report).outerjoin(scan, scan.c.id == finding.c.scan)
        rows = [as_row(FindingRow, row) for row in self._select(query.where(finding.c.host == storable(name)))]
        return sorted(rows, key=_urgency)

    def report(self, of: ScanRow | FindingRow | LastRow) -> bytes:
        """The JSON report of a scan."""
        return self.blobs.get(of.report)

    def _select(self, query: Executable) -> Sequence[Row[Any]]:
        with self._database.read() as connection:
            return connection.execute(query).all() if connection else ()


def _scan(result: ScanResult, number: int, report: str) -> dict[str, object]:
    return {
        "id": result.id,
        "started_at": result.started_at,
        "finished_at": result.finished_at,
        "mode": result.mode,
        "interrupted": int(result.interrupted),
        "report": report,
        "number": number,
    }


def _host(result: ScanResult, position: int, host: HostResult) -> dict[str, object]:
    return {
        "scan": result.id,
        "position": position,
        "host": storable(host.host),
        "target": storable(host.target),
        "verdict": host.verdict.value,
        "action": host.recommendation.action.word,
        "image_id": storable(host.image.id),
        "image_version": storable(host.image.version),
        "manifest_digest": storable(host.image.manifest_digest),
    }


def _is_open_to_all(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IWOTH)
    except OSError:  # it is not there, or whoever opens it will tell
        return False


def _urgency(row: FindingRow) -> tuple[object, ...]:
    return (row.resolved_at is not None, -Severity.parse(row.severity), row.first_seen, row.fingerprint)


def _summary(row: Row[Any], hosts: dict[str, int]) -> ScanSummary:
    return ScanSummary(
        id=row.id,
        started_at=row.started_at,
        finished_at=row.finished_at,
        mode=row.mode,
        interrupted=bool(row.interrupted),
        hosts=hosts,
    )


def _scan_row(row: Row[Any]) -> ScanRow:
    return ScanRow(
        id=row.id,
        started_at=row.started_at,
        finished_at=row.finished_at,
        mode=row.mode,
        interrupted=bool(row.interrupted),
        report=row.report,
    )
