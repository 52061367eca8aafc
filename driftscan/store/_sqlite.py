"""The SQLite file of the state directory."""

import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from driftscan.errors import IncompleteError
from driftscan.model.names import show
from driftscan.store import _database
from driftscan.store._blobs import make_private
from driftscan.store._database import DAMAGED, Database, said

_WRITES = "driftscan_writes"


class SqliteDatabase(Database):
    """One file, made by whoever writes first, for this user alone."""

    def __init__(self, path: Path) -> None:
        """Nothing is made or opened yet."""
        super().__init__(show(str(path)))
        self._path = path
        self._engine = _engine(self._connection)
        self._lasting = _engine(partial(self._connection, lasting=True))

    def _open(self, *, lasting: bool) -> Connection:
        make_private(self._path.parent)
        return (self._lasting if lasting else self._engine).connect()

    def _readable(self) -> Connection | None:
        if not self._path.exists():
            return None
        # Readers of a WAL file must be able to write its index beside it, unless nobody can change the file.
        if os.access(self._path, os.W_OK) and os.access(self._path.parent, os.W_OK):
            return self._ready()
        connection = _engine(partial(_connect, self._path, "mode=ro&immutable=1")).connect()
        try:
            self._refuse_older(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _refuse_older(self, connection: Connection) -> None:
        with self._reading(connection):
            if not self._is_newest(connection):
                hint = "Use it once as somebody who may write there."
                raise IncompleteError(f"{self.where}: is of an earlier driftscan, and cannot be written to", hint)

    def _connection(self, *, lasting: bool = False) -> sqlite3.Connection:
        new = not self._path.exists()
        connection = _connect(self._path, "mode=rwc")
        try:
            if new:
                # By its path: closing a descriptor of the file would drop SQLite's locks (its howtocorrupt, 2.2).
                self._path.chmod(0o600)
            _use_wal(connection)
            if lasting:
                connection.execute("PRAGMA synchronous = NORMAL")
        except BaseException:
            connection.close()
            raise
        return connection

    def _reading(self, connection: Connection) -> AbstractContextManager[object]:
        return connection.execution_options(**{_WRITES: False}).begin()

    def _writing(self, connection: Connection) -> AbstractContextManager[object]:
        return connection.execution_options(**{_WRITES: True}).begin()

    def _turn(self, connection: Connection) -> AbstractContextManager[object]:
        return self._writing(connection)

    def _explained(self, error: DBAPIError) -> IncompleteError:
        if isinstance(error, OperationalError):
            hint = "Check the room on its disk, and the owner and mode of the state directory."
            return IncompleteError(f"{self.where}: {said(error)}", hint)
        return IncompleteError(f"{self.where}: the database is damaged: {said(error)}", DAMAGED)


def _connect(path: Path, options: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{options}"
    # Transactions begin when they are told to (`_begin`), and threads take turns.
    connection = sqlite3.connect(
        uri, uri=True, timeout=_database.BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _use_wal(connection: sqlite3.Connection) -> None:
    """For this change alone SQLite does not heed its timeout: it has begun to read and, by its rule against deadlocks,
    answers at once that another writes, as happens while several make the same file."""
    until = time.monotonic() + _database.BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() >= until:
                raise
            time.sleep(0.01)
        else:
            return


def _engine(connect: Callable[[], sqlite3.Connection]) -> Engine:
    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: Connection) -> None:
    """Who will write says so at once: who finds out later may be refused, because another has written meanwhile."""
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
