"""What a tune itself says comes next: the character that followed when its latest characters stood there before.

Tunes are made of repeats. A recurrent state remembers their gist but not a hundred characters to the letter; so the network is
also shown this guess and how far it held so far (the match model of PAQ compressors, Mahoney 2005; a pointer as in Merity et
al. 2017, found by lookup instead of attention).
"""

from bisect import bisect_right
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

_ORDER = 5  # so many equal characters make a place worth looking at
_MOST_MISSES = 8  # wrong guesses in a row of trials after which a place is given up
_MOST_REPEATS = 2  # of one stretch in a row; suggesting it again and again would keep a tune that is being written in a loop
_HELD = [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64]
"""Lower ends of the classes of how many guesses held in a row."""
_MISS_CLASSES = 3

TRUST_CLASSES = 1 + _MISS_CLASSES * len(_HELD)
"""0: no guess. Else by how many guesses held in a row, and by how many were wrong since the place was found: none, 1, more."""

_CLASS_OF_HELD = [bisect_right(_HELD, held) - 1 for held in range(_HELD[-1] + 1)]


class Recall:
    """Fed with one tune, character by character."""

    def __init__(self) -> None:
        self._read: list[int] = []
        self._after: dict[tuple[int, ...], int] = {}
        self._place = -1
        self._held = self._missed = 0

    def push(self, character: int) -> tuple[int, int]:
        """The next character's index -> the guess for the one after it and its trust class; (0, 0) where there is none."""
        if self._place >= 0:
            self._judge(character)
        self._read.append(character)
        if len(self._read) >= _ORDER:
            latest = tuple(self._read[-_ORDER:])
            if self._held < _ORDER:
                self._look(latest)
            self._after[latest] = len(self._read)
        if self._place < 0 or self._in_a_loop():
            return 0, 0
        held = _CLASS_OF_HELD[min(self._held, _HELD[-1])]
        return self._read[self._place], 1 + _MISS_CLASSES * held + min(self._missed, _MISS_CLASSES - 1)

    def _in_a_loop(self) -> bool:
        """Whether the stretch from the place to here has been repeated often enough."""
        stretch = len(self._read) - self._place
        return stretch >= _ORDER and self._held >= _MOST_REPEATS * stretch

    def _judge(self, character: int) -> None:
        if self._read[self._place] == character:
            self._held += 1
        else:
            self._held, self._missed = 0, self._missed + 1
        self._place += 1

    def _look(self, latest: tuple[int, ...]) -> None:
        """After a wrong guess: another place where the latest characters stood, else the old one, for a few trials."""
        found = self._after.get(latest)
        if found is not None and found != self._place:
            self._place, self._held, self._missed = found, _ORDER, 0
        elif self._missed > _MOST_MISSES:
            self._place, self._held, self._missed = -1, 0, 0


def recalled(ids: Iterable[int], recall: Recall | None = None) -> npt.NDArray[np.int64]:
    """int64 [time, 2]: guess and trust class after each character of ids [time], read after what `recall` has read."""
    recall = recall or Recall()
    return np.array([recall.push(character) for character in ids], dtype=np.int64).reshape(-1, 2)
