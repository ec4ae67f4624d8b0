"""Lessons from a teacher, with the winner's networks replaced by small ones of random weights."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from app.tasks.rainfall import Hour
from training.data.radar_generator import raised
from training.data.rain import HourTable, read_hours
from training.data.rain_lessons import gather_lessons, no_lessons
from training.recipe import Recipe, read_recipe
from training.reference.rain_winner import Winner

Floats = npt.NDArray[np.float32]


@pytest.fixture
def table(tiny_sources: dict[str, Path], tmp_path: Path) -> HourTable:
    return read_hours(tiny_sources["rainfall"], tmp_path / "hours")[0]


@pytest.fixture
def recipe(tmp_path: Path, tiny_recipe: Callable[..., str]) -> Recipe:
    path = tmp_path / "tiny.toml"
    path.write_text(tiny_recipe("rainfall") + '\n[generator]\nhours = 40\n[rain]\nteacher = "winner"\ncopies = 2\n')
    return read_recipe(path)


def test_lessons_come_from_the_rows_alone(table: HourTable, recipe: Recipe, teacher_folder: Path) -> None:
    rows = [5, 8, 13, 21]
    lessons = gather_lessons(recipe, teacher_folder, table, rows, 40)
    assert np.flatnonzero(np.isfinite(lessons.real.mm[:, 0])).tolist() == rows
    assert {parent for one in lessons.generated for parent in one.parents} == set(rows)
    assert len(lessons.generated) == len(lessons.answers.mm) == len(lessons.answers.rates_mm_h) == 40


def test_the_teacher_answers_for_each_hour_what_it_answers_alone(
    table: HourTable, recipe: Recipe, teacher_folder: Path
) -> None:
    lessons = gather_lessons(recipe, teacher_folder, table, [3, 4], 10)
    winner = Winner(teacher_folder / "winner")
    alone = winner.estimates_mm([one.hour for one in lessons.generated], recipe.rain.copies).mean(1)
    np.testing.assert_allclose(lessons.answers.mm[:, 0], np.maximum(alone, 0.01), rtol=1e-4)
    real = winner.estimates_mm([table.hour(3), table.hour(4)])[0].mean()
    np.testing.assert_allclose(lessons.real.mm[3], [max(real, 0.01)], rtol=1e-4)


def test_an_hour_shown_with_columns_left_out_keeps_the_answer_to_the_whole_one(
    table: HourTable, recipe: Recipe, teacher_folder: Path
) -> None:
    bare = recipe.model_copy(update={"generator": recipe.generator.model_copy(update={"bare_share": 1.0})})
    whole, shown = (gather_lessons(each, teacher_folder, table, [5, 8, 13, 21], 20) for each in (recipe, bare))
    measured = [np.isfinite(lessons.generated[0].hour.measured).sum() for lessons in (whole, shown)]
    assert measured[1] < measured[0]
    np.testing.assert_array_equal(shown.answers.mm, whole.answers.mm)


class Moody:
    """A teacher that says more and less rain as reflectivity rises."""

    def __init__(self, _folder: Path) -> None:
        pass

    def estimates_and_rates(self, hours: Sequence[Hour], _copies: int) -> tuple[Floats, list[Floats]]:
        level = np.array([np.nan_to_num(hour.reflectivity_dbz).mean() for hour in hours], np.float32)
        estimates = np.stack([5 + level / 10 + np.sin(level), 5 + level / 10], axis=1).astype(np.float32)
        return estimates, [np.full(len(hour.minutes_past), mm) for hour, mm in zip(hours, estimates.mean(1), strict=True)]


def test_what_the_teacher_answers_is_made_to_rise_with_reflectivity(
    table: HourTable, recipe: Recipe, teacher_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raised_db = (-4.0, 0.0, 4.0)
    monkeypatch.setattr("training.data.rain_lessons.Winner", Moody)
    levels = recipe.model_copy(update={"rain": recipe.rain.model_copy(update={"raised_db": raised_db})})
    lessons = gather_lessons(levels, teacher_folder, table, list(range(40)), 40)
    hours = [one.hour for one in lessons.generated]
    moody = Moody(teacher_folder)
    answers = np.array([moody.estimates_and_rates([raised(hour, db) for hour in hours], 2)[0].mean(1) for db in raised_db]).T
    rises = (np.diff(answers, axis=1) >= 0).all(axis=1)
    assert 0 < rises.sum() < 40
    np.testing.assert_allclose(lessons.answers.mm[rises], answers[rises], rtol=1e-4)
    assert (np.diff(lessons.answers.mm, axis=1) >= 0).all()
    np.testing.assert_allclose(np.log1p(lessons.answers.mm).mean(1), np.log1p(answers).mean(1), rtol=1e-4)
    assert (np.diff(lessons.real.mm[:40], axis=1) >= 0).all()
    for rates, hour, said in zip(lessons.answers.rates_mm_h.values(), hours, answers, strict=True):
        np.testing.assert_array_equal(rates, np.tile(said, (len(hour.minutes_past), 1)))


def test_a_fold_gets_no_hour_with_a_parent_outside_it(table: HourTable, recipe: Recipe, teacher_folder: Path) -> None:
    every = gather_lessons(recipe, teacher_folder, table, list(range(len(table))), 60)
    half = every.among(range(25), 1000)
    assert 0 < len(half.generated) < 60
    assert all(one.parents <= set(range(25)) for one in half.generated)
    kept = {id(one) for one in half.generated}
    places = [place for place, one in enumerate(every.generated) if id(one) in kept]
    assert half.answers.mm.tolist() == every.answers.mm[places].tolist()
    for place, index in enumerate(places):
        assert half.answers.rates_mm_h[place] is every.answers.rates_mm_h[index]
    assert len(every.among(range(len(table)), 7).generated) == 7


def test_without_weights_there_are_no_lessons_and_a_line_says_so(
    table: HourTable, recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        lessons = gather_lessons(recipe, tmp_path / "train.csv", table, [1, 2], 10)
    assert f"no teacher's weights in {tmp_path / 'winner'}: learning from the gauges alone" in caplog.text
    assert len(lessons.generated) == 0
    assert np.isnan(lessons.real.mm).all()
    assert np.isnan(no_lessons(table).real.mm).all()
