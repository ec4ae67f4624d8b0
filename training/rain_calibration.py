"""What held-out gauges say of a rain network's quantiles: the settings of `app.tasks.rainfall.calibrated_mm`."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from app.tasks.rainfall import calibrated_mm
from training import metrics

COVERED = 0.9
LEAST_HOURS = 100  # with rain; fewer say too little of the factor, and the interval makes up for it

Floats = npt.NDArray[np.floating[Any]]


def calibration(quantiles_mm: Floats, gauge_mm: Floats, echo: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """From hours that the networks which gave these quantiles [hours, 3] did not learn from. Impossible gauges do not count."""
    plausible = gauge_mm < metrics.IMPLAUSIBLE_MM
    factor = gauge_factor(quantiles_mm[plausible & echo, 1], gauge_mm[plausible & echo])
    misses = interval_misses(calibrated_mm(quantiles_mm, echo, {"gauge_factor": factor}), gauge_mm)
    kinds = {"echo": misses[plausible & echo], "silent": misses[plausible & ~echo]}
    widening = {name: conformal_quantile(found.tolist()) for name, found in kinds.items() if len(found)}
    return {"gauge_factor": factor, "interval_widening": widening}


def gauge_factor(estimate_mm: Floats, gauge_mm: Floats) -> float:
    """The factor of the estimates that misses the gauges by the least millimetres: the median of gauge over estimate, in which
    each hour weighs as much as its estimate. 1 if fewer than LEAST_HOURS are estimated above 0."""
    some = estimate_mm > 0
    if some.sum() < LEAST_HOURS:
        return 1.0
    ratio, weight = gauge_mm[some] / estimate_mm[some], estimate_mm[some]
    order = np.argsort(ratio)
    below = np.cumsum(weight[order])
    return float(ratio[order][np.searchsorted(below, below[-1] / 2)])


def interval_misses(quantiles_mm: Floats, gauge_mm: Floats) -> Floats:
    """By how much ln(1 + gauge) is outside the outer two of three quantiles [hours, 3], below 0 where it is inside; [hours]."""
    low, _, high = np.log1p(quantiles_mm).T
    return np.asarray(np.maximum(low - np.log1p(gauge_mm), np.log1p(gauge_mm) - high))


def conformal_quantile(misses: Sequence[float]) -> float:
    """The ceil((n + 1) 0.9)-th smallest of n; of fewer than nine the largest, which covers less than promised."""
    rank = min(len(misses), math.ceil((len(misses) + 1) * COVERED))
    return float(sorted(misses)[rank - 1])
