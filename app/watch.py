"""The Watch: looks whether the client is still there while its answer is being made, and cancels the work if not."""

import asyncio

from starlette.types import Receive

from app.deadlines import Deadlines
from app.entry import Entry

LOOK_AFTER_S = 0.5
"""Most requests are answered by then, and looking for their callers would only cost time."""


class Watch:
    """For the task that makes it."""

    def __init__(self, receive: Receive, entry: Entry, deadlines: Deadlines) -> None:
        """`deadlines`: of all watches, LOOK_AFTER_S long."""
        self._receive, self._entry, self._deadlines = receive, entry, deadlines
        self._looking: asyncio.Task[None] | None = None
        self._request = asyncio.current_task()
        self.gone = False

    def start(self) -> None:
        self._deadlines.add(self, asyncio.get_running_loop())

    def stop(self) -> None:
        self._deadlines.remove(self)
        if self._looking:
            self._looking.cancel()
        if self.gone and self._request:
            self._request.uncancel()

    def late(self) -> None:
        if not self._entry.stream:  # a stream looks by itself
            self._looking = asyncio.ensure_future(self._look())

    async def _look(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self._entry.status and self._request:
            self.gone = True
            self._request.cancel()
