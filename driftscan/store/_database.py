"""The SQLite file: opened, brought up to date, and its errors told."""

import os
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from driftscan.errors import IncompleteError
from driftscan.model.names import show
from driftscan.store._blobs import make_private

BUSY_SECONDS = 30
"""How long a writer waits for another."""
_MIGRATIONS = Path(__file__).with_name("migrations")
_NUMBER = re.compile(r"([0-9]{4})_[a-z_]+\.sql")
_TABLE = "CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT"


class Database:
    """One file. Each use has a connection of its own, so threads and processes can share the file."""

    def __init__(self, path: Path) -> None:
        """The file need not exist; the first `write` makes it, for this user alone."""
        self._path = path

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a transaction, committed at the end and rolled back on any error. IncompleteError if
        the file cannot be opened or written, is damaged, or stays locked."""
        with self.told():
            make_private(self._path.parent)
            new = not self._path.exists()
            with closing(self._open(f"{self._path.absolute().as_uri()}?mode=rwc")) as connection:
                if new:
                    # By its path: closing a descriptor of the file would drop SQLite's locks (its howtocorrupt, 2.2).
                    self._path.chmod(0o600)
                connection.execute("PRAGMA journal_mode = WAL")
                _migrate(connection, self._path)
                with _transaction(connection):
                    yield connection

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection | None]:
        """A connection to read with; None if nothing was ever stored. IncompleteError as for `write`."""
        if not self._path.exists():
            yield None
            return
        with self.told():
            # Readers of a WAL file must be able to write its index beside it, unless nobody can change the file.
            alone = not os.access(self._path, os.W_OK) or not os.access(self._path.parent, os.W_OK)
            options = "mode=ro&immutable=1" if alone else "mode=rw"
            with closing(self._open(f"{self._path.absolute().as_uri()}?{options}")) as connection:
                if not alone:
                    _migrate(connection, self._path)
                yield connection

    def connect(self) -> sqlite3.Connection:
        """A connection to write with that stays open, for threads that take turns. A commit on it survives a crash of
        this process, and is lost at worst when the machine crashes. IncompleteError as for `write`."""
        with self.told():
            make_private(self._path.parent)
            new = not self._path.exists()
            connection = self._open(f"{self._path.absolute().as_uri()}?mode=rwc", threads=True)
            try:
                if new:
                    self._path.chmod(0o600)
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                _migrate(connection, self._path)
            except BaseException:
                connection.close()
                raise
            return connection

    @contextmanager
    def transaction(self, connection: sqlite3.Connection) -> Iterator[None]:
        """A transaction on such a connection."""
        with self.told(), _transaction(connection):
            yield

    def _open(self, uri: str, *, threads: bool = False) -> sqlite3.Connection:
        connection = sqlite3.connect(
            uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=not threads
        )
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    @contextmanager
    def told(self) -> Iterator[None]:
        """What SQLite raises becomes IncompleteError, with what to do."""
        where = show(str(self._path))
        try:
            yield
        except sqlite3.IntegrityError as error:
            raise IncompleteError(f"{where}: not stored: {error}", "Is it stored already?") from error
        except sqlite3.OperationalError as error:
            hint = "Check the room on its disk, and the owner and mode of the state directory."
            raise IncompleteError(f"{where}: {error}", hint) from error
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            hint = "Move it away and driftscan begins a new one; the reports in blobs/ are not lost."
            raise IncompleteError(f"{where}: the database is damaged: {error}", hint) from error
        except OSError as error:
            raise IncompleteError(
                f"{where}: {error.strerror}", "Check the owner and mode of the state directory."
            ) from error


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        if connection.in_transaction:  # a full disk has rolled it back already
            connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def migrations() -> dict[int, Path]:
    """The migrations by number; numbers are 1, 2, 3, ..."""
    found: dict[int, Path] = {}
    for path in sorted(_MIGRATIONS.iterdir()):
        if match := _NUMBER.fullmatch(path.name):
            found[int(match[1])] = path
    return found


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Apply what is missing, each migration and its record in one transaction, so that two openers cannot both."""
    known = migrations()
    if _applied(connection) == len(known):
        return
    with _transaction(connection):
        connection.execute(_TABLE)
    for number, migration in known.items():
        with _transaction(connection):
            if _applied(connection) >= number:
                continue
            for statement in _statements(migration.read_text("utf-8")):
                connection.execute(statement)
            connection.execute("INSERT INTO migration VALUES (?, ?)", (number, migration.name))
    if _applied(connection) > len(known):
        raise IncompleteError(
            f"{show(str(path))}: was written by a later driftscan", "Use that one, or another --store directory."
        )


def _applied(connection: sqlite3.Connection) -> int:
    """The number of the last migration that was applied; 0 for an empty file."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'migration'").fetchone() is None:
        return 0
    return int(connection.execute("SELECT coalesce(max(number), 0) FROM migration").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
