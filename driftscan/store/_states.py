"""What scans leave for the next ones (`model.state`), in the SQLite file of the state directory."""

import hashlib
import json
import sqlite3
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from driftscan.errors import IncompleteError
from driftscan.model.birth import Birth
from driftscan.model.snapshot import CollectorStatus, FileCoverage
from driftscan.model.state import FORMAT, FileState, History, HostState, Visit
from driftscan.store import _births
from driftscan.store._database import Database
from driftscan.store._histories import decode, encode
from driftscan.store._store import storable

MAX_TOLD = 1 << 28
_DAMAGE = (ValueError, TypeError, LookupError, AttributeError, zlib.error)


class HostStates:
    """States by the name of their host, for threads that take turns. Every method raises IncompleteError if the
    directory cannot be read or written, is full, or is damaged."""

    def __init__(self, directory: Path) -> None:
        """Nothing is made or opened yet; `close` when it is no longer needed."""
        self._database = Database(directory / "driftscan.sqlite3")
        self._connection: sqlite3.Connection | None = None
        self._turn = threading.Lock()

    def load(self, host: str) -> HostState | None:
        """What the last scan left of a host. A state of another format has no files: the next scan reads them all."""
        name = (storable(host),)
        with self._turn, self._database.told():
            connection = self._connected()
            row = connection.execute("SELECT * FROM host_state WHERE host = ?", name).fetchone()
            files = connection.execute("SELECT * FROM host_files WHERE host = ?", name).fetchone()
        if row is None:
            return None
        try:
            return _state(row, files if files is not None and files["format"] == FORMAT else None)
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
            "visits": [[each.start, each.end, each.user, each.key] for each in state.visits],
        }
        values = (state.key, state.scans, state.seen_at, state.full_at, json.dumps(coverage))
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO host_state VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (host) DO UPDATE SET"
                " audit_key = excluded.audit_key, scans = excluded.scans, seen_at = excluded.seen_at,"
                " full_at = excluded.full_at, coverage = excluded.coverage",
                (name, *values),
            )
            if state.files is None or state.files != files_before:
                connection.execute("DELETE FROM host_files WHERE host = ?", (name,))
                if state.files is not None:
                    connection.execute(
                        "INSERT INTO host_files VALUES (?, ?, ?, ?, ?, ?, ?)", (name, FORMAT, *_files(state.files))
                    )

    def history(self, host: str) -> History | None:
        """In what a host differed from its image so far."""
        with self._turn, self._database.told():
            query = "SELECT history, seal FROM host_history WHERE host = ?"
            row = self._connected().execute(query, (storable(host),)).fetchone()
        try:
            return decode(row["history"], row["seal"]) if row is not None else None
        except _DAMAGE as error:
            raise IncompleteError(
                f"the history of {host} is damaged: {error}", "What changed since its first scan is no longer known."
            ) from error

    def remember(self, host: str, history: History) -> None:
        """Keep a history in the place of the one before."""
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO host_history VALUES (?, ?, ?) ON CONFLICT (host) DO UPDATE SET"
                " history = excluded.history, seal = excluded.seal",
                (storable(host), *encode(history)),
            )

    def birth(self, host: str) -> Birth | None:
        """What a host was when its first boot had settled; None: nobody has recorded it."""
        with self._turn, self._database.told():
            query = "SELECT birth, seal FROM host_birth WHERE host = ?"
            row = self._connected().execute(query, (storable(host),)).fetchone()
        return _birth(host, row) if row is not None else None

    def births(self, manifest: str, user_data: str) -> dict[str, Birth]:
        """The births of all hosts of one image with the same user data, by host."""
        with self._turn, self._database.told():
            query = "SELECT host, birth, seal FROM host_birth WHERE manifest = ? AND user_data = ? ORDER BY host"
            rows = self._connected().execute(query, (manifest, user_data)).fetchall()
        return {row["host"]: _birth(row["host"], row) for row in rows}

    def templates(self, manifest: str) -> frozenset[str]:
        """The user data of hosts of one image whose births are known; those without any are no template."""
        with self._turn, self._database.told():
            query = "SELECT DISTINCT user_data FROM host_birth WHERE manifest = ? AND user_data != ''"
            rows = self._connected().execute(query, (manifest,)).fetchall()
        return frozenset(row["user_data"] for row in rows)

    def record(self, host: str, birth: Birth) -> str:
        """Keep a birth in the place of the one before; its digest."""
        text, seal = _births.encode(birth)
        with self._writing() as connection:
            connection.execute(
                "INSERT INTO host_birth VALUES (?, ?, ?, ?, ?) ON CONFLICT (host) DO UPDATE SET"
                " manifest = excluded.manifest, user_data = excluded.user_data, birth = excluded.birth,"
                " seal = excluded.seal",
                (storable(host), birth.manifest, birth.user_data, text, seal),
            )
        return f"sha256:{seal}"

    def close(self) -> None:
        """Close the file, if it was opened."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._turn:
            connection = self._connected()
            with self._database.transaction(connection):
                yield connection

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._database.connect()
        return self._connection


def _birth(host: str, row: sqlite3.Row) -> Birth:
    try:
        return _births.decode(row["birth"], row["seal"])
    except _DAMAGE as error:
        raise IncompleteError(
            f"the birth of {host} is damaged: {error}", f"Record it anew: `driftscan birth {host} --again`."
        ) from error


def _files(files: FileState) -> tuple[Any, ...]:
    removed = json.dumps({"keys": files.removed, "seal": _seal(files)})
    return files.manifest, files.rules, files.states, removed, zlib.compress(files.told, 1)


def _seal(files: FileState) -> str:
    """SQLite does not notice a flipped bit, by which a file that is gone would be forgotten."""
    text = json.dumps((files.manifest, files.rules, files.removed)).encode()
    return hashlib.sha256(
        b"".join(hashlib.sha256(part).digest() for part in (text, files.states, files.told))
    ).hexdigest()


def _state(row: sqlite3.Row, files: sqlite3.Row | None) -> HostState:
    coverage = json.loads(row["coverage"])
    counts = coverage["files"]
    return HostState(
        key=row["audit_key"],
        scans=row["scans"],
        seen_at=row["seen_at"],
        full_at=row["full_at"],
        files=_file_state(files) if files is not None else None,
        coverage=FileCoverage(**{name: int(count) for name, count in counts.items()}) if counts is not None else None,
        collectors=tuple(
            (str(name), CollectorStatus(status).value, int(gaps)) for name, status, gaps in coverage["collectors"]
        ),
        visits=tuple(
            Visit(int(start), int(end), str(user), str(key)) for start, end, user, key in coverage.get("visits", ())
        ),
    )


def _file_state(row: sqlite3.Row) -> FileState:
    inflate = zlib.decompressobj()
    told = inflate.decompress(row["told"], MAX_TOLD)
    if not inflate.eof:
        raise ValueError("its records are cut off or too large")
    removed = json.loads(row["removed"])
    files = FileState(
        manifest=row["manifest"],
        rules=row["rules"],
        states=row["states"],
        removed=tuple(str(key) for key in removed["keys"]),
        told=told,
    )
    if removed["seal"] != _seal(files):
        raise ValueError("it is not what was kept")
    return files
