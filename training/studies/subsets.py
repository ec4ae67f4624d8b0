"""Small parts of the real data, and the learners over them: what lets a study train dozens of networks."""

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from app.tasks.rainfall import MEASUREMENTS
from training.data.imdb import read_reviews
from training.data.rain import read_hours
from training.data.tunes import read_tunes
from training.learners.learner import Learner
from training.recipe import Recipe
from training.train import LEARNERS

FOLDERS = {"sentiment": "imdb", "rainfall": "rain", "music": "music"}

REVIEW_CHARACTERS = 300
TUNE_CHARACTERS = 300


def write_subset(task: str, data: Path, work: Path, items: int, seed: int = 0) -> Path:
    """A parquet file in `work` with so many reviews, hours or tunes, drawn by whole groups, of the task's folder in `data`.

    All of them where there are fewer. Of a review the end is kept, where verdicts stand, of tunes only short ones are; the
    50,000 unlabelled reviews are left out.
    """
    source, path = data / FOLDERS[task], work / f"{task}-{items}.parquet"
    work.mkdir(parents=True, exist_ok=True)
    if task == "rainfall":
        rows = _hour_rows(source, work)
        rows.filter(pl.col("Id").is_in(_drawn(rows["Id"].unique().sort().to_list(), items, seed))).write_parquet(path)
        return path
    rows, group = (read_reviews(source)[0], "movie") if task == "sentiment" else (read_tunes(source)[0], "family")
    rows = rows.with_columns(pl.col("text").str.tail(REVIEW_CHARACTERS)) if task == "sentiment" else _short_tunes(rows)
    groups = _drawn(rows[group].unique().sort().to_list(), len(rows), seed)
    order = {name: place for place, name in enumerate(groups)}
    rows.sort(pl.col(group).replace_strict(order), maintain_order=True).head(items).write_parquet(path)
    return path


def _short_tunes(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("abc").str.len_chars() <= TUNE_CHARACTERS)


def _drawn(groups: Sequence[Any], most: int, seed: int) -> list[Any]:
    return random.Random(seed).sample(groups, min(most, len(groups)))  # noqa: S311


def _hour_rows(source: Path, work: Path) -> pl.DataFrame:
    """The hours in the competition's columns again, as the reader accepts them."""
    table, _ = read_hours(source, work / "hours")
    scans = np.diff(table.starts)
    columns = {name: table.scans[:, place] for place, name in enumerate(["minutes_past", "radardist_km", *MEASUREMENTS])}
    return pl.DataFrame({"Id": np.repeat(table.ids, scans), "Expected": np.repeat(table.gauge_mm, scans), **columns})


def learner_of(recipe: Recipe, data: Path, work: Path) -> Learner:
    """The learner of the recipe's task; its split is made anew in `work`."""
    return LEARNERS[recipe.task](recipe, data, work / "run", None)


def changed(recipe: Recipe, **tables: dict[str, Any]) -> Recipe:
    """The recipe with settings of its tables replaced: changed(recipe, model={"hidden": 32})."""
    settings = recipe.model_dump()
    for table, values in tables.items():
        settings[table] |= values
    return Recipe.model_validate(settings)
