"""The interface between the training loop and a task."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from torch import Tensor

from app.tasks.task import Observed, Run
from training.data.batches import Batch, Example, ordered_batches
from training.data.report import ReadReport
from training.data.splits import Splits
from training.model import TaskNet
from training.progress import track
from training.recipe import Recipe

Scores = dict[str, float]


def scoring_batches(examples: Sequence[Example], items: int) -> Iterator[tuple[list[int], Batch]]:
    """`ordered_batches` with a progress bar."""
    return track(ordered_batches(examples, items), "scoring batches", -(-len(examples) // items))


@dataclass(frozen=True)
class Asset:
    """The vocabulary or scaler that a bundle carries beside its graph."""

    file: str
    content: list[Any]


@dataclass(frozen=True)
class Sets:
    """The three disjoint sets as examples, with what was read and how it was split."""

    train: Sequence[Example]
    validation: Sequence[Example]
    test: Sequence[Example]
    report: ReadReport
    splits: Splits


class Learner(Protocol):
    """One task as the training loop sees it. `primary` names the score that decides, `higher` whether more is better; `notice`
    is what the card must say of weights by others that the network begins from, Markdown, empty where there are none."""

    primary: ClassVar[str]
    higher: ClassVar[bool]
    sets: Sets
    asset: Asset
    settings: dict[str, Any]
    golden_inputs: ClassVar[list[Any]]
    notice: str

    def __init__(self, recipe: Recipe, data: Path, work: Path, asset: Any = None) -> None:
        """Reads the data; `work` is a folder for what is made of it, its parent keeps the recorded splits.

        With `asset`, a bundle's vocabulary or scaler, nothing is learned from the data: for scoring that bundle.
        """
        ...

    def network(self) -> TaskNet: ...

    def complete(self, network: TaskNet) -> TaskNet:
        """After training: what is served, the network itself or one made of it and of others that are trained now."""
        ...

    def loss(self, network: TaskNet, batch: Batch) -> Tensor: ...

    def score(self, run: Run, examples: Sequence[Example]) -> Scores:
        """On raw graph outputs, so that a network and its exported graph are judged by the same lines."""
        ...

    def calibrate(self, run: Run) -> None:
        """After training, on the validation set: settle what the bundle's settings still leave open."""
        ...

    def observed(self, run: Run) -> Observed:
        """What the service would observe of requests that asked it about the validation set."""
        ...
