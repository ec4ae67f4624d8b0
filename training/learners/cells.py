"""Learning the demonstration: three small networks on the same labelled reviews, side by side."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from app.tasks.cells import INSIDE, Cells
from app.tasks.sentiment import UNKNOWN, Sentiment, sigmoid
from app.tasks.task import Observed, Run
from training import metrics
from training.cells_net import CellsNet
from training.data.batches import Batch, Example
from training.data.imdb import read_reviews
from training.learners.learner import Asset, Scores, Sets, scoring_batches
from training.learners.sentiment import labels_of, review_splits
from training.model import TaskNet
from training.recipe import Recipe
from training.words import make_vocabulary, read_corpus

_SCORING_ITEMS = 512
_MOST_WORDS = 60  # of a text that is looked at: more would be columns too narrow to see


class CellsLearner:
    """See Learner. Each network's loss is its own, and they are added up: no weight and no gradient is shared."""

    primary: ClassVar[str] = "accuracy"
    higher: ClassVar[bool] = True
    notice = ""
    golden_inputs: ClassVar[list[Any]] = [
        "A quiet, moving film.",
        "Two hours I will never get back.",
        "<br />The plot is thin, but the leads are a joy!!! 8/10",
        "😀",
    ]

    def __init__(self, recipe: Recipe, data: Path, work: Path, vocabulary: list[str] | None = None) -> None:
        self._recipe, read = recipe, recipe.data
        reviews, report = read_reviews(data)
        texts, labels = reviews["text"].to_list(), reviews["label"].to_list()
        splits = review_splits(recipe, reviews["movie"].to_list(), reviews["official_test"].to_list(), work)
        words = vocabulary or make_vocabulary(read_corpus([texts[row] for row in splits.train], []), read.vocabulary_words)
        self.asset = Asset("vocab.json", words)
        self.settings: dict[str, Any] = {"most_words": _MOST_WORDS, "units": recipe.model.hidden}
        task = Sentiment(words, read.head_tokens, read.tail_tokens)

        def examples(rows: Sequence[int]) -> list[Example]:
            return [Example(task.encode(texts[row]).ids, np.array(labels[row], np.float32)) for row in rows]

        train, validation, test = map(examples, (splits.train, splits.validation, splits.test))
        self.sets = Sets(train, validation, test, report, splits)

    def network(self) -> TaskNet:
        return CellsNet(self._recipe, len(self.asset.content))

    def complete(self, network: TaskNet) -> TaskNet:
        return network

    def loss(self, network: TaskNet, batch: Batch) -> Tensor:
        """A verdict is asked for after every word, the last one's counts as much as all others together: so what the page shows
        between is learned too, and a gradient reaches early words without crossing the whole text (Lipton et al. 2016)."""
        assert isinstance(network, CellsNet)  # noqa: S101
        regular, ids, lengths = self._recipe.regularisation, batch.inputs, batch.lengths
        dropped = torch.rand(ids.shape, device=ids.device) < regular.word_dropout
        logits = network(ids.masked_fill(dropped, UNKNOWN))
        target = (batch.targets * (1 - 2 * regular.label_smoothing) + regular.label_smoothing)[None, :, None]
        costs = functional.binary_cross_entropy_with_logits(logits, target.expand_as(logits), reduction="none")
        real = (torch.arange(ids.shape[1], device=ids.device)[None, :] < lengths[:, None]).to(costs.dtype)
        of_all = (costs * real).sum(2) / lengths
        of_last = costs.gather(2, (lengths - 1)[None, :, None].expand(len(costs), -1, 1))[:, :, 0]
        return torch.as_tensor((of_all + of_last).mean(1).sum() / 2)

    def score(self, run: Run, examples: Sequence[Example]) -> Scores:
        """`accuracy` is the mean of the three; those of each after the last word read, and after as many as are shown."""
        label = labels_of(examples)
        last, shown = (np.zeros((len(INSIDE), len(examples))) for _ in range(2))
        task = Cells.from_bundle(self.settings, self.asset.content)
        for rows, batch in scoring_batches(examples, _SCORING_ITEMS):
            values = task.walk(run, batch.inputs.numpy())
            logits = np.stack([values[f"{cell}_logit"] for cell in INSIDE])
            ends, columns = batch.lengths.numpy() - 1, np.arange(len(rows))
            last[:, rows] = logits[:, ends, columns]
            shown[:, rows] = logits[:, np.minimum(ends, task.most_words - 1), columns]
        scores = {}
        for cell, at_last, at_shown in zip(INSIDE, sigmoid(last), sigmoid(shown), strict=True):
            scores[f"{cell}_accuracy"] = metrics.accuracy(at_last, label)
            scores[f"{cell}_log_loss"] = metrics.log_loss(at_last, label)
            scores[f"{cell}_accuracy_first_{task.most_words}"] = metrics.accuracy(at_shown, label)
        return {"accuracy": float(np.mean([scores[f"{cell}_accuracy"] for cell in INSIDE])), **scores}

    def calibrate(self, run: Run) -> None:
        """Nothing: a verdict is shown as its cell gives it."""

    def observed(self, run: Run) -> Observed:  # noqa: ARG002 - as the interface has it
        """Nothing: nobody waits for drift of a demonstration."""
        return {}
