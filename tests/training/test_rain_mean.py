"""A rain network beside another, of which the mean is served."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from app.bundle import read_bundle
from app.predictor import load_predictor
from app.tasks.task import Run
from tests.training.test_rain_start import batch, hour, network
from training import rain_mean
from training.graph import build_graph
from training.loop import as_run
from training.rain_mean import RainfallMean, beside_of
from training.rain_study import rain_study
from training.recipe import RecipeError, read_recipe
from training.train import train

WinnerArrays = Callable[[int, list[int]], list[npt.NDArray[np.float32]]]

TAUGHT = """
task = "rainfall"
cell = "{cell}"
data = {{ validation_items = 8, test_items = 8 }}
model = {{ hidden = 6, layers = 2, bidirectional = true }}
training = {{ epochs = 1, batch_items = 16, learning_rate = 0.001, precision = "fp32" }}
generator = {{ hours = 8 }}
rain = {{ teacher = "winner", {more} }}
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A recipe that has another beside it, which begins from the winner's layers."""
    monkeypatch.setattr(rain_mean, "RECIPES", tmp_path)
    (tmp_path / "other.toml").write_text(TAUGHT.format(cell="rnn", more='copies = 1, start = "weights_v1.npz"'))
    path = tmp_path / "own.toml"
    path.write_text(TAUGHT.format(cell="gru", more='copies = 1, beside = "other", folds = 2'))
    return path


def test_it_says_the_mean_and_so_does_its_graph(winner_arrays: WinnerArrays, load_graph: Callable[[Any], Run]) -> None:
    members = [network(winner_arrays(5, [4, 6])), network(winner_arrays(0, [6, 6]))]
    scans, lengths = batch([hour(length) for length in (7, 2, 30)])
    feeds = {"scans": scans.numpy(), "lengths": lengths.numpy().astype(np.int32)}
    said = [as_run(member, torch.device("cpu"))(feeds)["quantiles_mm"] for member in members]
    assert float(np.abs(said[0] - said[1]).max()) > 0.01
    for run in (as_run(RainfallMean(members), torch.device("cpu")), load_graph(build_graph(RainfallMean(members)))):
        np.testing.assert_allclose(run(feeds)["quantiles_mm"], np.mean(said, axis=0), rtol=1e-4, atol=1e-5)


def test_both_are_trained_and_a_training_that_was_killed_goes_on_with_all_that_it_has(
    own: Path, teacher_folder: Path, tmp_path: Path
) -> None:
    for attempt in ("first", "again"):
        folder = train(own, teacher_folder, tmp_path / "runs", tmp_path / attempt)
        assert "averaged with the network of the recipe `other`" in read_bundle(folder).card
        assert "began as those of `winner/weights_v1.npz`" in read_bundle(folder).card
        assert load_predictor(folder).manifest.cell == "gru"
    logs = sorted((tmp_path / "runs" / "own").rglob("log.jsonl"))
    parts = [str(log.parent.relative_to(tmp_path / "runs" / "own")) for log in logs]
    assert parts == ["beside", "fold-1/beside", "fold-1", "fold-2/beside", "fold-2", "."]
    assert [len(log.read_text().splitlines()) for log in logs] == [1] * 6


@pytest.mark.parametrize("more", ["copies = 2", 'copies = 1, beside = "own"'])
def test_only_what_learns_from_the_same_is_averaged(own: Path, teacher_folder: Path, more: str) -> None:
    (own.parent / "other.toml").write_text(TAUGHT.format(cell="gru", more=more))
    with pytest.raises(RecipeError, match="other has a network beside it"):
        beside_of(read_recipe(own), teacher_folder)


def test_a_recipe_that_is_not_there_is_named(own: Path, teacher_folder: Path) -> None:
    (own.parent / "other.toml").unlink()
    with pytest.raises(RecipeError, match=r"other\.toml: not readable"):
        beside_of(read_recipe(own), teacher_folder)


def test_folds_of_the_mean_are_anew_where_the_other_recipe_is_another(own: Path, teacher_folder: Path, tmp_path: Path) -> None:
    for rate in ("0.001", "0.002"):
        other = own.parent / "other.toml"
        other.write_text(other.read_text().replace("learning_rate = 0.001", f"learning_rate = {rate}"))
        assert "| own |" in rain_study(teacher_folder, {"own": read_recipe(own)}, tmp_path / "runs", folds=2, repeats=1)
    trained = sorted(path.parent.name for path in (tmp_path / "runs" / "rain-cv").glob("*/*/beside"))
    assert trained == ["1-1", "1-1", "1-2", "1-2"]
