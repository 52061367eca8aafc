"""In what a host differed from its image in earlier scans (`model.state.History`, as JSON), and that text's SHA-256."""

import sqlalchemy as sa
from alembic import op

from driftscan.store.migrations import TEXT

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """One table."""
    op.create_table(
        "host_history",
        sa.Column("host", TEXT, primary_key=True),
        sa.Column("history", TEXT, nullable=False),
        sa.Column("seal", TEXT, nullable=False),
        sqlite_strict=True,
    )
