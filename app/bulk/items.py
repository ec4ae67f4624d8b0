"""An item is what gets one row of the output: a text, or an hour of scans; and what a task must say of them."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from app.bulk.rows import Kind, Row
from app.tasks.task import Run


@dataclass(frozen=True, slots=True)
class Item:
    """Rows `first` to `last` of the input. `size` grows with the time that `input` takes;
    `fault` says why there is none.
    """

    first: int
    last: int
    ids: tuple[Any, ...]
    input: Any
    size: int
    fault: str | None = None


class TaskItems(ABC):
    """A task's rows turned into items, and items into cells. Made once the columns are known to be there."""

    answers: ClassVar[dict[str, Kind]]
    """Columns of the answer."""
    ids: dict[str, Kind]
    """Columns copied from the input."""
    needed: list[str]
    """Columns read."""
    absent: Sequence[str] = ()
    """Columns that would be of use and are not there."""

    @property
    def columns(self) -> dict[str, Kind]:
        """Those of the output, in order."""
        return {"row": "integer", **self.ids, **self.answers, "error": "string"}

    @abstractmethod
    def read(self, rows: Iterator[Row]) -> Iterator[list[Item]]:
        """Items in the order of the input; reading may stop after any list and start again behind its last row."""

    @abstractmethod
    def cells(self, task: Any, run: Run, inputs: list[Any]) -> list[tuple[Any, ...]]:
        """The values of `answers` for each input."""


def id_value(value: Any) -> Any:
    """As it is copied to the output; NaN is missing, and so is text that cannot be written."""
    if isinstance(value, float) and math.isnan(value):
        return None
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
