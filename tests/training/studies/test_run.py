"""Every study runs from end to end at its toy scale and leaves its files; run again it only draws them anew."""

from pathlib import Path

import polars as pl
import pytest

from training.data.rain import read_hours
from training.studies import subsets
from training.studies.run import STUDIES, run_study


@pytest.fixture(scope="session")
def study_data(tmp_path_factory: pytest.TempPathFactory, tiny_sources: dict[str, Path]) -> Path:
    """The generated data sets under the names of the real folders."""
    folder = tmp_path_factory.mktemp("studies")
    for task, name in subsets.FOLDERS.items():
        (folder / name).symlink_to(tiny_sources[task].parent, target_is_directory=True)
    return folder


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_leaves_its_runs_its_plot_and_its_page(name: str, tmp_path: Path, study_data: Path) -> None:
    run_study(name, study_data, tmp_path, quick=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.csv", f"{name}.md", f"{name}.png"]
    assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    page, runs = (tmp_path / f"{name}.md").read_text(), (tmp_path / f"{name}.csv").read_text()
    assert page.count("| --- |") >= 1
    assert pl.read_csv(tmp_path / f"{name}.csv")["seed"].n_unique() == 2
    run_study(name, study_data, tmp_path, quick=True)
    assert (tmp_path / f"{name}.md").read_text() == page
    assert (tmp_path / f"{name}.csv").read_text() == runs


def test_a_fresh_study_forgets_its_runs(tmp_path: Path) -> None:
    run_study("gradients", tmp_path, tmp_path, quick=True)
    runs = tmp_path / "gradients.csv"
    kept = runs.read_text()
    runs.write_text(kept.replace("plain", "other"))
    run_study("gradients", tmp_path, tmp_path, quick=True, fresh=True)
    assert "other" not in runs.read_text()
    assert len(runs.read_text().splitlines()) == len(kept.splitlines())


@pytest.mark.parametrize("task", subsets.FOLDERS)
def test_a_subset_holds_what_was_asked_for_and_is_the_same_each_time(task: str, tmp_path: Path, study_data: Path) -> None:
    first = pl.read_parquet(subsets.write_subset(task, study_data, tmp_path / "a", 10))
    again = pl.read_parquet(subsets.write_subset(task, study_data, tmp_path / "b", 10))
    assert first.equals(again)
    assert (first["Id"].n_unique() if task == "rainfall" else len(first)) == 10


def test_hours_come_through_a_subset_unchanged(tmp_path: Path, study_data: Path) -> None:
    whole, _ = read_hours(study_data / "rain", tmp_path / "whole")
    part, report = read_hours(subsets.write_subset("rainfall", study_data, tmp_path / "part", 10), tmp_path / "again")
    assert report.kept == 10
    assert not report.rejected
    for row, hour_id in enumerate(part.ids):
        place = int((whole.ids == hour_id).nonzero()[0][0])
        assert part.gauge_mm[row] == whole.gauge_mm[place]
        assert part.hour(row).measured.tobytes() == whole.hour(place).measured.tobytes()
        assert part.hour(row).minutes_past.tobytes() == whole.hour(place).minutes_past.tobytes()
        assert part.hour(row).radardist_km == whole.hour(place).radardist_km
