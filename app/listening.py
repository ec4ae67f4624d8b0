"""How the service listens: on which addresses it may, and for how long a connection may stay without asking or taking anything.

uvicorn closes a connection that is silent between two requests, but lets one that never completes the head of a request stay
for good, and its `limit_concurrency` refuses callers when others hold connections. Here idle connections give way instead.
"""

import asyncio
import sys
from ipaddress import ip_address
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

from app.settings import Settings
from app.unread import Unread

if sys.platform != "win32":
    import resource

_MOST_HEAD_BYTES = 65_536
_SWEEPS_A_TIMEOUT = 10
_FILES_FOR_THE_REST = 128  # of the files that a process may hold open: the database, the models, the program itself


class OpenAddress(ValueError):
    """Everybody in the network could use the service."""

    def __init__(self, host: str) -> None:
        super().__init__(
            f"without API keys the service listens on loopback only, not on {host!r}: set GATEHOUSE_AUTH=keys (and make a key "
            "with `gatehouse keys create`), or GATEHOUSE_ALLOW_OPEN=on if something before it decides who may call"
        )


def check_address(host: str, settings: Settings) -> None:
    """Raises OpenAddress."""
    if settings.auth == "off" and settings.allow_open == "off" and not _is_loopback(host):
        raise OpenAddress(host)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Idle:
    """The connections that have no request under way, the longest idle first."""

    def __init__(self, settings: Settings) -> None:
        self._timeout_s, self._most = settings.header_timeout_s, _connections(settings.max_connections)
        self._since_s: dict[Any, float] = {}
        self._sweeping = False
        self.unread = Unread(settings.send_timeout_s)

    def made(self, connection: Any) -> None:
        """A new connection: if it is one too many, the longest idle goes, or who does not read, or itself."""
        self.begin(connection)
        if len(connection.connections) > self._most:
            longest = next(iter(self._since_s))
            if longest is connection:
                longest = self.unread.longest() or connection
            self.end(longest)
            self.unread.end(longest)  # closing would wait until its last answer is read

    def begin(self, connection: Any) -> None:
        """No request is under way now; if none was before, it goes on being idle from when it began to be."""
        loop = connection.loop
        self._since_s.setdefault(connection, loop.time())
        if not self._sweeping:
            self._sweeping = True
            loop.call_later(self._timeout_s / _SWEEPS_A_TIMEOUT, self._sweep, loop)

    def end(self, connection: Any) -> None:
        self._since_s.pop(connection, None)

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        oldest_s = loop.time() - self._timeout_s
        for connection, since_s in [*self._since_s.items()]:
            if since_s > oldest_s:
                break
            self.end(connection)
            connection.transport.close()
        self._sweeping = bool(self._since_s)
        if self._sweeping:
            loop.call_later(self._timeout_s / _SWEEPS_A_TIMEOUT, self._sweep, loop)


# Any: uvicorn's two protocols have in common what is used here, but no class that says so.
_Protocol: Any = AutoHTTPProtocol


class Connection(_Protocol):  # type: ignore[misc]
    """uvicorn's own protocol, whichever it has, that also says when it is idle. The lifespan makes the Idle it says it to."""

    _in_head = False
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._idle: Idle = self.app_state["idle"]
        self._under_way: set[Any] = set()
        self._idle.made(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._idle.end(self)
        self._idle.unread.forget(self)
        for cycle in self._under_way:  # uvicorn tells only the latest of those that came one upon another
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._idle.end(self)
        elif self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > _MOST_HEAD_BYTES:
                self.transport.close()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._under_way = {cycle for cycle in self._under_way if not cycle.response_complete}
        self._idle.unread.watch(self)
        if self.cycle.response_complete and not self.transport.is_closing():
            self._idle.begin(self)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._idle.unread.watch(self)

    def resume_writing(self) -> None:
        """When a connection is ended, uvloop says that of what it threw away: who waits is woken by `connection_lost`."""
        if not self.transport.is_closing():
            super().resume_writing()

    # What httptools calls, which sets no limit to a head; h11 has one, of 16 KiB, and does not call these.

    def on_message_begin(self) -> None:
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head = False
        super().on_headers_complete()
        if self.cycle is not None:
            self._under_way.add(self.cycle)


# By its name, which other processes understand, too.
OPTIONS: dict[str, Any] = {"http": f"{__name__}:{Connection.__name__}", "ws": "none", "server_header": False}
"""What `uvicorn.Config` is to be told beyond its defaults."""


def _connections(wanted: int) -> int:
    """How many of these the system lets this process hold, after asking it for as many."""
    if sys.platform == "win32":
        return wanted  # there is no such limit
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + _FILES_FOR_THE_REST
    if allowed != resource.RLIM_INFINITY and allowed < needed:
        allowed = needed if most == resource.RLIM_INFINITY else min(needed, most)
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, most))
        except (ValueError, OSError):  # some systems name a limit that they do not grant
            allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return wanted if allowed == resource.RLIM_INFINITY else max(1, min(wanted, allowed - _FILES_FOR_THE_REST))
