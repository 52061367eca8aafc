"""Alembic's way in: the steps run on the connection that `_migrate` gives, in its transaction."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
