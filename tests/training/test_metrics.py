"""Scores against values worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.metrics import (
    accuracy,
    best_temperature,
    best_weights,
    coverage,
    expected_calibration_error,
    log_loss,
    mean_absolute_error,
    pinball,
)


def test_accuracy_counts_one_half_as_positive() -> None:
    assert accuracy(np.array([0.5, 0.49, 0.9, 0.1]), np.array([1.0, 1.0, 0.0, 0.0])) == 0.5


def test_accuracy_of_right_answers_is_one_and_of_wrong_ones_zero() -> None:
    probability, label = np.array([0.8, 0.3]), np.array([1.0, 0.0])
    assert accuracy(probability, label) == 1.0
    assert accuracy(probability, 1 - label) == 0.0


def test_the_best_weight_of_one_judge_is_one_over_its_best_temperature() -> None:
    chance = np.random.default_rng(0)
    logit = chance.normal(0.0, 3.0, 2000)
    label = (chance.random(2000) < 1 / (1 + np.exp(-logit / 2))).astype(float)
    (weight,) = best_weights(logit[None], label)
    assert weight == pytest.approx(1 / best_temperature(logit, label), rel=1e-2)


def test_judges_that_know_different_things_are_added_up_and_one_that_knows_nothing_is_left_out() -> None:
    chance = np.random.default_rng(0)
    judges = chance.normal(0.0, 2.0, (3, 20_000))
    label = (chance.random(20_000) < 1 / (1 + np.exp(-judges[0] - judges[1] / 2))).astype(float)
    np.testing.assert_allclose(best_weights(judges, label), [1.0, 0.5, 0.0], atol=0.05)


def test_log_loss_by_hand() -> None:
    got = log_loss(np.array([0.8, 0.4]), np.array([1.0, 0.0]))
    assert got == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)


def test_log_loss_of_a_certain_mistake_is_large_but_finite() -> None:
    assert log_loss(np.array([0.0]), np.array([1.0])) == pytest.approx(-math.log(1e-12))


def test_log_loss_of_ignorance_is_the_logarithm_of_two() -> None:
    assert log_loss(np.full(6, 0.5), np.array([0.0, 1.0, 1.0, 0.0, 1.0, 0.0])) == pytest.approx(math.log(2))


def test_calibration_error_is_the_weighted_gap_of_every_bin() -> None:
    # Confidence 0.95 thrice, two right: gap |0.95 - 2/3|. Confidence 0.6 (p = 0.4) once, right: gap |0.6 - 1|.
    probability, label = np.array([0.95, 0.95, 0.95, 0.4]), np.array([1.0, 1.0, 0.0, 0.0])
    expected = 3 / 4 * abs(0.95 - 2 / 3) + 1 / 4 * abs(0.6 - 1.0)
    assert expected_calibration_error(probability, label) == pytest.approx(expected)


def test_calibration_error_of_one_bin_is_the_gap_of_means() -> None:
    probability, label = np.array([0.9, 0.7, 0.2]), np.array([1.0, 0.0, 0.0])
    assert expected_calibration_error(probability, label, bins=1) == pytest.approx(abs(2.4 / 3 - 2 / 3))


def test_certain_and_right_answers_are_calibrated() -> None:
    assert expected_calibration_error(np.array([0.0, 1.0, 1.0]), np.array([0.0, 1.0, 1.0])) == 0.0


def test_certain_and_wrong_answers_have_the_largest_calibration_error() -> None:
    assert expected_calibration_error(np.array([0.0, 1.0]), np.array([1.0, 0.0])) == 1.0


def test_calibration_error_is_zero_where_confidence_is_accuracy() -> None:
    assert expected_calibration_error(np.full(4, 0.75), np.array([1.0, 1.0, 1.0, 0.0])) == pytest.approx(0.0)


@settings(deadline=None)
# To six places: nearer to one a float has not the places for what it lacks.
@given(st.lists(st.tuples(st.floats(0, 1).map(lambda p: round(p, 6)), st.integers(0, 1)), min_size=1, max_size=40))
def test_scores_do_not_depend_on_which_label_is_called_positive(answers: list[tuple[float, int]]) -> None:
    # Only a probability of exactly one half is settled by its name.
    probability = np.array([p for p, _ in answers if abs(p - 0.5) > 1e-6] or [0.7])
    label = np.array([float(y) for p, y in answers if abs(p - 0.5) > 1e-6] or [1.0])
    for score in (accuracy, log_loss, expected_calibration_error):
        assert score(1 - probability, 1 - label) == pytest.approx(score(probability, label), abs=1e-6)
    assert 0 <= expected_calibration_error(probability, label) <= 1


@pytest.mark.parametrize("truth", [0.5, 1.0, 3.0])
def test_the_best_temperature_undoes_the_one_that_was_applied(truth: float) -> None:
    # 100 labels for each logit, in the very shares that the logit states once divided by the temperature.
    logits, labels = [], []
    for share in (0.1, 0.3, 0.6, 0.9):
        logits += [math.log(share / (1 - share)) * truth] * 100
        labels += [1.0] * round(share * 100) + [0.0] * round((1 - share) * 100)
    assert best_temperature(np.array(logits), np.array(labels)) == pytest.approx(truth, rel=1e-3)


def test_the_best_temperature_leaves_no_worse_log_loss() -> None:
    chance = np.random.default_rng(0)
    logit, label = chance.normal(size=200) * 4, chance.integers(0, 2, 200).astype(float)
    cooled = logit / best_temperature(logit, label)
    assert log_loss(1 / (1 + np.exp(-cooled)), label) < log_loss(1 / (1 + np.exp(-logit)), label)


def test_mean_absolute_error_by_hand() -> None:
    assert mean_absolute_error(np.array([1.0, 2.0, 5.0]), np.array([2.0, 2.0, 1.0])) == pytest.approx(5 / 3)


def test_coverage_counts_the_ends_of_the_interval() -> None:
    low, high = np.array([0.0, 1.0, 1.0, 1.0]), np.array([1.0, 2.0, 2.0, 2.0])
    assert coverage(low, high, np.array([0.0, 2.0, 2.1, 0.9])) == 0.5


@pytest.mark.parametrize(
    ("estimate", "truth", "quantile", "expected"),
    [
        (1.0, 3.0, 0.95, 0.95 * 2),  # too low: costs the quantile
        (3.0, 1.0, 0.95, 0.05 * 2),  # too high: costs what is left of it
        (1.0, 3.0, 0.05, 0.05 * 2),
        (3.0, 1.0, 0.5, 1.0),
        (2.0, 2.0, 0.5, 0.0),
    ],
)
def test_pinball_by_hand(estimate: float, truth: float, quantile: float, expected: float) -> None:
    assert pinball(np.array([estimate]), np.array([truth]), quantile) == pytest.approx(expected)


@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.95])
def test_pinball_is_least_at_the_quantile(quantile: float) -> None:
    truth = np.arange(1.0, 102.0)
    losses = [pinball(np.full_like(truth, estimate), truth, quantile) for estimate in truth]
    assert truth[int(np.argmin(losses))] == pytest.approx(1 + 100 * quantile, abs=1)
