"""Statistics: answers what a window of the log tells, in a thread of its own, so that neither requests nor their rows wait."""

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.bundle import Manifest
from app.database import cut_shared
from app.registry import Registry
from app.stats import figures
from app.stats.figures import SCORES, Sample
from app.stats.samples import Answered, Count, Reader, StatsTooSlow, Window
from app.stats.schemas import Drift, FeedbackFigures, Slice, Stats, StatusCount, TaskStats
from app.tasks import TASKS
from app.waiting import LogUnavailable

Found = TypeVar("Found")

_MOST_S = 5.0
_RECENTLY = timedelta(days=1)
_LATE_S = 1.0  # so much longer than its limit a query may take before its connection is cut


@dataclass(frozen=True)
class Recent:
    """What a task's gauges show."""

    task: str
    drift: Drift
    feedback: FeedbackFigures


class Statistics:
    """One reading at a time: who comes meanwhile waits, no longer than a reading may take."""

    def __init__(self, engine: Engine, registry: Registry, most_s: float = _MOST_S) -> None:
        self._engine, self._registry, self._most_s = engine, registry, most_s
        self._thread = ThreadPoolExecutor(1, "statistics")

    async def of(self, window: Window, task: str | None = None) -> Stats:
        """Of one task, or of all. Raises StatsTooSlow, LogUnavailable."""
        return await self._read(lambda reader: self._stats(reader, window, [task] if task else list(TASKS)))

    async def recent(self) -> list[Recent]:
        """Of the newest answers of the last day, of each task. Costs little however long the log is. Raises as `of` does."""
        now = datetime.now(UTC)
        window = Window(now - _RECENTLY, now)
        return await self._read(lambda reader: [self._recent(reader, task, window) for task in TASKS])

    def close(self) -> None:
        """A reading under way ends by itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _read(self, read: Callable[[Reader], Found]) -> Found:
        ends_s = time.monotonic() + self._most_s
        reading = asyncio.get_running_loop().run_in_executor(self._thread, self._reading, read, ends_s)
        try:
            return await asyncio.wait_for(reading, self._most_s + _LATE_S)
        except TimeoutError as error:
            cut_shared(self._engine)
            raise StatsTooSlow(self._most_s) from error

    def _reading(self, read: Callable[[Reader], Found], ends_s: float) -> Found:
        try:
            with self._reader(ends_s - time.monotonic()) as reader:
                return read(reader)
        except SQLAlchemyError as error:
            raise (StatsTooSlow(self._most_s) if time.monotonic() > ends_s else LogUnavailable(type(error).__name__)) from error

    @contextmanager
    def _reader(self, most_s: float) -> Iterator[Reader]:
        if most_s <= 0:
            raise StatsTooSlow(self._most_s)
        with self._engine.connect() as connection:
            reader = Reader(connection, most_s)
            try:
                yield reader
            finally:
                reader.close()

    def _stats(self, reader: Reader, window: Window, tasks: list[str]) -> Stats:
        slices = window.slices()
        counts = [reader.counts(part, tasks[0] if len(tasks) == 1 else None) for part in slices]
        whole: dict[tuple[str | None, int], int] = {}
        for count in (one for some in counts for one in some):
            whole[count.task, count.status] = whole.get((count.task, count.status), 0) + count.requests
        order = sorted(whole, key=lambda key: (key[0] or "", key[1]))
        return Stats(
            since=window.since,
            until=window.until,
            slice_s=window.slice_length.total_seconds(),
            requests=[StatusCount(task=task, status=status, requests=whole[task, status]) for task, status in order],
            tasks=[self._of_task(reader, task, window, slices, counts) for task in tasks],
        )

    def _of_task(self, reader: Reader, task: str, window: Window, slices: list[Window], counts: list[list[Count]]) -> TaskStats:
        own = [[count for count in some if count.task == task] for some in counts]
        samples = [_sample(reader.answered(part, task), some) for part, some in zip(slices, own, strict=True)]
        parts = [_slice(task, *each) for each in zip(slices, own, samples, strict=True)]
        return TaskStats(
            task=task,
            requests=sum(part.requests for part in parts),
            errors=sum(part.errors for part in parts),
            items=sum(part.items for part in parts),
            sampled=sum(len(sample.answers) for sample in samples),
            latency_ms=figures.latency(samples),
            feedback=figures.feedback(task, reader.fed_back(window, task)),
            score=SCORES[task][0],
            score_edges=SCORES[task][1],
            slices=parts,
            drift=self._drift(task, samples),
        )

    def _recent(self, reader: Reader, task: str, window: Window) -> Recent:
        samples = [Sample(reader.newest(window, task), 1.0)]
        return Recent(task, self._drift(task, samples), figures.feedback(task, reader.fed_back(window, task)))

    def _drift(self, task: str, samples: list[Sample]) -> Drift:
        manifest = self._manifest(task)
        version, references = (manifest.version, manifest.reference or {}) if manifest else (None, {})
        return figures.drift(TASKS[task].features, version, references, samples)

    def _manifest(self, task: str) -> Manifest | None:
        """Of the served bundle, if there is one."""
        return next((served.predictor.manifest for name, served in self._registry if name == task), None)


def _sample(answers: list[Answered], counts: list[Count]) -> Sample:
    """Each stands for as many answers as the slice has of it."""
    answered = sum(count.answered for count in counts if count.status < 400)
    return Sample(answers, max(1.0, answered / len(answers)) if answers else 1.0)


def _slice(task: str, window: Window, counts: list[Count], sample: Sample) -> Slice:
    latency = figures.latency([sample])
    return Slice(
        since=window.since,
        requests=sum(count.requests for count in counts),
        errors=sum(count.requests for count in counts if count.status >= 400),
        items=sum(count.items for count in counts),
        p50_ms=latency.p50 if latency else None,
        scores=figures.scores(task, sample.answers),
    )
