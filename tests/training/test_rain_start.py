"""Rain networks that begin from the winner's recurrent layers."""

import shutil
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from app.bundle import read_bundle
from app.predictor import load_predictor
from app.tasks.rainfall import FEATURES, MEASUREMENTS, Hour, Rainfall
from app.tasks.task import Run
from training.data.radar_generator import REFLECTIVITIES
from training.data.report import DataError
from training.graph import build_graph
from training.loop import as_run
from training.rain_net import RainfallNet, Reflectivities
from training.rain_start import LICENCE, BegunStack, drop_in, start_of
from training.recipe import Recipe
from training.reference.rain_winner import ROWS, WinnerNet, body_states
from training.train import evaluate, train

WinnerArrays = Callable[[int, list[int]], list[npt.NDArray[np.float32]]]
ROUNDING = 1e-4  # relative: what is left of a level taken out and put back in float32


RECIPE = """
task = "rainfall"
cell = "rnn"
data = { validation_items = 8, test_items = 8 }
model = { hidden = 6, layers = 2, bidirectional = true }
training = { epochs = 1, batch_items = 16, learning_rate = 0.001, precision = "fp32" }
generator = { hours = 8 }
rain = { teacher = "winner", start = "weights_v1.npz", copies = 1 }
"""


def scaler() -> list[dict[str, Any]]:
    """Of contributions and flags that stay as they are, and of everything else as of 20 with a deviation of 5."""
    plain = {name for name in FEATURES if name == "contribution_mm" or name.endswith("_present")}
    return [
        {"name": name, "unit": unit, "mean": 0.0 if name in plain else 20.0, "deviation": 1.0 if name in plain else 5.0}
        for name, unit in FEATURES.items()
    ]


TASK = Rainfall.from_bundle({}, scaler())


def recipe(start: str = "weights_v1.npz") -> Recipe:
    return Recipe.model_validate(tomllib.loads(RECIPE.replace("weights_v1.npz", start)))


def network(arrays: list[npt.NDArray[np.float32]]) -> RainfallNet:
    names = list(FEATURES)
    columns = Reflectivities(
        [names.index(name) for name in REFLECTIVITIES],
        [names.index(f"{name}_present") for name in REFLECTIVITIES],
        [5.0] * len(REFLECTIVITIES),
    )
    torch.manual_seed(0)
    return RainfallNet(recipe(), len(FEATURES), columns, BegunStack(WinnerNet(arrays), scaler())).eval()


def hour(scans: int, seed: int = 0) -> Hour:
    chance = np.random.default_rng([scans, seed])
    measured = chance.normal(20.0, 5.0, (scans, len(MEASUREMENTS))).astype(np.float32)
    measured[chance.random(measured.shape) < 0.3] = np.nan
    return Hour(7.0, np.sort(chance.uniform(0, 60, scans)), measured)


def batch(hours: list[Hour]) -> tuple[Tensor, Tensor]:
    feeds = TASK.feeds([TASK.encode(one) for one in hours])
    return torch.from_numpy(feeds["scans"]), torch.from_numpy(feeds["lengths"]).long()


@pytest.mark.parametrize(("scans", "expected"), [(1, [0] * ROWS), (19, list(range(19))), (38, list(range(0, 38, 2)))])
def test_an_hour_fills_all_rows(scans: int, expected: list[int]) -> None:
    read, lengths = drop_in(torch.arange(40).repeat(2, 1)[:, :, None], torch.tensor([scans, 40]))
    assert read[0, :, 0].tolist() == expected
    assert lengths.tolist() == [ROWS, ROWS]


@pytest.mark.parametrize("scans", range(2, 19))
def test_scans_are_repeated_about_equally_often_and_none_is_left_out(scans: int) -> None:
    read, _ = drop_in(torch.arange(scans)[None, :, None], torch.tensor([scans]))
    times = torch.bincount(read[0, :, 0])
    assert len(times) == scans
    assert int(times.max() - times.min()) <= 1
    assert bool((read[0, :, 0].diff() >= 0).all())


@pytest.mark.parametrize(("linear", "widths"), [(5, [4, 6]), (0, [6, 6])])
def test_its_layers_begin_as_the_winner_s(winner_arrays: WinnerArrays, linear: int, widths: list[int]) -> None:
    one, winner = hour(ROWS), WinnerNet(winner_arrays(linear, widths))
    raw = np.column_stack([one.minutes_past, np.full(ROWS, one.radardist_km), np.nan_to_num(one.measured)])
    scans, _ = batch([one])
    with torch.no_grad():
        got = BegunStack(winner, scaler())(scans)
        expected = body_states(winner.body, torch.from_numpy(raw.astype(np.float32))[None])
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("linear", "widths"), [(5, [4, 6]), (0, [6, 6])])
def test_its_graph_answers_what_it_does(
    winner_arrays: WinnerArrays, linear: int, widths: list[int], load_graph: Callable[[Any], Run]
) -> None:
    net = network(winner_arrays(linear, widths))
    run = load_graph(build_graph(net))
    for lengths in ([7, 2, 30], [1], [19, 60]):
        scans, read = batch([hour(length) for length in lengths])
        feeds = {"scans": scans.numpy(), "lengths": read.numpy().astype(np.int32)}
        expected = as_run(net, torch.device("cpu"))(feeds)["quantiles_mm"]
        np.testing.assert_allclose(run(feeds)["quantiles_mm"], expected, rtol=1e-4, atol=1e-5)
        alone = [
            run({"scans": feeds["scans"][k : k + 1, :n], "lengths": feeds["lengths"][k : k + 1]}) for k, n in enumerate(lengths)
        ]
        np.testing.assert_allclose(np.concatenate([one["quantiles_mm"] for one in alone]), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("decibel", [0.5, 5.0, 15.0])
def test_more_reflectivity_is_never_less_rain(winner_arrays: WinnerArrays, decibel: float) -> None:
    net = network(winner_arrays(5, [4, 6]))
    scans, lengths = batch([hour(scans, seed) for seed in range(20) for scans in (1, 6, 19, 40)])
    with torch.no_grad():
        before = net(scans, lengths)[0][:, 0, 1]
        after = net(net.raised(scans, torch.full((len(scans),), decibel)), lengths)[0][:, 0, 1]
    assert bool((after >= before * (1 - ROUNDING) - ROUNDING).all())


def test_all_of_it_learns(winner_arrays: WinnerArrays) -> None:
    net = network(winner_arrays(5, [4, 6]))
    scans, lengths = batch([hour(6), hour(12)])
    net(scans, lengths)[0][:, 0, 1].sum().backward()
    assert not [name for name, weights in net.named_parameters() if weights.grad is None and not name.startswith("head")]
    assert sum(map(len, net.levels())) == len(list(net.parameters()))


def test_a_recipe_without_a_start_begins_from_nothing(teacher_folder: Path) -> None:
    assert start_of(recipe(start=""), teacher_folder) is None


def test_weights_are_looked_for_beside_the_data(teacher_folder: Path) -> None:
    for data in (teacher_folder, teacher_folder / "train.csv"):
        start = start_of(recipe(), data)
        assert start is not None
        assert start.network.layers == 2


@pytest.mark.parametrize(
    ("file", "said"),
    [("weights_v3.npz", "not readable"), ("weights_v2.npz", "1 layers, the last of 4, the recipe's model has 2 and 6")],
)
def test_weights_that_are_not_there_or_of_another_shape_are_refused(teacher_folder: Path, file: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        start_of(recipe(start=file), teacher_folder)


def test_a_bundle_that_began_so_is_served_and_its_card_carries_the_licence(teacher_folder: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(teacher_folder, data)
    (data / "winner" / LICENCE).write_text("Do with it what you like, and say that it is ours.\n")
    path = tmp_path / "begun.toml"
    path.write_text(RECIPE)
    folder = train(path, data, tmp_path / "runs", tmp_path / "models")
    predictor = load_predictor(folder)
    assert predictor.manifest.cell == "rnn"
    assert read_bundle(folder).card.endswith(
        "\n## Weights by others\n\nThe recurrent layers began as those of `winner/weights_v1.npz`. Their licence:"
        "\n\nDo with it what you like, and say that it is ours.\n"
    )
    assert evaluate(read_bundle(folder), teacher_folder / "train.csv", "test", tmp_path / "runs")["hours"] > 0
