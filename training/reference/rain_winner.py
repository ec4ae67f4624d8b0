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

SLOPE = 0.15  # of every leaky rectifier, for negative inputs
_ARRAYS_A_BLOCK = 12
_COPIES_A_PASS = 2_048

Arrays = Iterator[npt.NDArray[np.float32]]


def leaky(x: Tensor) -> Tensor:
    return functional.leaky_relu(x, SLOPE)


class Direction(nn.Module):
    """One direction of a block: state_t = leaky(W x_t + b + state_(t-1) R), out_t = leaky(D state_t + d)."""

    def __init__(self, arrays: Arrays) -> None:
        super().__init__()
        self.initial = _parameter(next(arrays))
        self.inputs = _linear(arrays)
        self.recurrent = _parameter(next(arrays))
        self.dense = _linear(arrays)

    def forward(self, x: Tensor) -> Tensor:
        """[rows, batch, in] -> [rows, batch, hidden]."""
        state, states = self.initial.expand(x.shape[1], -1), []
        for driven in self.inputs(x):
            state = leaky(torch.addmm(driven, state, self.recurrent))
            states.append(state)
        return leaky(self.dense(torch.stack(states)))


class Block(nn.Module):
    """Two directions, added."""

    def __init__(self, arrays: Arrays) -> None:
        super().__init__()
        self.forwards, self.backwards = Direction(arrays), Direction(arrays)

    def forward(self, x: Tensor) -> Tensor:
        """[rows, batch, in] -> [rows, batch, hidden]."""
        return torch.as_tensor(self.forwards(x) + self.backwards(x.flip(0)).flip(0))


class WinnerNet(nn.Module):
    """Raw rows [batch, ROWS, COLUMNS] -> mm/h of each row [batch, ROWS], whose mean is the estimate."""

    def __init__(self, arrays: Sequence[npt.NDArray[np.float32]]) -> None:
        """arrays: the weights in their published order. A first linear layer is known by its shape."""
        super().__init__()
        rest = iter(arrays)
        first = [_linear(rest)] if len(arrays[0]) == COLUMNS else []
        self.layers = (len(arrays) - 2) // _ARRAYS_A_BLOCK
        self.body = nn.Sequential(*first, *(Block(rest) for _ in range(self.layers)))
        self.last = _linear(rest)

    def forward(self, rows: Tensor) -> Tensor:
        return leaky(self.last(body_states(self.body, rows)))[:, :, 0]


def body_states(body: nn.Sequential, rows: Tensor) -> Tensor:
    """What the last block of a network's body says of each row, [batch, ROWS, width]."""
    return torch.as_tensor(body(rows.transpose(0, 1)).transpose(0, 1))


class Winner:
    """Both networks, asked as the winner asked them."""

    def __init__(self, folder: Path) -> None:
        """folder: holds FILES. Raises DataError."""
        self._networks = [read_network(folder / name) for name in FILES]

    def estimates_mm(self, hours: Sequence[Hour], copies: int = COPIES, seed: int = 0) -> npt.NDArray[np.float32]:
        """float32 [hours, 2]: each network's mean over `copies` drop-in copies, drawn from `seed`."""
        return self.estimates_and_rates(hours, copies, seed)[0]

    def estimates_and_rates(
        self, hours: Sequence[Hour], copies: int = COPIES, seed: int = 0
    ) -> tuple[npt.NDArray[np.float32], list[npt.NDArray[np.float32]]]:
        """`estimates_mm`, and of each hour what both say of its scans on average, mm/h [scans], NaN where no copy has one."""
        chance = np.random.default_rng(seed)
        hours_a_pass = max(1, _COPIES_A_PASS // copies)
        estimates, rates = np.zeros((len(hours), len(FILES)), np.float32), []
        for start in range(0, len(hours), hours_a_pass):
            some = hours[start : start + hours_a_pass]
            scans = [np.stack([_drop_in(hour, chance) for _ in range(copies)]) for hour in some]
            rows = torch.from_numpy(np.concatenate([_rows(hour)[drawn] for hour, drawn in zip(some, scans, strict=True)]))
            with torch.inference_mode():
                said = np.stack([network(rows).reshape(-1, copies, ROWS).numpy() for network in self._networks])
            estimates[start : start + len(some)] = said.mean((2, 3)).T
            both = said.mean(0)
            rates += [_of_scans(hour, *drawn) for hour, *drawn in zip(some, scans, both, strict=True)]
        return estimates, rates


def _drop_in(hour: Hour, chance: np.random.Generator) -> npt.NDArray[np.int64]:
    """The scan that each of 19 rows is. Of an hour with more scans, which the winner never met, a random 19 are read."""
    scans = len(hour.minutes_past)
    filled = chance.integers(0, scans, max(0, ROWS - scans))
    own = np.arange(scans) if scans <= ROWS else chance.choice(scans, ROWS, replace=False)
    return np.sort(np.concatenate([own, filled]))


def _rows(hour: Hour) -> npt.NDArray[np.float32]:
    """float32 [scans, COLUMNS]."""
    plain = np.stack([hour.minutes_past, np.full(len(hour.minutes_past), hour.radardist_km)], axis=1)
    return np.asarray(np.nan_to_num(np.concatenate([plain, hour.measured], axis=1, dtype=np.float32)))


def _of_scans(hour: Hour, drawn: npt.NDArray[np.int64], said: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The mean of what was said [copies, 19] of each scan, where it was drawn [copies, 19]."""
    count = len(hour.minutes_past)
    times = np.bincount(drawn.ravel(), minlength=count)
    total = np.bincount(drawn.ravel(), said.ravel(), count)
    return np.where(times > 0, total / np.maximum(times, 1), np.nan).astype(np.float32)


def read_network(path: Path) -> WinnerNet:
    """Raises DataError."""
    try:
        with np.load(path) as arrays:
            return WinnerNet([arrays[name] for name in sorted(arrays.files)])
    except (OSError, ValueError, StopIteration) as error:
        raise DataError(f"{path}: not readable as the weights of the winner's network: {error}") from error


def _linear(arrays: Arrays) -> nn.Linear:
    """From weights [in, out] and a bias."""
    weights, bias = _parameter(next(arrays).T), _parameter(next(arrays))
    layer = nn.Linear(weights.shape[1], weights.shape[0])
    layer.weight, layer.bias = weights, bias
    return layer


def _parameter(array: npt.NDArray[np.float32]) -> nn.Parameter:
    return nn.Parameter(torch.from_numpy(np.array(array)))
