"""Around every request: its id, its place in the line, its bounded body, the one catch of the unforeseen, and its row before
the answer leaves."""

import asyncio
import logging
from functools import partial
from time import perf_counter
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from app import access_line
from app.bodies import again, let_by, read_body
from app.deadlines import Deadlines
from app.door import RECORDS, Door
from app.entry import Entry
from app.errors import BodyTimeout, BodyTooLarge, Refusal, refusal
from app.gate import Gate
from app.house import House
from app.idempotency import (
    Answer,
    Claim,
    IdempotencyKeyReused,
    RequestInFlight,
    StreamNotReplayed,
    fingerprint,
    given_key,
)
from app.metrics import Metrics
from app.paths import is_logged, task_of
from app.payloads import Payloads
from app.reply import Reply
from app.request_log import Place
from app.routes.json_route import JsonRoute
from app.settings import Settings
from app.tasks.task import InvalidInput
from app.upkeep import ENDED
from app.waiting import LogUnavailable
from app.watch import LOOK_AFTER_S, Watch

if TYPE_CHECKING:
    from app.spans import Spans  # which needs an extra

log = logging.getLogger(__name__)

_MOST_CLIENT_ID = 128
_MOST_FEEDBACK_BYTES = 16_384  # a sentence at most; the framework takes seconds to refuse a megabyte of it
_QUICK = {"overloaded", "rate_limited", "keys_unavailable"}


class Ledger:
    """Every HTTP answer carries X-Request-ID; those that are logged leave only after their row is on disk."""

    def __init__(
        self, app: ASGIApp, settings: Settings, metrics: Metrics, spans: "Spans | None", direct: dict[str, JsonRoute]
    ) -> None:
        """`direct`: path -> the operation that is called without the application's layers between."""
        self._app, self._metrics, self._spans, self._direct = app, metrics, spans, direct
        self._most_bytes = settings.max_body_bytes
        self._body_timeout_s = settings.body_timeout_s
        self._door = Door(settings)
        self._deadlines = Deadlines(LOOK_AFTER_S)
        self._lines = settings.access_log == "on"
        self._payloads = None if settings.log_payloads == "off" else Payloads(settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        entry = Entry.of(scope)
        if scope["method"] == "HEAD":
            # Answered alike (RFC 9110); the server, which keeps the scope as it was, leaves out the body.
            scope = dict(scope, method="GET")
        entry.task = _asked(scope)
        if scope["method"] == "POST" and (route := self._direct.get(scope["path"])):
            scope["route"] = route  # also for what is refused before it gets there
        scope.setdefault("state", {})["entry"] = entry
        try:
            await self._respond(scope, receive, Reply(entry, send, partial(self._begin_stream, scope)))
        finally:
            if entry.claim and not entry.keeps_claim:
                _house(scope).request_log.release(entry.claim)
            trace_id = self._spans.record(scope, entry) if self._spans else None
            if self._lines:
                access_line.say(entry, trace_id)

    async def _respond(self, scope: Scope, receive: Receive, reply: Reply) -> None:
        entry = reply.entry
        gate = _house(scope).gates[entry.task] if entry.task else None
        try:
            before = await self._let_in(scope, receive, entry, gate)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - refused before any work
            await reply.refuse(_refused(error, entry))
            await self._finish(scope, reply)
            await reply.release(partial(let_by, receive) if isinstance(error, BodyTooLarge) else None)
            return
        if before:
            await reply.replay(before)
            await self._finish(scope, reply)
            await reply.release()
            return
        try:
            await self._answer(scope, receive, reply)
            await self._finish(scope, reply)
        finally:
            if gate:
                gate.leave()
        await reply.release()  # outside: whoever does not read his answer keeps nobody else out

    async def _let_in(self, scope: Scope, receive: Receive, entry: Entry, gate: Gate | None) -> Answer | None:
        """Everything that can refuse before any work, the cheapest first; then the body. Raises what refuses.

        A place behind the gate is taken when the body is there: whoever sends slowly keeps nobody out. None is taken for a
        request that was answered before; that answer is returned.
        """
        headers = dict(scope["headers"])
        try:
            entry.client_request_id = _client_request_id(scope["headers"])
        finally:  # with the headers of every answer, and whoever may not call is told nothing else
            await self._door.admit(scope, entry)
        key = given_key(scope["headers"]) if gate and b"idempotency-key" in headers else None
        if gate:
            gate.check()
        try:
            async with asyncio.timeout(self._body_timeout_s):
                entry.request_body = await read_body(headers, receive, self._most_of(scope["path"]))
        except TimeoutError as error:
            raise BodyTimeout(self._body_timeout_s) from error
        if key and (before := await _claim(scope, entry, key)):
            return before
        if gate:
            gate.enter()
        return None

    def _most_of(self, path: str) -> int:
        """Bytes of a body."""
        return min(self._most_bytes, _MOST_FEEDBACK_BYTES) if path.startswith(RECORDS) else self._most_bytes

    async def _answer(self, scope: Scope, receive: Receive, reply: Reply) -> None:
        """Whatever the application says, held in `reply`."""
        entry, watch = reply.entry, Watch(receive, reply.entry, self._deadlines)
        try:
            watch.start()
            if route := scope.get("route"):
                # Nothing that the framework's inner layers do is needed here, and together they cost as much as a short text.
                response = await route.answer(Request(scope))
                await response(scope, receive, reply.send)
            else:
                await self._app(scope, again(entry.request_body, receive), reply.send)
        except ClientDisconnect:
            pass  # its line says so
        except asyncio.CancelledError:
            if not watch.gone:
                self._cut(_house(scope), reply)
                raise
            self._metrics.abandoned.inc()
        except Exception as error:  # noqa: BLE001 - the one place: whatever it is, it is logged and answered
            await reply.refuse(_refused(error, entry))
        finally:
            watch.stop()

    async def _finish(self, scope: Scope, reply: Reply) -> None:
        """The row, before the answer: what leaves the house is in the database."""
        entry = reply.entry
        if not entry.status:
            return  # the client left before its answer had begun: nobody is answered
        if entry.stream == "started":
            entry.stream = "finished" if reply.ended else "client_gone"
        if entry.stream:
            await self._record_end(_house(scope), reply)
        elif is_logged(scope["path"]):
            await self._record(_house(scope), reply)
        self._metrics.count(scope, entry)

    async def _record(self, house: House, reply: Reply) -> None:
        entry, started = reply.entry, perf_counter()
        inputs, outputs = self._payloads.of(entry, reply.outputs()) if self._payloads else (None, None)
        if entry.error_code in _QUICK:
            house.request_log.record(entry.row(inputs, outputs))  # it must be quick, so it does not wait for the disk
            return
        # What the service could not do is worth another try.
        answer = reply.kept() if entry.claim and entry.status < 500 else None
        try:
            reply.mark(await house.request_log.write(entry.row(inputs, outputs, answer)))
            entry.keeps_claim = answer is not None
        except LogUnavailable as error:
            await reply.refuse(_refused(error, entry))
        self._committed(entry, started)

    def _cut(self, house: House, reply: Reply) -> None:
        """At the end of the service, which has waited long enough: of a stream at least its end is recorded."""
        entry = reply.entry
        if entry.stream != "started":
            return
        entry.stream = "failed"
        entry.failed(ENDED)
        _, outputs = self._payloads.of(entry, reply.outputs()) if self._payloads else (None, None)
        house.request_log.record(entry.end(outputs), "end")

    async def _begin_stream(self, scope: Scope, entry: Entry) -> Place:
        """The row, then the stream's first byte. Raises LogUnavailable."""
        request_log = _house(scope).request_log
        entry.process_id = request_log.process_id
        inputs, _ = self._payloads.of(entry, b"") if self._payloads else (None, None)
        started = perf_counter()
        place = await request_log.write(entry.row(inputs, None))
        self._committed(entry, started)
        entry.keeps_claim = True
        return place

    async def _record_end(self, house: House, reply: Reply) -> None:
        """How the stream ended, then its last byte."""
        entry, started = reply.entry, perf_counter()
        _, outputs = self._payloads.of(entry, reply.outputs()) if self._payloads else (None, None)
        try:
            await house.request_log.write(entry.end(outputs), "end")
        except LogUnavailable as error:
            await reply.refuse(_refused(error, entry))
            house.request_log.record(entry.end(outputs), "end")  # once the database is there again
        self._committed(entry, started)

    def _committed(self, entry: Entry, started_s: float) -> None:
        ended_s = perf_counter()
        entry.commits.append((started_s, ended_s))
        self._metrics.committed(entry.task, ended_s - started_s)


def _house(scope: Scope) -> House:
    house: House = scope["app"].state.house
    return house


def _refused(error: Exception, entry: Entry) -> Refusal:
    refused = refusal(error)
    if refused.code == "internal_error":
        log.error("request %s failed", entry.request_id, exc_info=error, extra={"request_id": entry.request_id})
    return refused


def _asked(scope: Scope) -> str | None:
    """The task that it asks a model of, if it does."""
    return task_of(scope["path"]) if scope["method"] == "POST" else None


async def _claim(scope: Scope, entry: Entry, key: str) -> Answer | None:
    """The answer that this request got before; else the key is its own until it is answered. Raises what is in the way."""
    request_log = _house(scope).request_log
    caller = f"key {entry.key.key_id}" if entry.key else f"address {entry.client}"
    sha256 = fingerprint(entry.method, entry.path, entry.request_body)
    claim = entry.claim = Claim(caller[:80], key, sha256, entry.request_id, request_log.process_id)
    try:
        before = await request_log.claim(claim)
    except (IdempotencyKeyReused, RequestInFlight, StreamNotReplayed):
        entry.claim = None
        raise
    if before:
        entry.claim = None
    return before


def _client_request_id(headers: list[tuple[bytes, bytes]]) -> str | None:
    """The caller's own id. Raises InvalidInput unless it is one, of 1 to 128 printable ASCII characters."""
    fields = [value for name, value in headers if name == b"x-client-request-id"]
    if not fields:
        return None
    if len(fields) > 1:
        raise InvalidInput(f"there are {len(fields)} fields X-Client-Request-Id, allowed is one")
    given = fields[0].decode("latin-1")
    if not (1 <= len(given) <= _MOST_CLIENT_ID and given.isascii() and given.isprintable()):
        raise InvalidInput(
            f"X-Client-Request-Id has {len(given)} characters, allowed are 1 to {_MOST_CLIENT_ID} of printable ASCII"
        )
    return given
