"""Exported graphs, run by onnxruntime, against the networks they come from."""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from app.tasks.recall import TRUST_CLASSES
from app.tasks.task import Run, Tensors
from training.graph import build_graph
from training.model import MusicNet, SentimentNet, TaskNet
from training.rain_net import RainfallNet, Reflectivities
from training.recipe import Recipe

LoadGraph = Callable[[onnx.ModelProto], Run]

CELLS, LAYERS = ["rnn", "lstm", "gru"], [1, 2]
WORDS, FEATURES, CHARACTERS, HIDDEN = 11, 6, 9, 5
CLOSE = 1e-5
# Music is read forward only: the character before must not know the one after.
KINDS = [*product(["sentiment", "rainfall"], CELLS, LAYERS, [False, True]), *product(["music"], CELLS, LAYERS, [False])]
PADDED = [kind for kind in KINDS if kind[0] != "music"]
MUSIC = [(cell, layers) for task, cell, layers, _ in KINDS if task == "music"]


def network(task: str, cell: str, layers: int, bidirectional: bool) -> TaskNet:
    """A small network with random weights, its dropout switched off."""
    torch.manual_seed(3)
    recipe = Recipe.model_validate(
        {
            "task": task,
            "cell": cell,
            "data": {"validation_items": 1},
            "model": {"embedding": 3, "hidden": HIDDEN, "layers": layers, "bidirectional": bidirectional},
            "regularisation": {"dropout": 0.4, "embedding_dropout": 0.4},
            "training": {"epochs": 1, "batch_items": 1, "learning_rate": 0.1},
        }
    )
    made: dict[str, TaskNet] = {
        "sentiment": SentimentNet(recipe, WORDS),
        "rainfall": RainfallNet(recipe, FEATURES, Reflectivities(measured=[1, 2], present=[3, 4], unit_db=[5.0, 8.0])),
        "music": MusicNet(recipe, CHARACTERS),
    }
    net = made[task]
    # Weights larger than torch's own make states that differ from step to step.
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.7)
        if isinstance(net, RainfallNet):
            for parameter in net.curves.parameters():
                parameter.mul_(0.05)  # rates within their bounds: beyond, estimates would all be alike
            net.curves.bias[0] = 1.0
    return net.eval()


def feeds_of(net: TaskNet, lengths: list[int], seed: int = 0) -> Tensors:
    """A batch of random sequences of these lengths, zero where padded; music gets no padding but a random state."""
    chance, time = np.random.default_rng(seed), max(lengths)
    if isinstance(net, MusicNet):
        shape = (len(net.stack.forwards), len(lengths), HIDDEN)
        names = ("h", "c") if net.stack.cell == "lstm" else ("h",)
        state = {name: chance.uniform(-1, 1, shape).astype(np.float32) for name in names}
        sizes = {"ids": CHARACTERS, "guesses": CHARACTERS, "trust": TRUST_CLASSES}
        return {**{name: chance.integers(0, size, (len(lengths), time)) for name, size in sizes.items()}, **state}
    real = np.arange(time)[None, :] < np.array(lengths)[:, None]
    read_lengths = np.array(lengths, np.int32)
    if isinstance(net, SentimentNet):
        return {"ids": chance.integers(1, WORDS, real.shape) * real, "lengths": read_lengths}
    scans = chance.normal(size=(*real.shape, FEATURES)) * real[:, :, None]
    scans[:, :, 0] = np.abs(scans[:, :, 0])  # the contribution to the Marshall-Palmer estimate
    scans[:, :, 3:5] = scans[:, :, 3:5] > 0  # whether there are reflectivities
    scans[:, :, 1:3] *= scans[:, :, 3:5]
    return {"scans": scans.astype(np.float32), "lengths": read_lengths}


def in_torch(net: TaskNet, feeds: Tensors) -> Tensors:
    with torch.inference_mode():
        outputs = net.outputs({name: torch.from_numpy(array) for name, array in feeds.items()})
    return {name: tensor.numpy() for name, tensor in outputs.items()}


def row(feeds: Tensors, index: int) -> Tensors:
    """One sequence of a padded batch, cut to its own length."""
    length = int(feeds["lengths"][index])
    return {
        name: array[index : index + 1] if name == "lengths" else array[index : index + 1, :length]
        for name, array in feeds.items()
    }


def assert_close(got: Tensors, expected: Tensors) -> None:
    assert got.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(got[name], array, atol=CLOSE, rtol=CLOSE, err_msg=name)


@pytest.mark.parametrize(("task", "cell", "layers", "bidirectional"), KINDS)
def test_the_graph_answers_what_the_network_does_for_any_batch_and_time(
    task: str, cell: str, layers: int, bidirectional: bool, load_graph: LoadGraph
) -> None:
    net = network(task, cell, layers, bidirectional)
    run = load_graph(build_graph(net))
    for seed, lengths in enumerate([[7, 2, 5], [1], [3, 3], [12, 1, 1, 4, 9]]):
        feeds = feeds_of(net, lengths, seed)
        assert_close(run(feeds), in_torch(net, feeds))


@pytest.mark.parametrize(("task", "cell", "layers", "bidirectional"), PADDED)
def test_a_sequence_padded_in_a_batch_is_answered_as_it_is_alone(
    task: str, cell: str, layers: int, bidirectional: bool, load_graph: LoadGraph
) -> None:
    net = network(task, cell, layers, bidirectional)
    runs: list[Run] = [load_graph(build_graph(net)), lambda feeds: in_torch(net, feeds)]
    feeds = feeds_of(net, [6, 1, 3, 9])
    for run in runs:
        together = next(iter(run(feeds).values()))
        assert len(np.unique(together)) == together.size
        for index in range(4):
            alone = next(iter(run(row(feeds, index)).values()))
            np.testing.assert_allclose(together[index : index + 1], alone, atol=CLOSE, rtol=CLOSE)


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_what_words_contribute_adds_up_to_the_logit(cell: str, bidirectional: bool, load_graph: LoadGraph) -> None:
    net = network("sentiment", cell, 1, bidirectional)
    assert isinstance(net, SentimentNet)
    run, explain = load_graph(build_graph(net)), {"explain": np.array(True)}
    for seed, lengths in enumerate([[7, 2, 5], [1], [12, 1, 1, 4, 9]]):
        feeds = feeds_of(net, lengths, seed)
        explained = run({**feeds, **explain})
        assert_close(explained, in_torch(net, {**feeds, **explain}))
        contributions = explained["contributions"]
        assert contributions.shape == feeds["ids"].shape
        assert not contributions[feeds["ids"] == 0].any()
        np.testing.assert_allclose(contributions.sum(1) + net.head.bias.item(), explained["logit"], atol=CLOSE, rtol=CLOSE)
        plain = run(feeds)
        np.testing.assert_array_equal(plain["logit"], explained["logit"])
        assert plain["contributions"].shape == (len(lengths), 0)


def test_steps_that_attain_a_maximum_share_what_the_head_reads_off_it(load_graph: LoadGraph) -> None:
    net = network("sentiment", "gru", 1, bidirectional=False)
    assert isinstance(net, SentimentNet)
    with torch.no_grad():
        net.head.weight[0, HIDDEN:] = 0  # nothing is read off the means
        for name, parameter in net.stack.forwards[0].named_parameters():
            if name == "bias_ih_l0":
                parameter.copy_(torch.linspace(-20, 20, 3).repeat_interleave(HIDDEN))
            else:
                parameter.zero_()
        # The update gate is half open: h tends to tanh(20) = 1 and reaches it in float32 after some 25 steps.
        net.stack.forwards[0].get_parameter("bias_ih_l0")[HIDDEN : 2 * HIDDEN] = 0
    feeds: Tensors = {"ids": np.ones((1, 40), np.int64), "lengths": np.array([40], np.int32), "explain": np.array(True)}
    for contributions in (load_graph(build_graph(net))(feeds)["contributions"], in_torch(net, feeds)["contributions"]):
        shares = contributions[0] / contributions.sum()
        attained = shares > 0
        assert 1 < attained.sum() < 40
        assert attained.tolist() == sorted(attained)
        np.testing.assert_allclose(shares[attained], 1 / attained.sum(), rtol=1e-5)


@pytest.mark.parametrize(("cell", "layers"), MUSIC)
def test_music_read_at_once_is_music_read_step_by_step(cell: str, layers: int, load_graph: LoadGraph) -> None:
    net = network("music", cell, layers, bidirectional=False)
    runs: list[Run] = [load_graph(build_graph(net)), lambda feeds: in_torch(net, feeds)]
    feeds = feeds_of(net, [6, 6])
    for run in runs:
        at_once = run(feeds)
        state = {name: array for name, array in feeds.items() if name in {"h", "c"}}
        logits = []
        for step in range(6):
            now = {name: feeds[name][:, step : step + 1] for name in ("ids", "guesses", "trust")}
            outputs = run({**now, **state})
            logits.append(outputs["logits"])
            state = {name: outputs[f"next_{name}"] for name in state}
        assert_close({"logits": np.concatenate(logits, axis=1)}, {"logits": at_once["logits"]})
        assert_close(
            {f"next_{name}": array for name, array in state.items()}, {n: a for n, a in at_once.items() if n != "logits"}
        )


@pytest.mark.parametrize("cell", CELLS)
def test_music_depends_on_the_state_it_is_given(cell: str, load_graph: LoadGraph) -> None:
    net = network("music", cell, 2, bidirectional=False)
    run = load_graph(build_graph(net))
    feeds = feeds_of(net, [3])
    for name in feeds.keys() & {"h", "c"}:
        for layer in range(2):
            changed = {key: array.copy() for key, array in feeds.items()}
            changed[name][layer] += 0.5
            assert np.abs(run(changed)["logits"] - run(feeds)["logits"]).max() > 1e-3


@pytest.mark.parametrize(
    ("task", "inputs", "outputs"),
    [
        (
            "sentiment",
            {"ids": ["batch", "time"], "lengths": ["batch"], "explain": []},
            {"logit": ["batch"], "contributions": ["batch", "explained"]},
        ),
        ("rainfall", {"scans": ["batch", "time", FEATURES], "lengths": ["batch"]}, {"quantiles_mm": ["batch", 3]}),
        (
            "music",
            {name: ["batch", "time"] for name in ("ids", "guesses", "trust")}
            | {"h": [2, "batch", HIDDEN], "c": [2, "batch", HIDDEN]},
            {
                "logits": ["batch", "time", CHARACTERS],
                "next_h": [2, "batch", HIDDEN],
                "next_c": [2, "batch", HIDDEN],
            },
        ),
    ],
)
def test_the_graph_names_its_free_axes(task: str, inputs: dict[str, list[Any]], outputs: dict[str, list[Any]]) -> None:
    graph = build_graph(network(task, "lstm", 2, bidirectional=False)).graph
    for values, expected in ((graph.input, inputs), (graph.output, outputs)):
        got = {value.name: [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim] for value in values}
        assert got == expected


@pytest.mark.parametrize(("task", "size"), [("sentiment", WORDS), ("rainfall", FEATURES), ("music", CHARACTERS)])
def test_the_graph_says_how_large_its_vocabulary_is(task: str, size: int) -> None:
    metadata = build_graph(network(task, "gru", 1, bidirectional=False)).metadata_props
    assert {entry.key: entry.value for entry in metadata} == {"vocabulary_size": str(size)}


def test_an_unknown_network_has_no_graph() -> None:
    with pytest.raises(TypeError, match="no graph for a TaskNet"):
        build_graph(TaskNet())
