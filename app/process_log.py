"""What the process says on standard error: its lines, as JSON or as text, written by a thread of their own.

A slow reader of standard error (a terminal, the log driver of a container) holds up no request: what cannot be written in
time is left out, and the next lines say how much.
"""

import logging
import os
import sys
import threading
import time
from collections import deque
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal

from pydantic_core import to_json

Form = Literal["json", "text"]

_MOST_WAITING = 10_000
_GATHER_S = 0.1  # under load, lines share a write
_MOST_WAIT_S = 0.5
# As much as a pipe takes in one piece: of several processes that share it, none writes into another's line.
_MOST_PIECE_BYTES = 4096
_EXTRA = ("request_id",)
"""Attributes of an ordinary record, given as `extra`, that its line shows."""
_NOT_FOR_PEOPLE = {"level", "logger", "message", "method", "path", "status"}
"""Fields of a request's line that its text says otherwise, or not."""


class JsonLine(logging.Formatter):
    """One object a line: `time` (UTC), `level`, `logger`, `message`, `pid`, and what else is known."""

    def __init__(self) -> None:
        super().__init__()
        self._pid = os.getpid()

    def format(self, record: logging.LogRecord) -> str:
        fields = {
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _clean(record.getMessage()),
            **{name: getattr(record, name, None) for name in _EXTRA},
        }
        if record.exc_info:
            fields["traceback"] = _clean(self.formatException(record.exc_info))
        return self.line(record.created, fields)

    def line(self, created: float, fields: dict[str, Any]) -> str:
        second, rest = divmod(created, 1)
        known = {name: value for name, value in fields.items() if value is not None}
        line = {"time": f"{_second(second)}.{int(1000 * rest):03}Z", "pid": self._pid, **known}
        return to_json(line).decode()


class TextLine(logging.Formatter):
    """For people: time (UTC), level, message; of a request, its fields as name=value."""

    def format(self, record: logging.LogRecord) -> str:
        line = f"{_second(record.created // 1)} {record.levelname:7} {_clean(record.getMessage())}"
        return f"{line}\n{_clean(self.formatException(record.exc_info))}" if record.exc_info else line

    def line(self, created: float, fields: dict[str, Any]) -> str:
        known = [f" {name}={value}" for name, value in fields.items() if value is not None and name not in _NOT_FOR_PEOPLE]
        return f"{_second(created // 1)} {fields['level'].upper():7} {fields['message']}{''.join(known)}"


class Lines(logging.Handler):
    """Hands lines to the thread that writes them.

    Lines of requests are left to it. Whoever says anything else waits until it is written, if that is soon: it may be the last
    that the process says.
    """

    of_this_process: "Lines | None" = None
    """Where requests are told of; None in a process that did not set up its log by `log_config`."""

    def __init__(self, form: Form) -> None:
        super().__init__()
        self._form = JsonLine() if form == "json" else TextLine()
        self.setFormatter(self._form)
        self._waiting: deque[tuple[float, dict[str, Any] | str, threading.Event | None]] = deque()
        self._left_out = 0
        self._some, self._hurry, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._stuck = False
        self._thread = threading.Thread(target=self._work, name="process-log", daemon=True)
        self._thread.start()
        Lines.of_this_process = self

    def createLock(self) -> None:  # noqa: N802 - the name is logging's
        """A deque needs none."""
        self.lock = None

    def tell(self, fields: dict[str, Any]) -> None:
        """A line of plain values, `level` and `message` among them; those that are None are left out."""
        if self._has_room():
            self._waiting.append((time.time(), fields, None))
            if not self._some.is_set():
                self._some.set()

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:  # noqa: BLE001 - logging's own rule: what cannot be said stops nobody
            self.handleError(record)
            return
        if self._has_room():
            written = threading.Event()
            self._waiting.append((record.created, line, written))
            self._hurry.set()
            self._some.set()
            if not self._stuck:
                self._stuck = not written.wait(_MOST_WAIT_S)

    def close(self) -> None:
        """Writes what waits, unless nobody reads it."""
        self._ended.set()
        self._hurry.set()
        self._some.set()
        self._thread.join(_MOST_WAIT_S)
        super().close()

    def _has_room(self) -> bool:
        if len(self._waiting) < _MOST_WAITING:
            return True
        self._left_out += 1
        return False

    def _work(self) -> None:
        while not (self._ended.is_set() and not self._waiting):
            self._some.wait()
            self._hurry.wait(_GATHER_S)
            self._some.clear()
            self._hurry.clear()
            self._write_all()

    def _write_all(self) -> None:
        said = [self._waiting.popleft() for _ in range(len(self._waiting))]
        lines = [what if isinstance(what, str) else self._form.line(created, what) for created, what, _ in said]
        left_out, self._left_out = self._left_out, 0
        if left_out:
            message = f"{left_out} lines were left out, as standard error was read too slowly"
            lines.append(self._form.line(time.time(), {"level": "warning", "logger": __name__, "message": message}))
        _write(lines)
        self._stuck = False
        for _, _, written in said:
            if written:
                written.set()


def log_config(form: Form | Literal["auto"]) -> dict[str, Any]:
    """For logging.config.dictConfig, in each process. `auto`: text at a terminal, else JSON."""
    form = form if form != "auto" else "text" if sys.stderr.isatty() else "json"
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {"lines": {"()": f"{__name__}.{Lines.__name__}", "form": form}},
        "root": {"level": "INFO", "handlers": ["lines"]},
        # It speaks at every look at the schema.
        "loggers": {"alembic": {"level": "WARNING"}},
    }


def _write(lines: list[str]) -> None:
    piece = b""
    for line in lines:
        encoded = line.encode() + b"\n"
        if len(piece) + len(encoded) > _MOST_PIECE_BYTES:
            _write_piece(piece)
            piece = b""
        piece += encoded
    _write_piece(piece)


def _write_piece(piece: bytes) -> None:
    try:
        while piece:
            piece = piece[os.write(2, piece) :]
    except OSError:
        return  # nobody reads it any more, and there is nowhere else to say so


@lru_cache(2)
def _second(created: float) -> str:
    return datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _clean(text: str) -> str:
    """What cannot be encoded, such as parts of a file's name, is shown as an escape."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
