"""From a trained network to a sealed bundle: build the graph, quantise it, check it against the network, write it down."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx
import onnxruntime as ort
from onnxruntime.quantization import QuantType, quantize_dynamic

from app.bundle import FORMAT, seal_bundle
from app.tasks import BUNDLED
from app.tasks.reference import references_of
from app.tasks.task import Run, Tensors
from training.card import card
from training.cells_net import CELLS_MEANINGS
from training.data.batches import Example
from training.graph import build_graph
from training.learners.learner import Learner, Scores
from training.loop import Checkpoint, as_run
from training.model import TaskNet
from training.pins import pinned
from training.recipe import Recipe

MOST_BYTES = 10_000_000

_FP32_TOLERANCE = 1e-4
_DTYPES: dict[int, str] = {
    onnx.TensorProto.FLOAT: "float32",
    onnx.TensorProto.INT32: "int32",
    onnx.TensorProto.INT64: "int64",
    onnx.TensorProto.BOOL: "bool",
}
_MEANINGS = {
    "ids": ("index in the vocabulary", "words or characters of each sequence, zero beyond its length"),
    "guesses": (
        "index in the vocabulary",
        "what followed where the tune's latest characters stood before; 0 where nothing did",
    ),
    "trust": ("class", "how often such guesses held in a row and how often they failed, see app/tasks/recall.py"),
    "lengths": ("steps", "how many steps of each sequence are real"),
    "explain": ("true or false", "whether contributions are wanted; false where it is left out"),
    "scans": ("scaled as scaler.json says", "features of each scan in time order, zero beyond the hour's length"),
    "logit": ("log-odds", "of positive; a probability after division by the temperature and a sigmoid"),
    "contributions": (
        "log-odds",
        "of positive that each word adds, zero beyond each length; with the head's bias they add up to the logit; none where "
        "`explain` is false",
    ),
    "quantiles_mm": ("mm", "5 %, 50 % and 95 % quantiles of the hour's rain"),
    "logits": ("unnormalised log-probability", "of each next character"),
    "h": ("1", "the layers' outputs after the step before; zeros at the start"),
    "c": ("1", "the layers' cell states after the step before; zeros at the start"),
    "next_h": ("1", "the layers' outputs after the last step"),
    "next_c": ("1", "the layers' cell states after the last step"),
}


class ExportError(ValueError):
    """The graph does not compute what the network does, or is too large; nothing was written."""


@dataclass(frozen=True)
class Candidate:
    """A graph with the settings its task needs and its scores on the validation and test sets."""

    graph: onnx.ModelProto
    precision: str
    settings: dict[str, Any]
    validation: Scores
    test: Scores


def session_run(graph: onnx.ModelProto, threads: int = 0) -> Run:
    """The graph on onnxruntime's CPU provider, as the function that tasks call; 0 threads: as many as there are cores."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3  # it warns of every input that has a default
    session = ort.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]

    def run(feeds: Tensors) -> Tensors:
        return dict(zip(names, session.run(names, feeds), strict=True))

    return run


def export(
    learner: Learner, recipe: Recipe, recipe_text: str, network: TaskNet, best: Checkpoint, models: Path, about: str = ""
) -> Path:
    """Seal the network as models/<task>/<version>; the folder. `about` the data, for the card.

    Raises ExportError before anything is written.
    """
    network = network.cpu()
    task = _task(learner, recipe, learner.settings)
    torch_run = as_run(network, next(network.parameters()).device)
    expected = [task.numbers(torch_run, raw) for raw in learner.golden_inputs]
    full = _candidate(learner, build_graph(network), "fp32")
    _check(task, session_run(full.graph), learner.golden_inputs, expected, _FP32_TOLERANCE)
    chosen, tolerance = full, _FP32_TOLERANCE
    metrics = _metrics(full)
    if recipe.export.precision == "int8":
        small = _candidate(learner, quantise(build_graph(pinned(network))), "int8")
        metrics |= _metrics(small)
        if _loss(learner, full, small) <= recipe.export.most_loss:
            chosen = small
            tolerance = _observed_tolerance(
                _task(learner, recipe, small.settings), session_run(small.graph), learner.golden_inputs, expected
            )
    content = chosen.graph.SerializeToString()
    asset = _json(learner.asset.content)
    if len(content) > MOST_BYTES:
        raise ExportError(f"the {chosen.precision} graph has {len(content)} bytes, a bundle's may have {MOST_BYTES}")
    learner.settings = dict(chosen.settings)
    references = references_of(learner.observed(session_run(chosen.graph)))
    # All that an answer depends on, and where it comes from.
    whole = hashlib.sha256(b"\0".join([content, asset, _json(chosen.settings), recipe_text.encode()]))
    manifest = {**_manifest(learner, recipe, chosen, best, metrics, whole.hexdigest()), "reference": references or None}
    golden = {
        "tolerance": tolerance,
        "cases": [{"input": raw, "numbers": numbers} for raw, numbers in zip(learner.golden_inputs, expected, strict=True)],
    }
    files = {
        "model.onnx": content,
        learner.asset.file: asset,
        "golden.json": _json(golden),
        "recipe.toml": recipe_text.encode(),
        "card.md": card(manifest, recipe, about, learner.notice).encode(),
    }
    return seal_bundle(models, manifest, files)


def quantise(graph: onnx.ModelProto) -> onnx.ModelProto:
    """int8 weights of LSTM and embeddings, activations quantised on the fly. Heads are small and stay in floating point: their
    inputs would need pins too."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        quantize_dynamic(
            graph,
            path,
            op_types_to_quantize=["LSTM", "Gather"],
            per_channel=True,
            # Seven bits: on a CPU without VNNI the products of eight bits overflow, and the answer would depend on the machine.
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(path)


def _candidate(learner: Learner, graph: onnx.ModelProto, precision: str) -> Candidate:
    learner.settings |= _state_of(graph)
    run = session_run(graph)
    test = learner.score(run, learner.sets.test) if learner.sets.test else {}
    return Candidate(graph, precision, dict(learner.settings), learner.score(run, learner.sets.validation), test)


def _state_of(graph: onnx.ModelProto) -> dict[str, Any]:
    """The setting `state` of a graph with recurrent inputs [layers, batch, hidden], which pins make wider; else nothing."""
    outputs = {value.name for value in graph.graph.output}
    recurrent = [value for value in graph.graph.input if f"next_{value.name}" in outputs]
    axes = {value.name: value.type.tensor_type.shape.dim for value in recurrent}
    state = {name: [layers.dim_value, hidden.dim_value] for name, (layers, _, hidden) in axes.items()}
    return {"state": state} if state else {}


def _task(learner: Learner, recipe: Recipe, settings: dict[str, Any]) -> Any:
    return BUNDLED[recipe.task].from_bundle(settings, learner.asset.content)


def _loss(learner: Learner, full: Candidate, small: Candidate) -> float:
    """By how much the deciding score is worse; below zero where it is better."""
    gain = small.validation[learner.primary] - full.validation[learner.primary]
    return float(-gain if learner.higher else gain)


def _metrics(candidate: Candidate) -> dict[str, float | str]:
    sets = {"validation": candidate.validation, "test": candidate.test}
    return {
        f"{candidate.precision}_{name}_{key}": round(value, 6)
        for name, scores in sets.items()
        for key, value in scores.items()
        if not math.isnan(value)  # of no item; nothing is said of that, and JSON has no word for it
    }


def _check(task: Any, run: Run, inputs: Sequence[Any], expected: list[list[float]], tolerance: float) -> None:
    for raw, numbers in zip(inputs, expected, strict=True):
        got = task.numbers(run, raw)
        if not all(math.isclose(a, b, rel_tol=tolerance, abs_tol=tolerance) for a, b in zip(got, numbers, strict=True)):
            raise ExportError(f"for {str(raw)[:60]!r} the graph gives {got}, the network {numbers}")


def _observed_tolerance(task: Any, run: Run, inputs: Sequence[Any], expected: list[list[float]]) -> float:
    """Twice the largest deviation from the network seen on the golden cases, at least 0.02: a CPU of another make rounds
    otherwise."""
    deviations = [
        abs(a - b) / max(1.0, abs(b))
        for raw, numbers in zip(inputs, expected, strict=True)
        for a, b in zip(task.numbers(run, raw), numbers, strict=True)
    ]
    return float(round(max(0.02, 2 * max(deviations)), 4))


def _manifest(
    learner: Learner, recipe: Recipe, chosen: Candidate, best: Checkpoint, metrics: dict[str, Any], sha256: str
) -> dict[str, Any]:
    now = datetime.now(UTC)
    graph = chosen.graph.graph
    return {
        "format": FORMAT,
        "task": recipe.task,
        "version": f"{now:%Y%m%d}-{recipe.cell}-{sha256[:6]}",
        "cell": recipe.cell,
        "precision": chosen.precision,
        "created": now.isoformat(timespec="seconds"),
        "inputs": {value.name: _contract(value, recipe.task) for value in graph.input},
        "outputs": {value.name: _contract(value, recipe.task) for value in graph.output},
        "settings": chosen.settings,
        "vocabulary_size": len(learner.asset.content),
        "metrics": {**metrics, "epoch": float(best.epoch)},
        "data": {
            **learner.sets.report.as_json(),
            "source": Path(learner.sets.report.source).name,
            "split_sizes": learner.sets.splits.sizes(),
            "split_seed": recipe.data.split_seed,
        },
    }


def _contract(value: onnx.ValueInfoProto, task: str) -> dict[str, Any]:
    tensor = value.type.tensor_type
    unit, meaning = (CELLS_MEANINGS if task == "cells" else _MEANINGS)[value.name]
    shape = [axis.dim_param or axis.dim_value for axis in tensor.shape.dim]
    return {"dtype": _DTYPES[tensor.elem_type], "shape": shape, "unit": unit, "meaning": meaning}


def _json(content: Any) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()


def examples_of(learner: Learner, which: str) -> Sequence[Example]:
    """`validation`, `test`, or `all`: every item of the data."""
    sets = learner.sets
    return {"validation": sets.validation, "test": sets.test, "all": [*sets.train, *sets.validation, *sets.test]}[which]
