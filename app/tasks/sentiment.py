"""Sentiment: a text -> word indices -> the probability that the text is positive."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from app.tasks.task import Run, Tensors, by_length, pad

PADDING, UNKNOWN = 0, 1
RESERVED = ("<pad>", "<unk>")

# A tag is read over; a word may hold apostrophes; any other symbol is a token, and a run of one symbol is one token.
_TOKEN = re.compile(r"(?P<tag></?[A-Za-z][^<>]{0,100}>)|[^\W_]+(?:['’][^\W_]+)*|([^\w\s]|_)\2*")
_REPEATED = re.compile(r"(.)\1{2,}")

# Small batches are best for int8 on a CPU: 4 texts of like length are faster a text than 1 or 16.
_TEXTS_A_PASS = 4


class Token(NamedTuple):
    """A normalised word and where it stands in the text as sent: characters [start, end)."""

    text: str
    start: int
    end: int


def tokenize(text: str) -> Iterator[Token]:
    """Words and symbols in order, lower-cased, "soooo" as "soo", HTML tags left out."""
    for match in _TOKEN.finditer(text):
        if match["tag"] is None:
            word = _REPEATED.sub(r"\1\1", match[0].lower().replace("’", "'"))
            yield Token(word, match.start(), match.end())


@dataclass(frozen=True)
class EncodedText:
    """ids: int64 [time], at least one; `tokens` counts the words of the whole text, `read` those the model sees."""

    ids: npt.NDArray[np.int64]
    tokens: int
    read: int


@dataclass(frozen=True)
class SentimentPrediction:
    """probability: that of *positive*, in [0, 1]; tokens_read: words the model saw; truncated: whether some were left out."""

    label: str
    probability: float
    tokens_read: int
    truncated: bool


class Sentiment:
    """The task, from a vocabulary (index -> word, beginning with RESERVED) and how much of a long text is read."""

    name = "sentiment"

    def __init__(self, vocabulary: Sequence[str], head_tokens: int, tail_tokens: int, temperature: float = 1.0) -> None:
        self._index = {word: index for index, word in enumerate(vocabulary)}
        self._head, self._tail = head_tokens, tail_tokens
        self._temperature = temperature

    @classmethod
    def from_bundle(cls, settings: dict[str, Any], vocabulary: list[str]) -> "Sentiment":
        return cls(vocabulary, settings["head_tokens"], settings["tail_tokens"], settings["temperature"])

    def encode(self, text: str) -> EncodedText:
        """A text longer than the limit keeps its beginning and its end, where verdicts stand."""
        ids = [self._index.get(token.text, UNKNOWN) for token in tokenize(text)]
        tokens = len(ids)
        if tokens > self._head + self._tail:
            ids = ids[: self._head] + ids[tokens - self._tail :]
        return EncodedText(np.array(ids or [UNKNOWN], dtype=np.int64), tokens, len(ids))

    def feeds(self, texts: Sequence[EncodedText]) -> Tensors:
        """ids: int64 [batch, time]; lengths: int32 [batch]."""
        ids, lengths = pad([text.ids for text in texts])
        return {"ids": ids, "lengths": lengths}

    def probabilities(self, outputs: Tensors) -> npt.NDArray[np.float64]:
        """[batch], from the graph's `logit` [batch], softened by the temperature that calibrates it (Guo et al. 2017)."""
        logits = outputs["logit"].astype(np.float64) / self._temperature
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))

    def answer(self, run: Run, texts: Sequence[str]) -> list[SentimentPrediction]:
        encoded = [self.encode(text) for text in texts]
        probabilities = np.zeros(len(encoded))
        for group in by_length([len(text.ids) for text in encoded], _TEXTS_A_PASS):
            probabilities[group] = self.probabilities(run(self.feeds([encoded[index] for index in group])))
        return [_prediction(text, float(p)) for text, p in zip(encoded, probabilities, strict=True)]

    def numbers(self, run: Run, raw: Any) -> list[float]:
        return [self.answer(run, [raw])[0].probability]


def _prediction(text: EncodedText, probability: float) -> SentimentPrediction:
    label = "positive" if probability >= 0.5 else "negative"
    return SentimentPrediction(label, probability, text.read, text.read < text.tokens)
