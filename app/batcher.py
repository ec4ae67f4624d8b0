"""The Batcher: answers many callers with one pass of the graph.

Continuous: a thread that is free takes what waits, at once; while all threads run, requests gather in the Line and share the
next pass. One thread more than there are cores stands by for short items: while all others are within long passes, it runs
them at once, so that a sentence does not wait for reviews.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from app.gate import Overloaded
from app.line import SHORT_STEPS, Item, Line, Request, Timing
from app.predictor import Predictor
from app.tasks.task import Batchable

Raw = TypeVar("Raw")
Prediction = TypeVar("Prediction")


# While so many passes wait behind a long one, its answers leave together with those of the next, for so long at most: waking
# callers in between costs the graph its place in the processor's cache, and they would only wait in the next line.
_PASSES_BEHIND = 2
_HOLD_S = 0.02


@dataclass(frozen=True)
class Pass:
    """What one pass did: items and their steps; `padded_steps` is what the graph computed for them."""

    items: int
    steps: int
    padded_steps: int
    seconds: float


class Batcher(Generic[Raw, Prediction]):
    """Predictor-shaped: `predict` gives for each item what it would get alone. All its callers are on one event loop."""

    def __init__(
        self,
        predictor: Predictor[Any],
        threads: int,
        most_wait_s: float = 30.0,
        observe: Callable[[Pass], None] = lambda _: None,
    ) -> None:
        """`threads` passes at a time. A request that is not answered within `most_wait_s` is given up."""
        self.predictor = predictor
        self.task: Batchable[Raw, Any, Prediction] = predictor.task
        self._most_wait_s, self._observe = most_wait_s, observe
        self._line = Line(self.task)
        self._lock = threading.Lock()
        self._work_waits, self._short_waits = threading.Condition(self._lock), threading.Condition(self._lock)
        self._free = threads  # threads that are not within a long pass
        self._closed = False
        name = f"{predictor.manifest.task}-pass"
        self._threads = [threading.Thread(target=self._work, name=name, daemon=True) for _ in range(threads)]
        self._threads.append(threading.Thread(target=self._stand_by, name=f"{name}-short", daemon=True))
        for thread in self._threads:
            thread.start()

    @property
    def queue_depth(self) -> int:
        """Items waiting for a pass."""
        return len(self._line)

    async def predict(self, raws: Sequence[Raw]) -> tuple[list[Prediction], Timing]:
        """One prediction an item, in order. Raises InvalidInput, Overloaded after the longest wait, or what the pass raised."""
        answer = asyncio.get_running_loop().create_future()
        request = Request(answer, [None] * len(raws), time.perf_counter() + self._most_wait_s, left=len(raws))
        with self._lock:
            shortest = self._line.join(request, raws)
            self._work_waits.notify(len(raws))
            if shortest <= SHORT_STEPS:  # woken for others, it would only be in the way of those who work
                self._call_short()
        try:
            await answer
        except asyncio.CancelledError:
            request.gone = True
            raise
        return request.predictions, request.timing

    def close(self) -> None:
        """Answers everything accepted, then ends the threads."""
        with self._lock:
            self._closed = True
            self._work_waits.notify_all()
            self._short_waits.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        done: list[Request] = []  # answered and not told yet
        while True:
            with self._lock:
                while not (self._line or done):
                    if self._closed:
                        return
                    self._work_waits.wait()
                arrived = self._line.to_encode(self._wanted)
            group = self._group(arrived, only_short=False)
            is_long = any(item.length > SHORT_STEPS for item in group)
            if is_long:
                self._occupy(1)
            done += self._run(group)
            if is_long:
                self._occupy(-1)
            if not is_long or len(self._line) < _PASSES_BEHIND * len(group) or _since(done[:1]) > _HOLD_S:
                _tell(done)
                done = []

    def _stand_by(self) -> None:
        while True:
            with self._lock:
                while self._free or not self._line.has_short():
                    if self._closed:
                        return
                    self._short_waits.wait()
                arrived = self._line.to_encode(self._wanted, only_short=True)
            _tell(self._run(self._group(arrived, only_short=True)))

    def _occupy(self, threads: int) -> None:
        with self._lock:
            self._free -= threads
            self._call_short()

    def _call_short(self) -> None:
        if not self._free:
            self._short_waits.notify()

    def _group(self, arrived: list[Item], only_short: bool) -> list[Item]:
        """What the next pass holds, once those that arrived are encoded. Another thread is woken for what is left."""
        encoded = [item for item in arrived if self._encode(item)]
        with self._lock:
            self._line.encoded(encoded)
            group = self._line.next_group(self._wanted, only_short)
            if self._line:
                self._work_waits.notify()
        return group

    def _wanted(self, request: Request) -> bool:
        """Whether anybody still waits; one that waited too long is told so."""
        if not request.over and time.perf_counter() > request.deadline:
            self._fail([request], Overloaded(f"the request waited for more than {self._most_wait_s:g} s", 1))
        return not request.over

    def _encode(self, item: Item) -> bool:
        """False where it failed, which fails its own request alone."""
        started = time.perf_counter()
        try:
            item.encoded = self.task.encode(item.raw)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is the caller's to hear
            self._fail([item.request], error)
            return False
        item.length = self.task.length(item.encoded)
        item.request.encode_s += time.perf_counter() - started
        return True

    def _run(self, group: list[Item]) -> list[Request]:
        """One pass, and who got the last of his answers by it. If it fails, so do its callers; the next pass is unharmed."""
        if not group:
            return []
        started = time.perf_counter()
        encoded = [item.encoded for item in group]
        try:
            outputs = self.predictor.run(self.task.feeds(encoded))
            predictions = self.task.predictions(encoded, outputs)
            seconds = time.perf_counter() - started
            steps = [item.length for item in group]
            self._observe(Pass(len(group), sum(steps), len(group) * max(steps), seconds))
        except Exception as error:  # noqa: BLE001 - the middleware logs and answers it
            self._fail([item.request for item in group], error)
            return []
        return self._answered(group, predictions, seconds)

    def _answered(self, group: list[Item], predictions: list[Prediction], seconds: float) -> list[Request]:
        done: list[Request] = []
        with self._lock:
            for request in {item.request for item in group}:
                request.run_s += seconds
            for item, prediction in zip(group, predictions, strict=True):
                request = item.request
                request.predictions[item.position] = prediction
                request.left -= 1
                if not request.left and not request.over:
                    request.ended = time.perf_counter()
                    done.append(request)
        return done

    def _fail(self, requests: list[Request], error: Exception) -> None:
        failed = [request for request in dict.fromkeys(requests) if not request.over]
        for request in failed:
            request.error = error
        _tell(failed)


def _since(ended: list[Request]) -> float:
    """Seconds."""
    return time.perf_counter() - ended[0].ended if ended else 0.0


def _tell(requests: list[Request]) -> None:
    """Wakes the callers: one call into their loop for all of them, unless it has ended without waiting."""
    if requests:
        with suppress(RuntimeError):
            requests[0].answer.get_loop().call_soon_threadsafe(_settle, requests)


def _settle(requests: list[Request]) -> None:
    for request in requests:
        if request.answer.done():
            continue
        if request.error:
            request.answer.set_exception(request.error)
        else:
            request.answer.set_result(None)
