"""The database of a place."""

from pathlib import Path

from driftscan.model.place import Place
from driftscan.store._database import Database
from driftscan.store._sqlite import SqliteDatabase

FILE = "driftscan.sqlite3"


def database(where: Path | Place) -> Database:
    """What keeps the tables: the SQLite file of a directory, or the database that a place names."""
    place = where if isinstance(where, Place) else Place(where)
    if not place.database:
        return SqliteDatabase(place.directory / FILE)
    from driftscan.store._postgresql import PostgresqlDatabase  # noqa: PLC0415 - for those who have one

    return PostgresqlDatabase(place)
