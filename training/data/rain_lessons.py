"""What a rain network can learn from besides its gauges: generated hours, and a teacher's estimates."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

from app.tasks.rainfall import Hour
from training.data.edition1 import read_edition1
from training.data.radar_generator import Generated, RadarGenerator, raised
from training.data.rain import HourTable, folder_of
from training.progress import track
from training.recipe import Recipe
from training.reference.rain_winner import COPIES, Winner

log = logging.getLogger(__name__)

EDITION_1 = "edition1_hours.parquet"
_ALIKE = 20  # real hours on either side that the teacher takes for like a generated one
_LEAST_MM = 0.01  # of an answer: the teacher's go below zero, and gauges do not count less


@dataclass(frozen=True)
class Answers:
    """What a teacher says at each level of reflectivity: mm of hours [hours, levels], and mm/h of their scans, each
    [scans, levels]; NaN where it was not asked, which of the scans can be left out."""

    mm: npt.NDArray[np.float32]
    rates_mm_h: Mapping[int, npt.NDArray[np.float32]]

    def of(self, hour: int, scans: int) -> npt.NDArray[np.float32]:
        """mm/h of an hour's scans, [scans, levels]."""
        found = self.rates_mm_h.get(hour)
        return np.full((scans, self.mm.shape[1]), np.nan, np.float32) if found is None else found


@dataclass(frozen=True)
class Lessons:
    """The teacher's answers about the hours of the table and about generated ones, whose parents are rows of the table."""

    real: Answers
    generated: Sequence[Generated]
    answers: Answers

    def among(self, rows: Sequence[int], most: int) -> "Lessons":
        """At most so many generated hours, only those made of these rows and nothing else."""
        allowed = set(rows)
        kept = [index for index, one in enumerate(self.generated) if one.parents <= allowed][:most]
        rates = {place: self.answers.rates_mm_h[index] for place, index in enumerate(kept)}
        return Lessons(self.real, [self.generated[index] for index in kept], Answers(self.answers.mm[kept], rates))


def no_lessons(table: HourTable, levels: int = 1) -> Lessons:
    nothing = Answers(np.full((len(table), levels), np.nan, np.float32), {})
    return Lessons(nothing, [], Answers(np.zeros((0, levels), np.float32), {}))


def gather_lessons(recipe: Recipe, data: Path, table: HourTable, rows: Sequence[int], generated: int) -> Lessons:
    """Asks the teacher about these rows and about `generated` hours made of them, each at every level of the recipe.

    The teacher sees whole hours, also where they are shown with columns left out: of such it makes next to nothing. Its
    weights and the first edition's hours are looked for beside the data. Without the weights there are no
    lessons: generated hours have no gauge, so nothing could be learned from them.
    """
    levels = len(recipe.rain.raised_db)
    if not recipe.rain.teacher:
        return no_lessons(table, levels)
    folder = folder_of(data)
    weights = folder / recipe.rain.teacher
    if not weights.is_dir():
        log.warning("no teacher's weights in %s: learning from the gauges alone", weights)
        return no_lessons(table, levels)
    winner = Winner(weights)
    hours = [table.hour(row) for row in rows]
    asked = _rising(winner, hours, COPIES, recipe.rain.raised_db)
    real = Answers(np.full((len(table), levels), np.nan, np.float32), {row: asked.rates_mm_h[k] for k, row in enumerate(rows)})
    real.mm[list(rows)] = asked.mm
    profiles = read_edition1(folder / EDITION_1) if (folder / EDITION_1).is_file() else []
    generator = RadarGenerator(hours, recipe.generator, profiles)
    drawn = [generator.draw(number) for number in track(range(generated), "generating hours", generated)]
    log.info("%d hours generated from %d and the courses of %d of the first edition", len(drawn), len(hours), len(profiles))
    lessons = [
        Generated(generator.bared(number, one.hour), frozenset(rows[parent] for parent in one.parents))
        for number, one in enumerate(drawn)
    ]
    return Lessons(real, lessons, _rising(winner, [one.hour for one in drawn], recipe.rain.copies, recipe.rain.raised_db))


def pseudo_gauges(
    gauge_mm: npt.NDArray[np.float32], teacher_mm: npt.NDArray[np.float32], generated_mm: npt.NDArray[np.float32]
) -> npt.NDArray[np.float32]:
    """A gauge for each generated hour at each level, so that the outer quantiles have more to learn from than a few hundred:
    the teacher's estimate times what some real hour of like estimate has in its gauge over the teacher's estimate of it."""
    if not len(generated_mm):
        return np.zeros_like(generated_mm)
    order = np.argsort(teacher_mm)
    ratio = (gauge_mm / teacher_mm)[order]
    place = np.searchsorted(teacher_mm[order], generated_mm)
    chance = np.random.default_rng(0)
    near = place + chance.integers(-_ALIKE, _ALIKE + 1, generated_mm.shape)
    return np.asarray(generated_mm * ratio[np.clip(near, 0, len(ratio) - 1)], dtype=np.float32)


def _rising(winner: Winner, hours: Sequence[Hour], copies: int, raised_db: Sequence[float]) -> Answers:
    """What the teacher says of hours at each level, and where it falls with the level, the nearest to it that does not.

    The teacher itself does for one hour in sixteen. The copies are the same at every level, as they are drawn from one seed.
    """
    levels = [winner.estimates_and_rates([raised(hour, db) for hour in hours], copies) for db in raised_db]
    log_mm = np.log1p(np.maximum([estimates.mean(1) for estimates, _ in levels], _LEAST_MM)).T
    mm = np.array([np.expm1(isotonic_regression(one).x) for one in log_mm], np.float32).reshape(-1, len(raised_db))
    rates = zip(*(rates for _, rates in levels), strict=True)
    return Answers(mm, {hour: np.stack(one, axis=1) for hour, one in enumerate(rates)})
