"""The Backlog: what the spool holds, and its way into the database."""

import logging
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from app.request_record import size_bytes
from app.row_store import MOST_BYTES_A_COMMIT, MOST_ROWS_A_COMMIT, STORE_FAULTS, RowStore, is_outage
from app.spool import Spool, Spooled, left_behind, read

log = logging.getLogger(__name__)


class Backlog:
    """While it is `active`, rows go behind those that wait, so that all reach the database in the order of their answers."""

    def __init__(self, spool: Spool) -> None:
        self.spool = spool
        self.active = False
        self._lock = threading.Lock()

    def add(self, rows: Sequence[Spooled]) -> None:
        """On disk when it returns. Raises SpoolFull, OSError."""
        with self._lock:
            self.spool.add(rows)
            self.active = True

    def bring_home(self, store: RowStore) -> int:
        """Everything that waits; how many rows could not be stored, ever. Raises STORE_FAULTS if the database is not there."""
        bad = 0
        while (segment := self.spool.take()) is not None:
            bad += _bring(segment, store)
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
