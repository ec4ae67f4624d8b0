"""Alembic's entry: runs migrations on the engine it is handed, or on GATEHOUSE_DATABASE_URL."""

import os

from alembic import context

from app.database import make_engine
from app.idempotency import IdempotencyKey  # noqa: F401 - a table of the schema
from app.keys import ApiKey

engine = context.config.attributes.get("engine") or make_engine(
    os.environ.get("GATEHOUSE_DATABASE_URL", "sqlite:///gatehouse.db")
)

# All migrations or none, whenever the process ends; and another process that migrates waits.
BEGIN = {"sqlite": "BEGIN IMMEDIATE", "postgresql": "SELECT pg_advisory_xact_lock(1734440037)"}

with engine.connect() as connection:
    connection.exec_driver_sql(BEGIN[connection.dialect.name])
    context.configure(
        connection=connection,
        target_metadata=ApiKey.metadata,
        render_as_batch=True,  # SQLite cannot alter a column in place: the table is copied instead
        compare_server_default=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
