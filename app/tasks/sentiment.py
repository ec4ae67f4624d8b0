"""Sentiment: a text -> word indices -> the probability that the text is positive."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from app.tasks.task import Batchable, Run, Tensors, pad

Item = TypeVar("Item")

PADDING, UNKNOWN = 0, 1
RESERVED = ("<pad>", "<unk>")

# A tag is read over; a word may hold apostrophes, and what a treebank's tokeniser cut off it ("do n't", "it 's") is part of it
# again; any other symbol is a token, and a run of one symbol is one token.
_TOKEN = re.compile(
    r"</?[a-z][^<>]{0,100}>|([^\W_]+(?:'[^\W_]+)*(?: (?:n't|'(?:s|re|ve|ll|d|m))(?![\w']))?|([^\w\s]|_)\2*)",
)
_REPEATED = re.compile(r"(.)\1{2,}")

_LEAST = 1e-16  # of what two probabilities that add up to 1 may be


class Token(NamedTuple):
    """A normalised word and where it stands in the text as sent: characters [start, end)."""

    text: str
    start: int
    end: int


def tokenize(text: str) -> Iterator[Token]:
    """Words and symbols in order, lower-cased, "soooo" as "soo", "do n't" as "don't", HTML tags left out."""
    for match in _TOKEN.finditer(_lower(text)):
        if match[1]:
            yield Token(_normal(match[1]), match.start(), match.end())


def _lower(text: str) -> str:
    """Lower case and typewriter apostrophes; as long as the text, so that places in it stay where they are."""
    lower = text.lower()
    if len(lower) != len(text):
        lower = "".join(low if len(low := character.lower()) == 1 else character for character in text)
    return lower.replace("’", "'")


def _normal(word: str) -> str:
    return _REPEATED.sub(r"\1\1", word.replace(" ", ""))


class _Index(dict[str, int]):
    """Word -> index. Nearly every word of a text is found as it stands; only the others are looked at twice."""

    def __missing__(self, word: str) -> int:
        return self.get(_normal(word), UNKNOWN)


@dataclass(frozen=True)
class EncodedText:
    """ids: int64 [time], at least one; `tokens` counts the words of the whole text, `read` those the model sees, of which
    `unknown` are not in its vocabulary."""

    ids: npt.NDArray[np.int64]
    tokens: int
    read: int
    unknown: int = 0


@dataclass(frozen=True)
class SentimentPrediction:
    """probability: that of *positive*, in [0, 1]; tokens_read: words the model saw; truncated: whether some were left out;
    observed: the task's `features`."""

    label: str
    probability: float
    tokens_read: int
    truncated: bool
    observed: tuple[float, ...] = ()

    @property
    def log_odds(self) -> float:
        """Of *positive*; finite also where the probability is rounded to 0 or 1."""
        p = min(max(self.probability, _LEAST), 1.0 - _LEAST)
        return math.log(p / (1.0 - p))


class Sentiment(Batchable[str | EncodedText, EncodedText, SentimentPrediction]):
    """The task, from a vocabulary (index -> word, beginning with RESERVED) and how much of a long text is read."""

    name = "sentiment"
    features = ("tokens_read", "unknown_share", "probability")
    # int8 on a CPU, between other work: 5 reviews or 16 sentences are faster an item than fewer or more.
    few_items = 5
    most_items = 16
    most_steps = 512

    def __init__(self, vocabulary: Sequence[str], head_tokens: int, tail_tokens: int, temperature: float = 1.0) -> None:
        self._index = _Index({word: index for index, word in enumerate(vocabulary)})
        self._head, self._tail = head_tokens, tail_tokens
        self._temperature = temperature

    @classmethod
    def from_bundle(cls, settings: dict[str, Any], vocabulary: list[str]) -> "Sentiment":
        return cls(vocabulary, settings["head_tokens"], settings["tail_tokens"], settings["temperature"])

    def encode(self, raw: str | EncodedText) -> EncodedText:
        """A text longer than the limit keeps its beginning and its end, where verdicts stand."""
        if isinstance(raw, EncodedText):
            return raw
        # The same words as `tokenize` gives, five times as fast: no text waits for the places of its words.
        ids = [self._index[word] for word, _ in _TOKEN.findall(_lower(raw)) if word]
        tokens, ids = len(ids), self._read(ids)
        return EncodedText(np.array(ids or [UNKNOWN], dtype=np.int64), tokens, len(ids), ids.count(UNKNOWN))

    def feeds(self, items: Sequence[EncodedText]) -> Tensors:
        """ids: int64 [batch, time]; lengths: int32 [batch]."""
        ids, lengths = pad([text.ids for text in items])
        return {"ids": ids, "lengths": lengths}

    def probabilities(self, outputs: Tensors) -> npt.NDArray[np.float64]:
        """[batch], from the graph's `logit` [batch], softened by the temperature that calibrates it (Guo et al. 2017)."""
        logits = outputs["logit"].astype(np.float64) / self._temperature
        return sigmoid(logits)

    def guess_length(self, raw: str | EncodedText) -> int:
        """English has about five characters a token."""
        return self.length(raw) if isinstance(raw, EncodedText) else len(raw) // 5 + 1

    def length(self, encoded: EncodedText) -> int:
        return len(encoded.ids)

    def predictions(self, items: Sequence[EncodedText], outputs: Tensors) -> list[SentimentPrediction]:
        return [_prediction(text, p) for text, p in zip(items, self.probabilities(outputs).tolist(), strict=True)]

    def words_read(self, text: str) -> list[Token]:
        """Those that `encode` keeps, with their places."""
        return self._read(list(tokenize(text)))

    def _read(self, words: list[Item]) -> list[Item]:
        """What is left of a text's words if they are more than the limit."""
        if len(words) <= self._head + self._tail:
            return words
        return words[: self._head] + words[len(words) - self._tail :]

    def numbers(self, run: Run, raw: Any) -> list[float]:
        return [self.answer(run, [raw])[0].probability]


def sigmoid(logits: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Without overflow, however large they are."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))


def _prediction(text: EncodedText, probability: float) -> SentimentPrediction:
    label = "positive" if probability >= 0.5 else "negative"
    observed = (text.read, round(text.unknown / (text.read or 1), 4), round(probability, 6))
    return SentimentPrediction(label, probability, text.read, text.read < text.tokens, observed)
