"""What survives a kill: OUTPUT.parts/ beside the output, with one file for every window that is done.

A part is written under another name, flushed to the disk and renamed; its name says how far in the input it goes. So every
row is in a part or is not, and a run that starts again goes on behind the last part. At the end the parts are joined, and the
whole file takes its name in one step. `run.json` says whose the parts are; it is there before the first and goes before them.
"""

import contextlib
import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.bulk.rows import BulkError

_RUN, _LOCK, _NEW = "run.json", "lock", "new"
_NAME = re.compile(r"([0-9]{9})-([0-9]+)-([0-9]+)-([0-9]+)")


@dataclass(frozen=True)
class Progress:
    """`last_row` of the input that is done; rows of the output with an answer and with an error."""

    last_row: int = 0
    scored: int = 0
    faulty: int = 0


class Parts:
    """Of one output; only one process at a time may hold them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: list[Path] = []
        self.progress = Progress()

    def commit(self, write: Callable[[Path], None], last_row: int, scored: int, faulty: int) -> None:
        """Add a part, which `write` makes at the path it is given."""
        done = self.progress
        self.progress = Progress(last_row, done.scored + scored, done.faulty + faulty)
        part = self._folder / f"{len(self._files):09d}-{last_row}-{scored}-{faulty}"
        self._write(part, write)
        self._files.append(part)

    def finish(self, output: Path, join: Callable[[Sequence[Path], Path], None]) -> None:
        """Put the whole in its place and remove the parts."""
        self._write(output, lambda path: join(self._files, path))
        self._clear()
        (self._folder / _LOCK).unlink()
        with contextlib.suppress(OSError):  # somebody else's file in it
            self._folder.rmdir()

    def begin(self, run: dict[str, Any], fresh: bool) -> None:
        """Take over the parts of an earlier run like this one. Raises BulkError if they are of another and not to go."""
        try:
            before: dict[str, Any] | None = json.loads((self._folder / _RUN).read_text("utf-8"))
        except FileNotFoundError:
            before = None
        if before != run and before is not None and not fresh:
            changed = [
                f"{name} was {before.get(name)!r}, is {value!r}" for name, value in run.items() if before.get(name) != value
            ]
            raise BulkError(f"{self._folder} is from another run ({'; '.join(changed)}); --fresh starts over")
        if fresh or before is None:
            self._clear()
            self._write(self._folder / _RUN, lambda path: _text(path, json.dumps(run, indent=2)))
        self._resume()

    def _resume(self) -> None:
        for file in sorted(path for path in self._folder.iterdir() if _NAME.fullmatch(path.name)):
            number, last_row, scored, faulty = map(int, file.name.split("-"))
            if number != len(self._files):
                raise BulkError(f"{self._folder}: part {len(self._files)} is gone; --fresh starts over")
            self._files.append(file)
            self.progress = Progress(last_row, self.progress.scored + scored, self.progress.faulty + faulty)

    def _write(self, path: Path, write: Callable[[Path], None]) -> None:
        """In one step, and on the disk when this returns."""
        new = self._folder / _NEW
        write(new)
        with new.open("rb") as file:
            os.fsync(file.fileno())
        new.replace(path)
        _sync(path.parent)

    def _clear(self) -> None:
        """Remove what a run leaves, and nothing else."""
        (self._folder / _RUN).unlink(missing_ok=True)
        for file in list(self._folder.iterdir()):
            if file.name == _NEW or _NAME.fullmatch(file.name):
                file.unlink()


@contextlib.contextmanager
def open_parts(output: Path, run: dict[str, Any], fresh: bool) -> Iterator[Parts]:
    """Those of an earlier run like this one, or none. Raises BulkError if there are others and `fresh` is not asked for."""
    folder = output.with_name(output.name + ".parts")
    folder.mkdir(exist_ok=True)
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system lets go of it when the process dies
        except BlockingIOError:
            raise BulkError(f"{folder} is in use by another run") from None
        parts = Parts(folder)
        parts.begin(run, fresh)
        yield parts


def _text(path: Path, text: str) -> None:
    path.write_text(text, "utf-8")


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
