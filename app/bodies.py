"""Bodies of requests: read whole, within their bounds, and handed on."""

import asyncio
from contextlib import suppress

from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive

from app.errors import BodyTooLarge

_LET_BY_S = 5.0


async def read_body(headers: dict[bytes, bytes], receive: Receive, most_bytes: int) -> bytes:
    """The whole body. Raises BodyTooLarge as soon as that is known, without reading the rest; ClientDisconnect."""
    declared = headers.get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > most_bytes:
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


async def let_by(receive: Receive) -> None:
    """Drops what still comes, for a few seconds: a connection that is closed with bytes unread is reset, and takes the answer
    away from a caller who sends all before he reads (RFC 9112, 9.6)."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_LET_BY_S):
            while (await receive()).get("more_body", False):
                pass


def again(body: bytes, receive: Receive) -> Receive:
    """Hands the application the body that was read, then whatever comes: news that the client went away."""
    unread = [body]

    async def receive_again() -> Message:
        if unread:
            return {"type": "http.request", "body": unread.pop(), "more_body": False}
        return await receive()

    return receive_again
