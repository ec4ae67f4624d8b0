"""Waiting: what stands in the request log's line, and how whoever waits for it is told what came of it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from app.request_record import Row, size_bytes
from app.row_store import Work
from app.spool import Kind


class LogUnavailable(Exception):
    """The row could not be kept anywhere, or a record could not be read."""


@dataclass(eq=False, slots=True)
class Waiting:
    """A row, or something else to do within a commit; and the caller who waits for it, None where nobody does.

    `place` names what a work locks: where all processes go by it, none holds what another waits for.
    """

    item: Row | Work
    kind: Kind | Literal["work", "probe"]
    written: "asyncio.Future[Any] | None"
    place: str = ""
    given_up: bool = False

    @property
    def size_bytes(self) -> int:
        """About what a commit of it takes."""
        return size_bytes(self.item) if isinstance(self.item, dict) else 0

    def late(self) -> None:
        """From now on nobody waits. Called in the caller's loop."""
        self.given_up = True
        if self.written and not self.written.done():
            self.written.set_exception(LogUnavailable("no commit within the time allowed"))


def tell(group: Sequence[Waiting], result: Any) -> None:
    """Wakes the callers, a LogUnavailable is raised: one call into their loop for all, unless it has ended without waiting."""
    awaited = [waiting for waiting in group if waiting.written]
    if awaited and awaited[0].written:
        with suppress(RuntimeError):
            awaited[0].written.get_loop().call_soon_threadsafe(_settle, awaited, result)


def _settle(group: Sequence[Waiting], result: Any) -> None:
    for waiting in group:
        if waiting.written is None or waiting.written.done():
            continue
        if isinstance(result, LogUnavailable):
            waiting.written.set_exception(LogUnavailable(*result.args))
        else:
            waiting.written.set_result(result)
