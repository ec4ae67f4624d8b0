"""Windows of items -> records, on all threads.

A window is sorted by length and cut into slices; a thread takes a slice at a time, encodes it and runs the graph. The graph
lets go of Python's lock, so one thread encodes while others run. While a window is awaited, the next one is queued behind it.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from app.bulk.items import Item, TaskItems
from app.bulk.outputs import Record
from app.predictor import Predictor
from app.tasks.task import by_length

WINDOW_ITEMS = 2048
WINDOW_SIZE = 8_000_000
"""Characters or scans: they bound the memory."""
_SLICE_ITEMS = 32
"""Few enough that threads end together, enough that texts sorted anew by words share passes with little padding."""


_Job = tuple[list[int], Future[list[Record]]]
"""Where in the window its inputs stand, and their cells to come."""


@dataclass(frozen=True)
class Window:
    """Items that share a part. `position` is where the reader then stood."""

    items: list[Item]
    last_row: int
    position: int


def scored(
    windows: Iterator[Window], kind: TaskItems, predictor: Predictor[Any], threads: int
) -> Iterator[tuple[Window, list[Record]]]:
    """Each window with its rows of the output, in order."""
    pool = ThreadPoolExecutor(threads, "score")
    waiting: deque[tuple[Window, list[_Job]]] = deque()
    try:
        for window in windows:
            waiting.append((window, _submit(pool, window, kind, predictor)))
            if len(waiting) > 1:
                yield _collect(*waiting.popleft(), len(kind.answers))
        while waiting:
            yield _collect(*waiting.popleft(), len(kind.answers))
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def windows(groups: Iterator[list[Item]], position: Callable[[], int]) -> Iterator[Window]:
    """Cut where reading may start again: they are the same whatever was done before."""
    items: list[Item] = []
    size = 0
    for group in groups:
        items += group
        size += sum(item.size for item in group)
        if len(items) >= WINDOW_ITEMS or size >= WINDOW_SIZE:
            yield Window(items, max(item.last for item in items), position())
            items, size = [], 0
    if items:
        yield Window(items, max(item.last for item in items), position())


def _submit(pool: ThreadPoolExecutor, window: Window, kind: TaskItems, predictor: Predictor[Any]) -> list[_Job]:
    good = [index for index, item in enumerate(window.items) if item.fault is None]
    slices = by_length([window.items[index].size for index in good], _SLICE_ITEMS)
    jobs = []
    for group in reversed(slices):  # the longest first, so that the threads end together
        indices = [good[place] for place in group]
        jobs.append(
            (indices, pool.submit(kind.cells, predictor.task, predictor.run, [window.items[index].input for index in indices]))
        )
    return jobs


def _collect(window: Window, jobs: list[_Job], width: int) -> tuple[Window, list[Record]]:
    """`width` is the number of cells of an answer."""
    cells: list[Record] = [(None,) * width] * len(window.items)
    for indices, job in jobs:
        for index, answer in zip(indices, job.result(), strict=True):
            cells[index] = answer
    return window, [(item.first, *item.ids, *answer, item.fault) for item, answer in zip(window.items, cells, strict=True)]
