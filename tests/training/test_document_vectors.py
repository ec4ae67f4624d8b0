"""Vectors of texts learned without labels."""

import numpy as np
import pytest

from training.document_vectors import DocumentLine, DocumentVectors
from training.recipe import Documents

SETTINGS = Documents(epochs=40, width=12, learning_rate=0.05)
GOOD = ["joy", "fine", "warm", "tender", "witty", "lovely"]
BAD = ["bore", "dull", "cold", "clumsy", "lame", "ugly"]


def texts_of(words: list[str], count: int, seed: int) -> list[list[str]]:
    chance = np.random.default_rng(seed)
    return [["the", "film", "is", *chance.choice(words, 8).tolist()] for _ in range(count)]


@pytest.fixture(scope="module")
def documents() -> DocumentVectors:
    return DocumentVectors([*texts_of(GOOD, 40, 1), *texts_of(BAD, 40, 2)], SETTINGS)


def test_texts_that_speak_alike_point_the_same_way(documents: DocumentVectors) -> None:
    assert documents.vectors.shape == (80, 12)
    np.testing.assert_allclose(np.linalg.norm(documents.vectors, axis=1), 1.0, rtol=1e-5)
    cosines = documents.vectors @ documents.vectors.T
    within, between = cosines[:40, :40][np.triu_indices(40, 1)], cosines[:40, 40:]
    assert within.mean() > between.mean() + 0.2


def test_another_text_lands_among_its_like_and_moves_nothing(documents: DocumentVectors) -> None:
    before = documents._grams.copy(), documents._lengths.copy()
    found = documents.of([*texts_of(GOOD, 10, 3), *texts_of(BAD, 10, 4)])
    near = documents.vectors[:40].mean(0) - documents.vectors[40:].mean(0)
    assert ((found @ near > 0) == ([True] * 10 + [False] * 10)).all()
    assert (documents._grams == before[0]).all()
    assert (documents._lengths == before[1]).all()


def test_lengths_of_grams_are_kept_beside_them(documents: DocumentVectors) -> None:
    np.testing.assert_allclose(documents._lengths, np.linalg.norm(documents._grams, axis=1), rtol=1e-5)


def test_the_same_seed_gives_the_same_vectors() -> None:
    texts = [*texts_of(GOOD, 6, 1), *texts_of(BAD, 6, 2)]
    first, again, other = (DocumentVectors(texts, SETTINGS, seed).vectors for seed in (5, 5, 6))
    assert (first == again).all()
    assert (first != other).any()


def test_words_that_no_text_had_and_empty_texts_have_vectors_too(documents: DocumentVectors) -> None:
    found = documents.of([["zebra"], []])
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-5)


def test_a_few_labels_tell_the_sides_apart() -> None:
    labels = np.array([1.0, 0.0] * 4)
    labelled = [texts_of(GOOD if label else BAD, 1, 10 + k)[0] for k, label in enumerate(labels)]
    unlabelled = [*texts_of(GOOD, 40, 1), *texts_of(BAD, 40, 2)]
    line = DocumentLine(DocumentVectors([*labelled, *unlabelled], SETTINGS), labels)
    assert ((line.logits_learned[8:] > 0) == ([True] * 40 + [False] * 40)).mean() > 0.9
    assert ((line.logits([*texts_of(GOOD, 10, 3), *texts_of(BAD, 10, 4)]) > 0) == ([True] * 10 + [False] * 10)).mean() >= 0.9
