"""Open-loop load: requests leave when they are due, whatever has become of those before them.

A latency runs from the moment the request was due, so waiting anywhere counts, in this process too (coordinated omission:
Tene 2013). One thread that never sleeps, so nothing is late by a timer's grain.
"""

import gc
import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from benchmarks.serving.connection import Answer, Connection

_MOST_CONNECTIONS = 1024
_MOST_DRAIN_S = 10.0
_SAMPLES = 40


@dataclass(frozen=True)
class Arrival:
    """A request, by its number, and the second at which it is due."""

    due_s: float
    request: int


@dataclass
class Offered:
    """What became of the arrivals. `waits_s`: (request, seconds) of those answered with 200, and of those never answered as
    long as they had waited; `late_s`: how late each left; `samples`: some of the answers."""

    waits_s: list[tuple[int, float]] = field(default_factory=list)
    late_s: list[float] = field(default_factory=list)
    refused: int = 0
    unanswered: int = 0
    elapsed_s: float = 0.0
    samples: list[tuple[int, Answer]] = field(default_factory=list)


def poisson(rate: float, seconds: float, requests: Sequence[int], seed: int) -> list[Arrival]:
    """Random arrivals, `rate` a second on average, of these requests in turn."""
    count = max(1, round(rate * seconds))
    due = np.cumsum(np.random.default_rng(seed).exponential(1 / rate, count)).tolist()
    return [Arrival(at, requests[place % len(requests)]) for place, at in enumerate(due)]


def offer(port: int, requests: Sequence[bytes], arrivals: Sequence[Arrival]) -> Offered:
    """Sends what is due when it is due, on as many connections as that takes, up to a thousand."""
    load = _Load(port, requests, sorted(arrivals, key=lambda arrival: arrival.due_s))
    enabled = gc.isenabled()
    gc.disable()
    try:
        return load.run()
    finally:
        load.close()
        if enabled:
            gc.enable()


class _Load:
    def __init__(self, port: int, requests: Sequence[bytes], arrivals: Sequence[Arrival]) -> None:
        self._port, self._requests, self._arrivals = port, requests, arrivals
        self._poll = select.epoll()
        self._idle: list[Connection] = []
        self._all: dict[int, Connection] = {}
        self._pending: dict[int, Arrival] = {}
        self._waiting: deque[Arrival] = deque()
        self._offered = Offered()
        self._sample_every = max(1, len(arrivals) // _SAMPLES)

    def run(self) -> Offered:
        began = time.perf_counter()
        for arrival in self._arrivals:
            while (now := time.perf_counter() - began) < arrival.due_s:
                self._read(began)
            self._waiting.append(arrival)
            self._offered.late_s.append(now - arrival.due_s)
            self._send()
        deadline = time.perf_counter() + _MOST_DRAIN_S
        while (self._pending or self._waiting) and time.perf_counter() < deadline:
            self._read(began)
            self._send()
        self._offered.elapsed_s = time.perf_counter() - began
        for left in (*self._pending.values(), *self._waiting):
            self._offered.unanswered += 1
            self._offered.waits_s.append((left.request, self._offered.elapsed_s - left.due_s))
        return self._offered

    def _send(self) -> None:
        while self._waiting and (self._idle or len(self._all) < _MOST_CONNECTIONS):
            connection = self._idle.pop() if self._idle else self._open()
            pending = self._waiting.popleft()
            self._pending[connection.socket.fileno()] = pending
            try:
                connection.send(self._requests[pending.request])
            except OSError:
                self._lost(connection)

    def _open(self) -> Connection:
        connection = Connection(self._port)
        self._all[connection.socket.fileno()] = connection
        self._poll.register(connection.socket, select.EPOLLIN)
        return connection

    def _read(self, began: float) -> None:
        for number, _ in self._poll.poll(0):
            connection = self._all[number]
            try:
                answer = connection.receive(socket.MSG_DONTWAIT)
            except OSError:
                self._lost(connection)
                continue
            if answer:
                self._take(connection, answer, time.perf_counter() - began)
                self._send()

    def _take(self, connection: Connection, answer: Answer, now: float) -> None:
        arrival = self._pending.pop(connection.socket.fileno())
        self._idle.append(connection)
        if answer.status != 200:
            self._offered.refused += 1
            return
        self._offered.waits_s.append((arrival.request, now - arrival.due_s))
        if len(self._offered.waits_s) % self._sample_every == 0:
            self._offered.samples.append((arrival.request, answer))

    def _lost(self, connection: Connection) -> None:
        """Its request, if it has one, goes first on another connection; a server may close one that idles."""
        number = connection.socket.fileno()
        if pending := self._pending.pop(number, None):
            self._waiting.appendleft(pending)
        elif connection in self._idle:
            self._idle.remove(connection)
        del self._all[number]
        self._poll.unregister(number)
        connection.close()

    def close(self) -> None:
        for connection in self._all.values():
            connection.close()
        self._poll.close()
