"""What a host was when its first boot had settled (`model.birth.Birth`, as JSON, deflated), and that text's SHA-256.
Hosts with equal manifest and user data are siblings."""

import sqlalchemy as sa
from alembic import op

from driftscan.store.migrations import TEXT

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """One table."""
    op.create_table(
        "host_birth",
        sa.Column("host", TEXT, primary_key=True),
        sa.Column("manifest", TEXT, nullable=False),
        sa.Column("user_data", TEXT, nullable=False),
        sa.Column("birth", sa.LargeBinary, nullable=False),
        sa.Column("seal", TEXT, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("host_birth_by_template", "host_birth", ["manifest", "user_data"])
