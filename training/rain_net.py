"""RainfallNet: what the scans of an hour say of its rain, rising with their reflectivity whatever was learned."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.model import Stack, TaskNet, pool, steps_within
from training.rain_start import BegunStack, drop_in
from training.recipe import Recipe
from training.reference.rain_winner import SLOPE

CURVES = 8  # rising curves that a scan's rate is the sum of
RATE_WIDTH = 64
MOST_LOG_RATE = 6.0  # e^6 mm in an hour is more than has ever fallen
SHARPNESS = 20.0  # how near to zero a mean rate is still let through as it is
_FIRST_LOG_RATE, _FIRST_HEIGHT, _FARTHEST_CURVE = 1.0, -2.0, 2.0


@dataclass(frozen=True)
class Reflectivities:
    """The features that rise with reflectivity: columns of the measured values and of the flags that they are there, and how
    many dB a unit of each value is. Feature 0 is Marshall-Palmer's contribution in mm."""

    measured: list[int]
    present: list[int]
    unit_db: list[float]


class RainfallNet(TaskNet):
    """Scaled scans [batch, time, features] -> the 5 %, 50 % and 95 % quantiles of the hour's rain in mm.

    The hour's level, the mean of its reflectivities, is taken out before the recurrent layers read it and comes back as the one
    argument of rising curves: so more reflectivity in all of them, all else equal, never lowers the median. A scan's rate is a
    sum of such curves (a monotone network by its positive weights; Sill 1997), and the median the mean of the rates.
    """

    def __init__(self, recipe: Recipe, features: int, reflectivities: Reflectivities, begun: BegunStack | None = None) -> None:
        """begun: recurrent layers that have learned before; else they are the recipe's."""
        super().__init__()
        self.stack = begun or Stack(recipe.cell, features, recipe.model, recipe.regularisation.dropout)
        self.dropout = nn.Dropout(recipe.regularisation.dropout)
        self.within = nn.Linear(self.stack.width, RATE_WIDTH)
        self.curves = nn.Linear(RATE_WIDTH, 1 + 3 * CURVES)
        with torch.no_grad():
            # Low curves that rise at different levels, on top of a rate larger than all of them: from a mean below zero, for
            # which next to no rain is estimated, there is next to no gradient that leads back.
            self.curves.bias[0] = _FIRST_LOG_RATE
            self.curves.bias[1 : 1 + CURVES] = _FIRST_HEIGHT
            self.curves.bias[1 + CURVES : 1 + 2 * CURVES] = torch.linspace(-_FARTHEST_CURVE, _FARTHEST_CURVE, CURVES)
        self.head = nn.Linear(2 * self.stack.width + 2, 2)
        to_db, a_db, growth = _constants(features, reflectivities)
        self.present = reflectivities.present
        self.measured = reflectivities.measured
        self.to_db: Tensor
        self.a_db: Tensor
        self.growth: Tensor
        self.register_buffer("to_db", to_db, persistent=False)
        self.register_buffer("a_db", a_db, persistent=False)
        self.register_buffer("growth", growth, persistent=False)

    def forward(self, scans: Tensor, lengths: Tensor, more_db: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The quantiles as if all reflectivities were `more_db` [levels] higher, in mm, [batch, levels, 3], and `log_rate` of
        the scans' rates, [batch, time as read, levels]. Without `more_db` there is one level, that of the hours as they are."""
        more_db = scans.new_zeros(1) if more_db is None else more_db
        scans, lengths = self.as_read(scans, lengths)
        level_db, echo = self.level(scans)
        outputs = self.dropout(self._outputs(self.raised(scans, -level_db), lengths))
        level = (level_db[:, None] + more_db * echo[:, None]) / 10  # in bel, [batch, levels]
        shift, height, place, steepness = self._curves(outputs)
        height, steepness = functional.softplus(height), functional.softplus(steepness)
        rising = height[:, :, None] * torch.tanh(place[:, :, None] + steepness[:, :, None] * level[:, None, :, None])
        rate = (shift + rising.sum(3)).clamp(-MOST_LOG_RATE, MOST_LOG_RATE)
        real = steps_within(lengths, outputs.shape[1])[:, :, None]
        mean_mm = (rate.sign() * rate.abs().expm1() * real).sum(1) / lengths[:, None]
        middle = torch.log1p(functional.softplus(SHARPNESS * mean_mm) / SHARPNESS)
        pooled = pool(outputs, lengths)[:, None].expand(-1, middle.shape[1], -1)
        raw = self.head(torch.cat([pooled, level[:, :, None], middle[:, :, None]], dim=2)).float()
        # Ordered and never negative by construction, on a log scale because gauges span four decades.
        low = middle * torch.sigmoid(raw[:, :, 0])
        high = middle + functional.softplus(raw[:, :, 1])
        return torch.expm1(torch.stack([low, middle, high], dim=2)), rate

    def as_read(self, scans: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """What is known of scans [batch, time, ...] as the recurrent layers read them, and the lengths then."""
        return drop_in(scans, lengths) if isinstance(self.stack, BegunStack) else (scans, lengths)

    def _outputs(self, scans: Tensor, lengths: Tensor) -> Tensor:
        """Of the recurrent layers, [batch, time, width]."""
        return torch.as_tensor(self.stack(scans) if isinstance(self.stack, BegunStack) else self.stack(scans, lengths)[0])

    def _curves(self, outputs: Tensor) -> tuple[Tensor, ...]:
        """Of every scan: its rate without them, then height, place and steepness of the curves."""
        hidden = functional.leaky_relu(self.within(outputs), SLOPE)
        return torch.split(self.curves(hidden).float(), [1, CURVES, CURVES, CURVES], dim=2)

    def level(self, scans: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of an hour's reflectivities in dB above that of the training hours, and 1 where there are any; [batch]."""
        present = scans[:, :, self.present]
        count = present.sum((1, 2))
        # No product of matrices: in bfloat16 it would round the level.
        total = (scans[:, :, self.measured] * present * self.to_db).sum((1, 2))
        return total / count.clamp(min=1), count.clamp(max=1)

    def raised(self, scans: Tensor, decibel: Tensor, columns: int | None = None) -> Tensor:
        """Encoded hours as they would be with so much more reflectivity [batch] in the first so many of its columns, or in all
        of them; all else equal."""
        by = decibel[:, None, None]
        return scans * torch.exp(by * self.growth) + by * (scans[:, :, self.present[:columns]] @ self.a_db[:columns])

    def levels(self) -> list[list[nn.Parameter]]:
        head = [parameter for part in (self.within, self.curves, self.head) for parameter in part.parameters()]
        return [list(self.stack.parameters()), head]

    def outputs(self, feeds: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"quantiles_mm": self(feeds["scans"], feeds["lengths"].long())[0][:, 0]}


def log_rate(mm_h: Tensor) -> Tensor:
    """sign(r) ln(1 + |r|) of a scan's rate r, which may be below zero where those of other scans make up for it."""
    return mm_h.sign() * mm_h.abs().log1p()


def _constants(features: int, reflectivities: Reflectivities) -> tuple[Tensor, Tensor, Tensor]:
    """dB of a unit of each reflectivity [n]; by how much each feature rises with a dB, where that is present [n, features];
    and by which factor, as a logarithm [features]: Marshall-Palmer's R grows as Z^0.625."""
    count = len(reflectivities.measured)
    a_db = torch.zeros(count, features)
    a_db[torch.arange(count), reflectivities.measured] = 1 / torch.tensor(reflectivities.unit_db)
    growth = torch.zeros(features)
    growth[0] = 0.0625 * math.log(10)
    return torch.tensor(reflectivities.unit_db), a_db, growth
