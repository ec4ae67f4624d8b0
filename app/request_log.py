"""RequestLog: the one writer of the table of requests. An answer leaves when its row is on disk."""

import asyncio
import logging
import queue
import secrets
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from app.backlog import Backlog
from app.database import cut_shared, is_sqlite, migration_fault
from app.deadlines import Deadlines
from app.hold import Hold
from app.idempotency import Answer, Claim
from app.request_record import RequestRecord, Row
from app.row_store import MOST_BYTES_A_COMMIT, MOST_ROWS_A_COMMIT, STORE_FAULTS, RowStore, Work, is_outage, reason
from app.spool import Kind, Spool, SpoolFull
from app.upkeep import Upkeep
from app.waiting import LogUnavailable, Waiting, tell

log = logging.getLogger(__name__)

Mode = Literal["durable", "relaxed"]
"""Without a database, no answer; or answers whose rows wait in the spool."""
Place = Literal["durable", "spooled"]
"""Where a row is: committed in the database, or on disk in the spool."""

_MOST_WAIT_S = 5.0
_MOST_STORE_S = 4.0  # below what callers wait, so that they are told of what happened and not before it happens
_MOST_STORE_RELAXED_S = 1.5  # the spool is at hand
_MOST_UNAWAITED = 10_000
_READERS = 4
_WATCH_EVERY_S = 0.25
_WORK = {"work", "probe"}
_CLOSE = object()


class RequestLog:
    """One writer thread. All rows that wait are committed together, and `write` returns when its row is on disk."""

    def __init__(
        self,
        engine: Engine,
        spool_dir: Path | None = None,
        most_spool_bytes: int | None = None,
        keep: timedelta = timedelta(hours=24),
        inside: Callable[[], int] = int,
    ) -> None:
        """With `most_spool_bytes` it is relaxed; `keep` is how long an Idempotency-Key is known. Raises OSError for the folder.

        Rows that an earlier process left in the spool are brought home without it, too. `inside` says how many requests are
        being answered whose rows will come soon.
        """
        self._engine, self._keep = engine, keep
        self.process_id = secrets.randbits(63)
        self._line: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._hold = Hold(inside, self._line.put)
        self._deadlines = Deadlines(_MOST_WAIT_S)
        self._refused = 0
        self._broken: str | None = None
        relaxed = spool_dir is not None and most_spool_bytes is not None
        self.mode: Mode = "relaxed" if relaxed else "durable"
        self._backlog = Backlog(Spool(spool_dir, most_spool_bytes, self.process_id)) if relaxed else None  # type: ignore[arg-type]
        self._store = RowStore(engine, _MOST_STORE_RELAXED_S if relaxed else _MOST_STORE_S)
        self._undone: list[Waiting] = []
        self._readers = ThreadPoolExecutor(_READERS, "request-log-read")
        self._ended = threading.Event()
        self._upkeep = Upkeep(engine, self.process_id, spool_dir, self._backlog, keep, self._redo)
        self._thread = threading.Thread(target=self._work, name="request-log", daemon=True)
        self._thread.start()
        if not is_sqlite(engine):
            threading.Thread(target=self._watch, name="request-log-watch", daemon=True).start()

    @property
    def lost(self) -> int:
        """Rows that nobody waited for and that could not be written, and rows of the spool that no database would take."""
        return self._refused + self._upkeep.bad

    @property
    def spooled(self) -> int:
        """Rows that wait in this process's spool."""
        return self._backlog.spool.rows if self._backlog else 0

    async def write(self, row: Row, kind: Kind = "row") -> Place:
        """Returns once the row is on disk. `end` changes the row of a stream, which is there. Raises LogUnavailable."""
        place: Place = await self._done(row, kind)
        return place

    def record(self, row: Row, kind: Kind = "row") -> None:
        """Leaves the row to the writer without waiting: a refusal must be quick. `lost` counts rows that were not written."""
        if self._line.qsize() < _MOST_UNAWAITED:
            self._line.put(Waiting(row, kind, None))
        else:
            self._refused += 1

    async def claim(self, claim: Claim) -> Answer | None:
        """None: from now on the key is in flight, until its row is written or `release`. Else the answer to send again.

        Raises IdempotencyKeyReused, RequestInFlight, StreamNotReplayed, LogUnavailable.
        """
        found = await self._done(claim.made(self._keep), "work", claim.name)
        if isinstance(found, Exception):
            raise found
        answer: Answer | None = found
        return answer

    def release(self, claim: Claim) -> None:
        """The request was not answered: the key may come again, at the latest when the database does."""
        self._line.put(Waiting(claim.ended, "work", None, claim.name))

    async def change(self, work: Work, place: str) -> Any:
        """Something else to do within a commit, to what `place` names; what it returned. Raises LogUnavailable."""
        return await self._done(work, "work", place)

    async def read(self, request_id: str) -> RequestRecord | None:
        """As `find`, but after a few seconds without an answer it is LogUnavailable."""
        reading = asyncio.get_running_loop().run_in_executor(self._readers, self.find, request_id)
        try:
            return await asyncio.wait_for(reading, _MOST_WAIT_S)
        except TimeoutError as error:
            cut_shared(self._engine)
            raise LogUnavailable(f"no answer within {_MOST_WAIT_S} s") from error

    def find(self, request_id: str) -> RequestRecord | None:
        """The stored record, committed before its answer left. Raises LogUnavailable."""
        if "\0" in request_id:
            return None  # no text of PostgreSQL
        try:
            with Session(self._engine) as session:
                return session.get(RequestRecord, request_id)
        except SQLAlchemyError as error:
            raise LogUnavailable(type(error).__name__) from error

    async def fault(self) -> str | None:
        """Why rows cannot be written, or None. In relaxed mode they can without a database, as long as the spool has room."""
        reading = asyncio.get_running_loop().run_in_executor(self._readers, self._fault)
        try:
            return await asyncio.wait_for(reading, _MOST_WAIT_S)
        except TimeoutError:
            cut_shared(self._engine)
            return self._unless_spooled(f"the database does not answer within {_MOST_WAIT_S} s")

    def _fault(self) -> str | None:
        """It may be there and be read, but take no row: that is known from the last one."""
        try:
            if fault := migration_fault(self._engine):
                return fault
        except SQLAlchemyError as error:
            log.warning("the request log's database cannot be used: %s", error)
            return self._unless_spooled(f"the database cannot be used: {reason(error)}")
        return self._unless_spooled(f"rows cannot be written: {self._broken}") if self._broken else None

    def _unless_spooled(self, fault: str) -> str | None:
        if not self._backlog:
            return fault
        return f"{fault}, and the spool is full" if self._backlog.spool.is_full() else None

    def close(self) -> None:
        """Writes what waits, then lets go of the database."""
        self._hold.let_go()
        self._line.put(_CLOSE)
        self._thread.join(_MOST_WAIT_S)
        self._upkeep.close(_MOST_WAIT_S)
        self._ended.set()
        self._readers.shutdown(wait=False, cancel_futures=True)
        if self._backlog:
            self._backlog.spool.close()
        self._engine.dispose()
        cut_shared(self._engine)  # those that a reader still waits for

    async def _done(self, item: Row | Work, kind: Kind | Literal["work"], place: str = "") -> Any:
        loop = asyncio.get_running_loop()
        waiting = Waiting(item, kind, loop.create_future(), place)
        self._deadlines.add(waiting, loop)
        if kind == "work":
            self._line.put(waiting)
        else:
            self._hold.add(waiting, loop)
        try:
            return await waiting.written  # type: ignore[misc]
        finally:
            self._deadlines.remove(waiting)

    def _work(self) -> None:
        while (first := self._line.get()) is not _CLOSE:
            undone, self._undone = self._undone, []
            # Whoever gave up waiting was told that nothing is recorded, and nothing is.
            group = [waiting for waiting in [*undone, first, *self._more(first.size_bytes)] if not waiting.given_up]
            if group:
                self._commit(group)
        self._store.close()

    def _more(self, size_bytes: int) -> list[Waiting]:
        """What else waits by now and goes with a row of this size."""
        more: list[Waiting] = []
        while len(more) < MOST_ROWS_A_COMMIT - 1 and size_bytes < MOST_BYTES_A_COMMIT:
            try:
                item = self._line.get_nowait()
            except queue.Empty:
                break
            if item is _CLOSE:
                self._line.put(_CLOSE)
                break
            more.append(item)
            size_bytes += item.size_bytes
        return more

    def _commit(self, group: list[Waiting]) -> None:
        """All at once."""
        if self._backlog and self._backlog.is_ahead():
            self._spool(group, self._backlog, "the database is gone")
            return
        works = sorted((waiting for waiting in group if waiting.kind in _WORK), key=lambda waiting: waiting.place)
        try:
            done = self._store.commit(
                [waiting.item for waiting in group if waiting.kind == "row"],  # type: ignore[misc]
                [waiting.item for waiting in group if waiting.kind == "end"],  # type: ignore[misc]
                [waiting.item for waiting in works],  # type: ignore[misc]
            )
        except STORE_FAULTS as error:
            log.error("%d rows could not be committed: %s", len(group), reason(error))
            self._not_committed(group, error)
            return
        self._broken = None
        tell([waiting for waiting in group if waiting.kind not in _WORK], "durable")
        for waiting, result in zip(works, done, strict=True):
            tell([waiting], result)

    def _not_committed(self, group: list[Waiting], error: Exception) -> None:
        """If one of them is bad, each alone; if the database is gone, none: that takes long enough once."""
        if is_outage(error):
            self._broken = reason(error)
            if self._backlog:
                self._spool(group, self._backlog, self._broken)
            else:
                self._fail(group, self._broken)
        elif len(group) == 1:
            self._fail(group, reason(error))
        else:
            for one in group:
                self._commit([one])

    def _spool(self, group: list[Waiting], backlog: Backlog, fault: str) -> None:
        """Rows can wait; of other work, callers must know now what came of it."""
        rows = [waiting for waiting in group if waiting.kind not in _WORK]
        self._fail([waiting for waiting in group if waiting.kind in _WORK], fault)
        try:
            if rows:
                backlog.add([(waiting.kind, waiting.item) for waiting in rows])  # type: ignore[misc]
        except SpoolFull:
            self._fail(rows, f"{fault}, and the spool is full")
        except (OSError, ValueError, TypeError) as error:
            log.error("%d rows could not be spooled: %s", len(rows), error)
            if len(rows) > 1 and not isinstance(error, OSError):
                for one in rows:
                    self._spool([one], backlog, fault)
            else:
                self._fail(rows, f"{fault}, and the spool cannot be written")
        else:
            tell(rows, "spooled")

    def _fail(self, group: list[Waiting], fault: str) -> None:
        for waiting in group:
            if waiting.kind == "probe":
                continue
            if waiting.written is None and waiting.kind != "row" and len(self._undone) < _MOST_UNAWAITED:
                self._undone.append(waiting)
            elif waiting.written is None:
                self._refused += 1
        tell(group, LogUnavailable(fault))

    def _redo(self) -> None:
        """While rows cannot be written, one that does not stay is tried, whether anybody asks for something or not.

        With it goes what could not be done before and nobody waits for.
        """
        if (self._broken or self._undone) and self._line.empty():
            self._line.put(Waiting(self._probe, "probe", None))

    def _probe(self, connection: Connection) -> None:
        probe = Claim("probe", str(self.process_id), "", "", self.process_id)
        probe.made(self._keep)(connection)
        probe.ended(connection)

    def _watch(self) -> None:
        while not self._ended.wait(_WATCH_EVERY_S):
            self._store.cut_if_late()
            self._upkeep.store.cut_if_late()
