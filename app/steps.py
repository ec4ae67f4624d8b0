"""A StepBatcher: writes the tunes of many callers in shared passes, each exactly as it would be alone."""

import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec

from app.batcher import Pass
from app.line import Timing
from app.predictor import Predictor
from app.step_worker import Call, StepWorker
from app.tasks.music import Music, NextCharacters
from app.tasks.sampling import Sampling
from app.tasks.tune import Tune

Given = ParamSpec("Given")


class StepBatcher:
    """Continuous batching (Yu et al. 2022): who arrives joins the next pass and waits for nobody.

    A Timing here is of one tune: `queue` until its first pass began, `run` the time of all passes it took part in, each
    counted whole to everyone who shared it, `encode` everything else until its end.
    """

    def __init__(self, predictor: Predictor[Music], threads: int, observe: Callable[[Pass], None] = lambda _: None) -> None:
        """`threads` passes at a time, each with its own tunes; of a new tune, the thread with the fewest takes care."""
        self.predictor = predictor
        self._workers = [StepWorker(predictor, f"music-{number}", observe) for number in range(threads)]
        self._calls = set[Call]()

    @property
    def task(self) -> Music:
        return self.predictor.task

    @property
    def accepted(self) -> int:
        """Calls running and waiting now."""
        return len(self._calls)

    @property
    def queue_depth(self) -> int:
        """Calls that wait for their first pass."""
        return sum(worker.waiting for worker in self._workers)

    async def write(self, prompt: str, sampling: Sampling) -> tuple[list[str], Timing]:
        """The characters added to the prompt; the last one is empty where the model ended the tune itself.

        Raises InvalidInput.
        """
        call = await self._whole(*_timed(self.task.tune, prompt, sampling))
        return list(call.pieces), call.result()

    def stream(self, prompt: str, sampling: Sampling) -> AsyncGenerator[str | Timing]:
        """The same as it comes, one or more characters at a time, the mark of the end on its own; last the Timing.

        Raises InvalidInput at once, before the first piece is asked for.
        """
        return self._pieces(*_timed(self.task.tune, prompt, sampling))

    async def next_characters(self, prompt: str, top_k: int) -> tuple[NextCharacters, Timing]:
        """What may follow the prompt. Raises InvalidInput."""
        call = await self._whole(*_timed(self.task.prompt, prompt))
        timing = call.result()
        return self.task.likeliest(call.tune, call.log_p, top_k), timing

    def close(self) -> None:
        """Finishes what is being written and takes nothing new."""
        for worker in self._workers:
            worker.close()
        for worker in self._workers:
            worker.join()

    async def _whole(self, tune: Tune, encode_s: float) -> Call:
        call = Call(tune, encode_s)
        with self._placed(call):
            while call.end is None:
                await call.news()
        return call

    async def _pieces(self, tune: Tune, encode_s: float) -> AsyncGenerator[str | Timing]:
        call = Call(tune, encode_s, streams=True)
        with self._placed(call):
            ended = False
            while not ended:
                await call.news()
                ended = call.end is not None
                pieces = [call.pieces.popleft() for _ in range(len(call.pieces))]
                if text := "".join(pieces):
                    yield text
                if pieces and not pieces[-1]:
                    yield ""
            yield call.result()

    @contextmanager
    def _placed(self, call: Call) -> Iterator[None]:
        """Within, the call is being answered; whoever goes, at the end or early, leaves no work behind."""
        worker = min(self._workers, key=lambda worker: worker.load)
        self._calls.add(call)
        try:
            worker.add(call)
            yield
        finally:
            self._calls.discard(call)
            worker.leave(call)


def _timed(encode: Callable[Given, Tune], *given: Given.args, **named: Given.kwargs) -> tuple[Tune, float]:
    """The tune, and the seconds it took to make."""
    began = time.perf_counter()
    return encode(*given, **named), time.perf_counter() - began
