"""Connections whose callers do not take what they asked for: they are ended, or bytes would wait for them without end.

A server that closes a connection lets what waits be sent first, so closing does not end these.
"""

import asyncio
import socket
import struct
from typing import Any

_LOOKS_A_TIMEOUT = 10
_RESET = struct.pack("ii", 1, 0)  # struct linger: zero seconds


class Unread:
    """The connections that had bytes left to send when last looked at, and how many."""

    def __init__(self, most_s: float) -> None:
        """`most_s`: so long nothing may have been taken."""
        self._most_s = most_s
        self._left: dict[Any, tuple[int, float]] = {}  # bytes, and since when
        self._looking = False

    def watch(self, connection: Any) -> None:
        """It has been written to. Does nothing if all was sent."""
        if not (left := _left(connection)):
            return
        loop: asyncio.AbstractEventLoop = connection.loop
        self._note(connection, left, loop.time())
        if not self._looking:
            self._looking = True
            loop.call_later(self._most_s / _LOOKS_A_TIMEOUT, self._look, loop)

    def longest(self) -> Any | None:
        """Which has taken nothing for longest."""
        return next(iter(self._left), None)

    def end(self, connection: Any) -> None:
        """At once: if something is left to send, neither this process nor the system goes on trying."""
        self.forget(connection)
        if not _left(connection):
            connection.transport.close()
            return
        connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.transport.abort()

    def forget(self, connection: Any) -> None:
        self._left.pop(connection, None)

    def _note(self, connection: Any, left: int, now_s: float) -> None:
        self.forget(connection)  # so that it is the last of them
        self._left[connection] = (left, now_s)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now_s = loop.time()
        for connection, (before, since_s) in [*self._left.items()]:
            left = _left(connection)
            if not left:
                self.forget(connection)
            elif left < before:
                self._note(connection, left, now_s)
            elif now_s - since_s > self._most_s:
                self.end(connection)
        self._looking = bool(self._left)
        if self._looking:
            loop.call_later(self._most_s / _LOOKS_A_TIMEOUT, self._look, loop)


def _left(connection: Any) -> int:
    try:
        left: int = connection.transport.get_write_buffer_size()
    except RuntimeError:  # uvloop's, of a transport that was ended a moment ago
        return 0
    return left
