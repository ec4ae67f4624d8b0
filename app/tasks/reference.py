"""How a number was spread over a bundle's validation data, and how far it has moved since: the population stability index."""

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

Verdict = Literal["stable", "shifted", "drifted", "too_few", "no_reference"]

SHIFTED, DRIFTED = 0.1, 0.25
"""The index from which a distribution counts as moved, and as another one: the customary limits."""

# Of two samples of one distribution the index is about (bins - 1) (1 / n + 1 / m): of few items, few bins can be told apart.
FEWEST_ITEMS = 300
_FEWEST_TO_REFER_TO, _ITEMS_A_BIN, _MOST_BINS = 60, 60, 10

Share = Annotated[float, Field(ge=0, le=1)]


class Reference(BaseModel):
    """Bin i holds what is above edges[i - 1] and not above edges[i]; `shares` has one more than `edges`, and adds up to 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    items: int = Field(ge=1)
    edges: list[float] = Field(min_length=1, max_length=_MOST_BINS - 1)
    shares: list[Share]

    @model_validator(mode="after")
    def _check(self) -> Self:
        if any(low >= high for low, high in zip(self.edges, self.edges[1:], strict=False)):
            raise ValueError("edges do not rise")
        if len(self.shares) != len(self.edges) + 1 or not math.isclose(sum(self.shares), 1, abs_tol=1e-3):
            raise ValueError(f"{len(self.shares)} shares that add up to {sum(self.shares):g}, not {len(self.edges) + 1} and 1")
        return self


def reference_of(values: Sequence[float]) -> Reference | None:
    """Bins of about equal share, as many as so many values carry; None where they are too few for any."""
    if len(values) < _FEWEST_TO_REFER_TO:
        return None
    bins = min(_MOST_BINS, max(2, len(values) // _ITEMS_A_BIN))
    cuts = np.quantile(values, np.arange(1, bins) / bins, method="inverted_cdf")
    edges = sorted({float(cut) for cut in cuts})  # where many values are one, there are fewer bins
    shares = binned(np.asarray(values, np.float64), edges) / len(values)
    return Reference(items=len(values), edges=edges, shares=[round(float(share), 6) for share in shares])


def references_of(observed: Mapping[str, Sequence[float]]) -> dict[str, Reference]:
    """Feature -> its reference, of those that have one."""
    found = {feature: reference_of(values) for feature, values in observed.items()}
    return {feature: reference for feature, reference in found.items() if reference}


def binned(
    values: npt.NDArray[np.float64], edges: Sequence[float], weights: npt.NDArray[np.float64] | None = None
) -> npt.NDArray[np.float64]:
    """How many values lie in each bin, [edges + 1]; with weights, how much they weigh."""
    return np.bincount(np.searchsorted(edges, values), weights, minlength=len(edges) + 1).astype(np.float64)


def stability_index(reference: Reference, counts: npt.NDArray[np.float64], items: int) -> float:
    """Of `items` recent ones whose counts, [bins], may be weighted. Half an item more in each bin, so that an empty one
    has a logarithm."""
    bins = len(counts)
    before = (np.array(reference.shares) * reference.items + 0.5) / (reference.items + 0.5 * bins)
    now = (counts / counts.sum() * items + 0.5) / (items + 0.5 * bins)
    return float(((now - before) * np.log(now / before)).sum())


def verdict_on(psi: float) -> Verdict:
    """In a word."""
    if psi < SHIFTED:
        return "stable"
    return "shifted" if psi < DRIFTED else "drifted"
