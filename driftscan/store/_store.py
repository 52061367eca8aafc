"""The state directory: `blobs/` and `driftscan.sqlite3`."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from driftscan.model.finding import Result
from driftscan.model.result import HostResult, ScanResult
from driftscan.store._blobs import Blobs
from driftscan.store._database import Database
from driftscan.store._rows import FindingRow, HostRow, LastRow, ScanRow


class Store:
    """What is kept between runs. Every method raises IncompleteError if the directory cannot be read or written, is
    full, or is damaged: a scan goes on without its store."""

    def __init__(self, directory: Path) -> None:
        """Nothing is made or opened yet."""
        self.directory = directory
        self.blobs = Blobs(directory / "blobs")
        self._database = Database(directory / "driftscan.sqlite3")

    def save(self, result: ScanResult, report_json: bytes) -> None:
        """Keep a scan, all of it or nothing, and its JSON report."""
        report = self.blobs.put(report_json)
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO scan VALUES (?, ?, ?, ?, ?, ?)",
                (result.id, result.started_at, result.finished_at, result.mode, int(result.interrupted), report),
            )
            for position, host in enumerate(result.hosts):
                connection.execute(
                    "INSERT INTO host_result VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", _host(result, position, host)
                )
                for finding in _findings(host):
                    _save_finding(connection, result, storable(host.host), finding)

    def last_scan(self, host: str | None = None) -> ScanRow | None:
        """The newest scan, or the newest in which a host was scanned (reached, whatever the verdict)."""
        query = "SELECT scan.* FROM scan"
        values: tuple[str, ...] = ()
        if host is not None:
            query += " JOIN host_result ON scan.id = scan WHERE host = ? AND verdict NOT IN ('unreachable', 'gone')"
            values = (storable(host),)
        rows = self._select(query + " ORDER BY scan.started_at DESC, scan.rowid DESC LIMIT 1", *values)
        return _scan_row(rows[0]) if rows else None

    def scans(self, limit: int = 100) -> list[ScanRow]:
        """The newest scans, newest first."""
        query = "SELECT * FROM scan ORDER BY started_at DESC, rowid DESC LIMIT ?"
        return [_scan_row(row) for row in self._select(query, limit)]

    def hosts(self, scan: str) -> list[HostRow]:
        """The hosts of a scan in its order."""
        query = "SELECT host_result.*, started_at FROM host_result JOIN scan ON scan.id = scan WHERE scan = ?"
        return [
            HostRow(**{name: row[name] for name in HostRow.__dataclass_fields__})
            for row in self._select(query + " ORDER BY position", scan)
        ]

    def last_of_each(self) -> list[LastRow]:
        """Every host that was ever reached, as the newest scan that reached it found it; by name."""
        query = (
            "SELECT * FROM (SELECT host_result.*, started_at, report,"
            " row_number() OVER (PARTITION BY host ORDER BY started_at DESC, scan.rowid DESC) AS age"
            " FROM host_result JOIN scan ON scan.id = scan WHERE verdict NOT IN ('unreachable', 'gone'))"
            " WHERE age = 1 ORDER BY host"
        )
        return [LastRow(**{name: row[name] for name in LastRow.__dataclass_fields__}) for row in self._select(query)]

    def find_finding(self, id_or_prefix: str) -> list[FindingRow]:
        """All sightings of the findings whose id begins so, newest scan first, then by host. An id that is there
        wholly is meant alone. Several ids in the answer: the prefix is ambiguous."""
        query = (
            "SELECT sighting.*, type, first_seen, last_seen, started_at, report FROM sighting"
            " JOIN finding USING (fingerprint, host) JOIN scan ON scan.id = scan"
            " WHERE fingerprint >= ?1 AND fingerprint < ?1 || char(1114111)"
            " ORDER BY started_at DESC, scan.rowid DESC, host, fingerprint"
        )
        rows = [
            FindingRow(**{name: row[name] for name in FindingRow.__dataclass_fields__})
            for row in self._select(query, storable(id_or_prefix))
        ]
        whole = [row for row in rows if row.fingerprint == id_or_prefix]
        return whole or rows

    def report(self, scan: ScanRow | FindingRow | LastRow) -> bytes:
        """The JSON report of a scan."""
        return self.blobs.get(scan.report)

    def _select(self, query: str, *values: object) -> list[sqlite3.Row]:
        with self._database.read() as connection:
            return connection.execute(query, values).fetchall() if connection else []


def storable(text: str) -> str:
    """Text as SQLite takes it: what cannot be UTF-8 (a lone surrogate of an undecodable byte) is written out."""
    return text.encode("utf-8", "backslashreplace").decode()


def _host(result: ScanResult, position: int, host: HostResult) -> tuple[object, ...]:
    image = host.image
    action = host.recommendation.action.word
    judged = (host.verdict.value, action, image.id, image.version, image.manifest_digest)
    return (result.id, position, storable(host.host), storable(host.target), *map(storable, judged))


def _findings(host: HostResult) -> Iterator[tuple[str, str, str, str, str, str]]:
    """(fingerprint, type, severity, action, state, title) of each mutation and each failed control."""
    for mutation in host.mutations:
        judged = (mutation.severity.word, mutation.action.word, mutation.state.value)
        yield (mutation.mutation.id, "mutation", *judged, storable(mutation.mutation.title))
    for control in host.controls:
        if control.result is Result.FAIL:
            judged = (control.severity.word, control.action.word, control.state.value)
            yield (control.finding, "control", *judged, storable(control.title))


def _save_finding(
    connection: sqlite3.Connection, result: ScanResult, host: str, finding: tuple[str, str, str, str, str, str]
) -> None:
    fingerprint, kind, *judged = finding
    connection.execute(
        "INSERT INTO finding VALUES (?, ?, ?, ?, ?) ON CONFLICT (fingerprint, host) DO UPDATE SET"
        " first_seen = min(first_seen, excluded.first_seen), last_seen = max(last_seen, excluded.last_seen)",
        (fingerprint, host, kind, result.started_at, result.started_at),
    )
    connection.execute(
        "INSERT INTO sighting VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (result.id, fingerprint, host, *judged),
    )


def _scan_row(row: sqlite3.Row) -> ScanRow:
    return ScanRow(
        id=row["id"],
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        mode=row["mode"],
        interrupted=bool(row["interrupted"]),
        report=row["report"],
    )
