"""Deadlines: calls those that are not done after a while, with one timer for all of them.

A timer for each, made and cancelled among many others, costs a request several times as much.
"""

import asyncio
from typing import Protocol


class Late(Protocol):
    """What may take too long."""

    def late(self) -> None: ...


class Deadlines:
    """Whatever is added has the same time, so that those added first are late first. For one event loop after another."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._since_s: dict[Late, float] = {}
        self._loop: asyncio.AbstractEventLoop | None = None  # in which the timer is set

    def add(self, one: Late, loop: asyncio.AbstractEventLoop) -> None:
        """Its time begins."""
        self._since_s[one] = loop.time()
        if self._loop is not loop:
            self._loop = loop
            loop.call_later(self._after_s, self._look, loop)

    def remove(self, one: Late) -> None:
        """It is done. Does nothing if it was late before."""
        self._since_s.pop(one, None)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        latest_s = loop.time() - self._after_s
        for one, since_s in [*self._since_s.items()]:
            if since_s > latest_s:
                loop.call_at(since_s + self._after_s, self._look, loop)
                return
            del self._since_s[one]
            one.late()
        self._loop = None
