"""Whether a host was reached, beside whether it was wholly scanned: that a host which was seen in part is not seen at
all is news, too."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """A host that no scan has missed was reached."""
    op.add_column("host_watch", sa.Column("reached", sa.Integer, nullable=False, server_default="1"))
    op.execute("UPDATE host_watch SET reached = 0 WHERE missed > 0 AND whole = 0")
