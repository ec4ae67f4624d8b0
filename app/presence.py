"""Presence: that a process is at work on a SQLite file, by the lock of a file of its own beside it, NAME-PROCESS.lock.

On PostgreSQL the advisory lock of a connection says so. A file that nobody locks was left behind by a process that was killed.
"""

import os
from pathlib import Path

from sqlalchemy import Engine

from app.database import is_sqlite
from app.file_lock import locked


class Presence:
    """Of one process, until `end`. Files that others left behind are removed. Raises OSError."""

    def __init__(self, engine: Engine, process_id: int) -> None:
        self._path = _path(engine, process_id)
        self._file: int | None = None
        if self._path:
            for other in self._path.parent.glob(f"{_name(engine)}-{'[0-9a-f]' * 16}.lock"):
                _is_held(other)
            self._file = locked(self._path, wait=True)

    def end(self) -> None:
        if self._path and self._file is not None:
            self._path.unlink(missing_ok=True)
            os.close(self._file)
            self._file = None


def is_present(engine: Engine, process_id: int) -> bool:
    """Whether that process is at work on the engine's SQLite file."""
    path = _path(engine, process_id)
    return path is not None and path.exists() and _is_held(path)


def _name(engine: Engine) -> str:
    return Path(engine.url.database or "").name


def _path(engine: Engine, process_id: int) -> Path | None:
    database = engine.url.database
    if not is_sqlite(engine) or not database or database == ":memory:":
        return None
    return Path(database).with_name(f"{_name(engine)}-{process_id:016x}.lock")


def _is_held(path: Path) -> bool:
    """If not, it is removed."""
    file = locked(path, wait=False)
    if file is None:
        return True
    path.unlink(missing_ok=True)
    os.close(file)
    return False
