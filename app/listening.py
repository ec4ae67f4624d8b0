"""How the service listens: on which addresses it may, and for how long a connection may stay without asking or taking anything.

uvicorn closes a connection that is silent between two requests, but lets one that never completes the head of a request stay
for good, and its `limit_concurrency` refuses callers when others hold connections. Here idle connections give way instead.
"""

import asyncio
import sys
from ipaddress import ip_address
from typing import Any

from app.settings import Settings
from app.unread import Unread

if sys.platform != "win32":
    import resource

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


# By its name, which other processes understand, too.
OPTIONS: dict[str, Any] = {"http": "app.connection:Connection", "ws": "none", "server_header": False}
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
