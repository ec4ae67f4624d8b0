"""The Watch: looks whether the client is still there while its answer is being made, and cancels the work if not."""

import asyncio

from starlette.types import Receive

from app.entry import Entry

_AFTER_S = 0.5  # most requests are answered by then, and looking for their callers would only cost time


class Watch:
    """For the task that makes it."""

    def __init__(self, receive: Receive, entry: Entry) -> None:
        self._receive, self._entry = receive, entry
        self._timer: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        self._request = asyncio.current_task()
        self.gone = False

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_AFTER_S, self._begin)

    def stop(self) -> None:
        if self._timer:
            self._timer.cancel()
        if self._looking:
            self._looking.cancel()
        if self.gone and self._request:
            self._request.uncancel()

    def _begin(self) -> None:
        if not self._entry.stream:  # a stream looks by itself
            self._looking = asyncio.ensure_future(self._look())

    async def _look(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self._entry.status and self._request:
            self.gone = True
            self._request.cancel()
