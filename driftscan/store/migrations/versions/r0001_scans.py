"""Scans, the hosts in them, and their findings."""

import sqlalchemy as sa
from alembic import op

from driftscan.store.migrations import TEXT

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Four tables."""
    op.create_table(
        "scan",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("started_at", TEXT, nullable=False),
        sa.Column("finished_at", TEXT, nullable=False),
        sa.Column("mode", TEXT, nullable=False),
        sa.Column("interrupted", sa.Integer, sa.CheckConstraint("interrupted IN (0, 1)"), nullable=False),
        sa.Column("report", TEXT, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("scan_by_time", "scan", ["started_at"])
    op.create_table(
        "host_result",
        sa.Column("scan", TEXT, sa.ForeignKey("scan.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("host", TEXT, nullable=False),
        sa.Column("target", TEXT, nullable=False),
        sa.Column("verdict", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("image_id", TEXT, nullable=False),
        sa.Column("image_version", TEXT, nullable=False),
        sa.Column("manifest_digest", TEXT, nullable=False),
        sqlite_strict=True,
    )
    op.create_index("host_result_by_host", "host_result", ["host", "scan"])
    # One row for each finding and host, over all scans.
    op.create_table(
        "finding",
        sa.Column("fingerprint", TEXT, primary_key=True),
        sa.Column("host", TEXT, primary_key=True),
        sa.Column("type", TEXT, sa.CheckConstraint("type IN ('mutation', 'control')"), nullable=False),
        sa.Column("first_seen", TEXT, nullable=False),
        sa.Column("last_seen", TEXT, nullable=False),
        sqlite_strict=True,
    )
    # What a scan said of a finding.
    op.create_table(
        "sighting",
        sa.Column("scan", TEXT, sa.ForeignKey("scan.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("fingerprint", TEXT, primary_key=True),
        sa.Column("host", TEXT, primary_key=True),
        sa.Column("severity", TEXT, nullable=False),
        sa.Column("action", TEXT, nullable=False),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("title", TEXT, nullable=False),
        sa.ForeignKeyConstraint(["fingerprint", "host"], ["finding.fingerprint", "finding.host"]),
        sqlite_strict=True,
    )
    op.create_index("sighting_by_finding", "sighting", ["fingerprint", "host"])
