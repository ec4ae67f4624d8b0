"""Learning rainfall: a median with its 90 % interval, from gauges by pinball losses and from a teacher where there is one."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.tasks.rainfall import FEATURES, Rainfall, calibrated_mm, features
from app.tasks.task import Observed, Run
from training import metrics
from training.data.batches import Batch, Example, LazyExamples
from training.data.radar_generator import REFLECTIVITIES
from training.data.rain import HourTable, read_hours
from training.data.rain_lessons import Lessons, gather_lessons, no_lessons, pseudo_gauges
from training.data.report import DataError, ReadReport
from training.data.splits import Splits, recorded_splits
from training.learners.learner import Asset, Scores, Sets, scoring_batches
from training.loop import as_run, device_here, fit
from training.model import TaskNet
from training.rain_calibration import calibration
from training.rain_loss import REF_PRESENT, apart, distance, falls
from training.rain_mean import Beside, RainfallMean, beside_of
from training.rain_net import RainfallNet, Reflectivities
from training.rain_start import BegunStack, Start, start_of
from training.recipe import Recipe
from training.run_folder import keep_recipe

log = logging.getLogger(__name__)

QUANTILES = (0.05, 0.5, 0.95)
_SCORING_ITEMS = 256
_HOURS_FOR_SCALER = 20_000
_MOST_ENCODED = 200_000  # hours kept encoded, about 0.5 GB; of more, each is encoded when its turn comes
_GOLDEN = [
    {
        "radardist_km": 10.0,
        "scans": [{"minutes_past": 3, "Ref": 12.5, "RefComposite": 15.0, "RhoHV": 0.998, "Zdr": 0.375}],
    },
    {
        "radardist_km": 2.0,
        "scans": [{"minutes_past": 5 + 10 * k, "Ref": 20.0 + 6 * k, "Kdp": 0.5 * k} for k in range(6)],
    },
    {"radardist_km": 15.0, "scans": [{"minutes_past": 30}]},
    {"radardist_km": 0.0, "scans": [{"minutes_past": k, "Ref": 45.0, "Ref_5x5_90th": 48.5} for k in range(60)]},
]


@dataclass(frozen=True)
class _Said:
    """Of hours, as the graph sees them: its quantiles before calibration [hours, 3], the gauges, what Marshall-Palmer says, and
    whether there is a scan with `Ref`."""

    quantiles_mm: npt.NDArray[np.float64]
    gauge_mm: npt.NDArray[np.float64]
    marshall_palmer_mm: npt.NDArray[np.float64]
    echo: npt.NDArray[np.bool_]


class RainLearner:
    """All of RainfallLearner but where its hours come from: cross-validation brings its own."""

    primary: ClassVar[str] = "mae_mm"
    higher: ClassVar[bool] = False
    golden_inputs: ClassVar[list[Any]] = _GOLDEN

    def __init__(
        self,
        recipe: Recipe,
        table: HourTable,
        report: ReadReport,
        splits: Splits,
        lessons: Lessons,
        scaler: list[dict[str, Any]] | None = None,
        start: Start | None = None,
        beside: Beside | None = None,
        work: Path | None = None,
    ) -> None:
        """Hours with an impossible gauge (73 mm and more) are scored apart; nothing is learned from their gauges.

        `start`: what to begin from; `beside`: what is averaged with; `work`: where networks besides the first are kept while
        they are trained, so that a training that was killed goes on with them.
        """
        self._recipe, self._table, self._start, self._beside, self._work = recipe, table, start, beside, work
        plausible = [row for row in splits.train if table.gauge_mm[row] < metrics.IMPLAUSIBLE_MM]
        self.asset = Asset("scaler.json", scaler or _scaler(table, plausible))
        self.settings: dict[str, Any] = {}
        starts = [start, beside.start if beside else None]
        self.notice = "\n\n".join(one.notice for one in starts if one)
        self._task = Rainfall.from_bundle({}, self.asset.content)
        deviations = {feature["name"]: feature["deviation"] for feature in self.asset.content}
        self.reflectivities = Reflectivities(_MEASURED, _PRESENT, [deviations[name] for name in REFLECTIVITIES])
        self._raised_db, self._own_level = torch.tensor(recipe.rain.raised_db), recipe.rain.raised_db.index(0.0)
        self._lessons = lessons
        own_mm = lessons.real.mm[plausible, self._own_level]
        self._pseudo_mm = pseudo_gauges(table.gauge_mm[plausible], own_mm, lessons.answers.mm)
        first_generated = len(table)
        learned = [*plausible, *range(first_generated, first_generated + len(lessons.generated))]
        self.sets = Sets(
            self._examples(learned), self._examples(splits.validation), self._examples(splits.test), report, splits
        )

    def _examples(self, rows: Sequence[int]) -> Sequence[Example]:
        """Rows beyond the table's are generated hours."""
        if len(rows) <= _MOST_ENCODED:
            return [self._example(row) for row in rows]
        lengths = np.concatenate([np.diff(self._table.starts), [len(one.hour.minutes_past) for one in self._lessons.generated]])
        return LazyExamples(self._example, rows, lengths[np.array(rows)].astype(int).tolist())

    def _example(self, row: int) -> Example:
        """Its target, for every scan and level of reflectivity: the gauge of the hour (a likely one if generated) and the
        teacher's estimate, in mm, what the teacher says of the scan, in mm/h, NaN where unknown; and 1 if the hour is real."""
        number = row - len(self._table)
        if number < 0:
            hour, answers, place = self._table.hour(row), self._lessons.real, row
            gauge = np.full(len(self._raised_db), np.nan, np.float32)
            gauge[self._own_level] = self._table.gauge_mm[row]
        else:
            hour, answers, place = self._lessons.generated[number].hour, self._lessons.answers, number
            gauge = self._pseudo_mm[number]
        rates = answers.of(place, len(hour.minutes_past))
        known = np.broadcast_arrays(gauge, answers.mm[place], rates, np.float32(number < 0))
        return Example(self._task.encode(hour).features, np.stack(known, axis=2))

    def network(self) -> TaskNet:
        begun = BegunStack(self._start.network, self.asset.content) if self._start else None
        return RainfallNet(self._recipe, len(FEATURES), self.reflectivities, begun)

    def complete(self, network: TaskNet) -> TaskNet:
        """The mean of the network and the one that the recipe has beside it, trained now."""
        if not self._beside:
            return network
        log.info("the network beside it, %s", self._recipe.rain.beside)
        sets, recipe = self.sets, self._beside.recipe
        other = RainLearner(
            recipe, self._table, sets.report, sets.splits, self._lessons, self.asset.content, self._beside.start
        )
        with self._folder("beside") as folder:
            keep_recipe(folder, self._beside.text)
            trained, _ = fit(other, recipe, folder)
        return RainfallMean([cast(RainfallNet, one) for one in (network, trained)])

    @contextmanager
    def _folder(self, name: str) -> Iterator[Path]:
        if self._work:
            yield self._work / name
            return
        with TemporaryDirectory() as folder:
            yield Path(folder)

    def loss(self, network: TaskNet, batch: Batch) -> Tensor:
        """The outer quantiles learn from gauges; so does the median where the teacher says nothing.

        Where it does, the median learns its estimate and every scan's rate what it says of that, and real gauges count beside
        it as the recipe says.
        """
        network = cast(RainfallNet, network)
        gauge, teacher, _, real = batch.targets[:, 0].unbind(2)
        estimate, rates = network(batch.inputs, batch.lengths, self._raised_db.to(gauge.device))
        known, taught = torch.isfinite(gauge), torch.isfinite(teacher)
        # On a log scale: in millimetres a handful of downpours would drown everything else.
        error = torch.log1p(torch.nan_to_num(gauge))[:, :, None] - torch.log1p(estimate)
        quantile = torch.tensor(QUANTILES, device=error.device)
        pinball = torch.maximum(quantile * error, (quantile - 1) * error) * known[:, :, None]
        middle = pinball[:, :, 1] * torch.where(taught, real * self._recipe.rain.gauge_weight, 1.0)
        losses = pinball[:, :, 0] + middle + pinball[:, :, 2]
        losses = losses + taught * distance(estimate[:, :, 1], torch.nan_to_num(teacher))
        losses = losses + apart(rates, *network.as_read(batch.targets[:, :, :, 2], batch.lengths))
        loss = losses.sum() / (known | taught).sum()
        if weight := self._recipe.rain.rise_weight:
            own = estimate[:, self._own_level, 1]
            loss = loss + weight * falls(network, batch, own, self._recipe.rain.rise_a_db)
        return loss

    def score(self, run: Run, examples: Sequence[Example]) -> Scores:
        """`mae_mm` and the rest over plausible gauges of hours with reflectivity; `all_` over every hour."""
        said = self._said(run, examples)
        gauge, physics, echo = said.gauge_mm, said.marshall_palmer_mm, said.echo
        estimate = calibrated_mm(said.quantiles_mm, echo, self.settings)
        judged = echo & (gauge < metrics.IMPLAUSIBLE_MM)
        low, middle, high = estimate[judged].T
        return {
            "mae_mm": metrics.mean_absolute_error(middle, gauge[judged]),
            "marshall_palmer_mae_mm": metrics.mean_absolute_error(physics[judged], gauge[judged]),
            "interval_90_coverage": metrics.coverage(low, high, gauge[judged]),
            "interval_90_width_mm": metrics.mean_absolute_error(low, high),
            "hours": float(judged.sum()),
            "all_mae_mm": metrics.mean_absolute_error(estimate[:, 1], gauge),
            "all_marshall_palmer_mae_mm": metrics.mean_absolute_error(physics, gauge),
        }

    def calibrate(self, run: Run) -> None:
        """By how much estimates are to be multiplied, and how far the interval must reach so that it covers 90 % of unseen
        gauges (conformal prediction; Romano, Patterson, Candes 2019): on the validation hours, and where the recipe has folds
        on the training hours too, each judged by a network that did not learn from it (cross-conformal, Vovk 2015)."""
        said = [self._said(run, self.sets.validation), *self._said_by_folds()]
        quantiles, gauge, echo = (
            np.concatenate(parts) for parts in zip(*((one.quantiles_mm, one.gauge_mm, one.echo) for one in said), strict=True)
        )
        self.settings |= calibration(quantiles, gauge, echo)

    def _said(self, run: Run, examples: Sequence[Example]) -> _Said:
        quantiles = np.zeros((len(examples), len(QUANTILES)))
        gauge, physics = np.zeros(len(examples)), np.zeros(len(examples))
        echo = np.zeros(len(examples), dtype=bool)
        for rows, batch in scoring_batches(examples, _SCORING_ITEMS):
            feeds = {"scans": batch.inputs.numpy(), "lengths": batch.lengths.numpy().astype(np.int32)}
            quantiles[rows] = run(feeds)["quantiles_mm"]
            gauge[rows] = batch.targets.numpy()[:, 0, self._own_level, 0]
            # Feature 0 is unscaled: its sum over the hour is Marshall-Palmer's estimate.
            physics[rows] = feeds["scans"][:, :, 0].sum(axis=1)
            echo[rows] = feeds["scans"][:, :, REF_PRESENT].max(axis=1) > 0
        return _Said(quantiles, gauge, physics, echo)

    def _said_by_folds(self) -> Iterator[_Said]:
        recipe, splits = self._recipe, self.sets.splits
        order = np.random.default_rng(recipe.training.seed).permutation(splits.train)
        for number, held in enumerate(np.array_split(order, recipe.rain.folds) if recipe.rain.folds else [], 1):
            log.info("calibration: network %d of %d, without %d training hours", number, recipe.rain.folds, len(held))
            rest = sorted(set(splits.train) - set(held.tolist()))
            lessons = self._lessons.among(rest, recipe.generator.hours)
            fold = Splits(rest, splits.validation, held.tolist())
            with self._folder(f"fold-{number}") as folder:
                learner = RainLearner(
                    recipe, self._table, self.sets.report, fold, lessons,
                    start=self._start, beside=self._beside, work=folder,
                )  # fmt: skip
                network = learner.complete(fit(learner, recipe, folder)[0])
            yield learner._said(as_run(network, device_here()), learner.sets.test)

    def observed(self, run: Run) -> Observed:
        task = Rainfall.from_bundle(self.settings, self.asset.content)
        return task.observed(task.answer(run, [self._table.hour(row) for row in self.sets.splits.validation]))


class RainfallLearner(RainLearner):
    """See Learner."""

    def __init__(self, recipe: Recipe, data: Path, work: Path, scaler: list[dict[str, Any]] | None = None) -> None:
        table, report = read_hours(data, work / "hours")
        groups = [str(hour_id) for hour_id in table.ids]
        wanted = recipe.data
        splits = recorded_splits(
            work.parent / "splits", "rainfall", groups, wanted.validation_items, wanted.test_items, wanted.split_seed
        )
        # With a bundle's own scaler nothing is to be learned.
        start, beside = (None, None) if scaler else (start_of(recipe, data), beside_of(recipe, data))
        if not scaler:
            _check_there_is_something_to_learn(table, splits)
        lessons = (
            no_lessons(table, len(recipe.rain.raised_db))
            if scaler
            else gather_lessons(recipe, data, table, splits.train, recipe.generator.hours)
        )
        super().__init__(recipe, table, report, splits, lessons, scaler, start, beside, work)


def _check_there_is_something_to_learn(table: HourTable, splits: Splits) -> None:
    """Before hours of training that could not be judged in the end. Raises DataError."""
    gauges = {float(table.gauge_mm[row]) for row in splits.train if table.gauge_mm[row] < metrics.IMPLAUSIBLE_MM}
    if not gauges:
        raise DataError(f"no training hour has a gauge below {metrics.IMPLAUSIBLE_MM:g} mm")
    if len(gauges) == 1:
        raise DataError(f"all training hours have a gauge of {gauges.pop():g} mm, so there is nothing to tell apart")
    plausible = [row for row in splits.validation if table.gauge_mm[row] < metrics.IMPLAUSIBLE_MM]
    if not any(features(table.hour(row))[:, REF_PRESENT].max() > 0 for row in plausible):
        raise DataError(f"no validation hour has reflectivity and a gauge below {metrics.IMPLAUSIBLE_MM:g} mm")


_NAMES = list(FEATURES)
_MEASURED = [_NAMES.index(name) for name in REFLECTIVITIES]
_PRESENT = [_NAMES.index(f"{name}_present") for name in REFLECTIVITIES]


def _scaler(table: HourTable, rows: Sequence[int]) -> list[dict[str, Any]]:
    """Mean and deviation of each feature over the training hours; flags and the physics feature stay as they are."""
    step = max(1, len(rows) // _HOURS_FOR_SCALER)
    scans = np.concatenate([features(table.hour(row)) for row in rows[::step]]).astype(np.float64)
    scaler = []
    for column, (name, unit) in enumerate(FEATURES.items()):
        present = scans[:, column][np.isfinite(scans[:, column])]
        plain = name == "contribution_mm" or name.endswith("_present") or len(present) < 2
        mean, deviation = (0.0, 1.0) if plain else (float(present.mean()), float(present.std()) or 1.0)
        scaler.append({"name": name, "unit": unit, "mean": mean, "deviation": deviation})
    return scaler
