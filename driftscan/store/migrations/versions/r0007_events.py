"""What changed from scan to scan, to be told once: events in the order in which they happened, what was told of hosts
and of waivers, and for each channel up to which event it was told.

No foreign key to `scan`: an event may outlive its scan."""

import sqlalchemy as sa
from alembic import op

from driftscan.store.migrations import TEXT

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Four tables. Hosts that are known begin without news."""
    op.create_table(
        "event",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("scan", TEXT, nullable=False),
        sa.Column("at", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("subject", TEXT, nullable=False),
        sa.Column("title", TEXT, nullable=False),
        sa.Column("severity", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("detail", TEXT, nullable=False),
        sa.Column("labels", TEXT, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("event_by_scan", "event", ["scan"])
    op.create_table(
        "host_watch",
        sa.Column("host", TEXT, primary_key=True),
        sa.Column("scope", TEXT, nullable=False),
        sa.Column("started_at", TEXT, nullable=False),
        sa.Column("finished_at", TEXT, nullable=False),
        sa.Column("whole", sa.Integer, nullable=False),
        sa.Column("missed", sa.Integer, nullable=False),
        sa.Column("silent", sa.Integer, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("host_watch_by_scope", "host_watch", ["scope"])
    op.create_table(
        "waiver_told",
        sa.Column("waiver", TEXT, primary_key=True),
        sa.Column("kind", TEXT, primary_key=True),
        sqlite_strict=True,
    )
    op.create_table(
        "channel",
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("told", sa.Integer, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("error", TEXT, nullable=False),
        sa.Column("claim", TEXT, nullable=False),
        sa.Column("claimed_at", TEXT, nullable=False),
        sqlite_strict=True,
    )
