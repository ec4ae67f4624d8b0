"""What every task shares: the seam to the runtime, and the one error a caller can cause."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Tensors = dict[str, npt.NDArray[Any]]
"""Named arrays: the feeds of a graph, or its outputs."""

Run = Callable[[Tensors], Tensors]
"""The seam between a task and whatever computes: an ONNX session, a PyTorch module or a test's own function."""


class InvalidInput(ValueError):
    """The caller sent something that the task cannot take.

    `pointer` is where it stands in the request body (RFC 6901), the message says what was got and what is allowed.
    """

    def __init__(self, detail: str, pointer: str = "") -> None:
        super().__init__(detail)
        self.detail = detail
        self.pointer = pointer


class Task(Protocol):
    """Raw input -> tensors -> answer. Built from a bundle's settings and its vocabulary or scaler."""

    name: str

    def numbers(self, run: Run, raw: Any) -> list[float]:
        """The figures a golden case pins down for one raw input: the answer as plain numbers."""
        ...


def pad(sequences: Sequence[npt.NDArray[Any]]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
    """Stack sequences of shape [time, ...] into [batch, time, ...], zero-filled on the right; and their lengths [batch]."""
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int32)
    first = sequences[0]
    padded = np.zeros((len(sequences), int(lengths.max()), *first.shape[1:]), dtype=first.dtype)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return padded, lengths


def by_length(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Indices sorted by length, in groups of at most `most`: neighbours share a pass and little of it is padding."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    return [order[start : start + most] for start in range(0, len(order), most)]
