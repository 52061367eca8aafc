"""A database: opened, brought up to date, used in transactions, and its errors told."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, IntegrityError

from driftscan.errors import IncompleteError
from driftscan.store import _migrate
from driftscan.store._schema import HEAD

BUSY_SECONDS = 30
"""How long a writer waits for another."""


class Database(ABC):
    """Each use has a connection of its own, so threads and processes can share the database."""

    def __init__(self, where: str) -> None:
        """`where` is its name for people. Nothing is opened yet."""
        self.where = where

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A connection inside a transaction beside which no other `write` runs, committed at the end and rolled back
        on any error. IncompleteError if the database cannot be opened or written, is damaged, or stays locked."""
        with self.told(), closing(self._ready()) as connection, self._turn(connection):
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection | None]:
        """A connection inside a transaction, to read with; None if nothing was ever stored. IncompleteError as for
        `write`."""
        with self.told():
            opened = self._readable()
            if opened is None:
                yield None
                return
            with closing(opened) as connection, self._reading(connection):
                yield connection

    def connect(self) -> Connection:
        """A connection to write with that stays open, for threads that take turns. A commit on it survives a crash of
        this process, and is lost at worst when the machine crashes. IncompleteError as for `write`."""
        with self.told():
            return self._ready(lasting=True)

    @contextmanager
    def reading(self, connection: Connection) -> Iterator[None]:
        """A transaction on such a connection, to read in."""
        with self.told(), self._reading(connection):
            yield

    @contextmanager
    def writing(self, connection: Connection) -> Iterator[None]:
        """A transaction on such a connection, to write a host's rows in."""
        with self.told(), self._writing(connection):
            yield

    @contextmanager
    def told(self) -> Iterator[None]:
        """What the database raises becomes IncompleteError, with what to do."""
        try:
            yield
        except IntegrityError as error:
            raise IncompleteError(f"{self.where}: not stored: {said(error)}", "Is it stored already?") from error
        except DBAPIError as error:
            raise self._explained(error) from error
        except UnicodeDecodeError as error:
            raise IncompleteError(f"{self.where}: the database is damaged: {error}", DAMAGED) from error
        except OSError as error:
            raise IncompleteError(f"{self.where}: {error.strerror}", OWNER) from error

    def _ready(self, *, lasting: bool = False) -> Connection:
        """A connection to a database that has the newest schema."""
        connection = self._open(lasting=lasting)
        try:
            self._bring_up_to_date(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _bring_up_to_date(self, connection: Connection) -> None:
        with self._reading(connection):
            if self._is_newest(connection):
                return
        with self._turn(connection):
            if not self._is_newest(connection):  # somebody else may have been here first
                _migrate.upgrade(connection)

    def _is_newest(self, connection: Connection) -> bool:
        """IncompleteError for a schema that is newer still."""
        revision = _migrate.revision(connection)
        if _migrate.is_later(revision):
            hint = "Use that one, or another --store."
            raise IncompleteError(f"{self.where}: was written by a later driftscan", hint)
        return revision == HEAD

    @abstractmethod
    def _open(self, *, lasting: bool) -> Connection:
        """A connection; the database is made if it is a file that is not there."""

    @abstractmethod
    def _readable(self) -> Connection | None:
        """A connection to read with; None if there is nothing to read."""

    @abstractmethod
    def _reading(self, connection: Connection) -> AbstractContextManager[object]:
        """A transaction that reads."""

    @abstractmethod
    def _writing(self, connection: Connection) -> AbstractContextManager[object]:
        """A transaction that writes."""

    @abstractmethod
    def _turn(self, connection: Connection) -> AbstractContextManager[object]:
        """A transaction that writes, and beside which no other such runs."""

    @abstractmethod
    def _explained(self, error: DBAPIError) -> IncompleteError:
        """An error that is none of integrity."""


OWNER = "Check the owner and mode of the state directory."
DAMAGED = "Move it away and driftscan begins a new one; the reports in blobs/ are not lost."


def said(error: DBAPIError) -> str:
    """What the database said: one line, without statement and values."""
    return " ".join(str(error.orig).split())
