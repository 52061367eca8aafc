"""Changes behind the store's back."""

import sqlite3
from contextlib import closing

import psycopg

from driftscan.model.place import Place


def change(place: Place, statement: str) -> None:
    """Run a statement, which changes one row."""
    if place.database:
        with psycopg.connect(place.database) as connection:
            assert connection.execute(statement.encode()).rowcount == 1
        return
    with closing(sqlite3.connect(place.directory / "driftscan.sqlite3")) as file, file:
        assert file.execute(statement).rowcount == 1
