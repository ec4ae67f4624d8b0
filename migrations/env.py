"""Alembic's entry: runs migrations on the engine it is handed, or on GATEHOUSE_DATABASE_URL."""

import os

from alembic import context

from app.database import make_engine
from app.idempotency import IdempotencyKey  # noqa: F401 - a table of the schema
from app.keys import ApiKey

engine = context.config.attributes.get("engine") or make_engine(
    os.environ.get("GATEHOUSE_DATABASE_URL", "sqlite:///gatehouse.db")
)

with engine.connect() as connection:
    # SQLite cannot alter a column in place: batch mode copies the table instead.
    context.configure(connection=connection, target_metadata=ApiKey.metadata, render_as_batch=True, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
