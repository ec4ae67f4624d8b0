"""The Backlog: what the spool holds, and its way into the database."""

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

from app.request_record import size_bytes
from app.row_store import MOST_BYTES_A_COMMIT, MOST_ROWS_A_COMMIT, STORE_FAULTS, RowStore, is_outage
from app.spool import Spool, Spooled, left_behind, read

log = logging.getLogger(__name__)

_MOST_PAUSE_S = 1.0


class Backlog:
    """While it is `active`, rows go behind those that wait, so that all reach the database in the order of their answers."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.active = False
        self._lock = threading.Lock()
        self._last = threading.Lock()  # held while the last rows are brought home

    def is_ahead(self) -> bool:
        """Whether new rows must go behind those that wait. While the last of these are brought, it says so a moment later:
        under load others would come behind them without end."""
        if self.active and self._last.acquire(timeout=_MOST_PAUSE_S):
            self._last.release()
        return self.active

    def add(self, rows: Sequence[Spooled]) -> None:
        """On disk when it returns. Raises SpoolFull, OSError."""
        with self._lock:
            self.spool.add(rows)
            self.active = True

    def bring_home(self, store: RowStore) -> int:
        """Everything that waits; how many rows could not be stored, ever. Raises STORE_FAULTS if the database is not there."""
        bad = 0
        while self.active:
            with self._last if self.spool.rows <= MOST_ROWS_A_COMMIT else nullcontext():
                bad += self._bring_oldest(store)
        return bad

    def _bring_oldest(self, store: RowStore) -> int:
        bad = 0
        if segment := self.spool.take():
            bad = _bring(segment, store)
            self.spool.done(segment)
        with self._lock:
            self.active = self.spool.rows > 0
        return bad


def bring_strays_home(folder: Path, store: RowStore) -> int:
    """Rows that processes left behind which have ended; as `bring_home`. What may not be read is named and left."""
    bad = 0
    with left_behind(folder) as segments:
        for segment in segments:
            try:
                bad += _bring(segment, store)
                segment.unlink()
            except OSError as error:
                log.error("%s: its rows are not brought into the database: %s", segment, error.strerror)
    return bad


def _bring(segment: Path, store: RowStore) -> int:
    """Rows of a segment that was brought before, wholly or in part, are not stored twice."""
    bad = sum(_store(group, store) for group in _groups(read(segment)))
    log.info("%s: its rows are in the database", segment)
    return bad


def _groups(rows: Iterable[Spooled]) -> Iterator[list[Spooled]]:
    """Each for one commit."""
    group, size = list[Spooled](), 0
    for kind, row in rows:
        group.append((kind, row))
        size += size_bytes(row)
        if len(group) == MOST_ROWS_A_COMMIT or size >= MOST_BYTES_A_COMMIT:
            yield group
            group, size = [], 0
    if group:
        yield group


def _store(group: list[Spooled], store: RowStore) -> int:
    """All at once; if one is bad, each alone."""
    try:
        store.commit([row for kind, row in group if kind == "row"], [row for kind, row in group if kind == "end"])
    except STORE_FAULTS as error:
        if is_outage(error):
            raise
        if len(group) > 1:
            return sum(_store([one], store) for one in group)
        log.error("a row of the spool cannot be stored: %s", error)
        return 1
    return 0
