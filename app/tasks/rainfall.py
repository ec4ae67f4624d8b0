"""Rainfall: one hour of polarimetric radar scans over a gauge -> millimetres of rain in that hour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.tasks import rain_physics
from app.tasks.task import Batchable, Run, Tensors, pad

_SUFFIXES = ("", "_5x5_10th", "_5x5_50th", "_5x5_90th")
_UNITS = {"Ref": "dBZ", "RefComposite": "dBZ", "RhoHV": "1", "Zdr": "dB", "Kdp": "degrees/km"}

MEASUREMENTS = {moment + suffix: unit for moment, unit in _UNITS.items() for suffix in _SUFFIXES}
"""Column of the public data set -> unit, in the data set's order: at the gauge, and percentiles of the 5x5 cells around."""

_AT_THE_GAUGE = [list(MEASUREMENTS).index(moment) for moment in ("Ref", "Zdr", "Kdp")]

PLAIN_FEATURES = {"contribution_mm": "mm", "weight_h": "h", "minutes_past": "min", "radardist_km": "km"}
FEATURES = PLAIN_FEATURES | MEASUREMENTS | {f"{name}_present": "0 or 1" for name in MEASUREMENTS}
"""What the network sees of a scan, in order, with units. `contribution_mm` stays unscaled: it adds up to Marshall-Palmer."""

MOST_SCANS = 60


@dataclass(frozen=True)
class Hour:
    """The scans of one hour in time order.

    radardist_km: gauge to radar; minutes_past: float64 [scans] in [0, 60]; measured: float32 [scans, MEASUREMENTS],
    NaN where missing.
    """

    radardist_km: float
    minutes_past: npt.NDArray[np.float64]
    measured: npt.NDArray[np.float32]

    @classmethod
    def from_scans(cls, radardist_km: float, scans: Sequence[Mapping[str, float | None]]) -> "Hour":
        """From rows by column name, in any order; a measurement that is None or left out is missing."""
        minutes = np.array([scan["minutes_past"] for scan in scans], dtype=np.float64)
        rows = [[np.nan if (value := scan.get(name)) is None else value for name in MEASUREMENTS] for scan in scans]
        measured = np.array(rows, dtype=np.float32)
        # Scans of the same minute are ordered by what they say, so that the order in which they were sent never counts.
        order = np.lexsort((*np.nan_to_num(measured, nan=-np.inf).T[::-1], minutes))
        return cls(radardist_km, minutes[order], measured[order])

    @property
    def reflectivity_dbz(self) -> npt.NDArray[np.float32]:
        """float32 [scans], NaN where missing."""
        return self.measured[:, 0]


@dataclass(frozen=True)
class RainPrediction:
    """rain_mm and its central 90 % interval in mm, never negative; scans_used: scans that carry `Ref`; observed: the task's
    `features`."""

    rain_mm: float
    interval_90_mm: tuple[float, float]
    scans_used: int
    baselines_mm: dict[str, float]
    observed: tuple[float, ...] = ()


def scan_weights_h(minutes_past: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Share of the hour each scan stands for, [scans] in time order.

    A scan stands for the minutes since the one before it (the first counts from 0); the last also gets what remains to 60.
    """
    weights = np.diff(minutes_past, prepend=0.0)
    weights[-1] += 60.0 - minutes_past[-1]
    return weights / 60.0


def contributions_mm(hour: Hour) -> npt.NDArray[np.float64]:
    """What each scan adds to the Marshall-Palmer estimate, [scans]; 0 where `Ref` is missing."""
    return np.nan_to_num(rain_physics.marshall_palmer(hour.reflectivity_dbz)) * scan_weights_h(hour.minutes_past)


def marshall_palmer_mm(hour: Hour) -> float:
    """The estimate people use today, time-weighted as the public competition scored it."""
    return float(contributions_mm(hour).sum())


def baselines_mm(hour: Hour) -> dict[str, float]:
    """What physics says, by name: the rates of `rain_physics` weighted by time like Marshall-Palmer's.

    A scan without `Ref` adds nothing; one without `Zdr` or `Kdp` adds the WSR-88D's rate of its `Ref`. Never negative.
    """
    dbz, zdr_db, kdp = (hour.measured[:, column] for column in _AT_THE_GAUGE)
    rates = {
        "marshall_palmer": rain_physics.marshall_palmer(dbz),
        "z_zdr": rain_physics.z_zdr(dbz, zdr_db),
        "kdp": rain_physics.kdp_only(dbz, kdp),
        "csu_blend": rain_physics.csu_blend(dbz, zdr_db, kdp),
    }
    weights_h = np.where(np.isnan(dbz), 0.0, scan_weights_h(hour.minutes_past))
    return {name: max(0.0, float((np.nan_to_num(rate) * weights_h).sum())) for name, rate in rates.items()}


def features(hour: Hour) -> npt.NDArray[np.float32]:
    """float32 [scans, FEATURES] in their units, NaN where a measurement is missing."""
    plain = [
        contributions_mm(hour),
        scan_weights_h(hour.minutes_past),
        hour.minutes_past,
        np.full(len(hour.minutes_past), hour.radardist_km),
    ]
    return np.concatenate([np.stack(plain, axis=1), hour.measured, ~np.isnan(hour.measured)], axis=1, dtype=np.float32)


def calibrated_mm(
    quantiles_mm: npt.NDArray[np.floating[Any]], echo: npt.NDArray[np.bool_], settings: Mapping[str, Any]
) -> npt.NDArray[np.float64]:
    """The graph's three quantiles [hours, 3] as gauges that it has not seen say they should be.

    `gauge_factor` multiplies all three of hours with `echo` (a scan with `Ref`); none leaves them be. Then the outer ones move
    to where they cover 90 % (conformalised quantile regression; Romano, Patterson, Candes 2019), on a log scale:
    `interval_widening` is by how much ln(1 + mm) must reach further, for hours with `echo` and for `silent` ones; less than 0
    narrows. 0 <= low <= median <= high always holds.
    """
    widening = settings.get("interval_widening", {})
    reach = np.where(echo, widening.get("echo", 0.0), widening.get("silent", 0.0))
    factor = np.where(echo, settings.get("gauge_factor", 1.0), 1.0)
    low, middle, high = np.maximum(np.asarray(quantiles_mm, np.float64), 0.0).T * factor
    low = np.clip(np.expm1(np.log1p(low) - reach), 0.0, middle)
    high = np.maximum(np.expm1(np.log1p(high) + reach), middle)
    return np.stack([low, middle, high], axis=1)


@dataclass(frozen=True)
class EncodedHour:
    """features: float32 [scans, FEATURES], scaled; a missing value is 0, the mean, and its `_present` feature says so."""

    features: npt.NDArray[np.float32]
    hour: Hour


class Rainfall(Batchable[Hour, EncodedHour, RainPrediction]):
    """The task, from the scaler (mean and deviation of every feature, in FEATURES order) and what `calibrated_mm` needs."""

    name = "rainfall"
    features = ("scans", "missing_share", "rain_mm")
    few_items = 16
    most_items = 64
    most_steps = 1024

    def __init__(self, mean: Sequence[float], deviation: Sequence[float], settings: Mapping[str, Any] | None = None) -> None:
        self._mean = np.array(mean, dtype=np.float32)
        self._deviation = np.array(deviation, dtype=np.float32)
        self._settings = settings or {}

    @classmethod
    def from_bundle(cls, settings: dict[str, Any], scaler: list[dict[str, Any]]) -> "Rainfall":
        mean, deviation = ([feature[name] for feature in scaler] for name in ("mean", "deviation"))
        return cls(mean, deviation, settings)

    def guess_length(self, raw: Hour) -> int:
        return len(raw.minutes_past)

    def encode(self, raw: Hour) -> EncodedHour:
        scaled = (features(raw) - self._mean) / self._deviation
        return EncodedHour(np.asarray(np.nan_to_num(scaled, nan=0.0), dtype=np.float32), raw)

    def length(self, encoded: EncodedHour) -> int:
        return len(encoded.features)

    def feeds(self, items: Sequence[EncodedHour]) -> Tensors:
        """scans: float32 [batch, time, FEATURES]; lengths: int32 [batch]."""
        scans, lengths = pad([item.features for item in items])
        return {"scans": scans, "lengths": lengths}

    def predictions(self, items: Sequence[EncodedHour], outputs: Tensors) -> list[RainPrediction]:
        hours = [item.hour for item in items]
        used = [int(np.isfinite(hour.reflectivity_dbz).sum()) for hour in hours]
        rows = calibrated_mm(outputs["quantiles_mm"], np.array(used) > 0, self._settings).tolist()
        return [
            RainPrediction(middle, (low, high), scans, baselines_mm(hour), _observed(hour, middle))
            for hour, scans, (low, middle, high) in zip(hours, used, rows, strict=True)
        ]

    def numbers(self, run: Run, raw: Any) -> list[float]:
        prediction = self.answer(run, [Hour.from_scans(raw["radardist_km"], raw["scans"])])[0]
        return [prediction.rain_mm, *prediction.interval_90_mm]


def _observed(hour: Hour, rain_mm: float) -> tuple[float, ...]:
    """Numbers of scans and, of all that they might hold, the share that is missing; the estimate."""
    missing = np.count_nonzero(np.isnan(hour.measured)) / hour.measured.size
    return len(hour.minutes_past), round(missing, 4), round(rain_mm, 4)
