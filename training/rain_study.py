"""How good the rain networks are: repeated cross-validation over all real hours, beside physics and the competition's winner.

In every fold the scaler, the generated hours and the network come from the other folds alone. So does the interval's
calibration: it is by how far the other folds' gauges are missed by the networks that did not learn from them, as in training
(cross-conformal prediction, Vovk 2015). The teacher's weights do not: the winner learned from these very hours, so its own
figures are of hours that it has seen.
"""

import hashlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from app.tasks.rainfall import Hour, Rainfall, baselines_mm, calibrated_mm
from training import metrics, run_folder
from training.data.radar_generator import raised
from training.data.rain import HourTable, folder_of, read_hours
from training.data.rain_lessons import Lessons, gather_lessons
from training.data.report import DataError, ReadReport
from training.data.splits import Splits
from training.learners.rainfall import RainLearner
from training.loop import as_run, device_here, fit
from training.rain_calibration import calibration
from training.rain_mean import Beside, beside_of
from training.rain_start import Start, start_of
from training.recipe import Generator, Recipe
from training.reference.rain_winner import Winner

log = logging.getLogger(__name__)

RAISED_DB = (1.0, 3.0, 6.0)
_VALIDATION_SHARE = 0.2  # of the hours that are not in the fold, to choose the best epoch on
ROUNDING_MM = 1e-5
_POOL = 4  # times the generated hours that a fold uses: hours with a held-out parent are left out

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """One way to estimate, on all hours: estimate_mm [repeats, hours]; for a network also low and high of its interval, and
    whether the estimate did not fall, [repeats, hours, RAISED_DB], when all reflectivities rose."""

    name: str
    estimate_mm: Floats
    low_mm: Floats | None = None
    high_mm: Floats | None = None
    monotone: npt.NDArray[np.bool_] | None = None


def rain_study(data: Path, recipes: dict[str, Recipe], runs: Path, folds: int = 5, repeats: int = 2, seed: int = 0) -> str:
    """The whole table in Markdown, with the number of hours; networks by the names of their recipes.

    One that was killed goes on with what it has in `runs`. Raises DataError, and RecipeError where another is under way.
    """
    with TemporaryDirectory() as work:
        table, report = read_hours(data, Path(work) / "hours")
        if folds > len(table):
            raise DataError(f"{data}: {folds} folds of {len(table)} hours")
        hours = [table.hour(row) for row in range(len(table))]
        physics = [baselines_mm(hour) for hour in hours]
        judged = [Judged(name, np.array([[one[name] for one in physics]])) for name in physics[0]]
        judged += list(_winner(data, recipes, hours))
        pools: dict[tuple[Generator, str, int, tuple[float, ...]], Lessons] = {}
        for name, recipe in recipes.items():
            # Networks that differ only in their shape learn from the same generated hours.
            key = (recipe.generator, recipe.rain.teacher, recipe.rain.copies, recipe.rain.raised_db)
            if key not in pools:
                pools[key] = gather_lessons(recipe, data, table, range(len(table)), _POOL * recipe.generator.hours)
            start, beside = start_of(recipe, data), beside_of(recipe, data)
            folder = runs / "rain-cv" / f"{name}-{_digest(recipe, beside, table, folds, seed)}"
            judged.append(_cross_validate(folder, recipe, table, report, pools[key], folds, repeats, seed, start, beside))
    gauge = table.gauge_mm.astype(np.float64)
    echo = np.array([np.isfinite(hour.reflectivity_dbz).any() for hour in hours])
    return _table([*_constants(gauge, echo), *judged], gauge, echo)


def _winner(data: Path, recipes: dict[str, Recipe], hours: Sequence[Hour]) -> Iterator[Judged]:
    folder = folder_of(data)
    for teacher in {recipe.rain.teacher for recipe in recipes.values()} - {""}:
        if (folder / teacher).is_dir():
            first, second = Winner(folder / teacher).estimates_mm(hours).astype(np.float64).T
            yield Judged("winner_v1", first[None])
            yield Judged("winner_v2", second[None])
            yield Judged(WINNER, ((first + second) / 2)[None])


WINNER = "winner_both"


def _constants(gauge: Floats, echo: npt.NDArray[np.bool_]) -> list[Judged]:
    plausible = gauge[echo & (gauge < metrics.IMPLAUSIBLE_MM)]
    return [Judged("zero", np.zeros((1, len(gauge)))), Judged("median", np.full((1, len(gauge)), np.median(plausible)))]


def _digest(recipe: Recipe, beside: Beside | None, table: HourTable, folds: int, seed: int) -> str:
    """Of all that the networks depend on: another recipe or other hours get folders of their own."""
    told = f"{recipe.model_dump_json()}{beside.text if beside else ''} {folds} {seed}".encode() + table.gauge_mm.tobytes()
    return hashlib.sha256(told).hexdigest()[:12]


def _cross_validate(
    runs: Path,
    recipe: Recipe,
    table: HourTable,
    report: ReadReport,
    pool: Lessons,
    folds: int,
    repeats: int,
    seed: int,
    start: Start | None,
    beside: Beside | None,
) -> Judged:
    quantiles = np.zeros((repeats, len(table), 3))
    monotone = np.zeros((repeats, len(table), len(RAISED_DB)), dtype=bool)
    for repeat in range(repeats):
        # Every hour is a group of its own: the data do not say which gauge or day it is of.
        order = np.random.default_rng([seed, repeat]).permutation(len(table))
        parts = np.array_split(order, folds)
        for fold, held in enumerate(parts):
            rest = [row for row in order.tolist() if row not in set(held.tolist())]
            # Where the recipe keeps the last epoch nothing is chosen, and all hours outside the fold are learned from.
            validation = round(_VALIDATION_SHARE * len(rest)) if recipe.training.keep == "best" else 0
            splits = Splits(rest[validation:], rest[:validation] or held.tolist(), held.tolist())
            lessons = pool.among(splits.train, recipe.generator.hours)
            hours = [table.hour(row) for row in held]
            folder = runs / f"{repeat + 1}-{fold + 1}"
            learner = RainLearner(recipe, table, report, splits, lessons, start=start, beside=beside, work=folder)
            quantiles[repeat, held], monotone[repeat, held] = _one_fold(folder, recipe, learner, hours)
            judged = held[table.gauge_mm[held] < metrics.IMPLAUSIBLE_MM]
            error = np.abs(quantiles[repeat, judged, 1] - table.gauge_mm[judged])
            log.info(
                "%s: repeat %d, fold %d, %d generated hours: mean absolute error of all plausible hours %.3f mm",
                runs.name, repeat + 1, fold + 1, len(lessons.generated), error.mean(),
            )  # fmt: skip
        quantiles[repeat] = _calibrated(quantiles[repeat], table, parts)
    low, middle, high = np.moveaxis(quantiles, 2, 0)
    return Judged(runs.name.rpartition("-")[0], middle, low, high, monotone)


def _calibrated(quantiles_mm: Floats, table: HourTable, parts: Sequence[npt.NDArray[np.int64]]) -> Floats:
    """[hours, 3]: every part's quantiles calibrated on the gauges of the other parts."""
    gauge = table.gauge_mm.astype(np.float64)
    echo = np.array([np.isfinite(table.hour(row).reflectivity_dbz).any() for row in range(len(table))])
    calibrated = np.zeros_like(quantiles_mm)
    for held in parts:
        others = np.setdiff1d(np.arange(len(table)), held)
        settings = calibration(quantiles_mm[others], gauge[others], echo[others])
        calibrated[held] = calibrated_mm(quantiles_mm[held], echo[held], settings)
    return calibrated


def _one_fold(
    folder: Path, recipe: Recipe, learner: RainLearner, hours: Sequence[Hour]
) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Trained as `gatehouse train` does, then asked as the service asks: low, median and high
    before calibration, [hours, 3]."""
    with run_folder.held(folder):
        network = learner.complete(fit(learner, recipe, folder)[0])
    run = as_run(network, device_here())
    task = Rainfall.from_bundle({}, learner.asset.content)
    answers = task.answer(run, hours)
    quantiles = np.array([[one.interval_90_mm[0], one.rain_mm, one.interval_90_mm[1]] for one in answers])
    raised_mm = [[one.rain_mm for one in task.answer(run, [raised(hour, db) for hour in hours])] for db in RAISED_DB]
    rose = np.array(raised_mm).T - quantiles[:, 1:2]
    return quantiles, rose >= -ROUNDING_MM


def _table(judged: Sequence[Judged], gauge: Floats, echo: npt.NDArray[np.bool_]) -> str:
    plausible = gauge < metrics.IMPLAUSIBLE_MM
    main = echo & plausible
    by_name = {one.name: np.abs(one.estimate_mm - gauge).mean(0) for one in judged}
    lines = [
        f"{int(main.sum())} hours with reflectivity and a gauge below {metrics.IMPLAUSIBLE_MM:g} mm (of {len(gauge)}; "
        f"{int(echo.sum())} with reflectivity, {int(plausible.sum())} with such a gauge). Errors in mm; differences are "
        "paired, with standard errors. The winner's networks learned from these hours.",
        "",
        "| estimate | MAE | - Marshall-Palmer | - winner | any gauge | no echo | covered | no echo | width | monotone |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in judged:
        error = by_name[one.name]
        cells = [
            one.name,
            _mm(error[main]),
            *(_paired(error[main] - by_name[other][main]) if other in by_name else "" for other in ("marshall_palmer", WINNER)),
            _mm(error[echo]),
            _mm(error[plausible & ~echo]),
            *_interval(one, gauge, main, plausible & ~echo),
            _share(np.asarray(one.monotone[:, echo].all(axis=2))) if one.monotone is not None else "",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _mm(values: Floats) -> str:
    return f"{values.mean():.3f}" if values.size else ""


def _share(happened: npt.NDArray[np.bool_]) -> str:
    return f"{happened.mean():.1%}" if happened.size else ""


def _paired(difference: Floats) -> str:
    return f"{difference.mean():+.3f} ± {difference.std(ddof=1) / np.sqrt(len(difference)):.3f}"


def _interval(one: Judged, gauge: Floats, main: npt.NDArray[np.bool_], silent: npt.NDArray[np.bool_]) -> list[str]:
    """Coverage of hours with and without echo, and the mean width in mm of the former."""
    if one.low_mm is None or one.high_mm is None:
        return ["", "", ""]
    inside = (one.low_mm <= gauge) & (gauge <= one.high_mm)
    width = one.high_mm - one.low_mm
    return [_share(inside[:, main]), _share(inside[:, silent]), _mm(width[:, main])]
