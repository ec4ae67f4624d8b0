"""int8 answers among others are the very ones given alone."""

import random
from collections.abc import Callable, Sequence

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from app.tasks.recall import TRUST_CLASSES
from app.tasks.task import Run, Tensors, pad
from training.export import quantise
from training.graph import build_graph
from training.model import MusicNet, SentimentNet, TaskNet
from training.pins import PINS, pinned
from training.rain_net import RainfallNet, Reflectivities
from training.recipe import Recipe

LoadGraph = Callable[[onnx.ModelProto], Run]

WORDS = 13
# A quantised network takes a tenth of a second to make, so few are made and each is asked much.
few = settings(deadline=None, max_examples=12)


def recipe(
    task: str, cell: str = "lstm", layers: int = 1, bidirectional: bool = False, width: int = 3, hidden: int = 5
) -> Recipe:
    return Recipe.model_validate(
        {
            "task": task,
            "cell": cell,
            "data": {"validation_items": 1},
            "model": {"embedding": width, "hidden": hidden, "layers": layers, "bidirectional": bidirectional},
            "training": {"epochs": 1, "batch_items": 1, "learning_rate": 0.1},
        }
    )


def randomised(net: TaskNet, seed: int, scale: float) -> TaskNet:
    """Weights far larger than torch's own: ranges differ from row to row, and some units saturate."""
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=chance) * scale)
    return net.eval()


@st.composite
def sentiment_nets(draw: st.DrawFn, cells: Sequence[str] = ("lstm",), scales: Sequence[float] = (0.1, 0.7, 4.0)) -> TaskNet:
    made = recipe(
        "sentiment",
        draw(st.sampled_from(cells)),
        draw(st.integers(1, 2)),
        draw(st.booleans()),
        draw(st.integers(2, 9)),
        draw(st.integers(1, 40)),
    )
    return randomised(SentimentNet(made, WORDS), draw(st.integers(0, 2**31)), draw(st.sampled_from(scales)))


@st.composite
def music_nets(draw: st.DrawFn) -> TaskNet:
    made = recipe("music", "lstm", draw(st.integers(1, 2)), width=draw(st.integers(2, 9)), hidden=draw(st.integers(1, 40)))
    return randomised(MusicNet(made, WORDS), draw(st.integers(0, 2**31)), draw(st.sampled_from([0.1, 0.7, 4.0])))


def texts_of(chance: random.Random) -> list[list[int]]:
    return [[chance.randrange(1, WORDS) for _ in range(chance.choice([1, 2, 5, 17]))] for _ in range(chance.randint(2, 17))]


def asked(run: Run, texts: list[list[int]]) -> Tensors:
    ids, lengths = pad([np.array(text, np.int64) for text in texts])
    return run({"ids": ids, "lengths": lengths, "explain": np.array(True)})


def differences(run: Run, chance: random.Random) -> float:
    """The largest difference between texts answered together and alone."""
    texts = texts_of(chance)
    together = asked(run, texts)
    largest = 0.0
    for row, text in enumerate(texts):
        alone = asked(run, [text])
        largest = max(largest, float(np.abs(together["logit"][row] - alone["logit"][0]).max()))
        largest = max(largest, float(np.abs(together["contributions"][row, : len(text)] - alone["contributions"][0]).max()))
    return largest


@few
@given(sentiment_nets(), st.randoms(use_true_random=False))
def test_a_text_among_others_is_answered_as_it_is_alone(load_graph: LoadGraph, net: TaskNet, chance: random.Random) -> None:
    run = load_graph(quantise(build_graph(pinned(net))))
    assert max(differences(run, chance) for _ in range(5)) == 0


def test_without_pins_it_would_depend_on_its_neighbours(load_graph: LoadGraph) -> None:
    net = randomised(SentimentNet(recipe("sentiment", hidden=20), WORDS), 1, 0.7)
    run = load_graph(quantise(build_graph(net)))
    assert max(differences(run, random.Random(seed)) for seed in range(5)) > 1e-3


@few
# Larger weights make these cells chaotic: then the last bit of a floating-point sum becomes a difference that shows.
@given(sentiment_nets(cells=("rnn", "gru"), scales=(0.1,)), st.randoms(use_true_random=False))
def test_cells_without_an_int8_kernel_need_no_pins(load_graph: LoadGraph, net: TaskNet, chance: random.Random) -> None:
    assert pinned(net) is net
    run = load_graph(quantise(build_graph(net)))
    assert max(differences(run, chance) for _ in range(5)) < 1e-5


class Tunes:
    """Tunes read step by step, each at its own place, with the state that the graph gave last."""

    def __init__(self, run: Run, net: MusicNet, tunes: list[np.ndarray]) -> None:
        self._run, self._tunes = run, tunes
        shape = (len(net.stack.forwards), 1, net.stack.hidden + PINS)
        self._state = [{name: np.zeros(shape, np.float32) for name in "hc"} for _ in tunes]
        self.at = [0] * len(tunes)
        self.heard: list[list[np.ndarray]] = [[] for _ in tunes]

    def read(self, rows: list[int], steps: int = 1) -> None:
        """One pass: the next `steps` characters of each of these tunes."""
        inputs = np.stack([self._tunes[row][self.at[row] : self.at[row] + steps] for row in rows])
        state = {name: np.concatenate([self._state[row][name] for row in rows], axis=1) for name in "hc"}
        outputs = self._run({name: inputs[:, :, k] for k, name in enumerate(("ids", "guesses", "trust"))} | state)
        for position, row in enumerate(rows):
            self._state[row] = {name: outputs[f"next_{name}"][:, position : position + 1] for name in "hc"}
            self.at[row] += steps
            self.heard[row] += [*outputs["logits"][position]]

    def answers(self, row: int) -> np.ndarray:
        """All logits and the last state of a tune, flat."""
        return np.concatenate([*self.heard[row], *(self._state[row][name].ravel() for name in "hc")])


@few
@given(music_nets(), st.randoms(use_true_random=False))
def test_a_tune_among_others_is_read_as_it_is_alone(load_graph: LoadGraph, net: MusicNet, chance: random.Random) -> None:
    run, steps = load_graph(quantise(build_graph(pinned(net)))), 12
    sizes = np.array([WORDS, WORDS, TRUST_CLASSES])
    tunes = [
        np.random.default_rng(chance.randrange(2**31)).integers(0, sizes, (steps, 3)) for _ in range(chance.randint(2, 17))
    ]
    alone, at_once, together = (Tunes(run, net, tunes) for _ in range(3))
    for row in range(len(tunes)):
        at_once.read([row], steps)
        for _ in range(steps):
            alone.read([row])
    while waiting := [row for row in range(len(tunes)) if together.at[row] < steps]:
        together.read(chance.sample(waiting, chance.randint(1, len(waiting))))
    for row in range(len(tunes)):
        np.testing.assert_array_equal(together.answers(row), alone.answers(row))
        np.testing.assert_array_equal(at_once.answers(row), alone.answers(row))


@few
@given(st.one_of(sentiment_nets(), music_nets()), st.integers(0, 2**31))
def test_pins_change_no_answer_in_floating_point(load_graph: LoadGraph, net: TaskNet, seed: int) -> None:
    chance = np.random.default_rng(seed)
    plain, wide = load_graph(build_graph(net)), load_graph(build_graph(pinned(net)))
    if isinstance(net, SentimentNet):
        feeds: Tensors = {
            "ids": chance.integers(1, WORDS, (3, 7)),
            "lengths": np.array([7, 7, 7], np.int32),
            "explain": np.array(True),
        }
        pairs = [(plain(feeds)[name], wide(feeds)[name]) for name in ("logit", "contributions")]
    else:
        assert isinstance(net, MusicNet)
        shape = (len(net.stack.forwards), 3, net.stack.hidden)
        state = {name: chance.uniform(-1, 1, shape).astype(np.float32) for name in "hc"}
        wider = {name: np.pad(array, [(0, 0), (0, 0), (0, PINS)]) for name, array in state.items()}
        feeds = {name: chance.integers(0, WORDS, (3, 7)) for name in ("ids", "guesses", "trust")}
        one, other = plain(feeds | state), wide(feeds | wider)
        pairs = [(one["logits"], other["logits"])]
        pairs += [(one[name], other[name][:, :, :-PINS]) for name in ("next_h", "next_c")]
    for expected, got in pairs:
        np.testing.assert_allclose(got, expected, atol=1e-4, rtol=1e-4)


def test_no_unit_is_beyond_the_pins_however_far_it_saturates(load_graph: LoadGraph) -> None:
    net = randomised(MusicNet(recipe("music", hidden=64), WORDS), 0, 0.0)
    assert isinstance(net, MusicNet)
    lstm = net.stack.forwards[0]
    assert isinstance(lstm, nn.LSTM)
    with torch.no_grad():
        gates = lstm.get_parameter("bias_ih_l0").view(4, 64)
        gates[:3] = torch.tensor([-20.0, 20.0, 0.0])[:, None]
        gates[3] = torch.linspace(17.4, 18, 64)
    run = load_graph(build_graph(pinned(net)))
    rows = 20_000
    cells = np.linspace(7.5, 9.5, rows * 66, dtype=np.float32).reshape(1, rows, 66)
    cells[:, 1::2] *= -1
    feeds = {name: np.zeros((rows, 1), np.int64) for name in ("ids", "guesses", "trust")}
    h = run({**feeds, "h": np.zeros_like(cells), "c": cells})["next_h"]
    assert h[..., :-PINS].max() > 0.9999
    assert h[..., :-PINS].max() <= h[..., -1].min()
    assert h[..., :-PINS].min() >= h[..., -2].max()


@pytest.mark.parametrize("task", ["sentiment", "music"])
def test_pinning_leaves_the_network_as_it_was(task: str) -> None:
    net = SentimentNet(recipe(task), WORDS) if task == "sentiment" else MusicNet(recipe(task), WORDS)
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    wide = pinned(net)
    assert isinstance(wide, SentimentNet | MusicNet)
    assert wide.stack.hidden == net.stack.hidden + PINS
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())


def test_rain_takes_no_pins() -> None:
    net = RainfallNet(recipe("rainfall"), 4, Reflectivities([1], [2], [10.0]))
    assert pinned(net) is net
