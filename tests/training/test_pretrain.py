"""Language-model pretraining."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from training.pretrain import LanguageModel, LogSumWrong, pretrain
from training.recipe import Recipe

WORDS = 12


def recipe(epochs: int = 1) -> Recipe:
    return Recipe.model_validate(
        {
            "task": "sentiment",
            "cell": "lstm",
            "data": {"validation_items": 1},
            "model": {"embedding": 8, "hidden": 8, "bidirectional": True},
            "pretraining": {"epochs": epochs, "batch_items": 4, "learning_rate": 0.03, "negatives": 16},
            "training": {"epochs": 1, "batch_items": 2, "learning_rate": 0.1},
        }
    )


def model() -> LanguageModel:
    torch.manual_seed(0)
    one, other = (nn.LSTM(8, 8, batch_first=True) for _ in range(2))
    return LanguageModel(nn.Embedding(WORDS, 8), one, other, counts=[0, 1, *[10] * (WORDS - 2)])


def cycles(texts: int = 80) -> list[np.ndarray]:
    """Texts in which every word is followed by the next one of the vocabulary, and preceded by the one before."""
    chance = np.random.default_rng(0)
    return [2 + (np.arange(chance.integers(8, 20)) + chance.integers(WORDS)) % (WORDS - 2) for _ in range(texts)]


def mean_loss(network: LanguageModel, direction: int) -> float:
    step = 1 if direction == 0 else -1
    ids = torch.from_numpy(np.stack([text[::step][:8] for text in cycles()]).copy())
    drawn = network.negatives(500, torch.Generator().manual_seed(0))
    return network.loss(direction, ids, torch.full((len(ids),), 8), drawn).item()


def test_both_directions_learn_which_word_comes_next(tmp_path: Path) -> None:
    network = model()
    before = [mean_loss(network, direction) for direction in (0, 1)]
    pretrain(network, cycles(), recipe(epochs=15), tmp_path)
    after = [mean_loss(network, direction) for direction in (0, 1)]
    assert max(after) < 0.5
    assert min(before) > 2.0


def test_a_killed_run_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.pretrain._CHECKPOINT_SECONDS", 0.0)
    whole, parts = model(), model()
    pretrain(whole, cycles(), recipe(), tmp_path / "whole")

    class Killed(Exception):
        pass

    def kill(folder: Path, *rest: Any) -> None:
        save(folder, *rest)
        if rest[-1] == 7:
            raise Killed

    from training.pretrain import _save as save

    with monkeypatch.context() as patched:
        patched.setattr("training.pretrain._save", kill)
        with pytest.raises(Killed):
            pretrain(parts, cycles(), recipe(), tmp_path / "parts")
    resumed = model()
    pretrain(resumed, cycles(), recipe(), tmp_path / "parts")
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict())


def test_the_block_wise_sum_and_its_gradients_are_those_of_plain_operations() -> None:
    torch.manual_seed(0)
    state, words, offset = (torch.randn(*shape, requires_grad=True) for shape in ((300, 16), (50, 16), (50,)))
    target, drawn = torch.randint(0, 20, (300,)).int(), torch.randint(0, 20, (50,)).int()
    plain = (state @ words.T + offset).masked_fill(target[:, None] == drawn[None], -torch.inf).logsumexp(1)
    got = LogSumWrong.apply(state, words, offset, target, drawn)  # type: ignore[no-untyped-call]
    weights = torch.rand(300)
    torch.testing.assert_close(got, plain, atol=0.05, rtol=0.02)
    expected = torch.autograd.grad((plain * weights).sum(), (state, words, offset))
    for ours, theirs in zip(torch.autograd.grad((got * weights).sum(), (state, words, offset)), expected, strict=True):
        assert (ours - theirs).norm() < 0.02 * theirs.norm()


def test_frequent_words_are_drawn_more_often_but_less_than_in_proportion() -> None:
    one, other = (nn.LSTM(2, 2, batch_first=True) for _ in range(2))
    network = LanguageModel(nn.Embedding(3, 2), one, other, counts=[1, 16, 81])
    drawn = network.negatives(100_000, torch.Generator().manual_seed(0))
    assert (torch.bincount(drawn) / len(drawn)).tolist() == pytest.approx([1 / 36, 8 / 36, 27 / 36], abs=0.01)
