"""From samples of the log to figures: latency, scores, how right the answers were, and how far the questions have moved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from app.stats.samples import Answered
from app.stats.schemas import Drift, FeatureDrift, FeedbackFigures, Latency
from app.tasks.reference import FEWEST_ITEMS, Reference, binned, stability_index, verdict_on

Array = npt.NDArray[np.float64]
FedBack = tuple[dict[str, list[float]], dict[str, dict[str, Any]]]

SCORES: dict[str, tuple[str, list[float]]] = {
    "sentiment": ("probability", [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]),
    "rainfall": ("rain_mm", [0.25, 0.5, 1, 2, 4, 8, 16, 32]),
    "music": ("bits_per_character", [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4]),
}
"""Task -> the number that its scores are, and the edges of their bins."""


@dataclass(frozen=True)
class Sample:
    """Answers of one slice. `weight`: how many answers of the slice each stands for."""

    answers: list[Answered]
    weight: float


def latency(samples: Sequence[Sample]) -> Latency | None:
    """None where nothing was answered."""
    values = np.array([answer.total_ms for sample in samples for answer in sample.answers])
    weights = np.array([sample.weight for sample in samples for _ in sample.answers])
    if not values.size:
        return None
    return Latency(**{f"p{percent}": round(_quantile(values, weights, percent / 100), 3) for percent in (50, 90, 99)})


def scores(task: str, answers: Sequence[Answered]) -> list[int]:
    """How many of their items lie in each bin."""
    feature, edges = SCORES[task]
    return [int(count) for count in binned(_values(answers, feature), edges)]


def feedback(task: str, fed_back: Sequence[FedBack]) -> FeedbackFigures:
    """Against what was answered then, by whichever version."""
    pairs = [(observed[SCORES[task][0]][int(item)], said) for observed, about in fed_back for item, said in about.items()]
    if not pairs:
        return FeedbackFigures(items=0)
    if task == "sentiment":
        right = [(probability >= 0.5) == (said["label"] == "positive") for probability, said in pairs]
        return FeedbackFigures(items=len(pairs), accuracy=round(float(np.mean(right)), 4))
    errors = [abs(rain_mm - said["rain_mm"]) for rain_mm, said in pairs]
    return FeedbackFigures(items=len(pairs), mean_absolute_error_mm=round(float(np.mean(errors)), 4))


def drift(
    features: Sequence[str], version: str | None, references: Mapping[str, Reference], samples: Sequence[Sample]
) -> Drift:
    """Of the items that this version answered."""
    own = [Sample([answer for answer in sample.answers if answer.version == version], sample.weight) for sample in samples]
    return Drift(version=version, features=[_feature_drift(feature, references.get(feature), own) for feature in features])


def _feature_drift(feature: str, reference: Reference | None, samples: Sequence[Sample]) -> FeatureDrift:
    values = [_values(sample.answers, feature) for sample in samples]
    items = sum(len(some) for some in values)
    if reference is None:
        return FeatureDrift(feature=feature, items=items, psi=None, verdict="no_reference", edges=[], reference=[], recent=[])
    counts = sum(
        (binned(some, reference.edges) * sample.weight for some, sample in zip(values, samples, strict=True)), np.zeros(1)
    )
    psi = round(stability_index(reference, counts, items), 4) if items >= FEWEST_ITEMS else None
    return FeatureDrift(
        feature=feature,
        items=items,
        psi=psi,
        verdict="too_few" if psi is None else verdict_on(psi),
        edges=reference.edges,
        reference=reference.shares,
        recent=[round(float(share), 6) for share in counts / counts.sum()] if items else [],
    )


def _values(answers: Sequence[Answered], feature: str) -> Array:
    return np.array([value for answer in answers for value in answer.observed.get(feature, ())], np.float64)


def _quantile(values: Array, weights: Array, share: float) -> float:
    """The least value that so much of the weight does not exceed."""
    order = np.argsort(values)
    heavier = np.cumsum(weights[order]) >= share * weights.sum() * (1 - 1e-9)
    return float(values[order][int(np.argmax(heavier))])
