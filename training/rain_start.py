"""Recurrent layers of a rain network that begin as those of the winner, see training/reference/rain_winner.py."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from app.tasks.rainfall import FEATURES, MEASUREMENTS
from training.data.rain import folder_of
from training.data.report import DataError
from training.recipe import Recipe
from training.reference.rain_winner import COLUMNS, ROWS, WinnerNet, body_states, read_network

LICENCE = "LICENSE.txt"

_RAW = ["minutes_past", "radardist_km", *MEASUREMENTS]


class BegunStack(nn.Module):
    """Encoded rows [batch, ROWS, FEATURES] -> what the last block says of them [batch, ROWS, width]; all of it learns on."""

    def __init__(self, winner: WinnerNet, scaler: Sequence[Mapping[str, Any]]) -> None:
        """scaler: mean and deviation of every feature, in the order of FEATURES."""
        super().__init__()
        self.body = deepcopy(winner.body)
        self.width = winner.last.in_features
        to_raw, least = _to_raw(scaler)
        self.to_raw: Tensor
        self.least: Tensor
        self.register_buffer("to_raw", to_raw, persistent=False)
        self.register_buffer("least", least, persistent=False)

    def forward(self, rows: Tensor) -> Tensor:
        return body_states(self.body, rows @ self.to_raw + self.least)


@dataclass(frozen=True)
class Start:
    """A network whose recurrent layers to begin from, and what its licence wants to be said."""

    network: WinnerNet
    notice: str


def start_of(recipe: Recipe, data: Path) -> Start | None:
    """What the recipe begins from, looked for beside the data; None if it begins from nothing. Raises DataError."""
    if not recipe.rain.start:
        return None
    folder = folder_of(data) / recipe.rain.teacher
    network, shape = read_network(folder / recipe.rain.start), recipe.model
    layers, width = network.layers, network.last.in_features
    if (layers, width) != (shape.layers, shape.hidden):
        raise DataError(
            f"{folder / recipe.rain.start}: {layers} layers, the last of {width}, the recipe's model has {shape.layers} and "
            f"{shape.hidden}"
        )
    notice, licence = f"The recurrent layers began as those of `{recipe.rain.teacher}/{recipe.rain.start}`.", folder / LICENCE
    return Start(network, f"{notice} Their licence:\n\n{licence.read_text()}" if licence.is_file() else notice)


def drop_in(x: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """The scans of every hour [batch, time, ...] in ROWS rows: of fewer each is repeated about equally often, of more some
    are left out. And ROWS for each of the lengths.

    The winner repeated scans at random places and averaged over many such copies; evenly, one says nearly the same.
    """
    index = torch.arange(ROWS, device=x.device)[None, :] * lengths[:, None] // ROWS
    return x[torch.arange(len(x), device=x.device)[:, None], index], torch.full_like(lengths, ROWS)


def _to_raw(scaler: Sequence[Mapping[str, Any]]) -> tuple[Tensor, Tensor]:
    """Weights [FEATURES, COLUMNS] and bias: from encoded features to what the winner read, values and 0 for missing ones."""
    place = {name: position for position, name in enumerate(FEATURES)}
    weights, bias = torch.zeros(len(FEATURES), COLUMNS), torch.zeros(COLUMNS)
    for column, name in enumerate(_RAW):
        feature = scaler[place[name]]
        weights[place[name], column] = feature["deviation"]
        if name in MEASUREMENTS:
            weights[place[f"{name}_present"], column] = feature["mean"]
        else:
            bias[column] = feature["mean"]
    return weights, bias
