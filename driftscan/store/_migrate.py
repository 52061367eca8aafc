"""The schema of a database: which it has, and how it gets the newest. Alembic's one home but for its steps."""

from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from driftscan.store._schema import HEAD

_FOLDER = Path(__file__).with_name("migrations")
_VERSION = sa.table("alembic_version", sa.column("version_num"))
_NUMBERED = sa.table("migration", sa.column("number"))
"""How versions before Alembic told which steps they had taken; the last was 4."""


def revision(connection: Connection) -> str:
    """The revision of a database; empty for one without tables of ours."""
    known = sa.inspect(connection)
    if known.has_table(_VERSION.name):
        return connection.scalar(sa.select(_VERSION.c.version_num)) or ""
    if known.has_table(_NUMBERED.name):
        number = connection.scalar(sa.select(sa.func.max(_NUMBERED.c.number)))
        return f"{number:04}" if number else ""
    return ""


def is_later(number: str) -> bool:
    """Whether a revision is one that this driftscan does not know."""
    return bool(number) and not (number.isdecimal() and int(number) <= int(HEAD))


def upgrade(connection: Connection, to: str = HEAD) -> None:
    """Take the steps that are missing, in the transaction that is open: all of them or none."""
    from alembic import command  # noqa: PLC0415 - 150 ms, paid once in a database's life
    from alembic.config import Config  # noqa: PLC0415 - comes with it

    config = Config()
    config.set_main_option("script_location", str(_FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    before = revision(connection)
    if before and not sa.inspect(connection).has_table(_VERSION.name):
        command.stamp(config, before)
    command.upgrade(config, to)
