"""RNN, LSTM and GRU on the three tasks, with the same number of parameters (Chung et al. 2014 on our own ground)."""

import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime as ort
import polars as pl
from torch import nn

from app.tasks.rainfall import FEATURES
from app.tasks.task import Run, Tensors
from training.graph import build_graph
from training.learners.learner import Learner
from training.learners.rainfall import RainLearner
from training.loop import as_run, device_here, fit
from training.model import MusicNet, SentimentNet
from training.progress import track
from training.rain_net import RainfallNet
from training.recipe import Recipe
from training.studies.probe import RATES, matched_width
from training.studies.report import CELLS, COLOURS, MARKERS, NAMES, Runs, Value, markdown, panels, save, spread, write_tables
from training.studies.subsets import changed, learner_of, write_subset

_CALLS = 200
_STATES = ("h", "c")


@dataclass(frozen=True)
class Scale:
    """Of each task: how many items (the validation set among them), and its LSTM, whose size the others are given."""

    seeds: int = 5
    epochs: int = 8
    items: dict[str, int] = field(default_factory=lambda: {"sentiment": 1500, "rainfall": 1000, "music": 300})
    validation: dict[str, int] = field(default_factory=lambda: {"sentiment": 500, "rainfall": 200, "music": 60})
    hidden: dict[str, int] = field(default_factory=lambda: {"sentiment": 32, "rainfall": 16, "music": 64})


_TINY = {"sentiment": 24, "rainfall": 24, "music": 24}
FULL = Scale()
QUICK = Scale(2, 2, _TINY, dict.fromkeys(_TINY, 8), dict.fromkeys(_TINY, 3))

SCORES = {
    "sentiment": "accuracy (share of reviews)",
    "rainfall": "mean absolute error (mm)",
    "music": "bits per character",
}


def base_recipe(task: str, scale: Scale) -> Recipe:
    """The task's LSTM at the study's scale: a constant rate, and an end after three epochs without a better score."""
    return Recipe.model_validate(
        {
            "task": task,
            "cell": "lstm",
            "data": {
                "validation_items": scale.validation[task],
                "vocabulary_words": 5000,
            },
            "model": {
                "embedding": 0 if task == "rainfall" else 32,
                "hidden": scale.hidden[task],
                "bidirectional": task != "music",
            },
            "regularisation": {"dropout": 0.3, "l2": 0.01},
            "training": {
                "epochs": scale.epochs * (2 if task == "rainfall" else 1),
                "batch_items": 16 if task == "music" else 32,
                "learning_rate": RATES["lstm"],
                "schedule": "constant",
                "precision": "fp32",
            },
        }
    )


def study(folder: Path, data: Path, quick: bool) -> None:
    """Writes cells.csv, cells.png and the table in cells.md."""
    scale = QUICK if quick else FULL
    runs = Runs(folder / "cells.csv")
    for task in SCORES:
        keys: list[dict[str, Value]] = [
            {"task": task, "cell": cell, "seed": seed} for seed in range(scale.seeds) for cell in CELLS
        ]
        if not all(map(runs.has, keys)):
            _learn(runs, keys, data, scale)
    _report(folder, runs.table())


def _learn(runs: Runs, keys: list[dict[str, Value]], data: Path, scale: Scale) -> None:
    task = str(keys[0]["task"])
    with TemporaryDirectory() as temporary:
        work = Path(temporary)
        subset = write_subset(task, data, work, scale.items[task])
        learners = {cell: _matched(base_recipe(task, scale), cell, subset, work) for cell in CELLS}
        for number, key in enumerate(track(keys, f"cells runs, {task}", len(keys))):
            learner, recipe = learners[str(key["cell"])]
            seeded = changed(recipe, training={"seed": 1000 * int(key["seed"])})
            runs.once(key, partial(measure, learner, seeded, work / str(number)))


def _matched(recipe: Recipe, cell: str, subset: Path, work: Path) -> tuple[Learner, Recipe]:
    """The task with another cell, as wide as has nearest to the LSTM's parameters."""
    learner = learner_of(recipe, subset, work)

    def resized(hidden: int) -> Recipe:
        changes = changed(recipe, model={"hidden": hidden}, training={"learning_rate": RATES[cell]}).model_dump()
        return Recipe.model_validate({**changes, "cell": cell})

    def network(hidden: int) -> nn.Module:
        if isinstance(learner, RainLearner):
            return RainfallNet(resized(hidden), len(FEATURES), learner.reflectivities)
        return {"sentiment": SentimentNet, "music": MusicNet}[recipe.task](resized(hidden), len(learner.asset.content))

    wanted = parameters(learner.network())
    own = resized(matched_width(network, wanted))
    return learner_of(own, subset, work), own


def parameters(network: nn.Module) -> int:
    return sum(weights.numel() for weights in network.parameters())


def measure(learner: Learner, recipe: Recipe, run: Path) -> dict[str, Value]:
    """Train one network; its best validation score, when it was reached, what it took, and how fast its graph answers."""
    run.mkdir(parents=True, exist_ok=True)
    began = time.perf_counter()
    network, best = fit(learner, recipe, run)
    seconds = time.perf_counter() - began
    epochs = len((run / "log.jsonl").read_text("utf-8").splitlines())
    feeds = typical_feeds(learner, as_run(network, device_here()))
    return {
        "hidden": recipe.model.hidden,
        "parameters": parameters(network),
        "recurrent_parameters": parameters(network.get_submodule("stack")),
        "score": best.scores[learner.primary],
        "best_epoch": best.epoch,
        "epochs": epochs,
        "seconds_an_epoch": seconds / epochs,
        "seconds": seconds,
        "steps": next(array.shape[1] for name, array in feeds.items() if name not in {*_STATES, "lengths"}),
        "latency_ms": latency_ms(build_graph(network), feeds),
    }


def typical_feeds(learner: Learner, run: Run) -> Tensors:
    """What the graph is fed for the validation item of middle length, alone in its batch."""
    heard: list[Tensors] = []

    def listen(feeds: Tensors) -> Tensors:
        heard.append(feeds)
        return run(feeds)

    learner.score(listen, learner.sets.validation)
    feeds = heard[len(heard) // 2]
    # States are [layers, batch, hidden], all else has the batch first.
    items = len(next(array for name, array in feeds.items() if name not in _STATES))
    alone = slice(items // 2, items // 2 + 1)
    one = {name: array[:, alone] if name in _STATES else array[alone] for name, array in feeds.items()}
    steps = int(one["lengths"][0]) if "lengths" in one else None
    return {name: array if name in {*_STATES, "lengths"} else array[:, :steps] for name, array in one.items()}


def latency_ms(graph: onnx.ModelProto, feeds: Tensors) -> float:
    """The quickest of many single answers on one thread: other work on the machine disturbs that one least."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    taken = []
    for _ in range(_CALLS):
        began = time.perf_counter()
        session.run(None, feeds)
        taken.append(time.perf_counter() - began)
    return 1000 * min(taken)


def _report(folder: Path, table: pl.DataFrame) -> None:
    figure, axes = panels(3, height=3.8)
    panel = dict(zip(SCORES, axes, strict=True))
    rows = []
    groups = {(row["task"], row["cell"]): row for row in table.group_by("task", "cell").all().iter_rows(named=True)}
    for row in (groups[task, cell] for task in SCORES for cell in CELLS if (task, cell) in groups):
        rows.append(
            [
                *(row["task"], NAMES[row["cell"]], row["hidden"][0], row["parameters"][0], row["recurrent_parameters"][0]),
                *(spread(row["score"]), spread(row["best_epoch"], ".0f"), spread(row["seconds"]), spread(row["latency_ms"])),
            ]
        )
        place = CELLS.index(row["cell"])
        shifts = np.linspace(-0.15, 0.15, len(row["score"]))
        each = panel[row["task"]]
        each.scatter(place + shifts, row["score"], color=COLOURS[row["cell"]], marker=MARKERS[row["cell"]], s=30)
        each.hlines(np.median(row["score"]), place - 0.3, place + 0.3, color=COLOURS[row["cell"]])
    for task, each in panel.items():
        better = "more" if task == "sentiment" else "less"
        each.set(title=f"{task} ({better} is better)", ylabel=SCORES[task], xlim=(-0.5, 2.5))
        each.set_xticks(range(len(CELLS)), [NAMES[cell] for cell in CELLS])
    head = ["task", "cell", "width", "parameters", "of them recurrent"]
    head += ["score: median (range)", "best epoch", "training (s)", "ONNX latency (ms)"]
    write_tables(folder / "cells.md", {"cells": markdown(head, rows)})
    save(figure, folder / "cells.png")
