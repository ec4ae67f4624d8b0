"""The networks: padding, pooling and what the heads promise."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from training.cells import FUSED_CELLS
from training.model import MusicNet, SentimentNet, Stack, pool, reverse_within_length
from training.recipe import Model, Recipe

KERNELS: Mapping[str, Callable[..., nn.RNNBase]] = FUSED_CELLS

CELLS = ["rnn", "lstm", "gru"]
unhurried = settings(deadline=None, max_examples=50)


def recipe(task: str, **regularisation: float) -> Recipe:
    return Recipe.model_validate(
        {
            "task": task,
            "cell": "gru",
            "data": {"validation_items": 1},
            "model": {"embedding": 6, "hidden": 4, "layers": 2, "bidirectional": task != "music"},
            "regularisation": regularisation,
            "training": {"epochs": 1, "batch_items": 1, "learning_rate": 0.1},
        }
    )


@st.composite
def padded(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """Random sequences [batch, time, width] with anything at all where they are padded, and their lengths."""
    lengths = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    time = max(lengths) + draw(st.integers(0, 2))
    chance = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    return torch.randn(len(lengths), time, draw(st.integers(1, 3)), generator=chance) * 10, torch.tensor(lengths)


@unhurried
@given(padded())
def test_turning_round_mirrors_the_sequence_and_leaves_its_padding(batch: tuple[Tensor, Tensor]) -> None:
    x, lengths = batch
    turned = reverse_within_length(x, lengths)
    for before, after, length in zip(x, turned, lengths.tolist(), strict=True):
        assert torch.equal(after[:length], before[:length].flip(0))
        assert torch.equal(after[length:], before[length:])


@unhurried
@given(padded())
def test_turning_round_twice_changes_nothing(batch: tuple[Tensor, Tensor]) -> None:
    x, lengths = batch
    assert torch.equal(reverse_within_length(reverse_within_length(x, lengths), lengths), x)


def test_pooling_by_hand() -> None:
    outputs = torch.tensor([[[1.0, -4.0], [3.0, -2.0], [99.0, 99.0]], [[-5.0, 0.0], [-1.0, 6.0], [-3.0, 3.0]]])
    pooled = pool(outputs, torch.tensor([2, 3]))
    assert pooled.tolist() == [[3.0, -2.0, 2.0, -3.0], [-1.0, 6.0, -3.0, 3.0]]


@unhurried
@given(padded())
def test_pooling_takes_the_maximum_and_mean_of_the_sequences_own_steps(batch: tuple[Tensor, Tensor]) -> None:
    x, lengths = batch
    for pooled, sequence, length in zip(pool(x, lengths), x, lengths.tolist(), strict=True):
        own = sequence[:length]
        torch.testing.assert_close(pooled, torch.cat([own.amax(0), own.mean(0)]), atol=1e-5, rtol=1e-5)


@unhurried
@given(st.integers(0, 2**31), st.permutations(range(5)))
def test_pooling_does_not_mind_the_order_of_steps(seed: int, order: list[int]) -> None:
    x = torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(seed))
    torch.testing.assert_close(pool(x, torch.tensor([5])), pool(x[:, order], torch.tensor([5])))


def same_weights(stack: Stack, whole: nn.RNNBase) -> None:
    """Give the stack's weights to one torch module of as many layers and directions."""
    with torch.no_grad():
        for suffix, modules in (("", stack.forwards), ("_reverse", stack.backwards)):
            for layer, module in enumerate(modules):
                for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
                    whole.get_parameter(f"{kind}_l{layer}{suffix}").copy_(module.get_parameter(f"{kind}_l0"))


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_a_stack_answers_what_torchs_packed_layers_do(cell: str, bidirectional: bool) -> None:
    torch.manual_seed(5)
    stack = Stack(cell, 3, Model(hidden=4, layers=2, bidirectional=bidirectional), dropout=0.0)
    whole = KERNELS[cell](3, 4, num_layers=2, bidirectional=bidirectional, batch_first=True)
    same_weights(stack, whole)
    x, lengths = torch.randn(3, 6, 3), torch.tensor([6, 2, 4])
    outputs, _ = stack(x, lengths)
    packed, _ = whole(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))
    expected, _ = pad_packed_sequence(packed, batch_first=True)
    for got, wanted, length in zip(outputs, expected, lengths.tolist(), strict=True):
        torch.testing.assert_close(got[:length], wanted[:length], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_a_stack_goes_on_from_the_state_it_returned(cell: str) -> None:
    torch.manual_seed(5)
    stack = Stack(cell, 3, Model(hidden=4, layers=2), dropout=0.0)
    x = torch.randn(2, 7, 3)
    at_once, last = stack(x, torch.tensor([7, 7]))
    first, state = stack(x[:, :3], torch.tensor([3, 3]))
    second, after = stack(x[:, 3:], torch.tensor([4, 4]), state)
    assert set(state) == ({"h", "c"} if cell == "lstm" else {"h"})
    assert all(tensor.shape == (2, 2, 4) for tensor in state.values())
    torch.testing.assert_close(torch.cat([first, second], dim=1), at_once)
    torch.testing.assert_close(after, last)


def test_whatever_pads_a_text_does_not_change_its_answer() -> None:
    torch.manual_seed(0)
    net = SentimentNet(recipe("sentiment"), 9).eval()
    ids, lengths = torch.tensor([[3, 4, 5, 0, 0], [1, 2, 3, 4, 5]]), torch.tensor([3, 5])
    other = ids.clone()
    other[0, 3:] = torch.tensor([7, 8])
    torch.testing.assert_close(net(ids, lengths), net(other, lengths))


def test_embedding_dropout_silences_a_channel_for_a_whole_text() -> None:
    torch.manual_seed(0)
    net = SentimentNet(recipe("sentiment", embedding_dropout=0.5), 9).train()
    seen: list[Tensor] = []
    net.stack.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].detach()))
    ids = torch.arange(1, 9).repeat(8, 1)
    net(ids, torch.full((8,), 8))
    kept = (seen[0] != 0).float().mean(1)  # share of steps by text and channel
    assert set(kept.flatten().tolist()) == {0.0, 1.0}
    assert np.ptp(kept.mean(1).numpy()) > 0  # every text has a mask of its own


def test_a_network_that_is_not_training_drops_nothing() -> None:
    torch.manual_seed(0)
    net = SentimentNet(recipe("sentiment", embedding_dropout=0.5, dropout=0.5), 9)
    ids, lengths = torch.tensor([[1, 2, 3]]), torch.tensor([3])
    assert net.train()(ids, lengths).item() != net(ids, lengths).item()
    assert net.eval()(ids, lengths).item() == net(ids, lengths).item()


def feeds(characters: list[list[int]]) -> dict[str, Tensor]:
    """Characters with a guess and a trust class that differ from step to step."""
    ids = torch.tensor(characters)
    return {"ids": ids, "guesses": ids.flip(0) % 5, "trust": ids * 3}


def test_music_without_a_state_starts_from_zero() -> None:
    torch.manual_seed(0)
    net = MusicNet(recipe("music"), 7).eval()
    tune = feeds([[1, 2, 3], [4, 5, 6]])
    bare = net.outputs(tune)
    torch.testing.assert_close(bare, net.outputs({**tune, "h": torch.zeros(2, 2, 4)}))
    assert bare["logits"].shape == (2, 3, 7)


def test_a_character_of_music_does_not_depend_on_the_next_one() -> None:
    torch.manual_seed(0)
    net = MusicNet(recipe("music"), 7).eval()
    first = net.outputs(feeds([[1, 2, 3, 4]]))["logits"]
    second = net.outputs(feeds([[1, 2, 5, 6]]))["logits"]
    torch.testing.assert_close(first[:, :2], second[:, :2])
    assert (first[:, 2:] - second[:, 2:]).abs().max() > 1e-4


@pytest.mark.parametrize("name", ["guesses", "trust"])
def test_what_the_tune_suggests_moves_the_next_character_at_once(name: str) -> None:
    torch.manual_seed(0)
    net = MusicNet(recipe("music"), 7).eval()
    tune = feeds([[1, 2, 3, 4]])
    changed = {**tune, name: tune[name].clone()}
    changed[name][0, 3] += 1
    difference = (net.outputs(tune)["logits"] - net.outputs(changed)["logits"]).abs()
    assert difference[:, :3].max() == 0
    assert difference[:, 3].max() > 1e-4
