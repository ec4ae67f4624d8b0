"""ONNX graphs built node by node from trained weights: no tracing, no frozen axes.

Values are [time, batch, width] between recurrent nodes, as ONNX wants them; graph inputs and outputs are batch-first.
"""

from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto
from torch import nn

from training.cells_net import CellsNet, cells_graph
from training.model import MusicNet, SentimentNet, Stack, TaskNet
from training.nodes import Graph, Shape, array_of
from training.pins import held_cells
from training.rain_mean import RainfallMean
from training.rain_net import CURVES, MOST_LOG_RATE, SHARPNESS, RainfallNet
from training.rain_start import BegunStack
from training.reference.rain_winner import ROWS, SLOPE, Block

_ONNX_CELL = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
# ONNX stacks the gates in another order than torch: LSTM i, f, g, o -> i, o, f, g; GRU r, z, n -> z, r, n.
_GATE_ORDER = {"rnn": [0], "lstm": [0, 3, 1, 2], "gru": [1, 0, 2]}


def build_graph(network: TaskNet) -> onnx.ModelProto:
    """The graph that computes what the network's `outputs` does. float32, dynamic batch and time."""
    if isinstance(network, SentimentNet):
        return _sentiment(network)
    if isinstance(network, RainfallNet):
        return _rainfall([network])
    if isinstance(network, RainfallMean):
        return _rainfall([cast(RainfallNet, member) for member in network.members])
    if isinstance(network, MusicNet):
        return _music(network)
    if isinstance(network, CellsNet):
        return cells_graph(network)
    raise TypeError(f"no graph for a {type(network).__name__}")


def _sentiment(network: SentimentNet) -> onnx.ModelProto:
    graph = Graph()
    ids = graph.input("ids", TensorProto.INT64, ["batch", "time"])
    lengths = graph.input("lengths", TensorProto.INT32, ["batch"])
    explain = graph.switch("explain")
    x = _embed(graph, network.embedding, ids)
    pooled = _pool(graph, _stack(graph, network.stack, x, lengths)[0], lengths)
    logit = graph.one("Squeeze", graph.linear(_both(graph, pooled), network.head), graph.ints(1))
    graph.output(logit, "logit", ["batch"])
    weighed, spared = Graph("weighed_"), Graph("spared_")
    weighed.output(_contributions(weighed, network, pooled), "weighed", ["batch", "time"])
    nothing = spared.one("ConstantOfShape", spared.one("Concat", spared.one("Shape", lengths), spared.ints(0), axis=0))
    spared.output(nothing, "spared", ["batch", 0])
    # onnxruntime computes every output, fetched or not, unless it stands in a branch that is not taken.
    chosen = graph.one("If", explain, then_branch=weighed.proto("weighed"), else_branch=spared.proto("spared"))
    graph.output(chosen, "contributions", ["batch", "explained"])
    return graph.build("sentiment", {"vocabulary_size": str(network.embedding.num_embeddings)})


def _rainfall(members: list[RainfallNet]) -> onnx.ModelProto:
    graph = Graph()
    width = len(members[0].growth)
    scans = graph.input("scans", TensorProto.FLOAT, ["batch", "time", width])
    lengths = graph.input("lengths", TensorProto.INT32, ["batch"])
    said = [_quantiles(graph, member, scans, lengths) for member in members]
    graph.output(graph.one("Mean", *said) if len(said) > 1 else said[0], "quantiles_mm", ["batch", 3])
    return graph.build("rainfall", {"vocabulary_size": str(width)})


def _quantiles(graph: Graph, network: RainfallNet, scans: str, lengths: str) -> str:
    """In mm, [batch, 3]."""
    if isinstance(network.stack, BegunStack):
        scans, lengths = _drop_in(graph, scans, lengths)
    level, levelled = _level(graph, network, scans)
    x = graph.one("Transpose", levelled, perm=[1, 0, 2])
    if isinstance(network.stack, BegunStack):
        outputs = _begun(graph, network.stack, x)
    else:
        outputs, _ = _stack(graph, network.stack, x, lengths)
    pooled = _pool(graph, outputs, lengths)
    middle = _median(graph, network, pooled, level)
    raw = graph.linear(graph.one("Concat", _both(graph, pooled), level, middle, axis=1), network.head)
    low_raw, high_raw = graph.node("Split", [raw], 2, axis=1, num_outputs=2)
    low = graph.one("Mul", middle, graph.one("Sigmoid", low_raw))
    high = graph.one("Add", middle, graph.one("Softplus", high_raw))
    stacked = graph.one("Concat", low, middle, high, axis=1)
    one = graph.weight(np.array(1.0, np.float32))
    return graph.one("Sub", graph.one("Exp", stacked), one)


def _drop_in(graph: Graph, scans: str, lengths: str) -> tuple[str, str]:
    """See rain_start.drop_in."""
    rows = graph.weight(np.arange(ROWS)[None, :])
    long_lengths = graph.one("Unsqueeze", graph.one("Cast", lengths, to=TensorProto.INT64), graph.ints(1))
    index = graph.one("Div", graph.one("Mul", rows, long_lengths), graph.ints(ROWS))
    read = graph.one("GatherND", scans, graph.one("Unsqueeze", index, graph.ints(2)), batch_dims=1)
    return read, graph.one("Expand", graph.weight(np.array(ROWS, np.int32)), graph.one("Shape", lengths))


def _begun(graph: Graph, stack: BegunStack, x: str) -> str:
    """[rows, batch, features] -> [rows, batch, width]."""
    weights = graph.weight(array_of(stack.to_raw))
    x = graph.one("Add", graph.one("MatMul", x, weights), graph.weight(array_of(stack.least)))
    for part in stack.body:
        x = graph.linear(x, part) if isinstance(part, nn.Linear) else _block(graph, cast(Block, part), x)
    return x


def _block(graph: Graph, block: Block, x: str) -> str:
    """[rows, batch, in] -> [rows, batch, hidden]."""
    both = [block.forwards, block.backwards]
    hidden = len(block.forwards.recurrent)
    weights = {
        "input_weights": [array_of(one.inputs.weight) for one in both],
        "recurrent_weights": [array_of(one.recurrent).T for one in both],
        "biases": [np.concatenate([array_of(one.inputs.bias), np.zeros(hidden, np.float32)]) for one in both],
    }
    batch = graph.one("Slice", graph.one("Shape", x), graph.ints(1), graph.ints(2))
    shape = graph.one("Concat", graph.ints(2), batch, graph.ints(hidden), axis=0)
    initial = graph.one("Expand", graph.weight(np.stack([array_of(one.initial) for one in both])), shape)
    leaky = {"activations": ["LeakyRelu"] * 2, "activation_alpha": [SLOPE] * 2}
    inputs = [x, *(graph.weight(np.stack(arrays), name) for name, arrays in weights.items()), "", initial]
    states = graph.one("RNN", *inputs, hidden_size=hidden, direction="bidirectional", **leaky)
    each = [graph.one("Gather", states, graph.weight(np.array(number)), axis=1) for number in range(2)]
    said = [graph.one("LeakyRelu", graph.linear(y, one.dense), alpha=SLOPE) for y, one in zip(each, both, strict=True)]
    return graph.one("Add", *said)


def _level(graph: Graph, network: RainfallNet, scans: str) -> tuple[str, str]:
    """The level in bel, [batch, 1], and the scans without it; see RainfallNet."""
    present, measured = (
        graph.one("Gather", scans, graph.weight(np.array(columns, np.int64)), axis=2)
        for columns in (network.present, network.measured)
    )
    one = graph.weight(np.array(1.0, np.float32))
    count = graph.one("Max", graph.one("ReduceSum", present, graph.ints(1, 2), keepdims=0), one)
    in_db = graph.one("MatMul", graph.one("Mul", measured, present), graph.weight(array_of(network.to_db)))
    level_db = graph.one("Div", graph.one("ReduceSum", in_db, graph.ints(1), keepdims=0), count)
    less = graph.one("Unsqueeze", graph.one("Neg", level_db), graph.ints(1, 2))
    grown = graph.one("Exp", graph.one("Mul", less, graph.weight(array_of(network.growth))))
    moved = graph.one("Mul", less, graph.one("MatMul", present, graph.weight(array_of(network.a_db))))
    level = graph.one("Mul", graph.one("Unsqueeze", level_db, graph.ints(1)), graph.weight(np.array(0.1, np.float32)))
    return level, graph.one("Add", graph.one("Mul", scans, grown), moved)


def _median(graph: Graph, network: RainfallNet, pooled: "_Pooled", level: str) -> str:
    """ln(1 + mm) [batch, 1]: the mean of the scans' rates, each a sum of curves that rise with the level."""
    hidden = graph.one("LeakyRelu", graph.linear(pooled.outputs, network.within), alpha=SLOPE)
    sizes = graph.ints(1, CURVES, CURVES, CURVES)
    shift, height, place, steepness = graph.node("Split", [graph.linear(hidden, network.curves), sizes], 4, axis=2)
    along = graph.one("Mul", graph.one("Softplus", steepness), graph.one("Unsqueeze", level, graph.ints(0)))
    rising = graph.one("Mul", graph.one("Softplus", height), graph.one("Tanh", graph.one("Add", place, along)))
    log_rate = graph.one("Add", shift, graph.one("MatMul", rising, graph.weight(np.ones((CURVES, 1), np.float32))))
    bounds = (graph.weight(np.array(bound, np.float32)) for bound in (-MOST_LOG_RATE, MOST_LOG_RATE))
    log_rate = graph.one("Clip", log_rate, *bounds)
    one, sharpness = graph.weight(np.array(1.0, np.float32)), graph.weight(np.array(SHARPNESS, np.float32))
    size = graph.one("Sub", graph.one("Exp", graph.one("Abs", log_rate)), one)
    rate = graph.one(
        "Where", pooled.real, graph.one("Mul", graph.one("Sign", log_rate), size), graph.weight(np.zeros((), np.float32))
    )
    mean_mm = graph.one("Div", graph.one("ReduceSum", rate, graph.ints(0), keepdims=0), pooled.lengths)
    above_zero = graph.one("Div", graph.one("Softplus", graph.one("Mul", mean_mm, sharpness)), sharpness)
    return graph.one("Log", graph.one("Add", above_zero, one))


def _music(network: MusicNet) -> onnx.ModelProto:
    graph, stack = Graph(), network.stack
    ids = graph.input("ids", TensorProto.INT64, ["batch", "time"])
    shape: Shape = [len(stack.forwards), "batch", stack.hidden]
    names = ("h", "c") if stack.cell == "lstm" else ("h",)
    state = {name: graph.input(name, TensorProto.FLOAT, shape) for name in names}
    guesses, trust = (graph.input(name, TensorProto.INT64, ["batch", "time"]) for name in ("guesses", "trust"))
    suggestion = [_embed(graph, network.guess, guesses), _embed(graph, network.trust, trust)]
    x = graph.one("Concat", _embed(graph, network.embedding, ids), *suggestion, axis=2)
    outputs, after = _stack(graph, stack, x, "", state)
    seen = graph.one("Concat", outputs, *suggestion, axis=2)
    logits = graph.linear(graph.one("Transpose", seen, perm=[1, 0, 2]), network.head)
    graph.output(logits, "logits", ["batch", "time", network.head.out_features])
    for name, value in after.items():
        graph.output(value, f"next_{name}", shape)
    return graph.build("music", {"vocabulary_size": str(network.embedding.num_embeddings)})


def _embed(graph: Graph, embedding: nn.Embedding, ids: str) -> str:
    """[batch, time] -> [time, batch, width]."""
    table = graph.weight(array_of(embedding.weight), "embedding")
    return graph.one("Gather", table, graph.one("Transpose", ids, perm=[1, 0]))


def _stack(graph: Graph, stack: Stack, x: str, lengths: str, state: dict[str, str] | None = None) -> tuple[str, dict[str, str]]:
    """[time, batch, inputs] -> [time, batch, width], zero beyond each length; and the state after, [layers, batch, hidden]."""
    last: dict[str, list[str]] = {name: [] for name in state or {}}
    if state and stack.pins:
        held = held_cells(stack.hidden)
        state = {**state, "c": graph.one("Where", graph.weight(held != 0), graph.weight(held), state["c"])}
    for layer, forward in enumerate(stack.forwards):
        modules = [forward, *(stack.backwards[layer : layer + 1])]
        initial = [
            graph.one("Slice", value, graph.ints(layer), graph.ints(layer + 1), graph.ints(0))
            for value in (state or {}).values()
        ]
        if stack.pins and not state:
            shape = graph.one("Concat", graph.ints(len(modules)), graph.one("Shape", lengths), graph.ints(1), axis=0)
            initial = ["", graph.one("Expand", graph.weight(held_cells(stack.hidden)[None, None]), shape)]
        x, after = _recurrent(graph, stack, modules, x, lengths, initial)
        for name, value in zip(last, after, strict=False):
            last[name].append(value)
    return x, {name: graph.one("Concat", *values, axis=0) for name, values in last.items()}


def _recurrent(
    graph: Graph, stack: Stack, modules: list[nn.Module], x: str, lengths: str, initial: list[str]
) -> tuple[str, list[str]]:
    """One layer, one direction or two: [time, batch, directions hidden] and the final states."""
    kind = _ONNX_CELL[stack.cell]
    order = _GATE_ORDER[stack.cell]
    attributes: dict[str, Any] = {
        "hidden_size": stack.hidden,
        "direction": "bidirectional" if len(modules) == 2 else "forward",
    }
    if stack.cell == "gru":
        # torch, like cuDNN, applies the reset gate after the recurrent product.
        attributes["linear_before_reset"] = 1
    weights = [
        graph.weight(np.stack([_gates(module, "weight_ih_l0", order) for module in modules]), "input_weights"),
        graph.weight(np.stack([_gates(module, "weight_hh_l0", order) for module in modules]), "recurrent_weights"),
        graph.weight(
            np.stack(
                [
                    np.concatenate([_gates(module, "bias_ih_l0", order), _gates(module, "bias_hh_l0", order)])
                    for module in modules
                ]
            ),
            "biases",
        ),
    ]
    y, *after = graph.node(kind, [x, *weights, lengths, *initial], 3 if stack.cell == "lstm" else 2, **attributes)
    # [time, directions, batch, hidden] -> [time, batch, directions hidden]
    joined = graph.one("Reshape", graph.one("Transpose", y, perm=[0, 2, 1, 3]), graph.ints(0, 0, -1))
    return joined, after


class _Pooled(NamedTuple):
    """largest, mean [batch, width] over each sequence's own steps; what they were taken of, [time, batch, width]: `bounded`
    with the lowest number, `outputs` with zero beyond each length; float lengths [batch, 1]; bool real [time, batch, 1]."""

    largest: str
    mean: str
    bounded: str
    outputs: str
    lengths: str
    real: str


def _pool(graph: Graph, outputs: str, lengths: str) -> _Pooled:
    """Of outputs [time, batch, width], zero beyond each length."""
    time = graph.one("Gather", graph.one("Shape", outputs), graph.weight(np.array(0, np.int64)))
    zero, one = graph.weight(np.array(0, np.int64)), graph.weight(np.array(1, np.int64))
    steps = graph.one("Unsqueeze", graph.one("Range", zero, time, one), graph.ints(1))
    long_lengths = graph.one("Unsqueeze", graph.one("Cast", lengths, to=TensorProto.INT64), graph.ints(0))
    real = graph.one("Unsqueeze", graph.one("Less", steps, long_lengths), graph.ints(2))
    bounded = graph.one("Where", real, outputs, graph.weight(np.array(np.finfo(np.float32).min, np.float32)))
    largest = graph.one("ReduceMax", bounded, graph.ints(0), keepdims=0)
    total = graph.one("ReduceSum", outputs, graph.ints(0), keepdims=0)
    count = graph.one("Unsqueeze", graph.one("Cast", lengths, to=TensorProto.FLOAT), graph.ints(1))
    return _Pooled(largest, graph.one("Div", total, count), bounded, outputs, count, real)


def _both(graph: Graph, pooled: _Pooled) -> str:
    """[batch, 2 width]."""
    return graph.one("Concat", pooled.largest, pooled.mean, axis=1)


def _contributions(graph: Graph, network: SentimentNet, pooled: _Pooled) -> str:
    """[batch, time]; see SentimentNet.contributions."""
    from_maxima, from_means = np.split(array_of(network.head.weight)[0], 2)
    attained = graph.one("Cast", graph.one("Equal", pooled.bounded, pooled.largest), to=TensorProto.FLOAT)
    ties = graph.one("ReduceSum", attained, graph.ints(0), keepdims=0)
    shares = graph.one("Mul", attained, graph.one("Div", pooled.largest, ties))
    # Products with weights: sums of an inner axis would be rounded otherwise in another batch.
    of_maxima = graph.one("MatMul", shares, graph.weight(from_maxima[:, None]))
    of_means = graph.one("Div", graph.one("MatMul", pooled.outputs, graph.weight(from_means[:, None])), pooled.lengths)
    return graph.one("Transpose", graph.one("Squeeze", graph.one("Add", of_maxima, of_means), graph.ints(2)), perm=[1, 0])


def _gates(module: nn.Module, name: str, order: list[int]) -> npt.NDArray[np.float32]:
    """A stacked weight or bias with its gates in ONNX's order."""
    parts = np.split(array_of(module.get_parameter(name)), len(order))
    return np.concatenate([parts[index] for index in order])
