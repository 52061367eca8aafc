"""What scans leave for the next ones (`model.state`)."""

import hashlib
import json
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

from sqlalchemy import Connection, Row, delete, insert, select

from driftscan.errors import IncompleteError
from driftscan.model.birth import Birth
from driftscan.model.place import Place
from driftscan.model.snapshot import CollectorStatus, FileCoverage
from driftscan.model.state import FORMAT, FileState, History, HostState, Visit
from driftscan.store import _births
from driftscan.store._histories import decode, encode
from driftscan.store._open import database
from driftscan.store._schema import host_birth, host_files, host_history, host_state
from driftscan.store._write import storable, upsert

MAX_TOLD = 1 << 28
QUICK = 1.0
"""Seconds. Who is refused so soon may ask again at once: a server that was restarted is there again."""
PAUSE = 10
AnyRow: TypeAlias = Row[Any]
_DAMAGE = (ValueError, TypeError, LookupError, AttributeError, zlib.error)


class HostStates:
    """States by the name of their host, for threads that take turns. Every method raises IncompleteError if the
    store cannot be read or written, is full, or is damaged."""

    def __init__(self, where: Path | Place) -> None:
        """Nothing is made or opened yet; `close` when it is no longer needed."""
        self._database = database(where)
        self._connection: Connection | None = None
        self._turn = threading.Lock()
        self._failure: IncompleteError | None = None
        self._ask_again = 0.0

    def load(self, host: str) -> HostState | None:
        """What the last scan left of a host. A state of another format has no files: the next scan reads them all."""
        name = storable(host)
        with self._reading() as connection:
            row = connection.execute(select(host_state).where(host_state.c.host == name)).first()
            files = connection.execute(select(host_files).where(host_files.c.host == name)).first()
        if row is None:
            return None
        try:
            return _state(row, files if files is not None and files.format == FORMAT else None)
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
        values = {
            "host": name,
            "audit_key": state.key,
            "scans": state.scans,
            "seen_at": state.seen_at,
            "full_at": state.full_at,
            "coverage": json.dumps(coverage),
        }
        with self._writing() as connection:
            connection.execute(upsert(connection, host_state), values)
            if state.files is None or state.files != files_before:
                connection.execute(delete(host_files).where(host_files.c.host == name))
                if state.files is not None:
                    connection.execute(insert(host_files), {"host": name, "format": FORMAT, **_files(state.files)})

    def history(self, host: str) -> History | None:
        """In what a host differed from its image so far."""
        query = select(host_history).where(host_history.c.host == storable(host))
        with self._reading() as connection:
            row = connection.execute(query).first()
        try:
            return decode(row.history, row.seal) if row is not None else None
        except _DAMAGE as error:
            raise IncompleteError(
                f"the history of {host} is damaged: {error}", "What changed since its first scan is no longer known."
            ) from error

    def remember(self, host: str, history: History) -> None:
        """Keep a history in the place of the one before."""
        text, seal = encode(history)
        with self._writing() as connection:
            connection.execute(
                upsert(connection, host_history), {"host": storable(host), "history": text, "seal": seal}
            )

    def birth(self, host: str) -> Birth | None:
        """What a host was when its first boot had settled; None: nobody has recorded it."""
        query = select(host_birth).where(host_birth.c.host == storable(host))
        with self._reading() as connection:
            row = connection.execute(query).first()
        return _birth(host, row) if row is not None else None

    def births(self, manifest: str, user_data: str) -> dict[str, Birth]:
        """The births of all hosts of one image with the same user data, by host."""
        born = host_birth.c
        query = select(host_birth).where(born.manifest == manifest, born.user_data == user_data).order_by(born.host)
        with self._reading() as connection:
            rows = connection.execute(query).all()
        return {row.host: _birth(row.host, row) for row in rows}

    def templates(self, manifest: str) -> frozenset[str]:
        """The user data of hosts of one image whose births are known; those without any are no template."""
        born = host_birth.c
        query = select(born.user_data).distinct().where(born.manifest == manifest, born.user_data != "")
        with self._reading() as connection:
            return frozenset(connection.scalars(query))

    def record(self, host: str, birth: Birth) -> str:
        """Keep a birth in the place of the one before; its digest."""
        text, seal = _births.encode(birth)
        values = {
            "host": storable(host),
            "manifest": birth.manifest,
            "user_data": birth.user_data,
            "birth": text,
            "seal": seal,
        }
        with self._writing() as connection:
            connection.execute(upsert(connection, host_birth), values)
        return f"sha256:{seal}"

    def close(self) -> None:
        """Close the database, if it was opened."""
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._patient() as connection, self._database.reading(connection):
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with self._patient() as connection, self._database.writing(connection):
            yield connection

    @contextmanager
    def _patient(self) -> Iterator[Connection]:
        """The connection, for one thread. A database that let a host wait in vain is not asked again for ten times as
        long: with a server that is down, every host of a fleet would wait, beside its own time limit."""
        with self._turn:
            if self._failure is not None and time.monotonic() < self._ask_again:
                raise IncompleteError(self._failure.message, self._failure.hint)
            began = time.monotonic()
            try:
                yield self._connected()
            except IncompleteError as error:
                now = time.monotonic()
                if now - began > QUICK:
                    self._failure, self._ask_again = error, now + PAUSE * (now - began)
                raise

    def _connected(self) -> Connection:
        if self._connection is not None and self._connection.invalidated:  # the server went away: ask it again
            self._connection.close()
            self._connection = None
        if self._connection is None:
            self._connection = self._database.connect()
        return self._connection


def _birth(host: str, row: AnyRow) -> Birth:
    try:
        return _births.decode(row.birth, row.seal)
    except _DAMAGE as error:
        raise IncompleteError(
            f"the birth of {host} is damaged: {error}", f"Record it anew: `driftscan birth {host} --again`."
        ) from error


def _files(files: FileState) -> dict[str, object]:
    return {
        "manifest": files.manifest,
        "rules": files.rules,
        "states": files.states,
        "removed": json.dumps({"keys": files.removed, "seal": _seal(files)}),
        "told": zlib.compress(files.told, 1),
    }


def _seal(files: FileState) -> str:
    """SQLite does not notice a flipped bit, by which a file that is gone would be forgotten."""
    text = json.dumps((files.manifest, files.rules, files.removed)).encode()
    return hashlib.sha256(
        b"".join(hashlib.sha256(part).digest() for part in (text, files.states, files.told))
    ).hexdigest()


def _state(row: AnyRow, files: AnyRow | None) -> HostState:
    coverage = json.loads(row.coverage)
    counts = coverage["files"]
    return HostState(
        key=row.audit_key,
        scans=row.scans,
        seen_at=row.seen_at,
        full_at=row.full_at,
        files=_file_state(files) if files is not None else None,
        coverage=FileCoverage(**{name: int(count) for name, count in counts.items()}) if counts is not None else None,
        collectors=tuple(
            (str(name), CollectorStatus(status).value, int(gaps)) for name, status, gaps in coverage["collectors"]
        ),
        visits=tuple(
            Visit(int(start), int(end), str(user), str(key)) for start, end, user, key in coverage.get("visits", ())
        ),
    )


def _file_state(row: AnyRow) -> FileState:
    inflate = zlib.decompressobj()
    told = inflate.decompress(row.told, MAX_TOLD)
    if not inflate.eof:
        raise ValueError("its records are cut off or too large")
    removed = json.loads(row.removed)
    files = FileState(
        manifest=row.manifest,
        rules=row.rules,
        states=row.states,
        removed=tuple(str(key) for key in removed["keys"]),
        told=told,
    )
    if removed["seal"] != _seal(files):
        raise ValueError("it is not what was kept")
    return files
