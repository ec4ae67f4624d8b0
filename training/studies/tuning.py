"""The usual tips, one at a time, on sentiment: L1, L2, dropout, width, more data, and when to stop."""

import json
import random
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
from matplotlib.axes import Axes

from training.learners.learner import Learner
from training.loop import as_run, device_here, fit
from training.progress import track
from training.recipe import Recipe
from training.studies.report import MORE_COLOURS, Runs, Value, band, markdown, panels, save, spread, write_tables
from training.studies.subsets import changed, learner_of, write_subset

_PATIENCE = 2


@dataclass(frozen=True)
class Setting:
    """What is changed in the base recipe, and how many reviews are learned from (None: the scale's `base_reviews`)."""

    group: str
    name: str
    change: dict[str, dict[str, Any]] = field(default_factory=dict)
    reviews: int | None = None


@dataclass(frozen=True)
class Scale:
    """Reviews in number; `widths` and `reviews` are tried beside the base."""

    seeds: int = 5
    epochs: int = 8
    base_hidden: int = 32
    base_reviews: int = 800
    validation: int = 500
    widths: tuple[int, ...] = (4, 96)
    reviews: tuple[int, ...] = (200, 3200)


FULL = Scale()
QUICK = Scale(2, 3, base_hidden=4, base_reviews=12, validation=8, widths=(2,), reviews=(6, 20))

BASE = Setting("base", "base")
REGULARISERS = [
    Setting("regulariser", f"{label} {value:g}", {"regularisation": {name: value}})
    for name, label, values in (("l1", "L1", (1e-5, 1e-4)), ("l2", "L2", (0.1, 1.0)), ("dropout", "dropout", (0.3, 0.6)))
    for value in values
]


def settings(scale: Scale) -> list[Setting]:
    widths = [Setting("width", str(width), {"model": {"hidden": width}}) for width in scale.widths]
    return [BASE, *REGULARISERS, *widths, *(Setting("reviews", str(number), {}, number) for number in scale.reviews)]


def base_recipe(scale: Scale) -> Recipe:
    """A bidirectional LSTM without any regulariser, at a constant rate, that never stops early."""
    return Recipe.model_validate(
        {
            "task": "sentiment",
            "cell": "lstm",
            "data": {"validation_items": scale.validation, "vocabulary_words": 5000},
            "model": {"embedding": 32, "hidden": scale.base_hidden, "bidirectional": True},
            "training": {
                "epochs": scale.epochs,
                "patience": scale.epochs,
                "batch_items": 32,
                "learning_rate": 0.01,
                "schedule": "constant",
                "precision": "fp32",
            },
        }
    )


def study(folder: Path, data: Path, quick: bool) -> None:
    """Writes tuning.csv, tuning.png and the tables in tuning.md."""
    scale = QUICK if quick else FULL
    runs = Runs(folder / "tuning.csv")
    missing = [setting for setting in settings(scale) if not all(map(runs.has, _keys(setting, scale)))]
    if missing:
        _learn(runs, missing, data, scale)
    _report(folder, runs.table(), scale)


def _keys(setting: Setting, scale: Scale) -> list[dict[str, Value]]:
    return [{"group": setting.group, "setting": setting.name, "seed": seed} for seed in range(scale.seeds)]


def _learn(runs: Runs, missing: list[Setting], data: Path, scale: Scale) -> None:
    with TemporaryDirectory() as temporary:
        work = Path(temporary)
        # Groups are whole movies, so the validation set may be a few reviews larger than asked for.
        subset = write_subset("sentiment", data, work, max(scale.reviews) + scale.validation + scale.validation // 10)
        for setting in track(missing, "tuning settings", len(missing)):
            recipe = changed(base_recipe(scale), **setting.change)
            learner = learner_of(recipe, subset, work)
            # The same validation reviews and vocabulary for all; only what is learned from is cut.
            rows = list(range(len(learner.sets.train)))
            random.Random(0).shuffle(rows)  # noqa: S311
            reviews = rows[: setting.reviews or scale.base_reviews]
            learner.sets = replace(learner.sets, train=[learner.sets.train[row] for row in reviews])
            for seed, key in enumerate(_keys(setting, scale)):
                seeded = changed(recipe, training={"seed": 1000 * seed})
                runs.once(key, partial(measure, learner, seeded, work / f"{setting.name}-{seed}"))


def measure(learner: Learner, recipe: Recipe, run: Path) -> dict[str, Value]:
    """Train one network to the last epoch: its curves, and what the best epoch's weights score on what they learned from."""
    run.mkdir(parents=True, exist_ok=True)
    network, best = fit(learner, recipe, run)
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text("utf-8").splitlines()]
    learned = learner.score(as_run(network, device_here()), learner.sets.train)
    return {
        "reviews": len(learner.sets.train),
        "hidden": recipe.model.hidden,
        "best_epoch": best.epoch,
        "accuracy": best.scores["accuracy"],
        "train_accuracy": learned["accuracy"],
        "last_accuracy": lines[-1]["accuracy"],
        "log_loss": best.scores["log_loss"],
        "last_log_loss": lines[-1]["log_loss"],
        "losses": " ".join(f"{line['loss']:.4f}" for line in lines),
        "log_losses": " ".join(f"{line['log_loss']:.4f}" for line in lines),
        "accuracies": " ".join(f"{line['accuracy']:.4f}" for line in lines),
    }


def stopped(accuracies: list[float], patience: int = _PATIENCE) -> tuple[int, float]:
    """The epoch at which training ends after `patience` epochs without a better score, and the best score until then."""
    best = 0
    for epoch, accuracy in enumerate(accuracies):
        if accuracy > accuracies[best]:
            best = epoch
        if epoch - best >= patience:
            return epoch + 1, accuracies[best]
    return len(accuracies), accuracies[best]


def _curves(fields: list[str]) -> list[tuple[float, ...]]:
    """By epoch: the values of all seeds."""
    return list(zip(*([float(value) for value in field.split()] for field in fields), strict=True))


def _report(folder: Path, table: pl.DataFrame, scale: Scale) -> None:
    groups = {
        (row["group"], str(row["setting"])): row
        for row in table.group_by("group", "setting", maintain_order=True).all().iter_rows(named=True)
    }
    rows, stops = [], []
    for (group, setting), row in groups.items():
        columns = ["accuracy", "train_accuracy", "log_loss", "last_log_loss"]
        name = setting if group in {"base", "regulariser"} else f"{group} {setting}"
        rows.append([name, *(spread(row[column]) for column in columns), spread(row["best_epoch"], ".0f")])
        ends = [stopped([float(value) for value in field.split()]) for field in row["accuracies"]]
        epochs, scores = zip(*ends, strict=True)
        stops.append([name, spread(row["accuracy"]), spread(scores), spread(epochs, ".0f"), spread(row["last_accuracy"])])
    head = ["setting", "accuracy, best epoch", "on what it learned from", "log loss, best epoch", "log loss, last epoch"]
    stop_head = ["setting", f"best of {scale.epochs} epochs", f"patience {_PATIENCE}", "epochs run", "last epoch"]
    tables = {"tuning": markdown([*head, "best epoch"], rows), "stopping": markdown(stop_head, stops)}
    write_tables(folder / "tuning.md", tables)
    figure, axes = panels(2, rows=2, height=7.0)
    _draw_stopping(axes[0], groups["base", "base"], scale)
    _draw_regularisers(axes[1], groups, scale)
    _draw_sizes(axes[2], groups, "hidden", "width", "width (units of each direction)", "Width against over-fitting")
    _draw_sizes(axes[3], groups, "reviews", "reviews", "labelled reviews learned from", "More data")
    save(figure, folder / "tuning.png")


Groups = dict[tuple[str, str], dict[str, Any]]


def _draw_stopping(axes: Axes, base: dict[str, Any], scale: Scale) -> None:
    epochs = range(1, scale.epochs + 1)
    band(axes, epochs, _curves(base["losses"]), MORE_COLOURS[0], "o", "training")
    band(axes, epochs, _curves(base["log_losses"]), MORE_COLOURS[1], "s", "validation")
    axes.set(title="When to stop (base)", xlabel="epoch", ylabel="log loss (nats)")
    axes.legend()


def _draw_regularisers(axes: Axes, groups: Groups, scale: Scale) -> None:
    strong = [BASE, *REGULARISERS[1::2]]
    for setting, colour, marker in zip(strong, MORE_COLOURS, "os^D", strict=False):
        curves = _curves(groups[setting.group, setting.name]["log_losses"])
        band(axes, range(1, scale.epochs + 1), curves, colour, marker, setting.name)
    axes.set(title="Regularisers, the stronger of each", xlabel="epoch", ylabel="validation log loss (nats)")
    axes.legend()


def _draw_sizes(axes: Axes, groups: Groups, column: str, group: str, label: str, title: str) -> None:
    rows = sorted((row for (kind, _), row in groups.items() if kind in {"base", group}), key=lambda row: int(row[column][0]))
    x = [row[column][0] for row in rows]
    for name, score, colour, marker in (
        ("on what it learned from", "train_accuracy", MORE_COLOURS[0], "o"),
        ("validation", "accuracy", MORE_COLOURS[1], "s"),
    ):
        band(axes, x, [row[score] for row in rows], colour, marker, name)
    axes.set(title=title, xscale="log", xlabel=label, ylabel="accuracy at the best epoch")
    axes.minorticks_off()
    axes.set_xticks(x, [str(value) for value in x])
    axes.legend()
