"""Callers that ask all the time, and remember every answer that came whole."""

import itertools
import json
import random
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPResponse
from types import TracebackType
from typing import Any, Self

from app import examples

_TIMEOUT_S = 30.0
_FAILURE = re.compile(rb"^event: error\ndata: (.*)$", re.MULTILINE)
_BETWEEN_TRIES_S = 0.02
_PROMPT = "X:1\nT:Tune\nM:4/4\nL:1/8\nK:G\n"


@dataclass(frozen=True)
class Question:
    """A request of the load, and the status it is to be answered with."""

    name: str
    path: str
    body: Any
    status: int = 200


QUESTIONS = (
    Question("texts", "/v1/sentiment", examples.SENTIMENT),
    Question("hours", "/v1/rainfall", examples.RAINFALL),
    Question("next characters", "/v1/music/next", {"prompt": _PROMPT, "top_k": 3}),
    Question("a tune", "/v1/music/generate", {"prompt": _PROMPT, "max_characters": 20, "seed": 1}),
    Question("a streamed tune", "/v1/music/generate", {"prompt": _PROMPT, "max_characters": 20, "stream": True}),
    Question("texts, /v2", "/v2/models/sentiment/infer", examples.OPEN_INFERENCE["sentiment"]["value"]),
    Question("a bad body", "/v1/sentiment", {"texts": [5]}, 422),
    Question("a character of no tune", "/v1/music/next", {"prompt": "\u6c34", "top_k": 3}, 422),
    Question("no such path", "/v1/nothing", {}, 404),
)


@dataclass(frozen=True, slots=True)
class Received:
    """An answer whose status line and body the caller has to the last byte. `name`: of its question.

    `status` is that of the status line; of a stream that ended with an `error` event, that of its problem document.
    """

    request_id: str
    client_request_id: str
    name: str
    path: str
    status: int


class Caller(threading.Thread):
    """One connection at a time, one request after another; each is sent once, with an id of its own."""

    def __init__(self, port: int, number: int, seed: int, ended: threading.Event) -> None:
        super().__init__(name=f"caller-{number}", daemon=True)
        self.received: list[Received] = []
        self.sent = 0
        self._number, self._ended = number, ended
        self._chance = random.Random(f"{seed}/{number}")  # noqa: S311 - which question comes next is no secret
        self._connection = HTTPConnection("127.0.0.1", port, timeout=_TIMEOUT_S)

    def run(self) -> None:
        while not self._ended.is_set():
            try:
                answer = self._ask(self._chance.choice(QUESTIONS))
            except (OSError, HTTPException):  # cut off in the middle, or nobody listens
                self._connection.close()
                time.sleep(_BETWEEN_TRIES_S)
                continue
            self.received.append(answer)
            if answer.status >= 500:  # the database is away
                time.sleep(_BETWEEN_TRIES_S)
        self._connection.close()

    def _ask(self, question: Question) -> Received:
        """Raises OSError or HTTPException unless the answer is whole."""
        client_id = f"caller-{self._number}-{self.sent}"
        if self._connection.sock is None:
            self._connection.connect()
        self.sent += 1
        headers = {"Content-Type": "application/json", "X-Client-Request-Id": client_id}
        self._connection.request("POST", question.path, json.dumps(question.body), headers)
        response = self._connection.getresponse()
        status = _status(response)
        return Received(response.headers["X-Request-ID"], client_id, question.name, question.path, status)


def _status(response: HTTPResponse) -> int:
    """Of an answer that is read to its end. Raises HTTPException where the body ends early, or says nothing of its end."""
    if response.length is None and not response.chunked:
        raise HTTPException("neither Content-Length nor chunks: its end cannot be told from a cut")
    is_stream, body = response.chunked, response.read()
    failure = _FAILURE.search(body) if is_stream else None
    return int(json.loads(failure[1])["status"]) if failure else response.status


class Load:
    """Several callers at once, from the beginning of the block to its end."""

    def __init__(self, port: int, callers: int, seed: int) -> None:
        self._ended = threading.Event()
        self._callers = [Caller(port, number, seed, self._ended) for number in range(callers)]
        self._taken = [0] * callers

    def __enter__(self) -> Self:
        for caller in self._callers:
            caller.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()

    def end(self) -> None:
        """Returns when every caller has the answer that it waited for, or was cut off."""
        self._ended.set()
        for caller in self._callers:
            caller.join(_TIMEOUT_S)

    @property
    def sent(self) -> int:
        """Requests that were begun, answered or not."""
        return sum(caller.sent for caller in self._callers)

    def all(self) -> Sequence[Received]:
        """Every answer so far."""
        return list(itertools.chain.from_iterable(caller.received.copy() for caller in self._callers))

    def new(self) -> Sequence[Received]:
        """Those since the last call."""
        found: list[Received] = []
        for place, caller in enumerate(self._callers):
            answers = caller.received[self._taken[place] :]
            self._taken[place] += len(answers)
            found += answers
        return found
