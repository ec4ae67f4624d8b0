"""What each word adds to a verdict: Shapley values, estimated from readings of parts of the text.

The words read are players, the log-odds of *positive* what they earn together. A Shapley value (1953) is what a player adds to
those who came before, on average over the orders in which they may come. Of those orders pairs are read, each with its reverse
(Castro et al. 2009; Strumbelj & Kononenko 2014); the first pair is the text as it is read, from the left and from the right.
Along any order, what is added makes up the whole text's log-odds less those of a text without a word: so do the weights.

The words of a long text come in runs (Owen 1977). What a run adds is split among its words: each gets by how much the log-odds
fall when it is deleted from the run and its surroundings, and what is left over or lacking is spread evenly (Ruiz et al. 1998).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.tasks.sentiment import UNKNOWN, EncodedText, Sentiment

Judge = Callable[[Sequence[EncodedText]], Awaitable[Sequence[float]]]
"""Log-odds of *positive* of each part of a text."""

Array = npt.NDArray[np.float64]

_MOST_ALONE = 64
"""A text of no more words has no runs; of a short one many orders are read."""

_STEPS, _MOST_PAIRS = 10_000, 8  # words read for the orders of such a text; more of them change little
_RUNS = 32  # of a longer text, in one pair of orders
_SURROUNDINGS = 10  # words on each side of a run
_SEED = 0  # the same text gets the same weights


class WordWeight(NamedTuple):
    """A word as sent, characters [start, end) of the text, and the log-odds of *positive* that it adds."""

    text: str
    start: int
    end: int
    weight: float


async def word_weights(task: Sentiment, text: str, judge: Judge) -> list[WordWeight]:
    """One for each word that is read, in order. They add up to the log-odds of the text less those of `""`."""
    words = task.words_read(text)
    if not words:
        return []
    weights = (await _Reading(task.encode(text).ids, judge).weights()).tolist()
    return [WordWeight(text[start:end], start, end, each) for (_, start, end), each in zip(words, weights, strict=True)]


class _Reading:
    """One text's words, of which the network reads parts."""

    def __init__(self, ids: npt.NDArray[np.int64], judge: Judge) -> None:
        self._ids, self._judge = ids, judge

    async def weights(self) -> Array:
        """[words]."""
        count = len(self._ids)
        if count <= _MOST_ALONE:
            return await self._shapley(np.arange(count), min(_MOST_PAIRS, max(1, _STEPS // count**2)))
        run_of = np.arange(count) * _RUNS // count
        of_runs, falls = await self._shapley(run_of, 1), await self._deletions(run_of)
        left_over = of_runs - np.bincount(run_of, falls)
        return np.asarray(falls + (left_over / np.bincount(run_of))[run_of])

    async def _shapley(self, run_of: npt.NDArray[np.int64], pairs: int) -> Array:
        """[runs], from so many pairs of orders; `run_of` [words]: the run of each word."""
        runs = int(run_of[-1]) + 1
        chance = np.random.default_rng(_SEED)
        ranks = np.array([np.arange(runs), *(chance.permutation(runs) for _ in range(pairs - 1))])
        ranks = np.concatenate([ranks, runs - 1 - ranks])  # [orders, runs]: when each one comes
        kept = ranks[:, None, run_of] < np.arange(runs + 1)[:, None]
        log_odds = await self._log_odds(kept.reshape(-1, len(run_of)))
        added = np.diff(log_odds.reshape(len(ranks), runs + 1), axis=1)
        return np.asarray(np.take_along_axis(added, ranks, axis=1).mean(axis=0))

    async def _deletions(self, run_of: npt.NDArray[np.int64]) -> Array:
        """[words]: by how much the log-odds fall when each one is deleted from its run and what surrounds that."""
        words = np.arange(len(run_of))
        first, last = (np.searchsorted(run_of, run_of, side) for side in ("left", "right"))
        near = (words >= first[:, None] - _SURROUNDINGS) & (words < last[:, None] + _SURROUNDINGS)
        others = words[:, None] != words
        with_it, without = np.split(await self._log_odds(np.concatenate([near, near & others])), 2)
        return np.asarray(with_it - without)

    async def _log_odds(self, kept: npt.NDArray[np.bool_]) -> Array:
        """[parts], where of the words [parts, words] those kept are read; the same part is read once."""
        masks = {mask.tobytes(): mask for mask in kept}
        log_odds = dict(zip(masks, await self._judge([self._part(mask) for mask in masks.values()]), strict=True))
        return np.array([log_odds[mask.tobytes()] for mask in kept])

    def _part(self, kept: npt.NDArray[np.bool_]) -> EncodedText:
        ids = self._ids[kept]
        return EncodedText(ids if ids.size else np.array([UNKNOWN]), len(ids), len(ids))
