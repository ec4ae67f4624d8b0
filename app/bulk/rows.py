"""What every reader yields, whatever the file's format."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

FORMATS = (".csv", ".jsonl", ".parquet")

Kind = Literal["string", "integer", "number", "boolean"]
"""What a column of the output holds."""

_SHOWN_NAMES = 12


class BulkError(ValueError):
    """The file cannot be scored as asked; the message says what was got and what is allowed."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the input. `number` counts from 1, without the header and blank lines; `fault` says why it has no values."""

    number: int
    values: dict[str, Any] = field(default_factory=dict)
    fault: str | None = None


class Rows(Protocol):
    """An open file. `columns` is known before the first row; `position` moves from 0 to `total` as rows are read."""

    columns: list[str]
    total: int
    header: bool
    """Whether `columns` are those of every row."""
    typed: bool
    """Whether a column holds one kind of value throughout."""

    @property
    def position(self) -> int: ...

    def kind(self, column: str) -> Kind:
        """Of a column copied to the output."""
        ...

    def read(self, columns: list[str]) -> Iterator[Row]:
        """Every row, with the values of at least these columns. Once only."""
        ...

    def close(self) -> None: ...


def known_format(path: Path) -> str:
    """The ending of a file's name, if it is one of FORMATS. Raises BulkError."""
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise BulkError(f"{path}: the name ends with {ending or 'nothing'!r}, allowed are {', '.join(FORMATS)}")
    return ending


def check_columns(names: Iterable[str]) -> None:
    """Raises BulkError where two have one name."""
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise BulkError(f"{shown(twice)} more than once, allowed is once")


def shown(value: Any) -> str:
    """What was got, short enough for a message and safe to encode."""
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def found(names: Sequence[str]) -> str:
    """The first columns, for a message. Without a header they may be thousands, or whole reviews."""
    more = len(names) - _SHOWN_NAMES
    return f"found [{', '.join(map(shown, names[:_SHOWN_NAMES]))}]" + (f" and {more} more" if more > 0 else "")
