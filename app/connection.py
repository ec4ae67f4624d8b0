"""A Connection: uvicorn's, which says when it is idle, bounds the head of a request and reads its body whatever is offered."""

from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.listening import Idle

_MOST_HEAD_BYTES = 65_536
_FRAMING = {b"content-length", b"transfer-encoding"}


class Connection(HttpToolsProtocol):
    """The lifespan makes the Idle that it says it to."""

    _in_head = False
    _head_bytes = 0
    _is_known = False  # the head that the parser reads

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._idle: Idle = self.app_state["idle"]
        self._under_way: set[Any] = set()
        self._idle.made(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._idle.end(self)
        self._idle.unread.forget(self)
        for cycle in self._under_way:  # uvicorn tells only the latest of those that came one upon another
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        self._read(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._idle.end(self)
        elif self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > _MOST_HEAD_BYTES:
                self.transport.close()

    def _read(self, data: bytes) -> None:
        """An offer to speak another protocol is ignored (RFC 9110, 7.8). Java's HttpClient makes one, of h2c, with a request's
        head; the parser takes what follows for that protocol, uvicorn for the next request."""
        while data:
            try:
                self.parser.feed_data(data)
                data = b""
            except httptools.HttpParserUpgrade as offer:
                data = self._head_of_the_body() + data[offer.args[0] :]
            except httptools.HttpParserError:
                self.send_400_response("Invalid HTTP request received.")
                return

    def _head_of_the_body(self) -> bytes:
        """For another parser, which reads what follows: all that it needs of a head is how long the body is."""
        framing = [b"%s: %s\r\n" % field for field in self.headers if field[0] in _FRAMING]
        self.parser, self._is_known = httptools.HttpRequestParser(self), True
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return b"".join([b"POST / HTTP/1.1\r\n", *framing, b"\r\n"])

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

    # What the parser calls, in this order. It sets no limit to a head.

    def on_message_begin(self) -> None:
        if not self._is_known:
            self._in_head, self._head_bytes = True, 0
            super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self._is_known:
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._is_known:
            super().on_header(name, value.rstrip(b" \t"))  # no part of it (RFC 9110, 5.5); the parser drops those before it

    def on_headers_complete(self) -> None:
        if self._is_known:
            self._is_known = False
            return
        self._in_head = False
        super().on_headers_complete()
        if self.cycle is not None:
            self._under_way.add(self.cycle)

    def on_message_complete(self) -> None:
        if not self.parser.should_upgrade():  # else its body is still to be read
            super().on_message_complete()
