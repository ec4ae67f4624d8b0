"""Callers of every kind, most of them broken: each sends one request over a connection of its own and looks what comes back."""

import json
import random
import socket
import string
from collections.abc import Callable

from app import examples

Chance = random.Random


def ask(port: int, sent: bytes, keep: bool = True) -> bytes:
    """The head of the answer; nothing, where the connection is `keep`-t no longer than it takes to send."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        try:
            connection.sendall(sent)
            return connection.recv(4096) if keep else b""
        except ConnectionError:
            return b""


def request(method: str, path: str, body: bytes = b"", *fields: str) -> bytes:
    head = [f"{method} {path} HTTP/1.1", "Host: test", "Connection: close", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*head, "", ""]).encode("latin-1") + body


def posted(path: str, body: object) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return request("POST", path, content, "Content-Type: application/json")


def word(chance: Chance, most: int = 12) -> str:
    return "".join(chance.choices(string.ascii_letters + string.digits, k=chance.randint(1, most)))


GOOD: dict[str, Callable[[Chance], bytes]] = {
    "text": lambda chance: posted("/v1/sentiment", {"texts": [word(chance) for _ in range(chance.randint(1, 20))]}),
    "hour": lambda _: posted("/v1/rainfall", examples.RAINFALL),
    "tune": lambda chance: posted("/v1/music/generate", {"prompt": "X:1\n", "max_characters": chance.randint(1, 40)}),
    "stream": lambda _: posted("/v1/music/generate", {"prompt": "X:1\n", "max_characters": 20, "stream": True}),
    "inference": lambda _: posted("/v2/models/sentiment/infer", examples.OPEN_INFERENCE["sentiment"]["value"]),
    "models": lambda _: request("GET", "/v1/models"),
}
BAD: dict[str, Callable[[Chance], bytes]] = {
    "no JSON": lambda chance: posted("/v1/sentiment", chance.randbytes(chance.randint(0, 2000))),
    "other types": lambda chance: posted("/v1/rainfall", {"hours": [{word(chance): chance.random()}]}),
    "a name without end": lambda chance: posted("/v1/sentiment", {word(chance) * 20_000: 1}),
    "too much": lambda _: request("POST", "/v1/sentiment", b"x" * 100_000, "X: y").replace(b"100000", b"999999999"),
    "path": lambda chance: request("GET", f"/{word(chance)}/{word(chance)}?{word(chance)}={word(chance)}"),
    "model": lambda chance: request("GET", f"/v1/models/{word(chance, 400)}"),
    "version": lambda chance: posted(f"/v2/models/music/versions/{word(chance)}/infer", {"inputs": []}),
    "record": lambda chance: request("GET", f"/v1/requests/{word(chance, 40)}"),
    "method": lambda chance: request(chance.choice(["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"]), "/v1/models"),
    "no method": lambda chance: request(word(chance).upper(), "/"),
    "own id": lambda chance: request("GET", "/v1/models", b"", f"X-Client-Request-Id: {word(chance, 300)}"),
    "many fields": lambda chance: request("GET", "/livez", b"", *(f"X-{number}: {word(chance)}" for number in range(150))),
    "a field without end": lambda chance: request("GET", "/livez", b"", f"X: {word(chance) * 20_000}"),
    "pieces of no size": lambda _: b"POST /v1/sentiment HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZZ\r\n",
    "no HTTP": lambda chance: chance.randbytes(200) + b"\r\n\r\n",
}
CUT: dict[str, Callable[[Chance], bytes]] = {
    "cut in its head": lambda chance: GOOD["text"](chance)[: chance.randint(0, 60)],
    "cut in its body": lambda chance: GOOD["text"](chance)[:-3],
    "gone within a stream": lambda _: posted("/v1/music/generate", {"prompt": "X:1\n", "max_characters": 400, "stream": True}),
    "gone before its answer": lambda _: GOOD["tune"](Chance(1)),
}


def one(port: int, seed: int) -> tuple[str, bytes]:
    """One call of a kind that the seed draws; its kind and what came back first."""
    chance = Chance(seed)
    kinds, keep = chance.choice([(GOOD, True), (BAD, True), (CUT, False)])
    kind = chance.choice([*kinds])
    return kind, ask(port, kinds[kind](chance), keep)
