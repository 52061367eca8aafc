"""The database's schema, step by step, for Alembic. A step that was released is never changed."""

from sqlalchemy import Text

TEXT = Text().with_variant(Text(collation="C"), "postgresql")
"""Text that compares by code points in every database."""
