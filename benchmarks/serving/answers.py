"""Whether what a server says is what the model says of the same text alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.bundle import current_folder
from app.predictor import load_predictor

MOST_DIFFERENCE = 0.1
"""Of a probability. An int8 graph scales its activations by the batch they stand in, so a batch moves an answer a little."""


class Alone:
    """The model in this process, one text a pass; each text is judged once."""

    def __init__(self, models: Path) -> None:
        self._predictor = load_predictor(current_folder(models, "sentiment"), "cpu", 1)
        self._known: dict[str, float] = {}

    def probability(self, text: str) -> float:
        if text not in self._known:
            self._known[text] = self._predictor.task.answer(self._predictor.run, [text])[0].probability
        return self._known[text]


@dataclass
class Compared:
    """Answers beside those alone: how many, how far apart at most, how many labels differ, how many are wrong.

    `late`: requests given up after a minute, while others were answered.
    """

    answers: int = 0
    largest_difference: float = 0.0
    label_flips: int = 0
    wrong: int = 0
    late: int = 0

    def add(self, got: float, alone: float) -> None:
        difference = abs(got - alone)
        self.answers += 1
        self.largest_difference = max(self.largest_difference, difference)
        self.label_flips += (got >= 0.5) != (alone >= 0.5)
        self.wrong += not difference <= MOST_DIFFERENCE  # NaN is wrong too

    def figures(self) -> dict[str, float]:
        """For the measurements."""
        return {
            "checked": self.answers,
            "largest_difference": self.largest_difference,
            "label_flips": self.label_flips,
            "wrong": self.wrong,
            "late": self.late,
        }


def compare(got: Sequence[float], alone: Sequence[float]) -> Compared:
    """Pair by pair."""
    compared = Compared()
    for one, other in zip(got, alone, strict=True):
        compared.add(one, other)
    return compared
