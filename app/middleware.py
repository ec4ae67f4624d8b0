"""Around every request: its id, its bounded body, the one catch of the unforeseen, and its row before the answer leaves."""

import json
import logging

from fastapi.sse import format_sse_event
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.entry import Entry
from app.errors import BodyTooLarge, Refusal, refusal
from app.metrics import Metrics
from app.request_log import LogUnavailable, RequestLog
from app.settings import Settings
from app.tasks.task import InvalidInput

log = logging.getLogger(__name__)

_LOGGED = "/v1/"
_MOST_CLIENT_ID = 128


class Ledger:
    """Every HTTP answer carries X-Request-ID; those under /v1 leave only after their row is committed."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics
        self._most_bytes = settings.max_body_bytes
        self._payloads = settings.log_payloads == "on"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        entry = Entry.of(scope)
        scope.setdefault("state", {})["entry"] = entry
        reply = Reply(entry, send)
        try:
            entry.client_request_id = _client_request_id(Headers(scope=scope))
            entry.request_body = await _read_body(scope, receive, self._most_bytes)
            await self._app(scope, _replay(entry.request_body, receive), reply.send)
        except ClientDisconnect:
            log.info("request %s: the client went away", entry.request_id)
        except Exception as error:  # noqa: BLE001 - the one place: whatever it is, it is logged and answered
            await reply.refuse(_refused(error, entry))
        await self._finish(scope, reply)

    async def _finish(self, scope: Scope, reply: "Reply") -> None:
        """The row, then the answer: what left the house is in the database."""
        entry = reply.entry
        if not entry.status:
            return  # the client left before its request was whole: nobody is answered
        if entry.stream == "started":
            entry.stream = "finished" if reply.ended else "client_gone"
        if scope["path"].startswith(_LOGGED):
            request_log: RequestLog = scope["app"].state.house.request_log
            try:
                await request_log.write(entry.row(reply.outputs() if self._payloads else None))
            except LogUnavailable as error:
                await reply.refuse(_refused(error, entry))
        self._metrics.count(scope, entry)
        await reply.release()


class Reply:
    """An answer on its way out. It is held until `release`; of a stream, only the last piece is."""

    def __init__(self, entry: Entry, send: Send) -> None:
        self.entry, self._send = entry, send
        self._start: Message | None = None
        self._body = bytearray()
        self.ended = False

    async def send(self, message: Message) -> None:
        """What the application calls."""
        if message["type"] == "http.response.start":
            await self._begin(message)
            return
        body = message.get("body", b"")
        self.entry.response_bytes += len(body)
        self.ended = not message.get("more_body", False)
        if self.entry.stream and body:
            await self._send({"type": "http.response.body", "body": body, "more_body": True})
        elif not self.entry.stream:
            self._body += body

    async def refuse(self, refused: Refusal) -> None:
        """A problem document in place of what is held, or as one more event of a stream that has begun."""
        entry = self.entry
        entry.failed(refused.code)
        if entry.stream:
            entry.stream = "failed"
            data = json.dumps(refused.problem(entry.request_id).model_dump(exclude_none=True))
            await self.send({"type": "http.response.body", "body": format_sse_event(event="error", data_str=data)})
            return
        self._body.clear()
        entry.response_bytes = 0
        response = refused.response(entry.request_id)
        await self.send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        await self.send({"type": "http.response.body", "body": bytes(response.body)})

    def outputs(self) -> bytes:
        """What is kept of the answer: its body; of a stream, what the route made of it."""
        return self.entry.stream_summary if self.entry.stream else bytes(self._body)

    async def release(self) -> None:
        """Let the rest go; nothing, where the client left before the application had begun to answer."""
        if self.entry.stream:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        elif self._start:
            await self._send(self._start)
            await self._send({"type": "http.response.body", "body": bytes(self._body)})

    async def _begin(self, message: Message) -> None:
        entry, headers = self.entry, MutableHeaders(scope=message)
        headers["X-Request-ID"] = entry.request_id
        if entry.client_request_id:
            headers["X-Client-Request-Id"] = entry.client_request_id
        entry.status = message["status"]
        if headers.get("content-type", "").startswith("text/event-stream"):
            entry.stream = "started"
            await self._send(message)
        else:
            self._start = message


def _refused(error: Exception, entry: Entry) -> Refusal:
    refused = refusal(error)
    if refused.code == "internal_error":
        log.error("request %s failed", entry.request_id, exc_info=error)
    return refused


def _client_request_id(headers: Headers) -> str | None:
    """The caller's own id. Raises InvalidInput unless it is 1 to 128 printable ASCII characters."""
    given = headers.get("x-client-request-id")
    if given is None:
        return None
    if not (1 <= len(given) <= _MOST_CLIENT_ID and given.isascii() and given.isprintable()):
        raise InvalidInput(
            f"X-Client-Request-Id has {len(given)} characters, allowed are 1 to {_MOST_CLIENT_ID} of printable ASCII"
        )
    return given


async def _read_body(scope: Scope, receive: Receive, most_bytes: int) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as that is known, without reading the rest; ClientDisconnect."""
    declared = Headers(scope=scope).get("content-length", "0")
    if declared.isdecimal() and int(declared) > most_bytes:
        raise BodyTooLarge(most_bytes)
    body, more = bytearray(), True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > most_bytes:
            raise BodyTooLarge(most_bytes)
        more = message.get("more_body", False)
    return bytes(body)


def _replay(body: bytes, receive: Receive) -> Receive:
    """Hands the application the body that was read, then whatever comes: news that the client went away."""
    unread = [body]

    async def replay() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return replay
