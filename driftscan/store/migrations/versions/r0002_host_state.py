"""What a scan leaves for the next one of the same host. Large and seldom changing parts have a row of their own."""

import sqlalchemy as sa
from alembic import op

from driftscan.store.migrations import TEXT

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Two tables."""
    op.create_table(
        "host_state",
        sa.Column("host", TEXT, primary_key=True),
        sa.Column("audit_key", sa.LargeBinary, nullable=False),
        sa.Column("scans", sa.Integer, nullable=False),
        sa.Column("seen_at", TEXT, nullable=False),
        sa.Column("full_at", TEXT, nullable=False),
        sa.Column("coverage", TEXT, nullable=False),
        sqlite_strict=True,
    )
    op.create_table(
        "host_files",
        sa.Column("host", TEXT, sa.ForeignKey("host_state.host", ondelete="CASCADE"), primary_key=True),
        sa.Column("format", sa.Integer, nullable=False),
        sa.Column("manifest", TEXT, nullable=False),
        sa.Column("rules", TEXT, nullable=False),
        sa.Column("states", sa.LargeBinary, nullable=False),
        sa.Column("removed", TEXT, nullable=False),
        sa.Column("told", sa.LargeBinary, nullable=False),
        sqlite_strict=True,
    )
