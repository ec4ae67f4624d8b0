"""The database: engine, migrations, and whether it is up to date."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

MIGRATIONS = Path(__file__).parents[1] / "migrations"

_CONNECT_TIMEOUT_S = 5
_LOCK_TIMEOUT_MS = 5_000


def make_engine(url: str) -> Engine:
    """For SQLite or PostgreSQL, whatever driver the URL names: sqlite3 and psycopg 3 are used. Connects only when used."""
    scheme, separator, rest = url.partition("://")
    backend = scheme.partition("+")[0]
    if backend in {"postgres", "postgresql"}:
        return create_engine(
            f"postgresql+psycopg{separator}{rest}", pool_pre_ping=True, connect_args={"connect_timeout": _CONNECT_TIMEOUT_S}
        )
    if backend != "sqlite":
        raise ValueError(f"the database URL begins with {scheme[:20]!r}, allowed are sqlite:// and postgresql://")
    engine = create_engine(backend + separator + rest)
    event.listen(engine, "connect", _set_up_sqlite)
    return engine


def _set_up_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Readers beside the writer (WAL); a commit is on disk when it returns (FULL). Neither outlives the connection."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={_LOCK_TIMEOUT_MS}", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def migration_config(engine: Engine) -> Config:
    """Alembic's configuration for this engine, without a file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["engine"] = engine
    return config


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the schema to the revision, up or down."""
    config = migration_config(engine)
    if revision == "base" or revision.startswith("-"):
        command.downgrade(config, revision)
    else:
        command.upgrade(config, revision)


@cache
def _newest_revision() -> str | None:
    """Of the migrations on disk, which do not change while the process runs."""
    return ScriptDirectory(str(MIGRATIONS)).get_current_head()


def is_migrated(engine: Engine) -> bool:
    """Whether the schema is that of the newest migration. Raises SQLAlchemyError if the database cannot be reached."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() == _newest_revision()
