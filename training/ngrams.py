"""The n-gram line: logistic regression on words, pairs and triples, weighed by naive Bayes (Wang, Manning 2012).

What a recurrent network has to beat, and a teacher beside it: the two err on different texts.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, pairwise

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_matrix
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

Words = Sequence[str]


class NGrams:
    """Fitted to labelled texts, each a list of words; labels 0 or 1, or any probability in between cut at 0.5."""

    def __init__(self, texts: Sequence[Words], labels: npt.NDArray[np.float64]) -> None:
        self._counter = CountVectorizer(analyzer=grams, binary=True, min_df=min(2, len(texts)), dtype=np.float32)
        counts = self._counter.fit_transform(texts)
        positive = labels >= 0.5
        # The log ratio of how often a gram stands in positive and in negative texts, smoothed by one.
        ratio = _shares(counts[positive]) / _shares(counts[~positive])
        self._weights = np.log(ratio).astype(np.float32)
        self._line = LogisticRegression(C=4.0, solver="liblinear", max_iter=200)
        self._line.fit(counts.multiply(self._weights).tocsr(), positive)

    def logits(self, texts: Sequence[Words]) -> npt.NDArray[np.float64]:
        """Log-odds of *positive*, [texts]."""
        counts = self._counter.transform(texts)
        return np.asarray(self._line.decision_function(counts.multiply(self._weights).tocsr()))


def grams(words: Words) -> Iterator[str]:
    """Words, then pairs and triples of neighbours."""
    pairs = map(" ".join, pairwise(words))
    triples = map(" ".join, zip(words, words[1:], words[2:], strict=False))
    return chain(words, pairs, triples)


def _shares(counts: csr_matrix) -> npt.NDArray[np.float64]:
    """Share of each gram among all, [grams]."""
    smoothed = 1.0 + np.asarray(counts.sum(axis=0), dtype=np.float64)[0]
    return np.asarray(smoothed / smoothed.sum())
