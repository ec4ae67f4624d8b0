"""A Runner: one Predictor, its threads, and a bounded line of work waiting for them."""

import asyncio
import math
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from app.predictor import Clock, Predictor, TaskT
from app.tasks.task import Run

Result = TypeVar("Result")
Gone = Callable[[], bool]

_END = object()


class Overloaded(Exception):
    """The line is full; worth trying again after `retry_after_s` whole seconds."""

    def __init__(self, task: str, most: int, retry_after_s: int) -> None:
        super().__init__(f"{most} requests for {task} are being answered or waiting, which is the most allowed")
        self.retry_after_s = retry_after_s


@dataclass(frozen=True)
class Timing:
    """Milliseconds: `queue` waiting for a thread, `run` in the graph, `encode` everything else the task did."""

    encode: float
    queue: float
    run: float


class Runner(Generic[TaskT]):
    """Answers each caller in turn on one of its threads, never on the event loop."""

    def __init__(self, predictor: Predictor[TaskT], threads: int, most_requests: int) -> None:
        """`threads` passes at a time; at most `most_requests` running and waiting together."""
        self.predictor = predictor
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=predictor.manifest.task)
        self._threads, self._most = threads, most_requests
        self._accepted = 0
        self._usual_s = 0.01  # moving average of the time a request holds a thread

    @property
    def task(self) -> TaskT:
        return self.predictor.task

    @property
    def accepted(self) -> int:
        """Requests running and waiting now."""
        return self._accepted

    async def call(self, work: Callable[[Run], Result]) -> tuple[Result, Timing]:
        """What `work` returns, given the graph to run. Raises Overloaded at once if the line is full."""
        self._admit()
        clock, arrived = Clock(), time.perf_counter()

        def job() -> tuple[Result, Timing]:
            started = time.perf_counter()
            result = work(self.predictor.timed(clock))
            return result, self._timing(clock, arrived, started)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, job)
        finally:
            self._accepted -= 1

    async def stream(self, work: Callable[[Run, Gone], Iterator[str]]) -> AsyncGenerator[str | Timing]:
        """What `work` yields, in pieces as they come, and last the Timing. Raises Overloaded before the first piece.

        When the reader stops early, `work` learns it from its second argument.
        """
        self._admit()
        loop, pieces = asyncio.get_running_loop(), asyncio.Queue[Any]()
        clock, arrived, gone = Clock(), time.perf_counter(), threading.Event()

        def put(piece: Any) -> None:
            loop.call_soon_threadsafe(pieces.put_nowait, piece)

        def job() -> None:
            started = time.perf_counter()
            for piece in work(self.predictor.timed(clock), gone.is_set):
                put(piece)
            put(self._timing(clock, arrived, started))

        running = loop.run_in_executor(self._pool, job)
        running.add_done_callback(lambda _: pieces.put_nowait(_END))
        try:
            while (piece := await pieces.get()) is not _END:
                yield piece
            await running
        finally:
            gone.set()
            self._accepted -= 1

    def close(self) -> None:
        """Finishes what is running."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _admit(self) -> None:
        if self._accepted >= self._most:
            wait_s = self._usual_s * self._accepted / self._threads
            raise Overloaded(self.predictor.manifest.task, self._most, max(1, math.ceil(wait_s)))
        self._accepted += 1

    def _timing(self, clock: Clock, arrived: float, started: float) -> Timing:
        ended = time.perf_counter()
        self._usual_s += 0.1 * (ended - started - self._usual_s)
        encode_s = ended - started - clock.run_s
        return Timing(*(round(1000 * seconds, 3) for seconds in (encode_s, started - arrived, clock.run_s)))
