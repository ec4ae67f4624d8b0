"""Scores: plain functions of arrays, each from its definition."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

Array = npt.NDArray[np.float64]

IMPLAUSIBLE_MM = 73.0
"""A gauge of this much in an hour or more is a fault, not rain: the competition's field agreed on leaving them out."""


def accuracy(probability: Array, label: Array) -> float:
    """Share of texts whose label the probability, cut at 0.5, gets right."""
    return float(np.mean((probability >= 0.5) == (label == 1)))


def expected_calibration_error(probability: Array, label: Array, bins: int = 15) -> float:
    """Mean distance of confidence from accuracy over equal-width bins of confidence (Guo et al. 2017), in [0, 1]."""
    confidence = np.maximum(probability, 1.0 - probability)
    correct = (probability >= 0.5) == (label == 1)
    index = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [abs(confidence[index == b].sum() - correct[index == b].sum()) for b in range(bins)]
    return float(sum(gaps) / len(label))


def log_loss(probability: Array, label: Array) -> float:
    """Mean negative log-likelihood in nats."""
    p = np.clip(np.where(label == 1, probability, 1.0 - probability), 1e-12, 1.0)
    return float(-np.log(p).mean())


def best_temperature(logit: Array, label: Array) -> float:
    """The temperature that minimises the log loss, by golden-section search over its logarithm (Guo et al. 2017)."""

    def loss(log_temperature: float) -> float:
        scaled = logit / np.exp(log_temperature)
        return float(np.logaddexp(0.0, np.where(label == 1, -scaled, scaled)).mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3.0, 3.0), method="bounded").x))


def best_weights(logits: Array, label: Array) -> Array:
    """Of logits [judges, items] the weights, [judges], whose weighted sum has the smallest log loss: logistic regression."""
    line = LogisticRegression(C=1e6, fit_intercept=False, max_iter=1000)
    return np.asarray(line.fit(logits.T, label >= 0.5).coef_[0], np.float64)


def mean_absolute_error(estimate: Array, truth: Array) -> float:
    """In the unit of both."""
    return float(np.abs(estimate - truth).mean())


def coverage(low: Array, high: Array, truth: Array) -> float:
    """Share of truths within [low, high]."""
    return float(np.mean((low <= truth) & (truth <= high)))


def pinball(estimate: Array, truth: Array, quantile: float) -> float:
    """The loss whose minimiser is the quantile (Koenker, Bassett 1978)."""
    error = truth - estimate
    return float(np.maximum(quantile * error, (quantile - 1.0) * error).mean())
