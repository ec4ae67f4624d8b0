"""Calibration on held-out gauges: the factor against a search, the conformal quantile by hand."""

import numpy as np
import pytest

from training.rain_calibration import LEAST_HOURS, calibration, conformal_quantile, gauge_factor


@pytest.mark.parametrize(
    ("misses", "expected"),
    [(list(range(99)), 89), (list(range(9)), 8), (list(range(19)), 17), ([5.0], 5.0), ([3.0, -1.0], 3.0)],
)
def test_the_conformal_quantile_counts_the_unseen_hour_too(misses: list[float], expected: float) -> None:
    """The 90th of 99, the 9th of 9, the 18th of 19; of too few the largest."""
    assert conformal_quantile(misses[::-1]) == expected


def test_no_other_factor_misses_the_gauges_by_less() -> None:
    chance = np.random.default_rng(0)
    estimate = chance.lognormal(0.0, 1.0, 300)
    gauge = estimate * chance.lognormal(0.3, 0.8, 300)
    found = gauge_factor(estimate, gauge)
    errors = {factor: np.abs(factor * estimate - gauge).mean() for factor in [found, *np.linspace(0.5, 2.0, 301)]}
    assert min(errors, key=errors.__getitem__) == found


def test_few_hours_say_nothing_of_the_factor() -> None:
    hours = np.ones(LEAST_HOURS - 1)
    assert gauge_factor(hours, 3 * hours) == 1.0
    assert gauge_factor(np.append(hours, 1.0), np.append(3 * hours, 3.0)) == 3.0
    assert gauge_factor(np.append(hours, 0.0), np.append(3 * hours, 3.0)) == 1.0


def test_silent_hours_and_impossible_gauges_have_no_say_in_the_factor() -> None:
    quantiles = np.tile([0.5, 1.0, 4.0], (3 * LEAST_HOURS, 1))
    gauge, echo = np.full(len(quantiles), 2.0), np.ones(len(quantiles), bool)
    gauge[:LEAST_HOURS], echo[:LEAST_HOURS] = 9.0, False
    gauge[LEAST_HOURS : 2 * LEAST_HOURS] = 500.0
    found = calibration(quantiles, gauge, echo)
    assert found["gauge_factor"] == 2.0
    # The upper quantile is 4 mm of silent hours and, once multiplied, 8 mm of the others.
    assert found["interval_widening"] == {"silent": pytest.approx(np.log(10 / 5)), "echo": pytest.approx(np.log(2 / 3))}


def test_one_kind_of_hours_is_enough() -> None:
    assert set(calibration(np.ones((3, 3)), np.ones(3), np.ones(3, bool))["interval_widening"]) == {"echo"}
