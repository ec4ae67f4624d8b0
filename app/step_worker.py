"""A StepWorker: one thread that writes many tunes at once, one character of each a pass."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress

import numpy as np
import numpy.typing as npt

from app.batcher import Pass
from app.line import Timing
from app.predictor import Clock, Predictor
from app.tasks.music import Music
from app.tasks.tune import Batch, Tune

_READ_CHARACTERS = 256
"""Of prompts, over all of them, in one pass: what the tunes that are being written wait for at most."""


class Call:
    """A tune that somebody waits for. `streams`: every piece is news; otherwise only the end is."""

    def __init__(self, tune: Tune, encode_s: float, streams: bool = False) -> None:
        """`encode_s`: what encoding the prompt took. The call belongs to the running event loop."""
        self.tune, self.streams = tune, streams
        self.loop = asyncio.get_running_loop()
        self.pieces = deque[str]()
        self.log_p: npt.NDArray[np.float32] = np.zeros(0, np.float32)
        """[vocabulary] after the prompt, where nothing is to be written."""
        self.end: Timing | Exception | None = None
        self.gone = self.told = False
        self.run_s = 0.0
        self.started = 0.0  # 0 until the first pass
        self._encode_s, self._arrived = encode_s, time.perf_counter()
        self._news = asyncio.Event()

    async def news(self) -> None:
        """Wait until there is some. Look at `end` before `pieces`: a piece that comes later is told again."""
        await self._news.wait()
        self._news.clear()
        self.told = False

    def tell(self) -> None:
        """In the event loop."""
        self._news.set()

    def timing(self) -> Timing:
        """Until now. `run`: the passes that the tune took part in, whoever shared them; `encode`: all that is neither."""
        queue_s = self.started - self._arrived
        encode_s = self._encode_s + time.perf_counter() - self.started - self.run_s
        return Timing(*(round(1000 * seconds, 3) for seconds in (encode_s, queue_s, self.run_s)))

    def result(self) -> Timing:
        """Of a call that has ended. Raises what made it fail."""
        if isinstance(self.end, Timing):
            return self.end
        raise self.end or RuntimeError("the tune is still being written")


class StepWorker:
    """Between any two passes tunes join, as soon as their prompt was read, and leave, when they end or nobody waits."""

    def __init__(self, predictor: Predictor[Music], name: str, observe: Callable[[Pass], None]) -> None:
        self._predictor, self._task, self._observe = predictor, predictor.task, observe
        self._changed = threading.Condition()
        self._arrived: list[Call] = []
        self._left = self._closing = False
        self._calls: dict[Tune, Call] = {}
        self._readers, self._writers = self._task.batch(self._faulty), self._task.batch(self._faulty)
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Calls whose first pass has not begun."""
        return len(self._arrived)

    @property
    def load(self) -> int:
        """Calls that were added and have not ended."""
        return len(self._arrived) + len(self._calls)

    def add(self, call: Call) -> None:
        """Raises RuntimeError after `close`."""
        with self._changed:
            if self._closing:
                raise RuntimeError("no tunes are written any more")
            self._arrived.append(call)
            self._changed.notify()

    def leave(self, call: Call) -> None:
        """Nobody waits for it any more; if it has not ended, it is dropped before the next pass."""
        with self._changed:
            call.gone = self._left = True

    def close(self) -> None:
        """Take nothing new; the thread ends when everything is written."""
        with self._changed:
            self._closing = True
            self._changed.notify()

    def join(self) -> None:
        """Wait for the end of the thread."""
        self._thread.join()

    def _work(self) -> None:
        while self._admit():
            for batch, step in ((self._writers, self._write), (self._readers, self._read)):
                try:
                    step()
                except Exception as error:  # noqa: BLE001 - whoever took part in the pass fails with it; the next one is a new one
                    batch.clear()
                    self._fail_strays(error)

    def _admit(self) -> bool:
        """Let in who arrived and out who left; wait while there is nobody. False: there will be no more work."""
        with self._changed:
            while not (self._arrived or self._calls or self._closing):
                self._changed.wait()
            arrived = [call for call in self._arrived if not call.gone]
            self._arrived = []
            self._calls |= {call.tune: call for call in arrived}
            left, self._left = self._left, False
        if left:
            for batch in (self._readers, self._writers):
                for tune in batch.split(lambda tune: self._calls[tune].gone).tunes:
                    del self._calls[tune]
        if arrived:
            self._readers.add([call.tune for call in arrived])
        return bool(self._calls) or not self._closing

    def _write(self) -> None:
        """Draw a character of each tune, hand them out, and feed them to the graph."""
        indices = self._writers.draw()
        told: list[Call] = []
        over = False
        for tune, index in zip(self._writers.tunes, indices, strict=True):
            call = self._calls[tune]
            call.pieces.append(self._task.text(index))
            over = over or tune.over
            if call.streams:
                told.append(call)
        if over:
            told += [self._end(tune) for tune in self._writers.split(lambda tune: tune.over).tunes]
        _tell(told)
        self._pass(self._writers, 1)

    def _read(self) -> None:
        """Feed the next characters of the prompts to the graph, of all equally many; those that end join the writers."""
        tunes = self._readers.tunes
        if not tunes:
            return
        now = time.perf_counter()
        for tune in tunes:
            self._calls[tune].started = self._calls[tune].started or now
        share = max(1, _READ_CHARACTERS // len(tunes))
        self._pass(self._readers, min(share, *(tune.unread for tune in tunes)))
        read = self._readers.split(lambda tune: not tune.unread)
        asked = read.split(lambda tune: tune.over)
        for tune, log_p in zip(asked.tunes, asked.log_p, strict=True):
            self._calls[tune].log_p = log_p
        _tell([self._end(tune) for tune in asked.tunes])
        if read.tunes:
            self._writers.join(read)

    def _pass(self, batch: Batch, count: int) -> None:
        clock = Clock()
        batch.advance(self._predictor.timed(clock), count)
        items = len(batch.tunes)
        for tune in batch.tunes:
            self._calls[tune].run_s += clock.run_s
        if items:
            self._observe(Pass(items, items * count, items * count, clock.run_s))

    def _end(self, tune: Tune, error: Exception | None = None) -> Call:
        """The call of a tune that goes on no more; it is to be told so."""
        call = self._calls.pop(tune)
        call.end = error or call.timing()
        return call

    def _faulty(self, tune: Tune, error: Exception) -> None:
        _tell([self._end(tune, error)])

    def _fail_strays(self, error: Exception) -> None:
        """All that are in no batch any more."""
        safe = {*self._readers.tunes, *self._writers.tunes}
        _tell([self._end(tune, error) for tune in list(self._calls) if tune not in safe])


def _tell(calls: Iterable[Call]) -> None:
    """One wake-up of each event loop; none for a call that has not yet looked at what it was told before."""
    untold: dict[asyncio.AbstractEventLoop, list[Call]] = {}
    for call in calls:
        if not call.told:
            call.told = True
            untold.setdefault(call.loop, []).append(call)
    for loop, own in untold.items():
        with suppress(RuntimeError):  # of a loop that was closed, and with it all that waited in it
            loop.call_soon_threadsafe(_tell_all, own)


def _tell_all(calls: Iterable[Call]) -> None:
    for call in calls:
        call.tell()
