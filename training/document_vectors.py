"""A vector for every text, learned from all texts without labels: DV-ngrams-cosine (Thongtan, Phienthrakul 2019).

A text's vector learns to point where those of its words, pairs and triples point, and away from those of other grams, by the
cosine alone. A line over such vectors knows what texts speak alike, labelled or not, and so errs on other texts than the n-gram
line and the networks do: a third teacher.
"""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from training.ngrams import Words, grams
from training.progress import track
from training.recipe import Documents

log = logging.getLogger(__name__)

Floats = npt.NDArray[np.float32]

_SHARPNESS = np.float32(6.0)  # the logit of "this gram is of this text" is so many times their cosine
_WRONG = 2  # grams drawn to stand for all that are not of the text
_SUBSAMPLE = 1e-4  # grams with a larger share of all are passed over now and then (Mikolov et al. 2013)
_FEWEST_TEXTS = 5  # that a gram must be in
_TABLE = 1 << 22  # places in the table that grams are drawn from
_ONE = np.float32(1.0)


class DocumentVectors:
    """Learned from texts, each a list of words; `vectors` is float32 [texts, width], every one of length 1."""

    def __init__(self, texts: Sequence[Words], settings: Documents, seed: int = 0) -> None:
        self._settings, self._seed = settings, seed
        self._counter = CountVectorizer(analyzer=grams, min_df=min(_FEWEST_TEXTS, len(texts)), dtype=np.int32)
        counts = self._counter.fit_transform(texts)
        total = np.asarray(counts.sum(axis=0), np.float64)[0]
        rarity = _SUBSAMPLE * total.sum() / total
        self._kept = np.minimum(1.0, np.sqrt(rarity) + rarity).astype(np.float32)
        ends = np.cumsum(total**0.75)
        self._drawn = np.searchsorted(ends, (np.arange(_TABLE) + 0.5) / _TABLE * ends[-1]).astype(np.int32)
        self._grams = _random(len(total), settings.width, seed)
        self._lengths = np.linalg.norm(self._grams, axis=1)
        self.vectors = self._learn(counts, learn_grams=True)

    def of(self, texts: Sequence[Words]) -> Floats:
        """Vectors of other texts, float32 [texts, width]; what was learned of grams stays as it is."""
        return self._learn(self._counter.transform(texts), learn_grams=False)

    def _learn(self, counts: csr_matrix, *, learn_grams: bool) -> Floats:
        texts = _random(counts.shape[0], self._settings.width, self._seed + 1)
        tokens = np.repeat(counts.indices, counts.data)
        starts = np.concatenate([[0], np.cumsum(counts.data)])[counts.indptr]
        chance = np.random.default_rng(self._seed)
        epochs = self._settings.epochs
        for epoch in track(range(epochs), "learning document vectors, epoch", epochs):
            rate = np.float32(self._settings.learning_rate * (1 - epoch / epochs))
            _read(
                chance.permutation(len(texts)), starts, tokens, texts, self._grams, self._lengths, self._kept, self._drawn,
                rate, learn_grams, epoch,
            )  # fmt: skip
        return np.asarray(texts / np.linalg.norm(texts, axis=1, keepdims=True))


class DocumentLine:
    """Logistic regression over document vectors of which the first len(labels) are labelled, 0 or 1."""

    def __init__(self, documents: DocumentVectors, labels: npt.NDArray[np.float64]) -> None:
        self._documents = documents
        self._line = LogisticRegression(C=10.0, max_iter=500).fit(documents.vectors[: len(labels)], labels >= 0.5)
        self.logits_learned: npt.NDArray[np.float64] = self._line.decision_function(documents.vectors)

    def logits(self, texts: Sequence[Words]) -> npt.NDArray[np.float64]:
        """Log-odds of *positive* of other texts, [texts]."""
        return np.asarray(self._line.decision_function(self._documents.of(texts)))


def _random(rows: int, width: int, seed: int) -> Floats:
    """Of length 0.3 or so, whatever the width. Row by row, for a million rows at once would take twice the memory again."""
    chance, vectors = np.random.default_rng(seed), np.empty((rows, width), np.float32)
    for vector in vectors:
        vector[:] = chance.uniform(-0.5, 0.5, width) / np.sqrt(width)
    return vectors


@njit(nogil=True, fastmath=True, error_model="numpy")
def _read(
    order: Any, starts: Any, tokens: Any, texts: Any, grams: Any, lengths: Any, kept: Any, drawn: Any,
    rate: Any, learn_grams: bool, seed: int,
) -> None:  # fmt: skip
    """Every text once, in `order`: each of its grams, and wrong ones drawn beside it, move the text's vector and are moved."""
    np.random.seed(seed)
    push, pointing = np.zeros_like(texts[0]), np.zeros_like(texts[0])
    for text in order:
        own = texts[text]
        for place in range(starts[text], starts[text + 1]):
            if np.random.random() > kept[tokens[place]]:
                continue
            length = _length(own)
            pointing[:] = own / length
            push[:] = 0
            gram, right = tokens[place], _ONE
            for _ in range(_WRONG + 1):
                lengths[gram] = _meet(pointing, length, push, grams[gram], lengths[gram], right, rate, learn_grams)
                gram, right = drawn[np.random.randint(len(drawn))], np.float32(0.0)
            own += push


@njit(nogil=True, fastmath=True, error_model="numpy")
def _meet(
    pointing: Any, length: Any, push: Any, gram: Any, gram_length: Any, right: Any, rate: Any, learn_grams: bool
) -> Any:  # fmt: skip
    """One text and one gram: adds to `push` what moves the text, moves the gram where it learns; the gram's length then."""
    cosine = np.float32(0.0)
    for k in range(len(gram)):
        cosine += pointing[k] * gram[k]
    cosine /= gram_length
    step = rate * _SHARPNESS * (right - _ONE / (_ONE + np.exp(-_SHARPNESS * cosine)))
    toward, back = step / (length * gram_length), step * cosine / length
    for k in range(len(gram)):
        push[k] += toward * gram[k] - back * pointing[k]
    if not learn_grams:
        return gram_length
    toward = step / gram_length
    kept = _ONE - toward * cosine / gram_length
    square = np.float32(0.0)
    for k in range(len(gram)):
        gram[k] = kept * gram[k] + toward * pointing[k]
        square += gram[k] * gram[k]
    return np.sqrt(square)


@njit(nogil=True, fastmath=True, error_model="numpy")
def _length(vector: Any) -> Any:
    square = np.float32(0.0)
    for k in range(len(vector)):
        square += vector[k] * vector[k]
    return np.sqrt(square)
