"""A Reply: an answer on its way out."""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi.sse import format_sse_event
from starlette.types import Message, Send

from app.entry import Entry
from app.errors import Refusal
from app.idempotency import Answer
from app.request_log import Place
from app.waiting import LogUnavailable

REPLAYED = (b"idempotent-replayed", b"true")


class Reply:
    """It is held until `release`; of a stream, only its last event is, and its first waits for `begin_stream`."""

    def __init__(self, entry: Entry, send: Send, begin_stream: Callable[[Entry], Awaitable[Place]]) -> None:
        self.entry, self._send, self._begin_stream = entry, send, begin_stream
        self._start: Message | None = None
        self._own_headers: list[tuple[bytes, bytes]] = []
        self._body = bytearray()
        self.ended = False

    async def send(self, message: Message) -> None:
        """What the application calls. Raises LogUnavailable for a stream that cannot be recorded."""
        if message["type"] == "http.response.start":
            await self._begin(message)
            return
        body = message.get("body", b"")
        self.entry.response_bytes += len(body)
        self.ended = not message.get("more_body", False)
        if self.entry.stream and not self.entry.stream_summary:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
        else:
            self._body += body

    async def refuse(self, refused: Refusal) -> None:
        """A problem document in place of what is held, or as one more event of a stream that has begun."""
        entry = self.entry
        entry.failed(refused.code)
        self._body.clear()
        if entry.stream:
            entry.stream = "failed"
            data = json.dumps(refused.problem(entry.request_id).model_dump(exclude_none=True))
            await self.send({"type": "http.response.body", "body": format_sse_event(event="error", data_str=data)})
            return
        entry.response_bytes = 0
        response = refused.response(entry)
        await self.send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        await self.send({"type": "http.response.body", "body": bytes(response.body)})

    async def replay(self, answer: Answer) -> None:
        """The answer that the same request got before."""
        self.entry.replay_of, self.entry.error_code = answer.request_id, answer.error_code
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in answer.stored["headers"]]
        body = answer.stored["body"]
        content = base64.b64decode(body) if answer.stored["base64"] else body.encode()
        await self.send({"type": "http.response.start", "status": answer.status, "headers": [*headers, REPLAYED]})
        await self.send({"type": "http.response.body", "body": content})

    def kept(self) -> dict[str, Any]:
        """All that `replay` needs, as JSON."""
        headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in self._own_headers]
        try:
            return {"headers": headers, "body": self._body.decode(), "base64": False}
        except UnicodeDecodeError:
            return {"headers": headers, "body": base64.b64encode(self._body).decode(), "base64": True}

    def outputs(self) -> bytes:
        """What is logged of the answer: its body; of a stream, what the route made of it."""
        return self.entry.stream_summary if self.entry.stream else bytes(self._body)

    def mark(self, place: Place) -> None:
        """Says in the answer where its row is."""
        if self._start:
            self._start["headers"].append(_marked(place))

    async def release(self, before_end: Callable[[], Awaitable[None]] | None = None) -> None:
        """Let the rest go; nothing, where the client left before the application had begun to answer.

        `before_end` is done when all is sent and the connection not yet closed, if it is to be.
        """
        if self.entry.stream:
            await self._send({"type": "http.response.body", "body": bytes(self._body), "more_body": False})
        elif self._start:
            await self._send(self._start)
            if before_end:
                await self._send({"type": "http.response.body", "body": bytes(self._body), "more_body": True})
                self._body.clear()
                await before_end()
            await self._send({"type": "http.response.body", "body": bytes(self._body)})

    async def _begin(self, message: Message) -> None:
        entry, own = self.entry, message["headers"]
        if entry.claim:
            self._own_headers = [*own]
        headers = message["headers"] = [*own, (b"x-request-id", entry.request_id.encode()), *entry.headers]
        if entry.client_request_id:
            headers.append((b"x-client-request-id", entry.client_request_id.encode()))
        entry.status = message["status"]
        if not any(name == b"content-type" and value.startswith(b"text/event-stream") for name, value in own):
            self._start = message
            return
        entry.stream = "started"
        try:
            headers.append(_marked(await self._begin_stream(entry)))
        except LogUnavailable:
            entry.stream, entry.status = None, 0
            raise
        await self._send(message)


def _marked(place: Place) -> tuple[bytes, bytes]:
    return b"x-gatehouse-log", place.encode()
