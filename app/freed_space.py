"""What becomes of the space that removed rows leave.

New rows take it, in SQLite as in PostgreSQL, so a log with a limit to its age stops growing and there is nothing to do. The
file itself gets smaller only when it is written anew. SQLite could do that bit by bit (`auto_vacuum`), at the cost of
an extra page for the map of pages and of a scattered file; it is not used, because a log fills its gaps soon.
"""

from sqlalchemy import Engine


def settle_sqlite(engine: Engine) -> None:
    """Bring what was removed out of the write-ahead log, where its old pages still stand, and empty that."""
    if engine.dialect.name == "sqlite":
        with engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")


def vacuum(engine: Engine) -> None:
    """Give the space back: SQLite's file is written anew, while nobody else can write; PostgreSQL cuts off a free end."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM" if engine.dialect.name == "sqlite" else "VACUUM requests")
    settle_sqlite(engine)
