"""Right-padded batches of sequences of like length, as torch tensors."""

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.tasks.task import pad

# Batches are cut from this many at a time, sorted by length: enough to leave little padding, few enough to keep chance.
_BATCHES_A_POOL = 50


@dataclass(frozen=True)
class Example:
    """inputs: [time, ...]; target: a scalar, or [time] for a target at every step."""

    inputs: npt.NDArray[Any]
    target: npt.NDArray[Any]


class LazyExamples(Sequence[Example]):
    """Examples made when they are asked for, for data sets that would not fit into memory as tensors."""

    def __init__(self, make: Callable[[int], Example], rows: Sequence[int], lengths: Sequence[int]) -> None:
        """Example `i` is `make(rows[i])`, `lengths[i]` steps long."""
        self._make, self._rows, self.lengths = make, rows, lengths

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Example]: ...
    def __getitem__(self, index: int | slice) -> Example | Sequence[Example]:
        if isinstance(index, slice):
            return LazyExamples(self._make, self._rows[index], self.lengths[index])
        return self._make(self._rows[index])


def _length(examples: Sequence[Example], index: int) -> int:
    return examples.lengths[index] if isinstance(examples, LazyExamples) else len(examples[index].inputs)


@dataclass(frozen=True)
class Batch:
    """inputs [batch, time, ...], lengths int64 [batch], targets [batch] or [batch, time]; zero where padded."""

    inputs: Tensor
    lengths: Tensor
    targets: Tensor

    def to(self, device: torch.device) -> "Batch":
        return Batch(self.inputs.to(device), self.lengths.to(device), self.targets.to(device))

    def shares(self, count: int) -> list["Batch"]:
        """The items dealt out over up to `count` batches, none of them empty."""
        count = min(count, len(self.lengths))
        return [Batch(self.inputs[k::count], self.lengths[k::count], self.targets[k::count]) for k in range(count)]


def collate(examples: Sequence[Example]) -> Batch:
    inputs, lengths = pad([example.inputs for example in examples])
    if examples[0].target.ndim:
        targets, _ = pad([example.target for example in examples])
    else:
        targets = np.stack([example.target for example in examples])
    return Batch(torch.from_numpy(inputs), torch.from_numpy(lengths.astype(np.int64)), torch.from_numpy(targets))


def shuffled_batches(examples: Sequence[Example], batch_items: int, chance: random.Random) -> Iterator[Batch]:
    """Every example once, in an order drawn anew: pools are cut at random, sorted by length, and their batches shuffled."""
    order = list(range(len(examples)))
    chance.shuffle(order)
    pool = batch_items * _BATCHES_A_POOL
    groups = []
    for start in range(0, len(order), pool):
        by_length = sorted(order[start : start + pool], key=lambda row: _length(examples, row))
        groups += [by_length[cut : cut + batch_items] for cut in range(0, len(by_length), batch_items)]
    chance.shuffle(groups)
    for group in groups:
        yield collate([examples[row] for row in group])


def ordered_batches(examples: Sequence[Example], batch_items: int) -> Iterator[tuple[list[int], Batch]]:
    """Every example once, sorted by length, with the row numbers of each batch."""
    order = sorted(range(len(examples)), key=lambda row: _length(examples, row))
    for start in range(0, len(order), batch_items):
        rows = order[start : start + batch_items]
        yield rows, collate([examples[row] for row in rows])
