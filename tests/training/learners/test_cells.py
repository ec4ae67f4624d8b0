"""What the demonstration's networks are trained for and judged by."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from app.tasks.cells import INSIDE, STATES, value_name
from app.tasks.task import Tensors
from training.cells_net import CellsNet
from training.data.batches import Batch, Example
from training.learners.cells import CellsLearner
from training.recipe import read_recipe


@pytest.fixture(scope="module")
def learner(
    tmp_path_factory: pytest.TempPathFactory, tiny_recipe: Callable[..., str], tiny_sources: dict[str, Path]
) -> CellsLearner:
    folder = tmp_path_factory.mktemp("cells")
    path = folder / "cells.toml"
    path.write_text(tiny_recipe("cells"))
    return CellsLearner(read_recipe(path), tiny_sources["cells"], folder / "work")


def believing(feeds: Tensors) -> Tensors:
    """The RNN takes index 2 for praise and all else for blame; the LSTM the other way round; the GRU is always for praise."""
    ids = feeds["ids"]
    rnn = np.where(ids == 2, 1.0, -1.0)
    outputs = {"rnn_logit": rnn, "lstm_logit": -rnn, "gru_logit": np.ones(len(ids))}
    states = {value_name(cell, name): feeds[f"{cell}_{name}"] for cell, names in STATES.items() for name in names}
    return {**outputs, **states}


def test_a_text_is_judged_after_its_last_word_not_after_the_padding(learner: CellsLearner) -> None:
    texts = [([3, 2], 1.0), ([2, 3], 0.0), ([2], 1.0), ([3, 3, 3, 2], 0.0)]
    examples = [Example(np.array(ids), np.array(label, np.float32)) for ids, label in texts]
    scores = learner.score(believing, examples)
    assert (scores["rnn_accuracy"], scores["lstm_accuracy"], scores["gru_accuracy"]) == (0.75, 0.25, 0.5)
    assert scores["accuracy"] == 0.5


def test_the_score_of_what_is_shown_ends_with_the_words_that_are(learner: CellsLearner) -> None:
    long = Example(np.array([3] * 59 + [2] + [3] * 10), np.array(1.0, np.float32))
    scores = learner.score(believing, [long])
    assert (scores["rnn_accuracy"], scores["rnn_accuracy_first_60"]) == (0.0, 1.0)


def test_the_last_verdict_costs_as_much_as_all_together_and_padding_nothing(learner: CellsLearner) -> None:
    network = learner.network().eval()
    assert isinstance(network, CellsNet)
    ids, lengths = torch.tensor([[2, 3, 4, 0, 0], [5, 6, 7, 8, 9]]), torch.tensor([3, 5])
    with torch.inference_mode():
        loss = learner.loss(network, Batch(ids, lengths, torch.tensor([1.0, 0.0])))
        logits = network(ids)
    expected = 0.0
    for row, (length, target) in enumerate([(3, 1.0), (5, 0.0)]):
        costs = torch.nn.functional.softplus(logits[:, row, :length] * (1 - 2 * target))
        expected += float((costs.mean(1) + costs[:, -1]).sum()) / 4
    assert float(loss) == pytest.approx(expected, abs=1e-5)
    assert len(logits) == len(INSIDE)
