"""The RowStore: one connection that stays open, over which rows are committed with few Python instructions each.

SQLite takes the rows one by one through a prepared statement. PostgreSQL takes all of a commit as one JSON text and makes rows
of it: one statement, prepared once, whatever their number.
"""

import json
import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any

from pydantic_core import to_json
from sqlalchemy import JSON, Connection, Dialect, Engine, Table, Text, bindparam, cast, column, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, SQLAlchemyError

from app.database import cut, is_sqlite, take_out
from app.presence import is_present
from app.request_record import RequestRecord, Row
from app.tasks.task import Observed

log = logging.getLogger(__name__)

STORE_FAULTS = (SQLAlchemyError, ValueError, TypeError, OverflowError)
"""What a commit may raise. Those that are not SQLAlchemy's come from values that the driver cannot carry."""


def _numbers(observed: Observed) -> str:
    return to_json(observed).decode()


_TABLE: Table = RequestRecord.__table__  # type: ignore[assignment]
_COLUMNS = [field.name for field in _TABLE.columns if field.name != "feedback"]  # which comes later
_EMPTY: Row = dict.fromkeys(_COLUMNS)
_JSON: dict[str, Callable[[Any], str]] = {
    "inputs": json.dumps,
    "outputs": json.dumps,
    "answer": json.dumps,
    "observed": _numbers,
}
"""Column -> its text. What callers sent may be nested deeper than pydantic_core goes."""
_LATE_S = 0.5  # so much longer than its limit a statement may take before its connection is cut

MOST_ROWS_A_COMMIT = 256
MOST_BYTES_A_COMMIT = 4 << 20
"""Of payloads, and one row's more: a database takes seconds for some."""

Work = Callable[[Connection], Any]
"""Something else to do within a commit."""


def is_outage(error: Exception) -> bool:
    """Whether the database is the matter, and not the rows: then each alone would fail, too."""
    if isinstance(error, (DataError, IntegrityError)) or _is_conflict(error):
        return False
    return isinstance(error, SQLAlchemyError)


def _is_conflict(error: Exception) -> bool:
    """Whether another transaction of PostgreSQL was in the way, and is not any more."""
    return getattr(getattr(error, "orig", None), "sqlstate", None) in {"40P01", "40001"}


def reason(error: Exception) -> str:
    """What the database said, without what only its operator should see: PostgreSQL names hosts and roles."""
    cause = getattr(error, "orig", None) or error
    return str(cause) if isinstance(cause, sqlite3.Error) else type(cause).__name__


class RowStore:
    """Used by one thread; only `cut_if_late` is for another."""

    def __init__(self, engine: Engine, most_s: float, process_id: int | None = None) -> None:
        """A statement ends after `most_s`; `are_alive` knows `process_id` while it is connected."""
        self._engine, self._most_s, self._process_id = engine, most_s, process_id
        self._insert = (_SqliteInsert if is_sqlite(engine) else _PostgresInsert)(engine.dialect)
        self._connection: Connection | None = None
        self._busy_since_s: float | None = None

    def commit(self, rows: Sequence[Row], ends: Sequence[Row] = (), works: Sequence[Work] = ()) -> list[Any]:
        """Inserts rows, updates the rows whose streams ended, then works; all or nothing. What the works returned.

        Rows that are there already stay as they are. So a connection found dead, as after a restart of the database, is
        replaced and everything done again, once; as it is where another transaction was in the way. Raises STORE_FAULTS.
        """
        was_open, started_s = self._connection is not None, time.monotonic()
        self._busy_since_s = started_s
        try:
            return self._commit(rows, ends, works)
        except DBAPIError as error:
            passing = _is_conflict(error) or (was_open and error.connection_invalidated)
            if not passing or time.monotonic() - started_s > self._most_s / 2:
                raise
            return self._commit(rows, ends, works)
        finally:
            self._busy_since_s = None

    def ping(self) -> None:
        """As a commit of nothing: so a lost connection is replaced while there is nothing to write, too."""
        self.commit([], works=[lambda connection: connection.exec_driver_sql("SELECT 1")])

    def cut_if_late(self) -> None:
        """Ends a connection on which nothing comes back; whoever waits for it gets an error."""
        since_s, connection = self._busy_since_s, self._connection
        if since_s and connection and time.monotonic() - since_s > self._most_s + _LATE_S:
            log.error("the database has not answered for %.1f s: its connection is cut", self._most_s + _LATE_S)
            cut(connection)

    def close(self) -> None:
        """Nobody else gets the connection: its settings are for this one."""
        connection, self._connection = self._connection, None
        if connection:
            connection.invalidate()
            connection.close()

    def _commit(self, rows: Sequence[Row], ends: Sequence[Row], works: Sequence[Work]) -> list[Any]:
        try:
            connection = self._connection or self._open()
            if rows:
                self._insert(connection, rows)
            for end in ends:
                changes = {name: value for name, value in end.items() if name != "request_id"}
                connection.execute(update(_TABLE).where(_TABLE.c.request_id == end["request_id"]).values(changes))
            done = [work(connection) for work in works]
            connection.commit()
        except BaseException:
            self._undo()
            raise
        return done

    def _undo(self) -> None:
        """A connection that still answers stays: with it would go the lock by which `are_alive` knows the process."""
        try:
            if self._connection and not self._connection.invalidated:
                self._connection.rollback()
                return
        except SQLAlchemyError:
            pass  # it is the first error that is told
        self.close()

    def _open(self) -> Connection:
        connection = self._connection = self._engine.connect()
        take_out(connection)
        most_ms = int(1000 * self._most_s)
        if is_sqlite(self._engine):
            connection.exec_driver_sql(f"PRAGMA busy_timeout={most_ms}")
        else:
            connection.exec_driver_sql(f"SET statement_timeout = {most_ms}")
            if self._process_id is not None:
                connection.exec_driver_sql(f"SELECT pg_advisory_lock_shared({self._process_id:d})")
        connection.commit()
        return connection


def are_alive(connection: Connection, process_ids: Iterable[int], own: int) -> set[int]:
    """Which of these processes are connected, by the locks that they hold."""
    if connection.dialect.name == "sqlite":
        return {own, *(process_id for process_id in process_ids if is_present(connection.engine, process_id))}
    free = set[int]()
    for process_id in {*process_ids} - {own}:  # the own lock would not be in this connection's way
        if connection.exec_driver_sql(f"SELECT pg_try_advisory_xact_lock({process_id:d})").scalar():
            free.add(process_id)
    return {own, *process_ids} - free


class _SqliteInsert:
    """A prepared statement, and a tuple for each row, made without SQLAlchemy's types: theirs take twice as long."""

    def __init__(self, dialect: Dialect) -> None:
        statement = (
            sqlite.insert(_TABLE).values(dict.fromkeys(_COLUMNS)).on_conflict_do_nothing(index_elements=[_TABLE.c.request_id])
        )
        self._sql = str(statement.compile(dialect=dialect))
        self._values = itemgetter(*_COLUMNS)
        self._processes = [(_COLUMNS.index(name), process) for name, process in {"time": _sqlite_time, **_JSON}.items()]

    def __call__(self, connection: Connection, rows: Sequence[Row]) -> None:
        connection.exec_driver_sql(self._sql, [self._bound(row) for row in rows])

    def _bound(self, row: Row) -> tuple[Any, ...]:
        values = list(self._values(row if len(row) == len(_COLUMNS) else {**_EMPTY, **row}))
        for place, process in self._processes:
            if values[place] is not None:
                values[place] = process(values[place])
        return tuple(values)


def _sqlite_time(time: datetime) -> str:
    """As SQLAlchemy keeps an instant in UTC: without its zone."""
    return time.astimezone(UTC).isoformat(" ", "microseconds")[:26]


class _PostgresInsert:
    """INSERT ... SELECT of what json_to_recordset makes of one text."""

    def __init__(self, dialect: Dialect) -> None:
        # JSON columns are texts within the text: as plain JSON, a \u0000 anywhere in them would make the whole unreadable.
        fields = [
            column(field.name, Text() if field.name in _JSON else field.type)
            for field in _TABLE.columns
            if field.name in _COLUMNS
        ]
        sent = func.json_to_recordset(cast(bindparam("rows", type_=Text()), JSON))
        record = sent.table_valued(*fields).render_derived(name="sent", with_types=True)
        chosen = [cast(record.c[name], JSON) if name in _JSON else record.c[name] for name in _COLUMNS]
        insert = postgresql.insert(_TABLE).from_select(_COLUMNS, select(*chosen))
        self._sql = str(insert.on_conflict_do_nothing(index_elements=[_TABLE.c.request_id]).compile(dialect=dialect))

    def __call__(self, connection: Connection, rows: Sequence[Row]) -> None:
        connection.exec_driver_sql(self._sql, {"rows": to_json([_with_texts(row) for row in rows]).decode()})


def _with_texts(row: Row) -> Row:
    texts = {name: dumps(row[name]) for name, dumps in _JSON.items() if row.get(name) is not None}
    return {**row, **texts} if texts else row
