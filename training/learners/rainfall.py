"""Learning rainfall: pinball losses on the gauge, so that the answer is a median with its 90 % interval."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from app.tasks.rainfall import FEATURES, Rainfall, features
from app.tasks.task import Run
from training import metrics
from training.data.batches import Batch, Example, LazyExamples
from training.data.rain import HourTable, read_hours
from training.data.splits import recorded_splits
from training.learners.learner import Asset, Scores, Sets, scoring_batches
from training.model import RainfallNet, TaskNet
from training.recipe import Recipe

QUANTILES = (0.05, 0.5, 0.95)
_SCORING_ITEMS = 256
_HOURS_FOR_SCALER = 20_000
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


class RainfallLearner:
    """See Learner. Hours with an impossible gauge (73 mm and more) are scored apart and never learned from."""

    primary: ClassVar[str] = "mae_mm"
    higher: ClassVar[bool] = False
    golden_inputs: ClassVar[list[Any]] = _GOLDEN

    def __init__(self, recipe: Recipe, data: Path, work: Path, scaler: list[dict[str, Any]] | None = None) -> None:
        self._recipe = recipe
        self._table, report = read_hours(data, work / "hours")
        groups = [str(hour_id) for hour_id in self._table.ids]
        splits = recorded_splits(
            work.parent / "splits",
            "rainfall",
            groups,
            recipe.data.validation_items,
            recipe.data.test_items,
            recipe.data.split_seed,
        )
        plausible = [row for row in splits.train if self._table.gauge_mm[row] < metrics.IMPLAUSIBLE_MM]
        self.asset = Asset("scaler.json", scaler or _scaler(self._table, plausible))
        self.settings: dict[str, Any] = {}
        self._task = Rainfall.from_bundle(self.settings, self.asset.content)
        self.sets = Sets(
            self._examples(plausible), self._examples(splits.validation), self._examples(splits.test), report, splits
        )

    def _examples(self, rows: Sequence[int]) -> LazyExamples:
        lengths = np.diff(self._table.starts)[np.array(rows, dtype=np.int64)]
        return LazyExamples(self._example, rows, lengths.tolist())

    def _example(self, row: int) -> Example:
        return Example(self._task.encode(self._table.hour(row)), np.array(self._table.gauge_mm[row]))

    def network(self) -> TaskNet:
        return RainfallNet(self._recipe, len(FEATURES))

    def loss(self, network: TaskNet, batch: Batch) -> Tensor:
        estimate = network(batch.inputs, batch.lengths)
        # On a log scale: in millimetres a handful of downpours would drown everything else.
        error = torch.log1p(batch.targets)[:, None] - torch.log1p(estimate)
        quantile = torch.tensor(QUANTILES, device=error.device)
        return torch.maximum(quantile * error, (quantile - 1) * error).sum(1).mean()

    def score(self, run: Run, examples: Sequence[Example]) -> Scores:
        """`mae_mm` and the rest over plausible gauges of hours with reflectivity; `all_` over every hour."""
        estimate = np.zeros((len(examples), len(QUANTILES)))
        gauge, physics = np.zeros(len(examples)), np.zeros(len(examples))
        echo = np.zeros(len(examples), dtype=bool)
        for rows, batch in scoring_batches(examples, _SCORING_ITEMS):
            feeds = {"scans": batch.inputs.numpy(), "lengths": batch.lengths.numpy().astype(np.int32)}
            estimate[rows] = run(feeds)["quantiles_mm"]
            gauge[rows] = batch.targets.numpy()
            # Feature 0 is unscaled: its sum over the hour is Marshall-Palmer's estimate.
            physics[rows] = feeds["scans"][:, :, 0].sum(axis=1)
            echo[rows] = feeds["scans"][:, :, _REF_PRESENT].max(axis=1) > 0
        judged = echo & (gauge < metrics.IMPLAUSIBLE_MM)
        low, middle, high = estimate[judged].T
        return {
            "mae_mm": metrics.mean_absolute_error(middle, gauge[judged]),
            "marshall_palmer_mae_mm": metrics.mean_absolute_error(physics[judged], gauge[judged]),
            "interval_90_coverage": metrics.coverage(low, high, gauge[judged]),
            "hours": float(judged.sum()),
            "all_mae_mm": metrics.mean_absolute_error(estimate[:, 1], gauge),
            "all_marshall_palmer_mae_mm": metrics.mean_absolute_error(physics, gauge),
        }

    def calibrate(self, run: Run) -> None:
        """Nothing is left open."""


_REF_PRESENT = list(FEATURES).index("Ref_present")


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
