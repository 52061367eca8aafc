"""What became of each finding of each host, instead of a row for each scan that saw it; and each host as it was last.

Of what was stored before, the first and the last sighting and what the last one said are kept. Whether a later scan no
longer saw it was not kept, so everything is open until the next scan."""

import sqlalchemy as sa
from alembic import op

from driftscan.store.migrations import TEXT

revision = "0006"
down_revision = "0005"

_LAST_SIGHTING = """
SELECT * FROM (SELECT sighting.*, host_result.manifest_digest, row_number() OVER (
        PARTITION BY sighting.fingerprint, sighting.host ORDER BY scan.started_at DESC, scan.number DESC) AS age
    FROM sighting JOIN scan ON scan.id = sighting.scan
    JOIN host_result ON host_result.scan = sighting.scan AND host_result.host = sighting.host) AS every
WHERE age = 1
"""
_LAST_SCAN = """
SELECT host, scan, position, started_at, finished_at FROM (SELECT host_result.host, host_result.scan,
        host_result.position, scan.started_at, scan.finished_at, row_number() OVER (
            PARTITION BY host_result.host ORDER BY scan.started_at DESC, scan.number DESC) AS age
    FROM host_result JOIN scan ON scan.id = host_result.scan
    WHERE host_result.verdict NOT IN ('unreachable', 'gone')) AS every
WHERE age = 1
"""


def upgrade() -> None:
    """Three tables come, one goes."""
    for name in ("scan", "severity", "action", "state", "title", "rule", "cause", "actor", "needs", "manifest"):
        op.add_column("finding", sa.Column(name, TEXT, nullable=False, server_default=""))
    op.add_column("finding", sa.Column("opened_at", TEXT, nullable=False, server_default=""))
    op.add_column("finding", sa.Column("resolved_at", TEXT))
    op.add_column("finding", sa.Column("resolved_why", TEXT, nullable=False, server_default=""))
    op.add_column("finding", sa.Column("returned", sa.Integer, nullable=False, server_default="0"))
    op.add_column("finding", sa.Column("returned_at", TEXT))
    columns = {"scan": "scan", "manifest": "manifest_digest"} | {
        name: name for name in ("severity", "action", "state", "title")
    }
    changes = ", ".join(f"{name} = last.{source}" for name, source in columns.items())
    same = "last.fingerprint = finding.fingerprint AND last.host = finding.host"
    op.execute(f"UPDATE finding SET opened_at = first_seen, {changes} FROM ({_LAST_SIGHTING}) AS last WHERE {same}")  # noqa: S608
    op.drop_table("sighting")
    op.create_index("finding_by_host", "finding", ["host"])
    _episodes()
    _hosts()


def _episodes() -> None:
    op.create_table(
        "episode",
        sa.Column("fingerprint", TEXT, primary_key=True),
        sa.Column("host", TEXT, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("opened_at", TEXT, nullable=False),
        sa.Column("resolved_at", TEXT),
        sa.ForeignKeyConstraint(["fingerprint", "host"], ["finding.fingerprint", "finding.host"], ondelete="CASCADE"),
        sqlite_strict=True,
    )
    op.create_index("episode_by_end", "episode", ["resolved_at"])
    op.execute("INSERT INTO episode SELECT fingerprint, host, 0, first_seen, NULL FROM finding")


def _hosts() -> None:
    op.create_table(
        "host",
        sa.Column("host", TEXT, primary_key=True),
        sa.Column("scan", TEXT, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("started_at", TEXT, nullable=False),
        sa.Column("finished_at", TEXT, nullable=False),
        sa.Column("whole", sa.Integer, nullable=False),
        sqlite_strict=True,
    )
    op.execute(f"INSERT INTO host SELECT host, scan, position, started_at, finished_at, 0 FROM ({_LAST_SCAN}) AS last")  # noqa: S608
    op.create_table(
        "host_label",
        sa.Column("host", TEXT, sa.ForeignKey("host.host", ondelete="CASCADE"), primary_key=True),
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("value", TEXT, nullable=False),
        sqlite_strict=True,
    )
