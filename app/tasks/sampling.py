"""From log-probabilities to drawn characters, for many tunes at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Sampling:
    """temperature > 0 divides the logits; top_p in (0, 1] keeps the smallest set of that mass (Holtzman et al. 2020)."""

    max_characters: int
    temperature: float
    top_p: float
    seed: int


def log_softmax(logits: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Over the last axis, without overflow."""
    shifted = logits - np.maximum.reduce(logits, axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.add.reduce(np.exp(shifted), axis=-1, keepdims=True)))


def draw(
    log_p: npt.NDArray[np.float32],
    allowed: npt.NDArray[np.bool_],
    temperature: npt.NDArray[np.float64],
    top_p: npt.NDArray[np.float64],
    chance: npt.NDArray[np.float64],
) -> list[int]:
    """One index a row from log-probabilities [batch, vocabulary], by temperature and nucleus, each [batch, 1].

    Only where `allowed` [batch, vocabulary], in no row all false, is true. `chance` [batch, 1], uniform in [0, 1), decides.
    A row is drawn as it would be alone, to the last bit.
    """
    logits = np.where(allowed, log_p, np.float32(-np.inf)) / temperature  # float64 from here on
    mass = -np.exp(log_softmax(logits))  # negative, so that sorting puts the likeliest first
    order = mass.argsort(axis=1, kind="stable")
    mass.sort(axis=1)
    cumulative = mass.cumsum(axis=1)
    rows = np.arange(len(mass))[:, None]
    last = (cumulative > top_p * cumulative[:, -1:]).argmin(axis=1, keepdims=True)  # of the nucleus, in that order
    place = (cumulative < chance * cumulative[rows, last]).argmax(axis=1, keepdims=True)
    indices: list[int] = order[rows, place][:, 0].tolist()
    return indices
