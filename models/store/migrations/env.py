"""Run by Alembic: migrates over the connection that `upgrade` hands in, in its transaction."""

from alembic import context

from models.store.tables import SCHEMA

context.configure(connection=context.config.attributes["connection"], target_metadata=SCHEMA)
with context.begin_transaction():
    context.run_migrations()
