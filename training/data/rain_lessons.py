"""What a rain network can learn from besides its gauges: generated hours, and a teacher's estimates."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.data.edition1 import read_edition1
from training.data.radar_generator import Generated, RadarGenerator
from training.data.rain import HourTable
from training.progress import track
from training.recipe import Recipe
from training.reference.rain_winner import Winner

log = logging.getLogger(__name__)

EDITION_1 = "edition1_hours.parquet"


@dataclass(frozen=True)
class Lessons:
    """teacher_mm float32 [hours of the table], NaN where it was not asked; generated hours, whose parents are rows of the
    table, and what the teacher says of them, float32 [generated]."""

    teacher_mm: npt.NDArray[np.float32]
    generated: Sequence[Generated]
    generated_mm: npt.NDArray[np.float32]

    def among(self, rows: Sequence[int], most: int) -> "Lessons":
        """At most so many generated hours, only those made of these rows and nothing else."""
        allowed = set(rows)
        kept = [index for index, one in enumerate(self.generated) if one.parents <= allowed][:most]
        return Lessons(self.teacher_mm, [self.generated[index] for index in kept], self.generated_mm[kept])


def no_lessons(table: HourTable) -> Lessons:
    return Lessons(np.full(len(table), np.nan, np.float32), [], np.zeros(0, np.float32))


def gather_lessons(recipe: Recipe, data: Path, table: HourTable, rows: Sequence[int], generated: int) -> Lessons:
    """Asks the teacher about these rows and about `generated` hours made of them.

    The teacher's weights and the first edition's hours are looked for beside the data. Without the weights there are no
    lessons: generated hours have no gauge, so nothing could be learned from them.
    """
    if not recipe.rain.teacher:
        return no_lessons(table)
    folder = data if data.is_dir() else data.parent
    weights = folder / recipe.rain.teacher
    if not weights.is_dir():
        log.warning("no teacher's weights in %s: learning from the gauges alone", weights)
        return no_lessons(table)
    winner, copies = Winner(weights), recipe.rain.copies
    teacher_mm = np.full(len(table), np.nan, np.float32)
    hours = [table.hour(row) for row in rows]
    teacher_mm[list(rows)] = winner.estimates_mm(hours).mean(1)
    profiles = read_edition1(folder / EDITION_1) if (folder / EDITION_1).is_file() else []
    generator = RadarGenerator(hours, recipe.generator, profiles)
    drawn = [generator.draw(number) for number in track(range(generated), "generating hours", generated)]
    log.info("%d hours generated from %d and the courses of %d of the first edition", len(drawn), len(hours), len(profiles))
    lessons = [Generated(one.hour, frozenset(rows[parent] for parent in one.parents)) for one in drawn]
    return Lessons(teacher_mm, lessons, winner.estimates_mm([one.hour for one in drawn], copies).mean(1))
