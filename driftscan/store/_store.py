"""Scans and their findings, and what they refer to."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Executable, Row, case, func, insert, select

from driftscan.model.finding import Result
from driftscan.model.place import Place
from driftscan.model.result import HostResult, ScanResult
from driftscan.store._blobs import Blobs
from driftscan.store._open import database
from driftscan.store._rows import FindingRow, HostRow, LastRow, ScanRow, as_row
from driftscan.store._schema import finding, host_result, scan, sighting
from driftscan.store._write import insert_into, storable

NEWEST = (scan.c.started_at.desc(), scan.c.number.desc())
NOT_REACHED = ("unreachable", "gone")
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
            hosts = [_host(result, position, host) for position, host in enumerate(result.hosts)]
            if hosts:
                connection.execute(insert(host_result), hosts)
            _save_findings(connection, result)

    def last_scan(self, host: str | None = None) -> ScanRow | None:
        """The newest scan, or the newest in which a host was scanned (reached, whatever the verdict)."""
        query = select(scan).order_by(*NEWEST).limit(1)
        if host is not None:
            query = query.join(host_result, host_result.c.scan == scan.c.id)
            query = query.where(host_result.c.host == storable(host), host_result.c.verdict.not_in(NOT_REACHED))
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
        age = func.row_number().over(partition_by=host_result.c.host, order_by=NEWEST).label("age")
        query = select(host_result, scan.c.started_at, scan.c.report, age)
        query = query.join(scan, scan.c.id == host_result.c.scan).where(host_result.c.verdict.not_in(NOT_REACHED))
        every = query.subquery()
        return [
            as_row(LastRow, row) for row in self._select(select(every).where(every.c.age == 1).order_by(every.c.host))
        ]

    def find_finding(self, id_or_prefix: str) -> list[FindingRow]:
        """All sightings of the findings whose id begins so, newest scan first, then by host. An id that is there
        wholly is meant alone. Several ids in the answer: the prefix is ambiguous."""
        prefix = storable(id_or_prefix)
        of_finding = (finding.c.fingerprint == sighting.c.fingerprint) & (finding.c.host == sighting.c.host)
        query = (
            select(
                sighting, finding.c.type, finding.c.first_seen, finding.c.last_seen, scan.c.started_at, scan.c.report
            )
            .join(finding, of_finding)
            .join(scan, scan.c.id == sighting.c.scan)
            .where(sighting.c.fingerprint >= prefix, sighting.c.fingerprint < prefix + LAST)
            .order_by(*NEWEST, sighting.c.host, sighting.c.fingerprint)
        )
        rows = [as_row(FindingRow, row) for row in self._select(query)]
        whole = [row for row in rows if row.fingerprint == id_or_prefix]
        return whole or rows

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


def _findings(host: HostResult) -> Iterator[tuple[str, str, str, str, str, str]]:
    """(fingerprint, type, severity, action, state, title) of each mutation and each failed control."""
    for mutation in host.mutations:
        judged = (mutation.severity.word, mutation.action.word, mutation.state.value)
        yield (mutation.mutation.id, "mutation", *judged, storable(mutation.mutation.title))
    for control in host.controls:
        if control.result is Result.FAIL:
            judged = (control.severity.word, control.action.word, control.state.value)
            yield (control.finding, "control", *judged, storable(control.title))


def _save_findings(connection: Connection, result: ScanResult) -> None:
    """One row for each finding and host, whatever the number of its sightings, and one for this sighting."""
    seen = {"first_seen": result.started_at, "last_seen": result.started_at}
    findings: dict[tuple[str, str], dict[str, object]] = {}
    sightings: dict[tuple[str, str], dict[str, object]] = {}
    for host in result.hosts:
        name = storable(host.host)
        for fingerprint, kind, severity, action, state, title in _findings(host):
            key = (fingerprint, name)
            if key in findings:
                continue
            findings[key] = {"fingerprint": fingerprint, "host": name, "type": kind, **seen}
            told = {"severity": severity, "action": action, "state": state, "title": title}
            sightings[key] = {"scan": result.id, "fingerprint": fingerprint, "host": name, **told}
    if findings:
        connection.execute(_spanning(connection), list(findings.values()))
        connection.execute(insert(sighting), list(sightings.values()))


def _spanning(connection: Connection) -> Any:
    """To insert a finding, or to stretch the time of the one that is there."""
    statement = insert_into(connection, finding)
    new = statement.excluded
    first = case((new.first_seen < finding.c.first_seen, new.first_seen), else_=finding.c.first_seen)
    last = case((new.last_seen > finding.c.last_seen, new.last_seen), else_=finding.c.last_seen)
    return statement.on_conflict_do_update(
        index_elements=[finding.c.fingerprint, finding.c.host], set_={"first_seen": first, "last_seen": last}
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
