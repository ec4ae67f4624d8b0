"""The Spool: rows that wait in a local folder for a database that is gone, each on disk before it counts.

A process writes segments PROCESS-NUMBER.jsonl: a line for each row, with its length and its CRC-32 before it, so that a line
that was torn by a crash is known. While it lives it holds the lock of PROCESS.lock: what nobody locks was left behind, and
whoever finds it first brings it home.
"""

import errno
import json
import logging
import os
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Literal

from app.file_lock import locked
from app.request_record import Row

log = logging.getLogger(__name__)

Kind = Literal["row", "end"]
"""A row to insert, or what changes in the row of a stream that ended."""
Spooled = tuple[Kind, Row]

_A_FEW_ROWS_BYTES = 64 * 1024


class SpoolFull(Exception):
    """The rows that wait take all the bytes that they may."""


class Spool:
    """That of one process. Any thread may use it."""

    def __init__(self, folder: Path, most_bytes: int, process_id: int) -> None:
        """Raises OSError if the folder cannot be written."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._most_bytes, self._name = folder, most_bytes, f"{process_id:016x}"
        self._lock = threading.Lock()
        self._number = 0
        self._segment: IO[bytes] | None = None
        self._sizes: dict[Path, int] = {}
        self._rows: dict[Path, int] = {}
        self._refused = False  # the last rows, for want of room
        self._failed = False  # to write the last rows, as where the disk is full
        self._own = locked(folder / f"{self._name}.lock", wait=True)

    @property
    def rows(self) -> int:
        """How many wait."""
        return sum(self._rows.values())

    @property
    def size_bytes(self) -> int:
        return sum(self._sizes.values())

    def is_full(self) -> bool:
        """Whether the next rows are likely to be refused."""
        return self._refused or (self._failed and not self._takes_bytes())

    def add(self, rows: Sequence[Spooled]) -> None:
        """All of them, on disk when it returns. Raises SpoolFull, OSError; then none of them."""
        text = b"".join(_line(kind, row) for kind, row in rows)
        with self._lock:
            self._refused = self.size_bytes + len(text) > self._most_bytes
            if self._refused:
                raise SpoolFull
            self._failed = True
            segment = self._segment or self._begin()
            path = Path(segment.name)
            try:
                _write(segment, text)
            except OSError:
                try:
                    os.truncate(path, self._sizes[path])
                    segment.seek(self._sizes[path])
                except OSError:  # its last line stays torn, so nothing may follow it
                    segment.close()
                    self._segment = None
                raise
            self._failed = False
            self._sizes[path] += len(text)
            self._rows[path] += len(rows)

    def take(self) -> Path | None:
        """The oldest segment, to which nothing is added any more; None if no row waits."""
        with self._lock:
            if self._segment and len(self._sizes) == 1:
                self._segment.close()
                self._segment = None
            return min(self._sizes, default=None)

    def done(self, segment: Path) -> None:
        """Its rows are in the database."""
        with self._lock:
            segment.unlink()
            self._refused = False
            del self._sizes[segment], self._rows[segment]

    def close(self) -> None:
        """Rows that still wait are left for the next process."""
        if self._segment:
            self._segment.close()
        if not self._rows:
            (self._folder / f"{self._name}.lock").unlink(missing_ok=True)
        if self._own is not None:
            os.close(self._own)
            self._own = None

    def _takes_bytes(self) -> bool:
        """Tried, because nobody sends rows any more to a service that has said that it cannot keep them."""
        try:
            with TemporaryFile(dir=self._folder, buffering=0) as file:
                _write(file, bytes(_A_FEW_ROWS_BYTES))
        except OSError:
            return False
        return True

    def _begin(self) -> IO[bytes]:
        self._number += 1
        path = self._folder / f"{self._name}-{self._number:08d}.jsonl"
        self._segment = path.open("xb", buffering=0)
        self._sizes[path] = self._rows[path] = 0
        _flush_folder(self._folder)
        return self._segment


def read(segment: Path) -> Iterator[Spooled]:
    """Its rows in order; a line that is torn or damaged is left out."""
    with segment.open("rb") as file:
        for number, line in enumerate(file, 1):
            size, _, rest = line.partition(b" ")
            check, _, text = rest.partition(b" ")
            text = text.removesuffix(b"\n")
            if size != b"%d" % len(text) or check != b"%08x" % zlib.crc32(text):
                log.error("%s: line %d is damaged and left out", segment, number)
                continue
            kind, row = json.loads(text)
            if "time" in row:
                row["time"] = datetime.fromisoformat(row["time"])
            yield kind, row


@contextmanager
def left_behind(folder: Path) -> Iterator[list[Path]]:
    """The segments of processes that have ended, in order, for nobody else as long as this lasts. Unlink what is done."""
    held: list[tuple[Path, int]] = []
    try:
        for lock in sorted(folder.glob("*.lock")):
            try:
                file = locked(lock, wait=False)
            except OSError as error:  # another user's, perhaps
                log.error("%s: what it may hold is not brought into the database: %s", lock, error.strerror)
                continue
            held += [] if file is None else [(lock, file)]
        yield sorted(segment for lock, _ in held for segment in folder.glob(f"{lock.stem}-*.jsonl"))
    finally:
        for lock, file in held:
            if not any(folder.glob(f"{lock.stem}-*.jsonl")):
                lock.unlink(missing_ok=True)
            os.close(file)


def _write(segment: IO[bytes], text: bytes) -> None:
    """Raises OSError, also where a part of it was written."""
    if segment.write(text) < len(text):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    os.fsync(segment.fileno())


def _line(kind: Kind, row: Row) -> bytes:
    text = json.dumps([kind, row], default=str, allow_nan=False).encode()
    return b"%d %08x %b\n" % (len(text), zlib.crc32(text), text)


def _flush_folder(folder: Path) -> None:
    """So that a new file's name outlives a crash, too."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
