"""Scans are numbered as they are stored: what SQLite's hidden row numbers told so far, in any database."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """The number, and for SQLite a word to programs that know nothing of Alembic: this is not for them."""
    op.add_column("scan", sa.Column("number", sa.Integer, nullable=False, server_default="0"))
    if op.get_bind().dialect.name == "sqlite":
        op.execute("UPDATE scan SET number = rowid")
        op.execute("CREATE TABLE IF NOT EXISTS migration (number INTEGER PRIMARY KEY, name TEXT NOT NULL) STRICT")
        op.execute("INSERT INTO migration VALUES (5, 'kept by Alembic from here on')")
    else:
        order = "SELECT id, row_number() OVER (ORDER BY started_at, id) AS number FROM scan"
        op.execute(f"UPDATE scan SET number = known.number FROM ({order}) AS known WHERE scan.id = known.id")  # noqa: S608
    op.create_index("scan_by_number", "scan", ["number"], unique=True)
