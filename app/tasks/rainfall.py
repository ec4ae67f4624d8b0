"""Rainfall: one hour of polarimetric radar scans over a gauge -> millimetres of rain in that hour."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.tasks.task import Run, Tensors, by_length, pad

_SUFFIXES = ("", "_5x5_10th", "_5x5_50th", "_5x5_90th")
_UNITS = {"Ref": "dBZ", "RefComposite": "dBZ", "RhoHV": "1", "Zdr": "dB", "Kdp": "degrees/km"}

MEASUREMENTS = {moment + suffix: unit for moment, unit in _UNITS.items() for suffix in _SUFFIXES}
"""Column of the public data set -> unit, in the data set's order: at the gauge, and percentiles of the 5x5 cells around."""

PLAIN_FEATURES = {"contribution_mm": "mm", "weight_h": "h", "minutes_past": "min", "radardist_km": "km"}
FEATURES = PLAIN_FEATURES | MEASUREMENTS | {f"{name}_present": "0 or 1" for name in MEASUREMENTS}
"""What the network sees of a scan, in order, with units. `contribution_mm` stays unscaled: it adds up to Marshall-Palmer."""

MOST_SCANS = 60
_HOURS_A_PASS = 64


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
    """rain_mm and its central 90 % interval in mm, never negative; scans_used: scans that carry `Ref`."""

    rain_mm: float
    interval_90_mm: tuple[float, float]
    scans_used: int
    baselines_mm: dict[str, float]


def scan_weights_h(minutes_past: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Share of the hour each scan stands for, [scans] in time order.

    A scan stands for the minutes since the one before it (the first counts from 0); the last also gets what remains to 60.
    """
    weights = np.diff(minutes_past, prepend=0.0)
    weights[-1] += 60.0 - minutes_past[-1]
    return weights / 60.0


def rain_rate_mm_h(reflectivity_dbz: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Z = 200 R^1.6 solved for R (Marshall, Palmer 1948)."""
    return np.asarray((10.0 ** (reflectivity_dbz.astype(np.float64) / 10.0) / 200.0) ** 0.625)


def contributions_mm(hour: Hour) -> npt.NDArray[np.float64]:
    """What each scan adds to the Marshall-Palmer estimate, [scans]; 0 where `Ref` is missing."""
    return np.nan_to_num(rain_rate_mm_h(hour.reflectivity_dbz)) * scan_weights_h(hour.minutes_past)


def marshall_palmer_mm(hour: Hour) -> float:
    """The estimate people use today, time-weighted as the public competition scored it."""
    return float(contributions_mm(hour).sum())


def features(hour: Hour) -> npt.NDArray[np.float32]:
    """float32 [scans, FEATURES] in their units, NaN where a measurement is missing."""
    plain = [
        contributions_mm(hour),
        scan_weights_h(hour.minutes_past),
        hour.minutes_past,
        np.full(len(hour.minutes_past), hour.radardist_km),
    ]
    return np.concatenate([np.stack(plain, axis=1), hour.measured, ~np.isnan(hour.measured)], axis=1, dtype=np.float32)


class Rainfall:
    """The task, from the scaler: mean and standard deviation of every feature, in FEATURES order."""

    name = "rainfall"

    def __init__(self, mean: Sequence[float], deviation: Sequence[float]) -> None:
        self._mean = np.array(mean, dtype=np.float32)
        self._deviation = np.array(deviation, dtype=np.float32)

    @classmethod
    def from_bundle(cls, _settings: dict[str, Any], scaler: list[dict[str, Any]]) -> "Rainfall":
        return cls([feature["mean"] for feature in scaler], [feature["deviation"] for feature in scaler])

    def encode(self, hour: Hour) -> npt.NDArray[np.float32]:
        """float32 [scans, FEATURES], scaled; a missing value is 0, the mean, and its `_present` feature says so."""
        scaled = (features(hour) - self._mean) / self._deviation
        return np.asarray(np.nan_to_num(scaled, nan=0.0), dtype=np.float32)

    def feeds(self, hours: Sequence[npt.NDArray[np.float32]]) -> Tensors:
        """scans: float32 [batch, time, FEATURES]; lengths: int32 [batch]."""
        scans, lengths = pad(hours)
        return {"scans": scans, "lengths": lengths}

    def answer(self, run: Run, hours: Sequence[Hour]) -> list[RainPrediction]:
        encoded = [self.encode(hour) for hour in hours]
        quantiles = np.zeros((len(encoded), 3))
        for group in by_length([len(hour) for hour in encoded], _HOURS_A_PASS):
            quantiles[group] = run(self.feeds([encoded[index] for index in group]))["quantiles_mm"]
        return [_prediction(hour, row) for hour, row in zip(hours, quantiles.tolist(), strict=True)]

    def numbers(self, run: Run, raw: Any) -> list[float]:
        prediction = self.answer(run, [Hour.from_scans(raw["radardist_km"], raw["scans"])])[0]
        return [prediction.rain_mm, *prediction.interval_90_mm]


def _prediction(hour: Hour, quantiles_mm: list[float]) -> RainPrediction:
    low, middle, high = quantiles_mm
    used = int(np.isfinite(hour.reflectivity_dbz).sum())
    return RainPrediction(middle, (low, high), used, {"marshall_palmer": marshall_palmer_mm(hour)})
