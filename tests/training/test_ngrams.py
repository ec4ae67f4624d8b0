"""The n-gram line."""

import numpy as np

from training.ngrams import NGrams

GOOD = [f"a fine film number {k} and a joy".split() for k in range(20)]
BAD = [f"a dull film number {k} and a bore".split() for k in range(20)]
LABELS = np.array([1.0] * len(GOOD) + [0.0] * len(BAD))


def test_words_of_one_side_decide() -> None:
    line = NGrams([*GOOD, *BAD], LABELS)
    fine, dull, neither = line.logits([["fine"], ["dull"], ["film"]])
    assert fine > neither > dull


def test_pairs_count_beside_words() -> None:
    texts = [["not", "good"], ["good"], ["not", "bad"], ["bad"]] * 10
    line = NGrams(texts, np.array([0.0, 1.0, 1.0, 0.0] * 10))
    not_good, good, not_bad, bad = line.logits(texts[:4])
    assert not_good < good
    assert not_bad > bad


def test_unknown_words_say_nothing() -> None:
    line = NGrams([*GOOD, *BAD], LABELS)
    one, other = line.logits([["zebra"], ["quark", "zebra"]])
    assert one == other
