"""Lessons from a teacher, with the winner's networks replaced by small ones of random weights."""

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from training.data.rain import HourTable, read_hours
from training.data.rain_lessons import gather_lessons, no_lessons
from training.recipe import Recipe, read_recipe
from training.reference.rain_winner import Winner


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
    assert np.flatnonzero(np.isfinite(lessons.teacher_mm)).tolist() == rows
    assert {parent for one in lessons.generated for parent in one.parents} == set(rows)
    assert len(lessons.generated) == len(lessons.generated_mm) == 40


def test_the_teacher_answers_for_each_hour_what_it_answers_alone(
    table: HourTable, recipe: Recipe, teacher_folder: Path
) -> None:
    lessons = gather_lessons(recipe, teacher_folder, table, [3, 4], 10)
    winner = Winner(teacher_folder / "winner")
    alone = winner.estimates_mm([one.hour for one in lessons.generated], recipe.rain.copies).mean(1)
    assert lessons.generated_mm.tolist() == alone.tolist()
    assert lessons.teacher_mm[3] == winner.estimates_mm([table.hour(3), table.hour(4)])[0].mean()


def test_a_fold_gets_no_hour_with_a_parent_outside_it(table: HourTable, recipe: Recipe, teacher_folder: Path) -> None:
    every = gather_lessons(recipe, teacher_folder, table, list(range(len(table))), 60)
    half = every.among(range(25), 1000)
    assert 0 < len(half.generated) < 60
    assert all(one.parents <= set(range(25)) for one in half.generated)
    kept = {id(one) for one in half.generated}
    places = [place for place, one in enumerate(every.generated) if id(one) in kept]
    assert half.generated_mm.tolist() == every.generated_mm[places].tolist()
    assert len(every.among(range(len(table)), 7).generated) == 7


def test_without_weights_there_are_no_lessons_and_a_line_says_so(
    table: HourTable, recipe: Recipe, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        lessons = gather_lessons(recipe, tmp_path / "train.csv", table, [1, 2], 10)
    assert f"no teacher's weights in {tmp_path / 'winner'}: learning from the gauges alone" in caplog.text
    assert len(lessons.generated) == 0
    assert np.isnan(lessons.teacher_mm).all()
    assert np.isnan(no_lessons(table).teacher_mm).all()
