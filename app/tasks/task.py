"""What every task shares: the seam to the runtime, and the one error a caller can cause."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Tensors = dict[str, npt.NDArray[Any]]
"""Named arrays: the feeds of a graph, or its outputs."""

Run = Callable[[Tensors], Tensors]
"""The seam between a task and whatever computes: an ONNX session, a PyTorch module or a test's own function."""


Observed = dict[str, list[float]]
"""Feature -> a number for each item: what is remembered of them where nothing else is, and what drift is told by."""


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


Raw = TypeVar("Raw")
Encoded = TypeVar("Encoded")
Prediction = TypeVar("Prediction")


class Batchable(ABC, Generic[Raw, Encoded, Prediction]):
    """A task that judges every item of a pass for itself, so that items of many callers can share one.

    What a pass on a CPU may hold, where larger ones are slower an item: `most_items` if they have `most_steps` together,
    padding included, and `few_items` whatever they have. `features` names what each prediction's `observed` holds.
    """

    features: ClassVar[tuple[str, ...]]
    few_items: ClassVar[int]
    most_items: ClassVar[int]
    most_steps: ClassVar[int]

    @abstractmethod
    def guess_length(self, raw: Raw) -> int:
        """About how many steps the item has, from a look at its size."""

    @abstractmethod
    def encode(self, raw: Raw) -> Encoded:
        """One item as the graph wants it. Raises InvalidInput."""

    @abstractmethod
    def length(self, encoded: Encoded) -> int:
        """Its steps, at least 1."""

    @abstractmethod
    def feeds(self, items: Sequence[Encoded]) -> Tensors:
        """The tensors of one pass."""

    @abstractmethod
    def predictions(self, items: Sequence[Encoded], outputs: Tensors) -> list[Prediction]:
        """One an item, in order."""

    def answer(self, run: Run, raws: Sequence[Raw]) -> list[Prediction]:
        """One prediction an item, in order, in passes of like length."""
        encoded = [self.encode(raw) for raw in raws]
        found: dict[int, Prediction] = {}
        for group in in_passes(self, [self.length(item) for item in encoded]):
            items = [encoded[index] for index in group]
            found.update(zip(group, self.predictions(items, run(self.feeds(items))), strict=True))
        return [found[index] for index in range(len(encoded))]

    def observed(self, predictions: Sequence[Any]) -> Observed:
        """Of items that this task judged."""
        numbers = zip(*(prediction.observed for prediction in predictions), strict=True)
        return dict(zip(self.features, map(list, numbers), strict=True))


def pad(sequences: Sequence[npt.NDArray[Any]]) -> tuple[npt.NDArray[Any], npt.NDArray[np.int32]]:
    """Stack sequences of shape [time, ...] into [batch, time, ...], zero-filled on the right; and their lengths [batch]."""
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.int32)
    first = sequences[0]
    padded = np.zeros((len(sequences), int(lengths.max()), *first.shape[1:]), dtype=first.dtype)
    for row, sequence in zip(padded, sequences, strict=True):
        row[: len(sequence)] = sequence
    return padded, lengths


def fits(task: Batchable[Any, Any, Any], items: int, longest: int) -> bool:
    """Whether a pass holds so many items of which the longest has so many steps."""
    return items <= task.few_items or (items <= task.most_items and items * longest <= task.most_steps)


def in_passes(task: Batchable[Any, Any, Any], lengths: Sequence[int]) -> list[list[int]]:
    """Indices sorted by length, in groups as large as a pass holds."""
    groups: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if not groups or not fits(task, len(groups[-1]) + 1, lengths[index]):
            groups.append([])
        groups[-1].append(index)
    return groups


def by_length(lengths: Sequence[int], most: int) -> list[list[int]]:
    """Indices sorted by length, in groups of at most `most`: neighbours share a pass and little of it is padding."""
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    return [order[start : start + most] for start in range(0, len(order), most)]
