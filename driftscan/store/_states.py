"""What scans leave for the next ones (`model.state`), in the SQLite file of the state directory."""

import json
import sqlite3
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from driftscan.errors import IncompleteError
from driftscan.model.snapshot import FileCoverage
from driftscan.model.state import FORMAT, FileState, HostState
from driftscan.store._database import Database
from driftscan.store._store import storable

MAX_TOLD = 1 << 28
_DAMAGE = (ValueError, TypeError, LookupError, zlib.error)


class HostStates:
    """States by the name of their host. Every method raises IncompleteError if the directory cannot be read or
    written, is full, or is damaged."""

    def __init__(self, directory: Path) -> None:
        """Nothing is made or opened yet."""
        self._database = Database(directory / "driftscan.sqlite3")

    def load(self, host: str) -> HostState | None:
        """What the last scan left of a host. A state of another format has no files: the next scan reads them all."""
        with self._database.read() as connection:
            if connection is None:
                return None
            row = connection.execute("SELECT * FROM host_state WHERE host = ?", (storable(host),)).fetchone()
            if row is None:
                return None
            files = connection.execute(
                "SELECT * FROM host_files WHERE host = ? AND format = ?", (storable(host), FORMAT)
            ).fetchone()
        try:
            return _state(row, files)
        except _DAMAGE as error:
            raise IncompleteError(
                f"what was kept of {host} is damaged: {error}", "The next scan reads all of its files."
            ) from error

    def save(self, host: str, state: HostState, files_before: FileState | None) -> None:
        """Keep a state. `files_before`: what is there of its files; they are written only where they are others."""
        name = storable(host)
        coverage = {
            "collectors": [list(each) for each in state.collectors],
            "files": asdict(state.coverage) if state.coverage else None,
        }
        values = (state.key, state.scans, state.seen_at, state.full_at, json.dumps(coverage))
        with self._database.write() as connection:
            connection.execute(
                "INSERT INTO host_state VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (host) DO UPDATE SET"
                " audit_key = excluded.audit_key, scans = excluded.scans, seen_at = excluded.seen_at,"
                " full_at = excluded.full_at, coverage = excluded.coverage",
                (name, *values),
            )
            if state.files != files_before:
                connection.execute("DELETE FROM host_files WHERE host = ?", (name,))
                if state.files is not None:
                    connection.execute(
                        "INSERT INTO host_files VALUES (?, ?, ?, ?, ?, ?, ?)", (name, FORMAT, *_files(state.files))
                    )


def _files(files: FileState) -> tuple[Any, ...]:
    removed = json.dumps(files.removed)
    return files.manifest, files.rules, files.states, removed, zlib.compress(files.told, 1)


def _state(row: sqlite3.Row, files: sqlite3.Row | None) -> HostState:
    coverage = json.loads(row["coverage"])
    counts = coverage["files"]
    return HostState(
        key=row["audit_key"],
        scans=row["scans"],
        seen_at=row["seen_at"],
        full_at=row["full_at"],
        files=_file_state(files) if files is not None else None,
        coverage=FileCoverage(**counts) if counts is not None else None,
        collectors=tuple((str(name), str(status), int(gaps)) for name, status, gaps in coverage["collectors"]),
    )


def _file_state(row: sqlite3.Row) -> FileState:
    inflate = zlib.decompressobj()
    told = inflate.decompress(row["told"], MAX_TOLD)
    if not inflate.eof:
        raise ValueError("its records are cut off or too large")
    return FileState(
        manifest=row["manifest"],
        rules=row["rules"],
        states=row["states"],
        removed=tuple(str(key) for key in json.loads(row["removed"])),
        told=told,
    )
