"""Upkeep of the request log, in a thread of its own: what a crash or an outage left undone, once the database is there."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sqlalchemy import Connection, Engine, select, text, update

from app.backlog import Backlog, bring_strays_home
from app.freed_space import settle_sqlite
from app.idempotency import claimants, end_claims, forget
from app.presence import Presence
from app.request_record import RequestRecord
from app.row_store import STORE_FAULTS, RowStore, are_alive

log = logging.getLogger(__name__)

ENDED = "process_ended"
"""The error code of streams whose process ended within them."""

_EVERY_S = 1.0
_FORGET_EVERY_S = 60.0
_DOUBT_S = 3.0  # after the database was gone, others need so long at most to be connected again
_MOST_STATEMENT_S = 20.0
_OPEN = text("stream = 'started'")


class Upkeep:
    """Looks every second whether there is something to do."""

    def __init__(
        self,
        engine: Engine,
        process_id: int,
        folder: Path | None,
        backlog: Backlog | None,
        keep: timedelta,
        also: Callable[[], None],
    ) -> None:
        """`folder`: where rows may have been left behind; `also`: called every time, too.

        As long as its store is connected, which it sees to every second, others know that the process is alive.
        """
        self._engine, self._process_id, self._folder, self._backlog = engine, process_id, folder, backlog
        self._keep, self._also = keep, also
        self._presence: Presence | None = None
        self.store = RowStore(engine, _MOST_STATEMENT_S, process_id)
        self.bad = 0
        self._brought_strays = self._ended_the_dead = False
        self._missing: tuple[set[int], float] | None = None
        self._forgot_s = -float("inf")
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._work, name="request-log-upkeep", daemon=True)
        self._thread.start()

    def close(self, most_s: float) -> None:
        self._end.set()
        self._thread.join(most_s)

    def _work(self) -> None:
        said = ""
        while True:
            try:
                self._look()
                said = ""
            except (*STORE_FAULTS, OSError) as error:
                if type(error).__name__ != said:
                    said = type(error).__name__
                    log.warning("the request log's upkeep waits for the database: %s", getattr(error, "orig", error))
            self._also()
            if self._end.wait(_EVERY_S):
                break
        self.store.close()
        if self._presence:
            self._presence.end()

    def _look(self) -> None:
        self.store.ping()
        self._presence = self._presence or Presence(self._engine, self._process_id)
        if not self._brought_strays:
            if self._folder and self._folder.is_dir():
                self.bad += bring_strays_home(self._folder, self.store)
            self._brought_strays = True
        if not self._ended_the_dead:
            self._ended_the_dead = self.store.commit([], works=[self._end_what_the_dead_left]) == [True]
        if self._backlog and self._backlog.active:
            self.bad += self._backlog.bring_home(self.store)
        if time.monotonic() - self._forgot_s > _FORGET_EVERY_S:
            if self._forget():
                settle_sqlite(self._engine)
            self._forgot_s = time.monotonic()

    def _forget(self) -> int:
        """Old keys; how many. The end of the process cuts it short."""
        forgotten = 0
        while not self._end.is_set() and (now := self.store.commit([], works=[lambda each: forget(each, self._keep)])[0]):
            forgotten += now
        return forgotten

    def _end_what_the_dead_left(self, connection: Connection) -> bool:
        """Streams that are open and keys in flight, of processes that are no more. Whether it is done.

        Dead is who was missing at the first look and is missing still: it may just not be connected yet.
        """
        missing = self._who_is_missing(connection)
        at_first, looked_s = self._missing = self._missing or (missing, time.monotonic())
        dead = at_first & missing
        if not dead:
            return True
        if connection.dialect.name != "sqlite" and time.monotonic() - looked_s < _DOUBT_S:
            return False
        record = RequestRecord
        closed = connection.execute(
            update(record).where(_OPEN, record.process_id.in_(dead)).values(stream="failed", error_code=ENDED)
        )
        end_claims(connection, dead)
        log.warning("%d streams that a process left open when it ended are recorded as failed", closed.rowcount)
        return True

    def _who_is_missing(self, connection: Connection) -> set[int]:
        streaming = connection.scalars(select(RequestRecord.process_id).where(_OPEN).distinct())
        known = {process_id for process_id in (*streaming, *claimants(connection)) if process_id is not None}
        return known - are_alive(connection, sorted(known), self._process_id)
