"""From recipe to sealed bundle: every cell and task, every shipped recipe, resuming, early stopping."""

import csv
import json
import math
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.bundle import current_folder, read_bundle
from app.predictor import load_predictor
from training import loop
from training.data.report import DataError
from training.export import ExportError
from training.recipe import RecipeError
from training.run_folder import held
from training.train import LEARNERS, evaluate, train

REPOSITORY = Path(__file__).parents[2]
RECIPES = sorted((REPOSITORY / "training" / "recipes").glob("*.toml"))
TEACHER_ONLY = REPOSITORY / "training" / "recipes" / "sentiment-wide.toml"

Written = Callable[..., Path]


@pytest.fixture
def recipe(tmp_path: Path, tiny_recipe: Callable[..., str]) -> Written:
    """Writes a tiny recipe to a file."""

    def write(task: str, name: str = "tiny", **changes: str) -> Path:
        path = tmp_path / f"{name}.toml"
        path.write_text(tiny_recipe(task, **changes))
        return path

    return write


def log_of(run: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("task", ["sentiment", "rainfall", "music"])
def test_every_cell_trains_for_every_task_and_its_bundle_is_served(
    task: str, cell: str, tmp_path: Path, tiny_sources: dict[str, Path], recipe: Written
) -> None:
    folder = train(recipe(task, cell=cell), tiny_sources[task], tmp_path / "runs", tmp_path / "models")
    assert re.fullmatch(rf"\d{{8}}-{cell}-[0-9a-f]{{6}}", folder.name)
    predictor = load_predictor(current_folder(tmp_path / "models", task))
    assert predictor.manifest.cell == cell
    assert (tmp_path / "runs" / "tiny" / "curves.png").stat().st_size > 0
    assert len(log_of(tmp_path / "runs" / "tiny")) == 2


def test_a_network_that_only_teaches_is_not_trained_for_itself(tmp_path: Path, tiny_sources: dict[str, Path]) -> None:
    with pytest.raises(RecipeError, match="is a teacher and is not served"):
        train(TEACHER_ONLY, tiny_sources["sentiment"], tmp_path / "runs", tmp_path / "models")
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("path", [path for path in RECIPES if path != TEACHER_ONLY], ids=lambda path: path.stem)
def test_every_recipe_survives_a_dry_run(path: Path, tmp_path: Path, tiny_sources: dict[str, Path]) -> None:
    text = re.sub(r"(validation|test)_items = \d+", r"\1_items = 6", path.read_text())
    copy = tmp_path / path.name
    copy.write_text(text)
    folder = train(copy, tiny_sources[tomllib.loads(text)["task"]], tmp_path / "runs", tmp_path / "models", dry_run=True)
    assert load_predictor(folder).manifest.metrics["epoch"] == 1
    assert (folder / "recipe.toml").read_text() == text
    assert not (tmp_path / "models").exists()
    assert [run.name for run in (tmp_path / "runs").iterdir() if run.name != "splits"] == [f"{path.stem}-dry-run"]


def test_both_precisions_are_measured_and_named_in_the_card(tmp_path: Path, tiny_models: Path) -> None:
    bundle = read_bundle(current_folder(tiny_models, "sentiment"))
    for precision in ("fp32", "int8"):
        for part in ("validation", "test"):
            assert f"{precision}_{part}_accuracy" in bundle.manifest.metrics
            assert f"| {precision}_{part}_accuracy |" in bundle.card


def test_the_card_says_of_the_data_what_was_said_and_nothing_else(
    tmp_path: Path, tiny_sources: dict[str, Path], recipe: Written
) -> None:
    path, source = recipe("rainfall"), tiny_sources["rainfall"]
    for said, told in (("", "where it comes from was not said."), ("Gauges of ours, 2026.", "Gauges of ours, 2026.")):
        folder = train(path, source, tmp_path / "runs", tmp_path / f"models{said[:1]}", about=said)
        assert f"\n## Trained on\n\n`{source.name}`: {told}\n" in read_bundle(folder).card


def test_a_run_that_failed_at_its_data_does_not_hold_its_recipe(
    tmp_path: Path, tiny_sources: dict[str, Path], recipe: Written
) -> None:
    path = recipe("sentiment")
    first = path.read_text()
    path.write_text(re.sub(r"validation_items = \d+", "validation_items = 100000", first))
    with pytest.raises(DataError, match=r": of \d+ items in \d+ groups none is left to train on after 100000 for validation"):
        train(path, tiny_sources["sentiment"], tmp_path / "runs", tmp_path / "models")
    path.write_text(first)
    train(path, tiny_sources["sentiment"], tmp_path / "runs", tmp_path / "models")


@pytest.mark.parametrize(("task", "said"), [("sentiment", "have one label"), ("rainfall", "have a gauge of 0 mm")])
def test_what_is_the_same_for_all_is_not_learned(
    tmp_path: Path, tiny_sources: dict[str, Path], recipe: Written, task: str, said: str
) -> None:
    source, data = tiny_sources[task], tmp_path / "same.csv"
    rows = list(csv.DictReader(source.read_text().splitlines()))
    with data.open("w", newline="") as file:
        out = csv.DictWriter(file, list(rows[0]))
        out.writeheader()
        out.writerows(
            {**row, **{k: v for k, v in {"Expected": "0", "sentiment": "positive"}.items() if k in row}} for row in rows
        )
    with pytest.raises(DataError, match=f"{said}, so there is nothing to tell apart"):
        train(recipe(task), data, tmp_path / "runs", tmp_path / "models")


def test_int8_that_costs_too_much_is_not_kept(
    tmp_path: Path, tiny_sources: dict[str, Path], recipe: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.export._loss", lambda *_: 2.0)
    folder = train(recipe("sentiment"), tiny_sources["sentiment"], tmp_path / "runs", tmp_path / "models")
    bundle = read_bundle(folder)
    assert bundle.manifest.precision == "fp32"
    assert "int8_validation_accuracy" in bundle.manifest.metrics


@pytest.mark.parametrize(("loss", "precision", "width"), [(0.0, "int8", 10), (2.0, "fp32", 8)])
def test_the_state_of_tunes_is_as_wide_as_the_graph_that_is_kept_has_it(
    loss: float,
    precision: str,
    width: int,
    tmp_path: Path,
    tiny_sources: dict[str, Path],
    recipe: Written,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("training.export._loss", lambda *_: loss)
    folder = train(recipe("music", precision="int8"), tiny_sources["music"], tmp_path / "runs", tmp_path / "models")
    manifest = load_predictor(folder).manifest
    assert manifest.precision == precision
    assert manifest.settings["state"] == {"h": [1, width], "c": [1, width]}
    assert manifest.inputs["h"].shape == [1, "batch", width]


def test_a_killed_run_goes_on_to_the_very_weights_of_an_unbroken_one(
    tmp_path: Path, tiny_sources: dict[str, Path], recipe: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, source = recipe("rainfall"), tiny_sources["rainfall"]
    unbroken = train(path, source, tmp_path / "unbroken", tmp_path / "models")

    class Killed(BaseException):
        """Like a signal: nothing catches it."""

    whole = loop._one_epoch

    def die_in_the_second(*args: object) -> float:
        if "epoch 2" in str(args[-1]):
            raise Killed
        return whole(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "_one_epoch", die_in_the_second)
    with pytest.raises(Killed):
        train(path, source, tmp_path / "broken", tmp_path / "models")
    monkeypatch.undo()
    assert [line["epoch"] for line in log_of(tmp_path / "broken" / "tiny")] == [1]
    resumed = train(path, source, tmp_path / "broken", tmp_path / "models")
    assert [line["epoch"] for line in log_of(tmp_path / "broken" / "tiny")] == [1, 2]
    assert resumed.name == unbroken.name


def test_training_stops_early_and_keeps_the_best_weights(
    tmp_path: Path, tiny_sources: dict[str, Path], recipe: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recipe("rainfall")
    path.write_text(path.read_text().replace("epochs = 2", "epochs = 50\npatience = 2"))
    scores = iter([3.0, 1.0, 2.0, 1.0, 0.5])
    monkeypatch.setattr(LEARNERS["rainfall"], "score", lambda *_: {"mae_mm": next(scores, 9.0)})
    folder = train(path, tiny_sources["rainfall"], tmp_path / "runs", tmp_path / "models")
    assert [line["mae_mm"] for line in log_of(tmp_path / "runs" / "tiny")] == [3.0, 1.0, 2.0, 1.0]
    assert read_bundle(folder).manifest.metrics["epoch"] == 2
    train(path, tiny_sources["rainfall"], tmp_path / "runs", tmp_path / "models")
    assert len(log_of(tmp_path / "runs" / "tiny")) == 4, "a run that stopped early stays stopped"


def test_where_the_recipe_says_so_the_last_weights_are_kept(
    tmp_path: Path, tiny_sources: dict[str, Path], recipe: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = recipe("rainfall")
    path.write_text(path.read_text().replace("epochs = 2", 'epochs = 4\npatience = 1\nkeep = "last"'))
    scores = iter([1.0, 2.0, 3.0, 4.0])
    monkeypatch.setattr(LEARNERS["rainfall"], "score", lambda *_: {"mae_mm": next(scores, 9.0)})
    bundle = read_bundle(train(path, tiny_sources["rainfall"], tmp_path / "runs", tmp_path / "models"))
    assert bundle.manifest.metrics["epoch"] == 4
    assert "the last epoch was kept" in bundle.card


def test_a_run_goes_on_only_with_its_own_recipe(tmp_path: Path, tiny_sources: dict[str, Path], recipe: Written) -> None:
    source = tiny_sources["rainfall"]
    train(recipe("rainfall"), source, tmp_path / "runs", tmp_path / "models")
    with pytest.raises(RecipeError, match="begun with another recipe"):
        train(recipe("rainfall", cell="rnn"), source, tmp_path / "runs", tmp_path / "models")
    folder = train(recipe("rainfall", cell="rnn"), source, tmp_path / "runs", tmp_path / "models", fresh=True)
    assert "-rnn-" in folder.name


def test_a_run_goes_on_only_with_its_own_data(tmp_path: Path, tiny_sources: dict[str, Path], recipe: Written) -> None:
    path, source, other = recipe("sentiment"), tiny_sources["sentiment"], tmp_path / "other.csv"
    other.write_text(source.read_text().replace("moving", "touching"))
    folder = train(path, source, tmp_path / "runs", tmp_path / "models")
    sealed = (folder / "vocab.json").read_bytes()
    with pytest.raises(RecipeError, match="begun with other data"):
        train(path, other, tmp_path / "runs", tmp_path / "models")
    anew = train(path, other, tmp_path / "runs", tmp_path / "models", fresh=True)
    assert anew != folder
    assert (folder / "vocab.json").read_bytes() == sealed


def test_two_trainings_do_not_share_a_run(tmp_path: Path, tiny_sources: dict[str, Path], recipe: Written) -> None:
    with held(tmp_path / "runs" / "tiny"), pytest.raises(RecipeError, match="another training is under way"):
        train(recipe("rainfall"), tiny_sources["rainfall"], tmp_path / "runs", tmp_path / "models")


def test_a_bundle_holds_the_recipe_that_it_was_trained_by(
    tmp_path: Path, tiny_sources: dict[str, Path], recipe: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, whole = recipe("rainfall"), loop._one_epoch
    text = path.read_text()

    def meanwhile(*args: object) -> float:
        path.write_text("# empty")
        return whole(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "_one_epoch", meanwhile)
    folder = train(path, tiny_sources["rainfall"], tmp_path / "runs", tmp_path / "models")
    assert (folder / "recipe.toml").read_text() == text


def test_a_score_that_is_no_number_is_never_the_best() -> None:
    learner: Any = SimpleNamespace(primary="score", higher=False)
    one, none = loop.Checkpoint({}, {"score": 1.0}, 1), loop.Checkpoint({}, {"score": math.nan}, 2)
    assert loop._better(learner, one, none) is one
    assert loop._better(learner, none, one) is one


def test_a_torn_log_is_no_obstacle(tmp_path: Path, tiny_sources: dict[str, Path], recipe: Written) -> None:
    path, log = recipe("rainfall"), tmp_path / "runs" / "tiny" / "log.jsonl"
    folder = train(path, tiny_sources["rainfall"], tmp_path / "runs", tmp_path / "models")
    log.write_text(log.read_text()[:-20])
    assert train(path, tiny_sources["rainfall"], tmp_path / "runs", tmp_path / "models") == folder
    assert [line["epoch"] for line in log_of(tmp_path / "runs" / "tiny")] == [1]


def test_a_part_without_items_is_not_scored(tmp_path: Path, tiny_sources: dict[str, Path], recipe: Written) -> None:
    path = recipe("music")
    path.write_text(re.sub(r"test_items = \d+", "test_items = 0", path.read_text()))
    bundle = read_bundle(train(path, tiny_sources["music"], tmp_path / "runs", tmp_path / "models"))
    with pytest.raises(DataError, match="no item of it is in the part 'test'"):
        evaluate(bundle, tiny_sources["music"], "test", tmp_path / "runs")


def test_a_graph_that_is_too_large_is_not_sealed(
    tmp_path: Path, tiny_sources: dict[str, Path], recipe: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.export.MOST_BYTES", 100)
    with pytest.raises(ExportError, match="a bundle's may have 100"):
        train(recipe("rainfall"), tiny_sources["rainfall"], tmp_path / "runs", tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_a_graph_that_computes_something_else_is_not_sealed(
    tmp_path: Path, tiny_sources: dict[str, Path], recipe: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.graph._GATE_ORDER", {"gru": [0, 1, 2]})
    with pytest.raises(ExportError, match="the graph gives"):
        train(recipe("rainfall"), tiny_sources["rainfall"], tmp_path / "runs", tmp_path / "models")
    assert not (tmp_path / "models").exists()


@pytest.mark.parametrize("task", ["sentiment", "rainfall", "music", "cells"])
def test_evaluating_a_bundle_gives_the_scores_of_its_card(
    task: str, tmp_path: Path, tiny_models: Path, tiny_sources: dict[str, Path]
) -> None:
    bundle = read_bundle(current_folder(tiny_models, task))
    precision = bundle.manifest.precision
    for part in ("validation", "test"):
        for name, value in evaluate(bundle, tiny_sources[task], part, tmp_path / "runs").items():
            assert value == pytest.approx(bundle.manifest.metrics[f"{precision}_{part}_{name}"], abs=1e-5, nan_ok=True)
    assert evaluate(bundle, tiny_sources[task], "all", tmp_path / "runs")


def test_all_of_data_that_hold_one_group_is_scored(tmp_path: Path, tiny_models: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text("review,sentiment\nbad dull,negative\nbad dull,negative\n")
    bundle = read_bundle(current_folder(tiny_models, "sentiment"))
    assert evaluate(bundle, path, "all", tmp_path / "runs")["log_loss"] > 0
    with pytest.raises(ValueError, match="none is left to train on"):
        evaluate(bundle, path, "validation", tmp_path / "runs")


def test_regularisers_change_what_is_learned(tmp_path: Path, tiny_sources: dict[str, Path], recipe: Written) -> None:
    plain = recipe("sentiment", name="plain").read_text()
    names = {"l1": "l1 = 0.01", "l2": "l2 = 10.0", "dropout": "dropout = 0.5\nembedding_dropout = 0.5\nword_dropout = 0.5"}
    losses = {}
    for name, setting in {"plain": "clip_norm = 1.0", **names}.items():
        path = tmp_path / f"{name}.toml"
        path.write_text(plain + f"\n[regularisation]\n{setting}\n")
        train(path, tiny_sources["sentiment"], tmp_path / "runs", tmp_path / "models")
        losses[name] = log_of(tmp_path / "runs" / name)[-1]["loss"]
    assert len(set(losses.values())) == 4
    assert losses["l1"] > losses["plain"]
