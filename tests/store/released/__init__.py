"""The schemas of released versions, as the SQL that made them; they are never changed."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

_FOLDER = Path(__file__).parent
NUMBERS = (1, 2, 3, 4)


def released(path: Path, number: int) -> sqlite3.Connection:
    """A new database as the version whose last migration was this one made it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("CREATE TABLE migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT")
    for script in sorted(_FOLDER.glob("*.sql"))[:number]:
        for statement in _statements(script.read_text()):
            connection.execute(statement)
        connection.execute("INSERT INTO migration VALUES (?, ?)", (int(script.name[:4]), script.name))
    return connection


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
