"""The teacher of two towers."""

from typing import Any

import pytest
import torch

from training.loop import _levels
from training.pretrain import LanguageModel
from training.recipe import Recipe, RecipeError, read_recipe
from training.wide import WideNet

WORDS = 12


def recipe(**training: Any) -> Recipe:
    return Recipe.model_validate(
        {
            "task": "sentiment",
            "cell": "lstm",
            "data": {"validation_items": 1},
            "model": {"embedding": 6, "hidden": 10, "layers": 2, "bidirectional": True, "towers": True},
            "training": {"epochs": 1, "batch_items": 2, "learning_rate": 0.1, **training},
        }
    )


def net() -> WideNet:
    torch.manual_seed(0)
    return WideNet(recipe(), WORDS).eval()


def texts(*lengths: int) -> tuple[torch.Tensor, torch.Tensor]:
    chance = torch.Generator().manual_seed(1)
    ids = torch.zeros(len(lengths), max(lengths), dtype=torch.int64)
    for row, length in enumerate(lengths):
        ids[row, :length] = torch.randint(1, WORDS, (length,), generator=chance)
    return ids, torch.tensor(lengths)


def test_a_text_is_judged_beside_longer_ones_as_it_is_alone() -> None:
    network = net()
    ids, lengths = texts(3, 9, 1)
    together = network(ids, lengths)
    alone = torch.cat([network(ids[row : row + 1, :length], lengths[row : row + 1]) for row, length in enumerate((3, 9, 1))])
    torch.testing.assert_close(together, alone)


def test_a_direction_sees_nothing_of_what_lies_ahead_of_it() -> None:
    forwards, backwards = net().directions()
    vectors = torch.randn(1, 7, 6)
    changed = vectors.clone()
    changed[:, 4:] += 1
    for tower in (forwards, backwards):
        torch.testing.assert_close(tower(vectors)[0][:, :4], tower(changed)[0][:, :4])
        assert not torch.allclose(tower(vectors)[0][:, 4:], tower(changed)[0][:, 4:])


def test_both_ends_of_a_text_count() -> None:
    network = net()
    ids, lengths = texts(8)
    for place in (0, 7):
        changed = ids.clone()
        changed[0, place] = 1 + ids[0, place] % (WORDS - 1)
        assert not torch.allclose(network(ids, lengths), network(changed, lengths))


def test_a_language_model_teaches_every_layer_of_both_towers() -> None:
    network = net().train()
    model = LanguageModel(network.embedding, *network.directions(), counts=[10] * WORDS)
    ids, lengths = texts(8, 5)
    drawn = torch.tensor([1, 2, 3])
    (model.loss(0, ids, lengths, drawn) + model.loss(1, ids, lengths, drawn)).backward()  # type: ignore[no-untyped-call]
    assert all(weights.grad is not None for tower in network.directions() for weights in tower.parameters())


def test_levels_nearer_to_the_words_learn_slower() -> None:
    network = net()
    groups = _levels(network, recipe(learning_rate=0.8, rate_decay=2.0).training)
    assert [group["lr"] for group in groups] == [0.8, 0.4, 0.2, 0.1]
    assert groups[0]["params"] == list(network.head.parameters())
    assert groups[-1]["params"] == list(network.embedding.parameters())
    learned = {id(weights) for group in groups for weights in group["params"]}
    unused = {id(weights) for tower in (network.forwards, network.backwards) for weights in tower.narrow.parameters()}
    assert learned | unused == {id(weights) for weights in network.parameters()}


def test_without_a_decay_all_learn_alike() -> None:
    network = net()
    assert _levels(network, recipe().training) == [{"params": list(network.parameters())}]


@pytest.mark.parametrize("change", [{"task": "music"}, {"cell": "gru"}, {"model.bidirectional": False}])
def test_towers_are_for_bidirectional_lstms_of_sentiment(change: dict[str, Any], tmp_path: Any) -> None:
    values: dict[str, Any] = {"task": "sentiment", "cell": "lstm", "model.bidirectional": True, **change}
    path = tmp_path / "recipe.toml"
    path.write_text(
        f'task = "{values["task"]}"\ncell = "{values["cell"]}"\n[data]\nvalidation_items = 1\n'
        f"[model]\nembedding = 4\nhidden = 4\ntowers = true\nbidirectional = {str(values['model.bidirectional']).lower()}\n"
        "[training]\nepochs = 1\nbatch_items = 1\nlearning_rate = 0.1\n"
    )
    with pytest.raises(RecipeError, match="towers"):
        read_recipe(path)
