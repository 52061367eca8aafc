"""A PostgreSQL database, by psycopg (pip install 'driftscan[postgres]')."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.pool import NullPool

from driftscan.errors import IncompleteError
from driftscan.model.names import show
from driftscan.model.place import Place
from driftscan.store import _database
from driftscan.store._database import Database, said

LOCK = 0x64726966747363  # "driftsc": one lock for all who use a database
_FULL = {"53100", "53200", "53400"}
"""SQLSTATEs: disk full, out of memory, configuration limit exceeded (PostgreSQL manual, appendix A)."""


CONNECT_SECONDS = 10
_ALIVE: dict[str, Any] = {
    "keepalives_idle": _database.BUSY_SECONDS,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": _database.BUSY_SECONDS * 1000,
}
"""A server that vanishes in the middle of a scan (no reset, no answer) is noticed in a minute instead of a quarter of
an hour (libpq's parameters; Linux' tcp_retries2). A URL may say otherwise."""


class PostgresqlDatabase(Database):
    """Tables in the first schema of the search path."""

    def __init__(self, place: Place) -> None:
        """Nothing is connected yet."""
        super().__init__(show(str(place)))
        self._secrets = _secrets(place.database)
        # The URL goes to libpq as it is: what it means by options, services and sockets is libpq's to say.
        self._url = place.database
        self._engine = create_engine("postgresql+psycopg://", creator=self._connection, poolclass=NullPool)

    def _connection(self) -> Any:
        import psycopg  # noqa: PLC0415 - 90 ms, for those who have such a database

        given = psycopg.conninfo.conninfo_to_dict(self._url)
        connection = psycopg.connect(
            self._url,
            **{name: value for name, value in _ALIVE.items() if name not in given},
            connect_timeout=CONNECT_SECONDS,
            client_encoding="utf8",
            application_name="driftscan",
        )
        encoding = connection.info.parameter_status("server_encoding")
        if encoding != "UTF8":
            connection.close()
            hint = "Names of hosts and files are Unicode: make a database with ENCODING 'UTF8' TEMPLATE template0."
            raise IncompleteError(f"{self.where}: its encoding is {encoding}", hint)
        return connection

    def _open(self, *, lasting: bool) -> Connection:
        connection = self._engine.connect()
        if lasting:
            with connection.begin():
                connection.execute(text("SET SESSION synchronous_commit = off"))
        return connection

    def _readable(self) -> Connection | None:
        return self._ready()

    def _reading(self, connection: Connection) -> AbstractContextManager[object]:
        return connection.begin()

    @contextmanager
    def _writing(self, connection: Connection) -> Iterator[None]:
        with connection.begin():
            connection.execute(text(f"SET LOCAL lock_timeout = {int(_database.BUSY_SECONDS * 1000)}"))
            yield

    @contextmanager
    def _turn(self, connection: Connection) -> Iterator[None]:
        with self._writing(connection):
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            yield

    def _explained(self, error: DBAPIError) -> IncompleteError:
        message = said(error)
        for secret in self._secrets:
            message = message.replace(secret, "***")
        state = getattr(error.orig, "sqlstate", None)
        hint = "Check the rights of the database's user: it needs to create tables once, and to read and write them."
        if state in _FULL:
            hint = "Make room on the database server; what was committed is kept."
        elif isinstance(error, OperationalError):
            hint = "Check that the server runs, the URL, and the user's password (PGPASSWORD or ~/.pgpass)."
        return IncompleteError(f"{self.where}: {show(message)}", hint)


def _secrets(url: str) -> tuple[str, ...]:
    """Passwords in a URL, as they stand there and as they are meant, the longest first."""
    parts = urlsplit(url)
    options = [value for name, value in parse_qsl(parts.query) if "password" in name]
    written = [option.partition("=")[2] for option in parts.query.split("&") if "password" in option.partition("=")[0]]
    found = {parts.password or "", unquote(parts.password or ""), *options, *written}
    return tuple(sorted(found - {""}, key=len, reverse=True))
