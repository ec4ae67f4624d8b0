"""One training run, straight down the page."""

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import onnx

from app.bundle import ModelBundle, set_current
from app.tasks.reference import Reference, references_of
from training.curves import plot_curves
from training.data.report import DataError
from training.data.splits import TooFew
from training.export import examples_of, export, session_run
from training.learners.cells import CellsLearner
from training.learners.learner import Learner, Scores
from training.learners.music import MusicLearner
from training.learners.rainfall import RainfallLearner
from training.learners.sentiment import SentimentLearner
from training.loop import as_run, device_here, fit
from training.recipe import Recipe, RecipeError, read_recipe
from training.run_folder import held, keep_recipe

log = logging.getLogger(__name__)

LEARNERS: dict[str, Callable[[Recipe, Path, Path, Any], Learner]] = {
    "sentiment": SentimentLearner,
    "rainfall": RainfallLearner,
    "music": MusicLearner,
    "cells": CellsLearner,
}


def train(
    recipe_path: Path, data: Path, runs: Path, models: Path, *, about: str = "", fresh: bool = False, dry_run: bool = False
) -> Path:
    """Train by the recipe and seal the bundle; its folder. A run that was killed goes on where it was.

    `about` says in the card where the data come from; `fresh` starts anew, with what other recipes share (pretraining,
    teachers) kept; `dry_run` does one batch of everything but that, and touches neither the run nor `models`.
    Raises RecipeError, DataError or ExportError.
    """
    recipe, text = read_recipe(recipe_path), recipe_path.read_text("utf-8")
    if recipe.model.towers:
        raise RecipeError(
            f"{recipe_path}: model.towers: such a network is a teacher and is not served; it is trained for the recipe that "
            "names it in self_training.teachers"
        )
    run = runs / recipe_path.stem
    if dry_run:
        # Kept apart: an untrained network must be neither gone on with nor served.
        run, fresh = runs / f"{recipe_path.stem}-dry-run", True
        models = run / "models"
        recipe = recipe.without_preparation()
    with held(run):
        if fresh:
            _clear(run)
        keep_recipe(run, text)
        log.info("run folder %s, device %s", run, device_here())
        try:
            learner = LEARNERS[recipe.task](recipe, data, run, None)
        except TooFew as error:
            raise DataError(f"{data}: {error}: the recipe says how many go to these") from error
        log.info("%s; split %s", learner.sets.report, learner.sets.splits.sizes())
        network, best = fit(learner, recipe, run, one_batch=dry_run)
        plot_curves(run / "log.jsonl", run / "curves.png", learner.primary)
        network = learner.complete(network)
        learner.calibrate(as_run(network, device_here()))
        folder = export(learner, recipe, text, network, best, models, about)
        set_current(models, recipe.task, folder.name)
    return folder


def evaluate(bundle: ModelBundle, data: Path, which: str, runs: Path) -> Scores:
    """Score a bundle's graph on `validation` or `test` as the recipe splits the data, or on `all` of it."""
    with learner_of(bundle, data, which, runs) as learner:
        if not len(examples := examples_of(learner, which)):
            raise DataError(f"{data}: by the bundle's recipe no item of it is in the part {str(which)!r}")
        return learner.score(session_run(onnx.load_from_string(bundle.graph)), examples)


def reference(bundle: ModelBundle, data: Path, runs: Path) -> dict[str, Reference]:
    """How what is observed of requests is spread over the validation set of the bundle's recipe."""
    with learner_of(bundle, data, "validation", runs) as learner:
        return references_of(learner.observed(session_run(onnx.load_from_string(bundle.graph))))


@contextmanager
def learner_of(bundle: ModelBundle, data: Path, which: str, runs: Path) -> Iterator[Learner]:
    """A learner with the data as the bundle's recipe splits them, and the bundle's own vocabulary or scaler and settings."""
    recipe = read_recipe(bundle.folder / "recipe.toml")
    if which == "all":
        recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update={"validation_items": 0, "test_items": 0})})
    runs.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=runs) as work:
        try:
            learner = LEARNERS[recipe.task](recipe, data, Path(work), bundle.asset)
        except TooFew as error:
            raise DataError(f"{data}: {error}, by the bundle's recipe: all of them are the part 'all'") from error
        learner.settings.update(bundle.manifest.settings)
        yield learner


def _clear(run: Path) -> None:
    """All but the lock that is held."""
    for path in run.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != "lock":
            path.unlink()
