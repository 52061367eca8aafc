"""What statements that write share."""

from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite


def storable(text: str) -> str:
    """Text as every database takes it: what cannot be UTF-8 (a lone surrogate of an undecodable byte) and NUL, which
    PostgreSQL refuses, are written out."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def insert_into(connection: Connection, table: Table) -> Any:
    """An INSERT that can be told what to do with a row that is there (`on_conflict_do_update`). The two databases have
    one syntax for it, which SQLAlchemy offers under two names."""
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - 40 ms, for those who have one

        return postgresql.insert(table)
    return sqlite.insert(table)


def upsert(connection: Connection, table: Table) -> Any:
    """To insert a row, or put it in the place of the one with its primary key."""
    statement = insert_into(connection, table)
    new = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key), set_=new)
