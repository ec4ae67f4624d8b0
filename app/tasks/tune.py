"""A Tune: what is read and written of it, character by character. A Batch: tunes that go through the graph together."""

from collections.abc import Callable, Sequence
from copy import copy
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from app.tasks.abc_grammar import TuneGrammar
from app.tasks.recall import Recall
from app.tasks.sampling import Sampling, draw, log_softmax
from app.tasks.task import Run, Tensors

BOUNDARY = 0
"""Index of the mark that stands before and after every tune."""

Part = TypeVar("Part")
Fed = list[tuple[int, int, int]]
Prospect = tuple[npt.NDArray[np.bool_] | None, float, float, float]


class Tune:
    """A prompt and what is added to it; nothing of it depends on other tunes."""

    def __init__(self, ids: list[int], sampling: Sampling, grammar: TuneGrammar | None = None) -> None:
        """`ids` are the prompt's, the boundary first. Without a grammar any character may come."""
        self._ids, self._sampling, self._grammar = ids, sampling, grammar
        self._read = 0
        self._recall = Recall()
        self._chance = np.random.default_rng(sampling.seed)
        self._left = sampling.max_characters
        self._nats, self._prompt = 0.0, len(ids)

    @property
    def unread(self) -> int:
        """Characters that the graph has still to be fed; with none, the next one can be drawn."""
        return len(self._ids) - self._read

    @property
    def over(self) -> bool:
        """Whether nothing more is to be written."""
        return self._left <= 0

    @property
    def bits_per_character(self) -> float:
        """The prompt's own mean cost so far; that of its first character counts, that of what follows it does not."""
        return self._nats / max(self._prompt - 1, 1) / float(np.log(2.0))

    def take(self, count: int) -> Fed:
        """The next `count` unread characters as the graph takes them: index, guess and trust class of each."""
        taken = self._ids[self._read : self._read + count]
        self._read += count
        if self._grammar:
            for index in taken:
                self._grammar.push(index)
        return [(index, *self._recall.push(index)) for index in taken]

    def heard(self, log_p: npt.NDArray[np.float32]) -> None:
        """Log-probabilities [time, vocabulary] after each of the characters that were taken last."""
        following = self._ids[self._read - len(log_p) + 1 : self._read + 1]
        self._nats -= float(log_p[np.arange(len(following)), following].sum(dtype=np.float64))

    def prospect(self) -> Prospect:
        """What the next draw depends on: allowed characters (None: all), temperature, top_p and one random number."""
        allowed = self._grammar.allowed(self._left) if self._grammar else None
        return allowed, self._sampling.temperature, self._sampling.top_p, self._chance.random()

    def write(self, index: int) -> None:
        """Add the character that was drawn."""
        self._left = 0 if index == BOUNDARY else self._left - 1
        self._ids.append(index)


Faulty = Callable[[Tune, Exception], None]


class Batch:
    """Tunes and, a row for each, the graph's state and the log-probabilities of what comes next."""

    def __init__(self, state: dict[str, list[int]], vocabulary: int, faulty: Faulty | None = None) -> None:
        """Empty. `state`: name -> [layers, hidden]. `faulty` is told of a tune whose own code failed, which then leaves the
        batch; without it the exception is raised.
        """
        self._shapes, self._vocabulary, self._faulty = state, vocabulary, faulty
        self._anything = np.ones(vocabulary, bool)
        self.clear()

    def clear(self) -> None:
        """All leave, whatever became of them."""
        self.tunes: list[Tune] = []
        self.log_p = np.zeros((0, self._vocabulary), np.float32)
        """[batch, vocabulary], for tunes that have nothing unread."""
        self._state: Tensors = {
            name: np.zeros((layers, 0, hidden), np.float32) for name, (layers, hidden) in self._shapes.items()
        }

    def add(self, tunes: Sequence[Tune]) -> None:
        """Tunes of which nothing was read: their state is zeros."""
        more = len(tunes)
        self.tunes = [*self.tunes, *tunes]
        self.log_p = np.pad(self.log_p, ((0, more), (0, 0)))
        self._state = {name: np.pad(value, ((0, 0), (0, more), (0, 0))) for name, value in self._state.items()}

    def join(self, other: "Batch") -> None:
        """Take in the rows of another batch."""
        log_p = np.concatenate([self.log_p, other.log_p])
        self._state = {name: np.concatenate([value, other._state[name]], axis=1) for name, value in self._state.items()}
        self.tunes, self.log_p = self.tunes + other.tunes, log_p

    def split(self, leaves: Callable[[Tune], bool]) -> "Batch":
        """The rows of the tunes that leave, as a batch of their own."""
        rows: dict[bool, list[int]] = {True: [], False: []}
        for row, tune in enumerate(self.tunes):
            rows[leaves(tune)].append(row)
        leaving = copy(self)
        leaving._keep(rows[True])
        self._keep(rows[False])
        return leaving

    def advance(self, run: Run, count: int) -> None:
        """One pass over the next `count` unread characters of every tune, which all must have as many."""
        fed = self._each(lambda tune: tune.take(count))
        if not fed:
            return
        ids, guesses, trust = np.array(fed, np.int64).transpose(2, 0, 1).copy()
        outputs = run({"ids": ids, "guesses": guesses, "trust": trust, **self._state})
        self._state = {name: outputs[f"next_{name}"] for name in self._state}
        log_p = log_softmax(outputs["logits"])
        if count > 1 or any(tune.unread for tune in self.tunes):
            for tune, own in zip(self.tunes, log_p, strict=True):
                tune.heard(own)
        self.log_p = log_p[:, -1]

    def draw(self) -> list[int]:
        """The next character of every tune, which is written into it; none may have anything unread."""
        prospects = self._each(Tune.prospect)
        if not prospects:
            return []
        masks, *settings = zip(*prospects, strict=True)
        allowed = np.concatenate([self._anything if mask is None else mask for mask in masks]).reshape(self.log_p.shape)
        temperature, top_p, chance = np.array(settings).reshape(3, -1, 1)
        indices = draw(self.log_p, allowed, temperature, top_p, chance)
        for tune, index in zip(self.tunes, indices, strict=True):
            tune.write(index)
        return indices

    def _each(self, work: Callable[[Tune], Part]) -> list[Part]:
        """What `work` returns for each tune; those for which it raises leave."""
        parts: list[Part] = []
        failed: set[Tune] = set()
        for tune in self.tunes:
            try:
                parts.append(work(tune))
            except Exception as error:  # whatever ails one tune, the others go on
                if self._faulty is None:
                    raise
                self._faulty(tune, error)
                failed.add(tune)
        if failed:
            self._keep([row for row, tune in enumerate(self.tunes) if tune not in failed])
        return parts

    def _keep(self, rows: list[int]) -> None:
        self.tunes = [self.tunes[row] for row in rows]
        self.log_p = self.log_p[rows]
        self._state = {name: value[:, rows] for name, value in self._state.items()}
