"""Alembic's entry: migrations run on the connection that `Store.upgrade` hands over, inside its transaction."""

from alembic import context

from versatilehub.store.base import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table="vh_alembic_version",
    render_as_batch=True,  # SQLite cannot alter a table in place
)
context.run_migrations()
