"""The words of texts: what stands in them, which are kept, and vectors for them."""

import logging
from collections import Counter
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from gensim.models import Word2Vec
from gensim.models.callbacks import CallbackAny2Vec

from app.tasks.sentiment import RESERVED, tokenize
from training.progress import progress, track
from training.recipe import Recipe
from training.shards import CORES

log = logging.getLogger(__name__)


def read_corpus(train: list[str], unlabelled: list[str]) -> list[list[str]]:
    """The words of every text that may be learned from; held-out reviews are not among them."""
    texts = [*train, *unlabelled]
    return [[token.text for token in tokenize(text)] for text in track(texts, "reading words", len(texts))]


def make_vocabulary(corpus: list[list[str]], most: int) -> list[str]:
    counts = Counter(word for words in corpus for word in words)
    return [*RESERVED, *(word for word, _ in counts.most_common(most - len(RESERVED)))]


class _EpochCounter(CallbackAny2Vec):  # type: ignore[misc]
    """Tells of each finished epoch of Word2Vec."""

    def __init__(self, count: Callable[[], None]) -> None:
        self._count = count

    def on_epoch_end(self, _model: Word2Vec) -> None:
        self._count()


def learn_vectors(corpus: list[list[str]], vocabulary: list[str], recipe: Recipe) -> npt.NDArray[np.float32]:
    """float32 [vocabulary, embedding]: continuous-bag-of-words vectors, at about the scale of random ones."""
    log.info("learning word vectors from %d texts, %d epochs", len(corpus), recipe.vectors.epochs)
    with progress() as bar:
        task = bar.add_task("learning word vectors, epoch", total=recipe.vectors.epochs)
        model = Word2Vec(
            corpus,
            vector_size=recipe.model.embedding,
            window=recipe.vectors.window,
            epochs=recipe.vectors.epochs,
            min_count=1 if len(corpus) < 1000 else 5,
            sample=1e-4,
            workers=CORES,
            seed=recipe.training.seed,
            callbacks=[_EpochCounter(lambda: bar.advance(task))],
        )
    chance = np.random.default_rng(recipe.training.seed)
    vectors = chance.normal(0.0, 0.1, (len(vocabulary), recipe.model.embedding)).astype(np.float32)
    known = [row for row, word in enumerate(vocabulary) if word in model.wv]
    learned = model.wv[[vocabulary[row] for row in known]]
    vectors[known] = learned * (0.3 / learned.std())
    return vectors
