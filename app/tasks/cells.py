"""Cells: what happens inside an RNN, an LSTM and a GRU while they read a text, word by word. A demonstration, not a task that
is served: its three networks are small enough to be looked at.

Its graph is one step of all three. `ids` int64 [batch] and a state of each cell before the word give, for each cell, the
log-odds of *positive* after it, its gates [batch, units], and the state after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from app.tasks.sentiment import UNKNOWN, sigmoid, tokenize
from app.tasks.task import Run, Tensors

INSIDE: dict[str, tuple[str, ...]] = {
    "rnn": ("state",),
    "lstm": ("forget", "input", "candidate", "output", "cell", "state"),
    "gru": ("update", "reset", "candidate", "state"),
}
"""Cell -> what can be looked at, in the order in which it is computed."""

STATES: dict[str, tuple[str, ...]] = {"rnn": ("state",), "lstm": ("state", "cell"), "gru": ("state",)}
"""Cell -> what of that it carries to the next word."""


def value_name(cell: str, name: str) -> str:
    """What the graph calls it: `lstm_forget`; `next_lstm_cell`, which is the input `lstm_cell` of the next word."""
    return f"next_{cell}_{name}" if name in STATES[cell] else f"{cell}_{name}"


class WordRead(NamedTuple):
    """A word as sent, where it stands there (characters [start, end)), and whether the vocabulary has it."""

    text: str
    start: int
    end: int
    known: bool


@dataclass(frozen=True)
class CellReading:
    """probabilities [time]: that of *positive* after each word, in [0, 1]; inside: name -> [time, units]."""

    probabilities: npt.NDArray[np.float64]
    inside: Tensors


@dataclass(frozen=True)
class Reading:
    """words: those that were read; truncated: whether the text goes on behind them; cells: name -> what happened inside."""

    words: list[WordRead]
    truncated: bool
    cells: dict[str, CellReading]


class Cells:
    """Built from a vocabulary (index -> word), the most words of a text that are read, and the units of each cell."""

    name = "cells"

    def __init__(self, vocabulary: Sequence[str], most_words: int, units: int) -> None:
        self._index = {word: index for index, word in enumerate(vocabulary)}
        self.most_words, self.units = most_words, units

    @classmethod
    def from_bundle(cls, settings: dict[str, Any], vocabulary: list[str]) -> "Cells":
        return cls(vocabulary, settings["most_words"], settings["units"])

    def read(self, run: Run, text: str) -> Reading:
        """The first words of a text, read by all three cells; `run` is called once a word."""
        tokens = list(tokenize(text))
        read = tokens[: self.most_words]
        ids = np.array([self._index.get(token.text, UNKNOWN) for token in read], dtype=np.int64)
        values = self.walk(run, ids[None])
        words = [
            WordRead(text[token.start : token.end], token.start, token.end, bool(index != UNKNOWN))
            for token, index in zip(read, ids, strict=True)
        ]
        return Reading(words, len(read) < len(tokens), {cell: _reading(cell, values) for cell in INSIDE})

    def walk(self, run: Run, ids: npt.NDArray[np.int64]) -> Tensors:
        """Word indices [batch, time] -> each of the graph's outputs after every word, [time, batch, ...]."""
        batch, steps = ids.shape
        zero = np.zeros((1, batch, self.units), np.float32)
        state = {f"{cell}_{name}": zero for cell, names in STATES.items() for name in names}
        after = []
        for step in range(steps):
            outputs = run({"ids": ids[:, step], **state})
            state = {name: outputs[f"next_{name}"] for name in state}
            after.append(outputs)
        return {name: np.stack([outputs[name] for outputs in after]) for name in (after[0] if after else ())}

    def numbers(self, run: Run, raw: Any) -> list[float]:
        """Everything there is to see: of each cell the probabilities, then the values inside."""
        cells = self.read(run, raw).cells.values()
        return [
            float(number)
            for cell in cells
            for values in (cell.probabilities, *cell.inside.values())
            for number in np.ravel(values)
        ]


def _reading(cell: str, values: Tensors) -> CellReading:
    """Of a batch of one text; empty where it has no word."""
    if not values:
        return CellReading(np.zeros(0), {name: np.zeros((0, 0), np.float32) for name in INSIDE[cell]})
    found = {name: values[value_name(cell, name)] for name in INSIDE[cell]}
    inside = {name: value[:, 0, 0] if name in STATES[cell] else value[:, 0] for name, value in found.items()}
    return CellReading(sigmoid(values[f"{cell}_logit"][:, 0].astype(np.float64)), inside)
