"""How far tunes are from those learned from: the longest run of characters that a tune shares with any of them."""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_HEADER_OR_COMMENT = re.compile(r"^(?:[A-Za-z]:(?![|:])|%).*$", re.MULTILINE)
_BETWEEN_TUNES = "\n"  # in no stripped tune, so no run leads from one into the next
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

Hashes = npt.NDArray[np.uint64]


def notes_of(abc: str) -> str:
    """The music alone: no fields, comments or white space."""
    return re.sub(r"\s", "", _HEADER_OR_COMMENT.sub("", abc))


def longest_runs(tunes: Sequence[str], learned: Sequence[str]) -> npt.NDArray[np.int64]:
    """int64 [tunes]: the length of each tune's longest run of characters, fields aside, that some learned tune has too.

    Runs are compared by 64-bit hashes of their characters and found by bisection: a tune that shares a run shares the
    shorter ones within it.
    """
    queries = [_Runs(notes_of(abc)) for abc in tunes]
    corpus = _Runs(_BETWEEN_TUNES.join(notes_of(abc) for abc in learned))
    shared = np.zeros(len(queries), np.int64)
    # One bound for all, so that many tunes ask about the same lengths.
    unshared = np.full(len(queries), 1 << max((query.length for query in queries), default=0).bit_length(), np.int64)
    while (open_ones := np.flatnonzero(unshared - shared > 1)).size:
        middle = (shared + unshared) // 2
        for length in np.unique(middle[open_ones]).tolist():
            known = np.sort(corpus.of(length))
            for row in open_ones[middle[open_ones] == length].tolist():
                found = _any_in(queries[row].of(length), known)
                (shared if found else unshared)[row] = length
    return shared


class _Runs:
    """All runs of one length in a text, as hashes."""

    def __init__(self, text: str) -> None:
        self.length = len(text)
        codes = np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.uint64)
        # Characters become scattered numbers, so that sums of products do not collide in any regular way.
        self._doubled = [(codes + np.uint64(1)) * _MULTIPLIER ^ (codes << np.uint64(17))]

    def of(self, length: int) -> Hashes:
        """One hash for each place where a run of this length (1 or more) begins; empty for a shorter text."""
        if length > self.length:
            return np.zeros(0, np.uint64)
        hashes, done = None, 0
        for power in range(length.bit_length()):
            if length >> power & 1:
                part = self._power(power)[done:]
                hashes = part if hashes is None else _joined(hashes, part, 1 << power)
                done += 1 << power
        return np.zeros(0, np.uint64) if hashes is None else hashes[: self.length - length + 1]

    def _power(self, power: int) -> Hashes:
        """Hashes of all runs of 2^power."""
        while len(self._doubled) <= power:
            last, step = self._doubled[-1], 1 << (len(self._doubled) - 1)
            self._doubled.append(_joined(last, last[step:], step))
        return self._doubled[power]


def _joined(first: Hashes, second: Hashes, length: int) -> Hashes:
    """Hashes of runs that begin in `first` and go on for `length` in `second`, modulo 2^64."""
    factor = np.uint64(pow(int(_MULTIPLIER), length, 2**64))
    common = min(len(first), len(second))
    return first[:common] * factor + second[:common]


def _any_in(hashes: Hashes, known: Hashes) -> bool:
    """Whether one of the hashes is among the sorted ones."""
    if not len(hashes) or not len(known):
        return False
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return bool((known[places] == hashes).any())
