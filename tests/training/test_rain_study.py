"""The cross-validation's table on a few generated hours."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training.data.rain import HourTable
from training.loop import fit
from training.rain_study import _calibrated, rain_study
from training.recipe import Recipe, read_recipe


@pytest.fixture
def recipe(tmp_path: Path, tiny_recipe: Callable[..., str]) -> Recipe:
    path = tmp_path / "tiny.toml"
    path.write_text(tiny_recipe("rainfall") + '\n[generator]\nhours = 20\n[rain]\nteacher = "winner"\ncopies = 2\n')
    return read_recipe(path)


def rows(table: str) -> dict[str, list[str]]:
    cells = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines() if line.startswith("|")]
    return {row[0]: row for row in cells[2:]}


def test_the_table_has_every_way_to_estimate_side_by_side(teacher_folder: Path, recipe: Recipe, tmp_path: Path) -> None:
    table = rain_study(teacher_folder, {"student": recipe}, tmp_path / "runs", folds=3, repeats=2)
    got = rows(table)
    physics = ["marshall_palmer", "z_zdr", "kdp", "csu_blend"]
    assert list(got) == ["zero", "median", *physics, "winner_v1", "winner_v2", "winner_both", "student"]
    assert got["marshall_palmer"][2] == "+0.000 ± 0.000"
    assert got["winner_both"][3] == "+0.000 ± 0.000"
    error, other = float(got["student"][1]), float(got["marshall_palmer"][1])
    assert float(got["student"][2].split()[0]) == pytest.approx(error - other, abs=0.002)
    no_echo = [5, 7]  # every generated hour has one
    assert [column for column, cell in enumerate(got["student"]) if not cell] == no_echo
    assert table.startswith("49 hours with reflectivity and a gauge below 73 mm (of 49; 49 with reflectivity")


def test_without_the_winners_weights_the_table_does_without_them(
    tiny_sources: dict[str, Path], recipe: Recipe, tmp_path: Path
) -> None:
    got = rows(rain_study(tiny_sources["rainfall"], {"student": recipe}, tmp_path / "runs", folds=2, repeats=1))
    assert "winner_both" not in got
    assert got["student"][3] == ""


def test_the_same_seed_gives_the_same_table(tiny_sources: dict[str, Path], recipe: Recipe, tmp_path: Path) -> None:
    source, student = tiny_sources["rainfall"], {"student": recipe}
    first, again = (rain_study(source, student, tmp_path / name, 2, 1, seed=5) for name in ("first", "again"))
    assert first == again
    assert rain_study(source, student, tmp_path / "again", 2, 1, seed=6) != first


def test_one_that_was_killed_goes_on_and_says_the_same(
    tiny_sources: dict[str, Path], recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, student = tiny_sources["rainfall"], {"student": recipe}
    unbroken = rain_study(source, student, tmp_path / "unbroken", 2, 1)
    trained = 0

    def killed_in_the_second(*arguments: Any) -> Any:
        nonlocal trained
        trained += 1
        if trained == 2:
            raise KeyboardInterrupt
        return fit(*arguments)

    monkeypatch.setattr("training.rain_study.fit", killed_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        rain_study(source, student, tmp_path / "runs", 2, 1)
    (first,) = tmp_path.glob("runs/rain-cv/student-*/1-1/checkpoint.pt")
    at = first.stat().st_mtime_ns
    assert rain_study(source, student, tmp_path / "runs", 2, 1) == unbroken
    assert first.stat().st_mtime_ns == at
    # Other hours or another recipe are nothing to go on with.
    other = recipe.model_copy(update={"training": recipe.training.model_copy(update={"seed": 7})})
    assert rain_study(source, {"student": other}, tmp_path / "runs", 2, 1) != unbroken


def test_estimates_and_intervals_fit_gauges_that_did_not_calibrate_them() -> None:
    chance = np.random.default_rng(3)
    gauges = chance.lognormal(0.5, 1.0, 1000)
    scans = np.full((1000, 22), 20.0, np.float32)
    scans[::4, 2:] = np.nan
    table = HourTable(scans, np.arange(1001), gauges.astype(np.float32), np.arange(1000))
    narrow = np.tile([1.0, 1.5, 2.0], (1000, 1))
    parts = np.array_split(chance.permutation(1000), 5)
    low, middle, high = _calibrated(narrow, table, parts).T
    inside = (low <= gauges) & (gauges <= high)
    assert inside[np.isfinite(scans[:, 2])].mean() == pytest.approx(0.9, abs=0.01)
    assert inside[~np.isfinite(scans[:, 2])].mean() == pytest.approx(0.9, abs=0.02)
    assert (middle[~np.isfinite(scans[:, 2])] == 1.5).all()
    # Each part's factor is of the other four parts: the median of gauge over estimate.
    assert middle[np.isfinite(scans[:, 2])] == pytest.approx(np.median(gauges), abs=0.1)
    # What happened in a part does not move the intervals of that part.
    gauges[parts[0]] = 72.0
    changed = HourTable(scans, np.arange(1001), gauges.astype(np.float32), np.arange(1000))
    again = _calibrated(narrow, changed, parts)
    assert (again[parts[0], 2] == high[parts[0]]).all()
    assert (again[parts[1], 2] > high[parts[1]]).all()
