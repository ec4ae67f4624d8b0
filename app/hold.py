"""The Hold: rows on their way to the writer, kept back for moments while many more are about to come."""

import asyncio
from collections.abc import Callable
from typing import Any

from app.waiting import Waiting

SIBLINGS = 16
SHARE = 0.5
MOST_S = 0.03
PAUSE_S = 0.25


class Hold:
    """Of many requests inside, half are committed together: a row costs a third less then than with the few of one pass.

    So PostgreSQL itself does with commit_delay and commit_siblings, and here SQLite gets the same. Where answers come too
    slowly for that, as those to long texts, nothing is gained, and rows are let through until it is tried again.
    """

    def __init__(self, inside: Callable[[], int], put: Callable[[Waiting], Any]) -> None:
        """`inside`: how many requests are being answered, those that wait for a commit counted; `put` hands to the writer."""
        self._inside, self._put = inside, put
        self._held: list[Waiting] = []
        self._timer: asyncio.TimerHandle | None = None
        self._open_until_s = 0.0

    def add(self, waiting: Waiting, loop: asyncio.AbstractEventLoop) -> None:
        """It is with the writer at once where fewer than SIBLINGS are inside, and else after MOST_S at the latest."""
        self._held.append(waiting)
        inside = self._inside()
        if inside < SIBLINGS or len(self._held) >= SHARE * inside or loop.time() < self._open_until_s:
            self.let_go()
        elif self._timer is None:
            self._timer = loop.call_later(MOST_S, self._give_up, loop)

    def _give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        self._open_until_s = loop.time() + PAUSE_S
        self.let_go()

    def let_go(self) -> None:
        """All that is held is with the writer."""
        if self._timer:
            self._timer.cancel()
        held, self._held, self._timer = self._held, [], None
        for waiting in held:
            self._put(waiting)
