"""The request log: RequestRecord, one row for every request answered under /v1, and RequestLog, its one writer."""

import asyncio
import json
import logging
import queue
import threading
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Engine, Integer, String, insert
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from sqlalchemy.types import TypeDecorator

from app.database import is_migrated

log = logging.getLogger(__name__)

_MOST_ROWS_A_COMMIT = 256
_MOST_WAIT_S = 5.0
_CLOSE = object()

Row = dict[str, Any]


class LogUnavailable(Exception):
    """The database did not take the row."""


class UtcDateTime(TypeDecorator[datetime]):
    """An instant in UTC; SQLite would hand it back without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """The one schema."""


class RequestRecord(Base):
    """One answered request. Durations are milliseconds, sizes bytes; `None` where it does not apply."""

    __tablename__ = "requests"

    request_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    time: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    method: Mapped[str] = mapped_column(String(16))
    path: Mapped[str] = mapped_column(String(512))
    status: Mapped[int] = mapped_column(Integer)
    error_code: Mapped[str | None] = mapped_column(String(64))
    task: Mapped[str | None] = mapped_column(String(32))
    model_version: Mapped[str | None] = mapped_column(String(64))
    items: Mapped[int | None] = mapped_column(Integer)
    encode_ms: Mapped[float | None]
    queue_ms: Mapped[float | None]
    run_ms: Mapped[float | None]
    total_ms: Mapped[float]
    request_bytes: Mapped[int] = mapped_column(Integer)
    response_bytes: Mapped[int] = mapped_column(Integer)
    stream: Mapped[str | None] = mapped_column(String(16))
    client: Mapped[str | None] = mapped_column(String(64))
    client_request_id: Mapped[str | None] = mapped_column(String(128))
    inputs: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    outputs: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))


class RequestLog:
    """One writer thread. All rows that wait are committed together, and `write` returns when its row is on disk."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="request-log", daemon=True)
        self._thread.start()

    async def write(self, row: Row) -> None:
        """Returns once the row is committed. Raises LogUnavailable."""
        done: Future[None] = Future()
        self._waiting.put((row, done))
        try:
            await asyncio.wait_for(asyncio.wrap_future(done), _MOST_WAIT_S)
        except TimeoutError as error:
            raise LogUnavailable(f"no commit within {_MOST_WAIT_S} s") from error

    def find(self, request_id: str) -> RequestRecord | None:
        """The stored record, committed before its answer left. Raises LogUnavailable."""
        try:
            with Session(self._engine) as session:
                return session.get(RequestRecord, request_id)
        except SQLAlchemyError as error:
            raise LogUnavailable(type(error).__name__) from error

    async def fault(self) -> str | None:
        """Why rows cannot be written, or None."""
        try:
            return await asyncio.wait_for(asyncio.to_thread(self._fault), _MOST_WAIT_S)
        except TimeoutError:
            return f"the database does not answer within {_MOST_WAIT_S} s"

    def _fault(self) -> str | None:
        try:
            return None if is_migrated(self._engine) else "the database is not migrated; run `gatehouse migrate`"
        except SQLAlchemyError as error:
            log.warning("the request log's database cannot be used: %s", error)
            return f"the database cannot be used: {type(error).__name__}"

    def close(self) -> None:
        """Writes what waits, then lets go of the database."""
        self._waiting.put(_CLOSE)
        self._thread.join(_MOST_WAIT_S)
        self._engine.dispose()

    def _work(self) -> None:
        while (first := self._waiting.get()) is not _CLOSE:
            # Whoever gave up waiting was told that nothing is recorded, and nothing is.
            group = [(row, done) for row, done in [first, *self._more()] if not done.cancelled()]
            if group:
                self._commit(group)

    def _commit(self, group: list[Any]) -> None:
        """All rows at once. If one of them is bad, each alone; if the database is gone, none: that takes long enough once."""
        try:
            self._insert([row for row, _ in group])
        except SQLAlchemyError as error:
            log.error("%d rows could not be committed: %s", len(group), error)
            if len(group) > 1 and not isinstance(error, (OperationalError, InterfaceError)):
                for one in group:
                    self._commit([one])
                return
            for _, done in group:
                _settle(done, LogUnavailable(type(error).__name__))
        else:
            for _, done in group:
                _settle(done)

    def _more(self) -> list[Any]:
        """What else waits by now."""
        more: list[Any] = []
        while len(more) < _MOST_ROWS_A_COMMIT - 1:
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                break
            if item is _CLOSE:
                self._waiting.put(_CLOSE)
                break
            more.append(item)
        return more

    def _insert(self, rows: list[Row]) -> None:
        with self._engine.begin() as connection:
            connection.execute(insert(RequestRecord), rows)


def _settle(done: Future[None], error: LogUnavailable | None = None) -> None:
    """Tell the caller, unless it gave up waiting."""
    if not done.set_running_or_notify_cancel():
        return
    if error:
        done.set_exception(error)
    else:
        done.set_result(None)


def as_payload(body: bytes) -> Any:
    """A body as it is stored: parsed where it is JSON, as text where it is not, None where it is empty."""
    if not body:
        return None
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return body.decode("utf-8", "replace")
    if b"\\ud" not in body.lower():
        return payload
    # Half of a surrogate pair is no text: no database and no answer could carry it.
    return json.loads(json.dumps(payload, ensure_ascii=False).encode("utf-8", "replace"))
