"""How long the request log is kept: rows and payloads that are removed in small batches, and the thread that does it.

SQLite lets one write at a time, so a batch is small enough that the writer of new rows hardly waits for it, and what is
removed is overwritten with zeros in the file. PostgreSQL frees the space by vacuum.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import perf_counter

from sqlalchemy import Connection, Delete, Engine, Update, delete, func, null, select, update
from sqlalchemy.exc import SQLAlchemyError

from app.freed_space import settle_sqlite
from app.idempotency import end_claims_of
from app.log_rows import Place, Selection, walk
from app.request_record import RequestRecord

log = logging.getLogger(__name__)

_MOST_ROWS = 200
_MOST_BYTES = 1 << 20
_EVERY_S = 600.0
_ANEW_S = 86_400.0
_REST = 4.0  # times as long as a batch took: the purge has a fifth of the time, requests have the rest
_ADVISORY_LOCK = 0x67617465  # "gate": any number that nobody else in the database takes


@dataclass(frozen=True, slots=True)
class Batch:
    """`rows` were changed; `last` is how far the walk has come."""

    rows: int
    last: Place


def delete_rows(engine: Engine, selection: Selection) -> Iterator[Batch]:
    """Removes them, a committed batch at a time."""
    for places in walk(engine, selection, _MOST_ROWS, _MOST_BYTES):
        yield _change(engine, delete(RequestRecord), places, end_claims_of)


def empty_payloads(engine: Engine, selection: Selection, after: Place | None = None) -> Iterator[Batch]:
    """Removes what was sent and answered, and keeps the rows; those up to `after` are known to be empty."""
    emptied = update(RequestRecord).values(inputs=null(), outputs=null(), answer=null())
    for places in walk(engine, selection, _MOST_ROWS, _MOST_BYTES, after):
        yield _change(engine, emptied, places)


def _change(
    engine: Engine, change: Delete | Update, places: list[Place], first: Callable[[Connection, list[Place]], None] | None = None
) -> Batch:
    request_ids = [place.request_id for place in places]
    with engine.begin() as connection:
        if engine.dialect.name == "sqlite":
            connection.exec_driver_sql("PRAGMA secure_delete=ON")
        if first:  # keys before rows, as a request that takes over a key does: in another order they could wait for each other
            first(connection, places)
        done = connection.execute(change.where(RequestRecord.request_id.in_(request_ids)))
        return Batch(done.rowcount, places[-1])


class Retention:
    """Removes what is older than it may be, at the start and every ten minutes, where a limit is set.

    Where payloads were emptied it looks again once a day: rows that waited in a spool come late. Several processes on one
    PostgreSQL take turns: whoever finds another at it leaves it to that one.
    """

    def __init__(
        self,
        engine: Engine,
        rows_days: int | None,
        payloads_days: int | None,
        every_s: float = _EVERY_S,
        anew_s: float = _ANEW_S,
    ) -> None:
        self._engine, self._every_s, self._anew_s = engine, every_s, anew_s
        self._rows_days, self._payloads_days = rows_days, payloads_days
        self._emptied: Place | None = None
        self._began_anew_s = perf_counter()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="retention", daemon=True)
        if rows_days is not None or payloads_days is not None:
            self._thread.start()

    def close(self) -> None:
        """Returns when the batch under way is done."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while True:
            try:
                with _alone(self._engine) as alone:
                    if alone:
                        self._purge(datetime.now(UTC))
            except SQLAlchemyError as error:
                log.warning("old rows could not be removed from the request log: %s", type(error).__name__)
            if self._ended.wait(self._every_s):
                return

    def _purge(self, now: datetime) -> None:
        rows = emptied = 0
        if self._rows_days is not None:
            until = now - timedelta(days=self._rows_days)
            rows = sum(batch.rows for batch in self._resting(delete_rows(self._engine, Selection(until=until))))
        if self._payloads_days is not None:
            if perf_counter() - self._began_anew_s > self._anew_s:
                self._emptied, self._began_anew_s = None, perf_counter()
            selection = Selection(until=now - timedelta(days=self._payloads_days), with_payloads=True)
            for batch in self._resting(empty_payloads(self._engine, selection, self._emptied)):
                self._emptied = batch.last  # rows come in the order of their time, so the next look begins here
                emptied += batch.rows
        if rows or emptied:
            settle_sqlite(self._engine)
            log.info("%d old rows of the request log removed, the payloads of %d emptied", rows, emptied)

    def _resting(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """With a pause behind each, which the end of the service cuts short."""
        started_s = perf_counter()
        for batch in batches:
            yield batch
            if self._ended.wait(_REST * (perf_counter() - started_s)):
                return
            started_s = perf_counter()


@contextmanager
def _alone(engine: Engine) -> Iterator[bool]:
    """Whether no other process is at it. SQLite has one serving process, so there is nobody to ask."""
    if engine.dialect.name != "postgresql":
        yield True
        return
    # Without a transaction, which would keep vacuum from what is removed meanwhile.
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        alone = bool(connection.scalar(select(func.pg_try_advisory_lock(_ADVISORY_LOCK))))
        try:
            yield alone
        finally:
            if alone:
                connection.execute(select(func.pg_advisory_unlock(_ADVISORY_LOCK)))
