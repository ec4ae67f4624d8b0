"""The Line: items waiting for a pass, in the order in which they are due, and which of them go together.

An item is due when it arrived plus _PATIENCE_S for each step that its request asks for up to it, and the earliest due goes
first: short texts overtake long ones, but not for ever, and a large request lets small ones in between. A pass holds items of
like length and is bounded in items and in padded steps. Where many long ones wait and none is overdue, those go first that
are most alike: padding costs as much as useful steps.
"""

import asyncio
import heapq
import itertools
import sys
import time
from bisect import bisect_right, insort
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from operator import attrgetter
from typing import Any

from app.tasks.task import Batchable, fits

SHORT_STEPS = 32
"""An item of so many steps is short: its pass is over before anybody could notice."""

_PATIENCE_S = 0.0007
_MANY = 24  # so many ready, an item that has no neighbours yet gets some while it waits
_STEPS_ENCODED_A_TURN = 4096  # so that encoding a long queue never holds up a pass for more than a few milliseconds
_MOST_PADDING = 1.25  # the longest of a pass over its shortest, as a ratio
_TINY_STEPS = 16  # among items this short, padding costs less than another pass


@dataclass(frozen=True)
class Timing:
    """Milliseconds of one request: `encode` raw input to tensors, `run` the passes it took part in, `queue` the rest."""

    encode: float
    queue: float
    run: float

    def __add__(self, other: "Timing") -> "Timing":
        """Of a request that asked twice, one time after the other."""
        return Timing(*(round(getattr(self, name) + getattr(other, name), 3) for name in ("encode", "queue", "run")))


@dataclass(eq=False, slots=True)
class Request:
    """One caller's items. What comes after `arrived` changes as they are encoded and run."""

    answer: "asyncio.Future[None]"
    predictions: list[Any]
    deadline: float
    arrived: float = field(default_factory=time.perf_counter)
    left: int = 0
    encode_s: float = 0.0
    run_s: float = 0.0
    ended: float = 0.0
    error: Exception | None = None
    gone: bool = False

    @property
    def over(self) -> bool:
        return self.gone or self.error is not None

    @property
    def timing(self) -> Timing:
        queue_s = max(0.0, self.ended - self.arrived - self.encode_s - self.run_s)
        return Timing(*(round(1000 * seconds, 3) for seconds in (self.encode_s, queue_s, self.run_s)))


@dataclass(eq=False, slots=True)
class Item:
    """One text or hour. `length` is a guess until it is `encoded`."""

    request: Request
    position: int
    raw: Any
    due: float
    length: int
    encoded: Any = None


_LENGTH = attrgetter("length")


class Line:
    """Not for several threads at once: the Batcher holds its lock around every call."""

    def __init__(self, task: Batchable[Any, Any, Any]) -> None:
        self._task = task
        self._order = itertools.count()  # of arrival, where two are due at once
        self._arrived: list[tuple[float, int, Item]] = []  # a heap by due
        self._ready: list[Item] = []  # encoded, sorted by length

    def __len__(self) -> int:
        return len(self._arrived) + len(self._ready)

    def has_short(self) -> bool:
        """Whether a short item waits."""
        return (bool(self._ready) and self._ready[0].length <= SHORT_STEPS) or any(
            item.length <= SHORT_STEPS for *_, item in self._arrived
        )

    def join(self, request: Request, raws: Sequence[Any]) -> int:
        """One item for each of a request's; how long the shortest is, at a guess."""
        steps, shortest = 0, sys.maxsize
        for position, raw in enumerate(raws):
            guess = self._task.guess_length(raw)
            steps += guess
            shortest = min(shortest, guess)
            item = Item(request, position, raw, request.arrived + steps * _PATIENCE_S, guess)
            heapq.heappush(self._arrived, (item.due, next(self._order), item))
        return shortest

    def to_encode(self, wanted: Callable[[Request], bool], only_short: bool = False) -> list[Item]:
        """Takes out those due first of what was not encoded yet, as many as one turn may encode."""
        taken: list[Item] = []
        passed_over: list[tuple[float, int, Item]] = []
        steps = 0
        while self._arrived and steps < _STEPS_ENCODED_A_TURN:
            entry = heapq.heappop(self._arrived)
            if only_short and entry[-1].length > SHORT_STEPS:
                passed_over.append(entry)
            elif wanted(entry[-1].request):
                taken.append(entry[-1])
                steps += entry[-1].length
        for entry in passed_over:
            heapq.heappush(self._arrived, entry)
        return taken

    def encoded(self, items: Sequence[Item]) -> None:
        """They have their true lengths now."""
        for item in items:
            insort(self._ready, item, key=_LENGTH)

    def next_group(self, wanted: Callable[[Request], bool], only_short: bool = False) -> list[Item]:
        """Takes out the encoded items of one pass; empty if there are none."""
        group: list[Item] = []
        while not group and (end := bisect_right(self._ready, SHORT_STEPS, key=_LENGTH) if only_short else len(self._ready)):
            first, last = self._around(self._seed(end), end)
            group = [item for item in self._ready[first:last] if wanted(item.request)]
            del self._ready[first:last]
        return group

    def _seed(self, end: int) -> int:
        """Which of what is ready before `end` the next pass is for; its neighbours go with it."""
        seed = min(range(end), key=lambda index: self._ready[index].due)
        earliest = self._ready[seed]
        if end < _MANY or earliest.length <= SHORT_STEPS or earliest.due < time.perf_counter():
            return seed
        return self._most_alike(end)

    def _most_alike(self, end: int) -> int:
        """The middle of those neighbours in length, as many as share a pass whatever their length, with the least padding."""
        count = min(end, self._task.few_items)
        lengths = [item.length for item in self._ready[:end]]
        sums = [0, *accumulate(lengths)]
        first = min(range(end - count + 1), key=lambda at: lengths[at + count - 1] / (sums[at + count] - sums[at]))
        return first + count // 2

    def _around(self, seed: int, end: int) -> tuple[int, int]:
        """[first, last) of what is ready before `end`: grown from the seed towards whichever neighbour is nearer in length."""
        ready, first, last = self._ready, seed, seed + 1
        while last - first < self._task.most_items:
            shorter = ready[first - 1].length if first else None
            longer = ready[last].length if last < end else None
            down = shorter is not None and (longer is None or ready[seed].length - shorter <= longer - ready[seed].length)
            low = shorter if down else ready[first].length
            high = ready[last - 1].length if down else longer
            if low is None or high is None or not self._fit(last - first + 1, low, high):
                break
            first, last = (first - 1, last) if down else (first, last + 1)
        return first, last

    def _fit(self, items: int, shortest: int, longest: int) -> bool:
        alike = longest <= max(_TINY_STEPS, _MOST_PADDING * shortest)
        return alike and fits(self._task, items, longest)
