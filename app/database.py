"""The database: engine, migrations, and whether it is up to date."""

import os
import re
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

MIGRATIONS = Path(__file__).parents[1] / "migrations"

_CONNECT_TIMEOUT_S = 3
_LOCK_TIMEOUT_MS = 5_000
_STEPS = re.compile(r"[+-][0-9]{1,3}")
# A host that is gone answers nothing, not even that: after this time a connection to it counts as lost.
_KEEPALIVE = {"tcp_user_timeout": 5_000, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}

_shared: WeakKeyDictionary[Engine, WeakSet[Any]] = WeakKeyDictionary()
"""PostgreSQL engine -> the driver's connections in its pool."""


def make_engine(url: str, writes: bool = False) -> Engine:
    """For SQLite or PostgreSQL, whatever driver the URL names: sqlite3 and psycopg 3 are used. Connects only when used.

    `writes`: to one that can be written, or not at all. A standby, to which the address may lead for moments while another
    server takes over, would be stayed with and never be of use. Raises ValueError without a word of the URL but its scheme:
    the rest may hold a password.
    """
    scheme, separator, rest = url.partition("://")
    backend = scheme.partition("+")[0]
    options: dict[str, Any] = {}
    if backend in {"postgres", "postgresql"}:
        backend = "postgresql+psycopg"
        options = {"pool_pre_ping": True, "connect_args": {"connect_timeout": _CONNECT_TIMEOUT_S, **_KEEPALIVE}}
        if writes:
            options["connect_args"]["target_session_attrs"] = "read-write"
    elif backend != "sqlite":
        begins = f"begins with {scheme[:20]!r}" if separator else "has no ://"
        raise ValueError(f"the database URL {begins}, allowed are sqlite:// and postgresql://")
    try:
        parsed = make_url(backend + separator + rest)
        # Hidden: what a request brought is nothing for the process's log.
        engine = create_engine(parsed, hide_parameters=True, **options)
    except (ArgumentError, ValueError):
        raise ValueError(
            "the database URL cannot be read; sqlite:///FILE has three slashes, "
            "and a password needs %-escapes for : / @ and the like"
        ) from None
    if parsed.get_backend_name() == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    else:
        event.listen(engine, "connect", _set_up_postgres)
        connections = _shared[engine] = WeakSet()
        event.listen(engine, "connect", lambda connection, _: connections.add(connection))
    return engine


def is_sqlite(engine: Engine) -> bool:
    return engine.dialect.name == "sqlite"


def is_for_many_processes(url: str) -> bool:
    """Whether several processes may write at once. SQLite locks its whole file, and in the end those who wait give up."""
    return url.startswith("postgres")


def _set_up_sqlite(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Readers beside the writer (WAL); a commit is on disk when it returns (FULL). Neither outlives the connection."""
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", f"busy_timeout={_LOCK_TIMEOUT_MS}", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _set_up_postgres(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """A commit is on disk when it returns, whatever the server's own setting is."""
    cursor = connection.cursor()
    cursor.execute("SET synchronous_commit = on")
    cursor.close()
    connection.commit()


def take_out(connection: Connection) -> None:
    """`cut_shared` leaves this connection alone: who holds it cuts it."""
    if connection.engine in _shared:
        _shared[connection.engine].discard(connection.connection.dbapi_connection)


def cut_shared(engine: Engine) -> None:
    """Ends the pool's connections: for a database that does not answer, so that the threads that wait for it are free again."""
    for connection in [*_shared.get(engine, ())]:
        _cut(connection)


def cut(connection: Connection) -> None:
    """From another thread than the one that waits for an answer, which gets an error. SQLite waits no longer than told."""
    if connection.dialect.name != "sqlite":
        _cut(connection.connection.dbapi_connection)


def _cut(connection: Any) -> None:
    # The driver's own `close` would free what the other thread uses. An error says that it is closed already.
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as line:
        line.shutdown(socket.SHUT_RDWR)


def migration_config(engine: Engine) -> Config:
    """Alembic's configuration for this engine, without a file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["engine"] = engine
    return config


def migrate(engine: Engine, revision: str = "head") -> str:
    """Bring the schema to the revision, up or down, wholly or not at all; the revision it is at then.

    Raises ValueError if there is none of that name, or if the database is ahead of this version.
    """
    at = _revision(engine)
    if fault := _ahead(at):
        raise ValueError(fault)
    known = ["base", *reversed(_revisions()), "head"]
    no_revision = ValueError(f"no revision {revision[:80]!r} from here; allowed are {', '.join(known)}, and steps such as -1")
    if revision not in known and not _STEPS.fullmatch(revision):
        raise no_revision
    down = revision.startswith("-") or (revision in known and known.index(revision) < known.index(at or "base"))
    try:
        (command.downgrade if down else command.upgrade)(migration_config(engine), revision)
    except CommandError as error:
        raise no_revision from error
    return _revision(engine) or "base"


@cache
def _revisions() -> tuple[str, ...]:
    """Of the migrations on disk, which do not change while the process runs; the newest first."""
    return tuple(script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions())


def migration_fault(engine: Engine) -> str | None:
    """Why the schema is not that of the newest migration, or None if it is. Raises SQLAlchemyError if the database cannot be
    reached."""
    revision = _revision(engine)
    if revision == _revisions()[0]:
        return None
    return _ahead(revision) or "the database is not migrated; run `gatehouse migrate`"


def _revision(engine: Engine) -> str | None:
    """None of a database that was never migrated, or down to its base. Asking makes no file."""
    file = engine.url.database
    if (
        is_sqlite(engine)
        and file
        and not file.startswith((":", "file:"))
        and not Path(file).exists()
        and Path(file).parent.is_dir()
    ):
        return None
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _ahead(revision: str | None) -> str | None:
    if revision and revision not in _revisions():
        return f"the database is ahead: this version does not know its revision {revision}, only up to {_revisions()[0]}"
    return None
