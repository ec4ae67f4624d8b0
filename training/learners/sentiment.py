"""Learning sentiment: cross-entropy on whole reviews, over word vectors learned from labelled and unlabelled text."""

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from gensim.models import Word2Vec
from gensim.models.callbacks import CallbackAny2Vec
from torch import Tensor
from torch.nn import functional

from app.tasks.sentiment import RESERVED, UNKNOWN, Sentiment, tokenize
from app.tasks.task import Run
from training import metrics
from training.data.batches import Batch, Example
from training.data.imdb import read_reviews, read_unlabelled
from training.data.splits import Splits, recorded_splits
from training.learners.learner import Asset, Scores, Sets, scoring_batches
from training.model import SentimentNet, TaskNet
from training.progress import progress, track
from training.recipe import Recipe

log = logging.getLogger(__name__)

_SCORING_ITEMS = 64


class SentimentLearner:
    """See Learner."""

    primary: ClassVar[str] = "accuracy"
    higher: ClassVar[bool] = True
    golden_inputs: ClassVar[list[Any]] = [
        "A quiet, moving film.",
        "Two hours I will never get back.",
        "<br />The plot is thin, but the two leads are a joy to watch!!! 8/10",
        "I wanted to like it. I really did... Instead I fell asleep, twice. " * 40,
        "😀",
    ]

    def __init__(self, recipe: Recipe, data: Path, work: Path, vocabulary: list[str] | None = None) -> None:
        self._recipe = recipe
        reviews, report = read_reviews(data)
        texts, labels = reviews["text"].to_list(), reviews["label"].to_list()
        splits = _splits(recipe, reviews["movie"].to_list(), reviews["official_test"].to_list(), work)
        self._corpus = [] if vocabulary else _corpus([texts[row] for row in splits.train], read_unlabelled(data))
        self.asset = Asset("vocab.json", vocabulary or _vocabulary(self._corpus, recipe.data.vocabulary_words))
        self.settings: dict[str, Any] = {
            "head_tokens": recipe.data.head_tokens,
            "tail_tokens": recipe.data.tail_tokens,
            "temperature": 1.0,
        }
        task = Sentiment.from_bundle(self.settings, self.asset.content)

        def examples(rows: list[int]) -> list[Example]:
            counted = track(rows, "encoding reviews", len(rows))
            return [Example(task.encode(texts[row]).ids, np.array(labels[row], np.float32)) for row in counted]

        self.sets = Sets(examples(splits.train), examples(splits.validation), examples(splits.test), report, splits)

    def network(self) -> TaskNet:
        net = SentimentNet(self._recipe, len(self.asset.content))
        if self._recipe.vectors.epochs:
            with torch.no_grad():
                net.embedding.weight.copy_(torch.from_numpy(_vectors(self._corpus, self.asset.content, self._recipe)))
        return net

    def loss(self, network: TaskNet, batch: Batch) -> Tensor:
        regular = self._recipe.regularisation
        ids = batch.inputs
        dropped = torch.rand(ids.shape, device=ids.device) < regular.word_dropout
        logits = network(ids.masked_fill(dropped, UNKNOWN), batch.lengths).float()
        smooth = batch.targets * (1 - 2 * regular.label_smoothing) + regular.label_smoothing
        return functional.binary_cross_entropy_with_logits(logits, smooth)

    def score(self, run: Run, examples: Sequence[Example]) -> Scores:
        logit = self._logits(run, examples)
        probability = 0.5 * (1 + np.tanh(0.5 * logit / self.settings["temperature"]))
        label = _labels(examples)
        return {
            "accuracy": metrics.accuracy(probability, label),
            "log_loss": metrics.log_loss(probability, label),
            "calibration_error": metrics.expected_calibration_error(probability, label),
        }

    def calibrate(self, run: Run) -> None:
        validation = self.sets.validation
        self.settings["temperature"] = metrics.best_temperature(self._logits(run, validation), _labels(validation))

    def _logits(self, run: Run, examples: Sequence[Example]) -> metrics.Array:
        logit = np.zeros(len(examples))
        for rows, batch in scoring_batches(examples, _SCORING_ITEMS):
            feeds = {"ids": batch.inputs.numpy(), "lengths": batch.lengths.numpy().astype(np.int32)}
            logit[rows] = run(feeds)["logit"]
        return logit


def _labels(examples: Sequence[Example]) -> metrics.Array:
    return np.array([example.target for example in examples], dtype=np.float64)


def _splits(recipe: Recipe, movies: list[str], official_test: list[bool], work: Path) -> Splits:
    """The official test half, where the source has it, is the test set and is never drawn from."""
    rest = [row for row, test in enumerate(official_test) if not test]
    wanted = recipe.data.test_items if len(rest) == len(movies) else 0
    groups = [movies[row] for row in rest]
    cut = recorded_splits(
        work.parent / "splits", "sentiment", groups, recipe.data.validation_items, wanted, recipe.data.split_seed
    )
    official = [row for row, test in enumerate(official_test) if test]
    return Splits(
        [rest[row] for row in cut.train],
        [rest[row] for row in cut.validation],
        [rest[row] for row in cut.test] + official,
    )


def _corpus(train: list[str], unlabelled: list[str]) -> list[list[str]]:
    """The words of every text that may be learned from; held-out reviews are not among them."""
    texts = [*train, *unlabelled]
    return [[token.text for token in tokenize(text)] for text in track(texts, "reading words", len(texts))]


def _vocabulary(corpus: list[list[str]], most: int) -> list[str]:
    counts = Counter(word for words in corpus for word in words)
    return [*RESERVED, *(word for word, _ in counts.most_common(most - len(RESERVED)))]


class _EpochCounter(CallbackAny2Vec):  # type: ignore[misc]
    """Tells of each finished epoch of Word2Vec."""

    def __init__(self, count: Callable[[], None]) -> None:
        self._count = count

    def on_epoch_end(self, _model: Word2Vec) -> None:
        self._count()


def _vectors(corpus: list[list[str]], vocabulary: list[str], recipe: Recipe) -> np.ndarray[Any, np.dtype[np.float32]]:
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
            workers=torch.get_num_threads(),
            seed=recipe.training.seed,
            callbacks=[_EpochCounter(lambda: bar.advance(task))],
        )
    chance = np.random.default_rng(recipe.training.seed)
    vectors = chance.normal(0.0, 0.1, (len(vocabulary), recipe.model.embedding)).astype(np.float32)
    known = [row for row, word in enumerate(vocabulary) if word in model.wv]
    learned = model.wv[[vocabulary[row] for row in known]]
    vectors[known] = learned * (0.3 / learned.std())
    return vectors
