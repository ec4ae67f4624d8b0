"""What the rain network learns from, and how its interval is calibrated."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from app.bundle import read_bundle
from app.tasks.rainfall import FEATURES, Hour
from app.tasks.task import Tensors
from training.data.batches import Batch, LazyExamples
from training.data.radar_generator import raised
from training.data.rain import HourTable
from training.data.rain_lessons import Answers, Lessons, gather_lessons, no_lessons
from training.data.report import ReadReport
from training.data.splits import Splits
from training.learners import rainfall
from training.learners.rainfall import RainLearner
from training.model import TaskNet
from training.rain_calibration import conformal_quantile
from training.rain_net import RainfallNet
from training.recipe import Recipe, read_recipe
from training.train import train

ROWS = list(range(60))
REF = list(FEATURES).index("Ref")


class Says(TaskNet):
    """A network that always says the same three quantiles, in mm, and that no scan has any rain."""

    def __init__(self, *quantiles_mm: float) -> None:
        super().__init__()
        self.quantiles_mm = torch.tensor(quantiles_mm)

    def forward(self, scans: Tensor, lengths: Tensor, more_db: Tensor) -> tuple[Tensor, Tensor]:
        return self.quantiles_mm.expand(len(scans), len(more_db), 3), torch.zeros(*scans.shape[:2], len(more_db))

    def as_read(self, scans: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        return scans, lengths

    def outputs(self, feeds: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"quantiles_mm": self.quantiles_mm.expand(len(feeds["scans"]), 3)}


def table(gauges: Sequence[float]) -> HourTable:
    """Hours of two scans each; every fifth without reflectivity."""
    chance = np.random.default_rng(2)
    scans = chance.normal(20, 8, (2 * len(gauges), 22)).astype(np.float32)
    scans[:, 0], scans[:, 1] = np.tile([10.0, 40.0], len(gauges)), 5.0
    for row in range(0, len(gauges), 5):
        scans[2 * row : 2 * row + 2, 2:] = np.nan
    return HourTable(scans, np.arange(len(gauges) + 1) * 2, np.array(gauges, np.float32), np.arange(len(gauges)))


def recipe(gauge_weight: float = 1.0, raised_db: Sequence[float] = (0.0,)) -> Recipe:
    return Recipe.model_validate(
        {
            "task": "rainfall",
            "cell": "gru",
            "data": {"validation_items": 1},
            "model": {"hidden": 4},
            "training": {"epochs": 1, "batch_items": 8, "learning_rate": 0.01},
            "rain": {"gauge_weight": gauge_weight, "raised_db": raised_db},
        }
    )


def with_folds(folds: int) -> Recipe:
    return recipe().model_copy(update={"rain": recipe().rain.model_copy(update={"folds": folds})})


def learner(hours: HourTable, recipe: Recipe, lessons: Lessons | None = None, validation: Sequence[int] = ()) -> RainLearner:
    rows = [row for row in range(len(hours)) if row not in validation]
    splits = Splits(rows, list(validation), [])
    lessons = lessons or no_lessons(hours, len(recipe.rain.raised_db))
    return RainLearner(recipe, hours, ReadReport("generated", "hours"), splits, lessons)


def batch(*levels: list[float]) -> Batch:
    """Four hours of two scans. A level: gauge, teacher's estimate, what the teacher says of each scan, 1 if it is real."""
    return Batch(torch.zeros(4, 2, len(FEATURES)), torch.full((4,), 2), torch.tensor([[levels] * 2] * 4))


def test_without_a_teacher_the_loss_is_the_pinball_of_all_three() -> None:
    got = learner(table([1.0] * 10), recipe()).loss(Says(1.0, 2.0, 3.0), batch([1.5, math.nan, math.nan, 1.0]))
    low, middle, high = (math.log1p(1.5) - math.log1p(q) for q in (1.0, 2.0, 3.0))
    assert got.item() == pytest.approx(0.05 * low - 0.5 * middle - 0.05 * high, rel=1e-5)


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_with_a_teacher_the_median_learns_its_estimate_and_real_gauges_as_weighted(weight: float) -> None:
    one = learner(table([1.0] * 10), recipe(gauge_weight=weight))
    outer = 0.05 * (math.log1p(1.5) - math.log1p(1.0)) + 0.05 * (math.log1p(3.0) - math.log1p(1.5))
    distance = math.log1p(2.5) - math.log1p(2.0) + 0.3 * 0.5
    gauge = 0.5 * (math.log1p(2.0) - math.log1p(1.5))
    assert one.loss(Says(1.0, 2.0, 3.0), batch([1.5, 2.5, math.nan, 1.0])).item() == pytest.approx(
        outer + distance + weight * gauge, rel=1e-5
    )
    generated = one.loss(Says(1.0, 2.0, 3.0), batch([1.5, 2.5, math.nan, 0.0])).item()
    assert generated == pytest.approx(outer + distance, rel=1e-5), "a made-up gauge is not for the median"


class FallsWithRef(Says):
    """Says a third less of ln(1 + mm) where `Ref` was raised."""

    def raised(self, scans: Tensor, decibel: Tensor, columns: int) -> Tensor:
        assert columns == 1
        assert bool(((decibel >= 0) & (decibel <= 6)).all())
        return torch.cat([scans[:, :, :REF], torch.ones_like(scans[:, :, :1]), scans[:, :, REF + 1 :]], dim=2)

    def forward(self, scans: Tensor, lengths: Tensor, more_db: Tensor | None = None) -> tuple[Tensor, Tensor]:
        said, rates = super().forward(scans, lengths, torch.zeros(1) if more_db is None else more_db)
        return torch.expm1(torch.log1p(said) * (1 - scans[:, :1, REF : REF + 1] / 3)), rates


@pytest.mark.parametrize(("echo", "share"), [([1, 1, 1, 1], 1.0), ([0, 1, 1, 1], 0.0)])
def test_a_median_that_falls_where_ref_alone_rises_costs_as_the_recipe_says(echo: list[int], share: float) -> None:
    """Of a batch of four the first hour is looked at, if it has an echo."""
    some = batch([1.5, 2.5, math.nan, 1.0])
    some.inputs[:, :, list(FEATURES).index("Ref_present")] = torch.tensor(echo)[:, None].float()
    plain = recipe()
    strict = plain.model_copy(update={"rain": plain.rain.model_copy(update={"rise_weight": 2.0})})
    losses = [learner(table([1.0] * 10), one).loss(FallsWithRef(1.0, 2.0, 3.0), some).item() for one in (plain, strict)]
    fall = math.log1p(2.0) / 3
    assert 2 * share * fall <= losses[1] - losses[0] + 1e-6 <= 2 * share * (fall + 0.002 * 6 * math.log1p(2.0)) + 2e-6


def test_levels_of_which_nothing_is_known_do_not_count() -> None:
    one = learner(table([1.0] * 10), recipe(gauge_weight=0.5, raised_db=(-3.0, 0.0, 3.0)))
    nothing, told, both = (
        [gauge, teacher, math.nan, 1.0] for gauge, teacher in ((math.nan, math.nan), (math.nan, 2.5), (1.5, 2.5))
    )

    def loss(*levels: list[float]) -> float:
        return one.loss(Says(1.0, 2.0, 3.0), batch(*levels)).item()

    assert loss(nothing, both, nothing) == pytest.approx(loss(both, both, both))
    assert loss(told, both, nothing) == pytest.approx((loss(told, told, told) + loss(both, both, both)) / 2)


@pytest.mark.parametrize("said_mm_h", [3.0, -3.0])
def test_every_scan_learns_what_the_teacher_says_of_it(said_mm_h: float) -> None:
    one = learner(table([1.0] * 10), recipe())
    without, with_it = (one.loss(Says(1.0, 2.0, 3.0), batch([1.5, 2.5, said, 1.0])).item() for said in (math.nan, said_mm_h))
    assert with_it - without == pytest.approx(math.log1p(3.0), rel=1e-5)


def test_a_real_hour_has_its_gauge_at_its_own_level_alone() -> None:
    hours = table([1.0, 2.0, 3.0])
    said = {row: np.arange(6, dtype=np.float32).reshape(2, 3) for row in range(3)}
    lessons = replace(no_lessons(hours, 3), real=Answers(np.array([[1.0, 2.0, 3.0]] * 3, np.float32), said))
    target = learner(hours, recipe(raised_db=(-3.0, 0.0, 3.0)), lessons).sets.train[1].target
    np.testing.assert_array_equal(target[0], [[math.nan, 1.0, 0.0, 1.0], [2.0, 2.0, 1.0, 1.0], [math.nan, 3.0, 2.0, 1.0]])
    np.testing.assert_array_equal(target[1, :, 2], [3.0, 4.0, 5.0])


@pytest.mark.parametrize("decibel", [1.0, 6.0])
def test_raising_encoded_hours_is_encoding_raised_hours(decibel: float) -> None:
    hours = table(list(np.linspace(0, 20, 12)))
    one = learner(hours, recipe())
    network = one.network()
    assert isinstance(network, RainfallNet)
    inputs = torch.stack([torch.from_numpy(one.sets.train[row].inputs) for row in range(12)])
    got = network.raised(inputs, torch.full((12,), decibel))
    more = replace(
        hours, scans=np.stack([*hours.scans.T[:2], *(hours.scans[:, 2:10] + decibel).T, *hours.scans.T[10:]], axis=1)
    )
    expected = learner(more, recipe())
    expected._task = one._task
    again = torch.stack([torch.from_numpy(expected._example(row).inputs) for row in range(12)])
    torch.testing.assert_close(got, again, rtol=1e-4, atol=1e-4)


def test_raised_hours_differ_in_reflectivity_alone() -> None:
    hour = Hour(5.0, np.array([1.0]), np.arange(20, dtype=np.float32)[None])
    assert (raised(hour, 3.0).measured - hour.measured)[0].tolist() == [3.0] * 8 + [0.0] * 12


def test_gauges_of_73_mm_and_more_are_learned_by_nobody() -> None:
    one = learner(table([1.0, 80.0, 2.0, 500.0, 3.0]), recipe())
    assert [example.target[0, 0, 0] for example in one.sets.train] == [1.0, 2.0, 3.0]


def test_many_hours_are_encoded_when_their_turn_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = learner(table([1.0] * 10), recipe()).sets.train
    monkeypatch.setattr(rainfall, "_MOST_ENCODED", 5)
    lazy = learner(table([1.0] * 10), recipe()).sets.train
    assert isinstance(lazy, LazyExamples)
    assert lazy.lengths == [2] * 10
    assert all((one.inputs == other.inputs).all() for one, other in zip(kept, lazy, strict=True))


def test_after_calibration_nine_of_ten_validation_hours_are_covered() -> None:
    chance = np.random.default_rng(0)
    hours = table(chance.lognormal(0.5, 1.0, 400).tolist())
    one = learner(hours, recipe(), validation=range(300))

    def run(feeds: Tensors) -> Tensors:
        return {"quantiles_mm": np.tile(np.array([1.0, 1.5, 2.0], np.float32), (len(feeds["scans"]), 1))}

    before = one.score(run, one.sets.validation)["interval_90_coverage"]
    one.calibrate(run)
    after = one.score(run, one.sets.validation)["interval_90_coverage"]
    assert before < 0.5
    assert after == pytest.approx(0.9, abs=0.01)
    assert set(one.settings["interval_widening"]) == {"echo", "silent"}
    ratios = hours.gauge_mm[[row for row in range(300) if row % 5]] / 1.5
    assert one.settings["gauge_factor"] == pytest.approx(np.quantile(ratios, 0.5, method="lower"))


def test_with_folds_every_training_hour_calibrates_under_a_network_that_has_not_seen_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hours = table(np.random.default_rng(0).lognormal(0.5, 1.0, 60).tolist())
    one = learner(hours, with_folds(3), validation=range(10))
    held: list[list[int]] = []

    def fit(fold: RainLearner, *_: object) -> tuple[TaskNet, None]:
        assert not set(fold.sets.splits.train) & set(fold.sets.splits.test)
        assert fold.sets.splits.validation == list(range(10))
        held.append(fold.sets.splits.test)
        return Says(0.0, 1.0, 1.0 + len(held)), None

    monkeypatch.setattr(rainfall, "fit", fit)
    one.calibrate(lambda feeds: {"quantiles_mm": np.tile(np.array([0.0, 1.0, 5.0], np.float32), (len(feeds["scans"]), 1))})
    assert sorted(row for part in held for row in part) == list(range(10, 60))
    # A network's upper quantile is 5 mm of validation hours, 2, 3 and 4 mm of the folds' hours.
    above = dict.fromkeys(range(10), 5.0) | {row: 2.0 + part for part, rows in enumerate(held) for row in rows}
    for name, wanted in (("silent", True), ("echo", False)):
        rows = [row for row in range(60) if (row % 5 == 0) == wanted]
        gauges = np.log1p(hours.gauge_mm)
        misses = [max(-gauges[row], gauges[row] - math.log1p(above[row])) for row in rows]
        assert one.settings["interval_widening"][name] == pytest.approx(conformal_quantile(misses), rel=1e-5)


def test_generated_hours_are_learned_with_gauges_that_scatter_like_real_ones(
    teacher_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = table(np.random.default_rng(1).lognormal(0.5, 1.0, 60).tolist())
    recipe_with_teacher = recipe().model_copy(
        update={"rain": recipe().rain.model_copy(update={"teacher": "winner", "copies": 2})}
    )
    lessons = gather_lessons(recipe_with_teacher, teacher_folder, hours, ROWS, 200)
    one = learner(hours, recipe_with_teacher, lessons)
    assert len(one.sets.train) == 260
    gauge, teacher, _, real = np.array([example.target[0, 0] for example in one.sets.train]).T
    assert real.tolist() == [1.0] * 60 + [0.0] * 200
    ratios = set(np.round(gauge[:60] / teacher[:60], 3).tolist())
    assert {float(ratio) for ratio in np.round(gauge[60:] / teacher[60:], 3)} <= {
        near
        for ratio in ratios
        for near in (ratio - 0.001, ratio, ratio + 0.001, round(ratio - 0.001, 3), round(ratio + 0.001, 3))
    }


def test_a_bundle_learned_with_a_teacher_carries_its_calibration(
    tmp_path: Path, teacher_folder: Path, tiny_recipe: Callable[..., str]
) -> None:
    path = tmp_path / "taught.toml"
    settings = '\n[generator]\nhours = 30\n[rain]\nteacher = "winner"\ncopies = 2\nraised_db = [-3, 0, 3]\nfolds = 2\n'
    path.write_text(tiny_recipe("rainfall") + settings)
    assert read_recipe(path).generator.hours == 30
    folder = train(path, teacher_folder / "train.csv", tmp_path / "runs", tmp_path / "models")
    bundle = read_bundle(folder)
    assert "echo" in bundle.manifest.settings["interval_widening"]
    assert bundle.manifest.data["kept"] == 49
