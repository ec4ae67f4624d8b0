"""The two networks that won *How Much Did It Rain? II* (Aaron Sim, 2015, MIT), rebuilt from their weights.

Both read raw measurements with 0 for a missing one, always 19 rows an hour. An hour with fewer rows is filled by repeating rows
at random places ("drop-in"), and the estimate is averaged over many such copies.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from app.tasks.rainfall import MEASUREMENTS, Hour
from training.data.report import DataError

ROWS = 19
COPIES = 21  # the winner averaged over 61; 21 give nearly the same
COLUMNS = 2 + len(MEASUREMENTS)
FILES = ("weights_v1.npz", "weights_v2.npz")

_SLOPE = 0.15  # of every leaky rectifier, for negative inputs
_ARRAYS_A_BLOCK = 12
_COPIES_A_PASS = 2_048

Arrays = Iterator[npt.NDArray[np.float32]]


def _leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, _SLOPE)


class Direction(nn.Module):
    """One direction of a block: state_t = leaky(x_t W + b + state_(t-1) R), out_t = leaky(state_t D + d)."""

    def __init__(self, arrays: Arrays) -> None:
        super().__init__()
        self.initial, self.inputs, self.bias, self.recurrent, self.dense, self.dense_bias = _tensors(arrays, 6)

    def forward(self, x: Tensor) -> Tensor:
        """[rows, batch, in] -> [rows, batch, hidden]."""
        state, states = self.initial.expand(x.shape[1], -1), []
        for driven in x @ self.inputs + self.bias:
            state = _leaky(torch.addmm(driven, state, self.recurrent))
            states.append(state)
        return _leaky(torch.stack(states) @ self.dense + self.dense_bias)


class WinnerNet(nn.Module):
    """Raw rows [batch, 19, COLUMNS] -> mm [batch]: blocks of two directions that are added, then a mean over the rows."""

    def __init__(self, arrays: Sequence[npt.NDArray[np.float32]]) -> None:
        """arrays: the weights in their published order. A first linear layer is known by its shape."""
        super().__init__()
        rest = iter(arrays)
        self.first = _tensors(rest, 2) if len(arrays[0]) == COLUMNS else []
        count = (len(arrays) - len(self.first) - 2) // _ARRAYS_A_BLOCK
        self.blocks = [(Direction(rest), Direction(rest)) for _ in range(count)]
        self.last = _tensors(rest, 2)

    def forward(self, rows: Tensor) -> Tensor:
        x = rows.transpose(0, 1)
        if self.first:
            x = x @ self.first[0] + self.first[1]
        for forward, backward in self.blocks:
            x = forward(x) + backward(x.flip(0)).flip(0)
        return _leaky(x @ self.last[0] + self.last[1])[:, :, 0].mean(0)


class Winner:
    """Both networks, asked as the winner asked them."""

    def __init__(self, folder: Path) -> None:
        """folder: holds FILES. Raises DataError."""
        self._networks = [_read(folder / name) for name in FILES]

    def estimates_mm(self, hours: Sequence[Hour], copies: int = COPIES, seed: int = 0) -> npt.NDArray[np.float32]:
        """float32 [hours, 2]: each network's mean over `copies` drop-in copies, drawn from `seed`."""
        chance = np.random.default_rng(seed)
        hours_a_pass = max(1, _COPIES_A_PASS // copies)
        estimates = np.zeros((len(hours), len(FILES)), np.float32)
        for start in range(0, len(hours), hours_a_pass):
            some = hours[start : start + hours_a_pass]
            rows = torch.from_numpy(np.stack([_drop_in(hour, chance) for hour in some for _ in range(copies)]))
            with torch.inference_mode():
                for column, network in enumerate(self._networks):
                    estimates[start : start + len(some), column] = network(rows).reshape(-1, copies).mean(1).numpy()
        return estimates


def _drop_in(hour: Hour, chance: np.random.Generator) -> npt.NDArray[np.float32]:
    """float32 [19, COLUMNS]. Of an hour with more scans, which the winner never met, a random 19 are read."""
    scans = len(hour.minutes_past)
    filled = chance.integers(0, scans, max(0, ROWS - scans))
    own = np.arange(scans) if scans <= ROWS else chance.choice(scans, ROWS, replace=False)
    rows = np.sort(np.concatenate([own, filled]))
    plain = np.stack([hour.minutes_past, np.full(scans, hour.radardist_km)], axis=1)
    columns = np.concatenate([plain, hour.measured], axis=1, dtype=np.float32)
    return np.asarray(np.nan_to_num(columns[rows]))


def _read(path: Path) -> WinnerNet:
    try:
        with np.load(path) as arrays:
            return WinnerNet([arrays[name] for name in sorted(arrays.files)])
    except (OSError, ValueError, StopIteration) as error:
        raise DataError(f"{path}: not readable as the weights of the winner's network: {error}") from error


def _tensors(arrays: Arrays, count: int) -> list[Tensor]:
    return [torch.from_numpy(next(arrays)) for _ in range(count)]
