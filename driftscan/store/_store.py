"""Scans and their findings, and what they refer to."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Executable, Row, func, insert, select

from driftscan.model.finding import Severity
from driftscan.model.place import Place
from driftscan.model.result import HostResult, ScanResult
from driftscan.store._blobs import Blobs
from driftscan.store._findings import save_findings
from driftscan.store._open import database
from driftscan.store._rows import FindingRow, HostRow, LastRow, ScanRow, as_row
from driftscan.store._schema import finding, host, host_result, scan
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
        self.blobs = Blobs(self.directory / "blobs")
        self._database = database(self.place)

    def save(self, result: ScanResult, report_json: bytes) -> None:
        """Keep a scan, all of it or nothing, and its JSON report."""
        report = self.blobs.put(report_json)
        with self._database.write() as connection:
            newest = connection.scalar(select(func.max(scan.c.number))) or 0
            connection.execute(insert(scan), _scan(result, newest + 1, report))
            hosts = [_host(result, position, each) for position, each in enumerate(result.hosts)]
            if hosts:
                connection.execute(insert(host_result), hosts)
            save_findings(connection, result)

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


def _urgency(row: FindingRow) -> tuple[object, ...]:
    return (row.resolved_at is not None, -Severity.parse(row.severity), row.first_seen, row.fingerprint)


def _scan_row(row: Row[Any]) -> ScanRow:
    return ScanRow(
        id=row.id,
        started_at=row.started_at,
        finished_at=row.finished_at,
        mode=row.mode,
        interrupted=bool(row.interrupted),
        report=row.report,
    )
