"""What reading a data set kept and what it could not use. Nothing is dropped without being counted here."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl


class DataError(ValueError):
    """The path holds no data in a known format; the message says what was got and what is allowed."""


@dataclass
class ReadReport:
    """`unit` is what is counted: reviews, scans, tunes."""

    source: str
    unit: str
    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    notes: list[str] = field(default_factory=list)

    def reject(self, reason: str, count: int = 1) -> None:
        if count:
            self.rejected[reason] += count

    def note(self, remark: str) -> None:
        """Something about what was kept that its reader should know."""
        self.notes.append(remark)

    def __str__(self) -> str:
        lost = ", ".join(f"{count} rejected: {reason}" for reason, count in sorted(self.rejected.items()))
        remarks = "".join(f"; {note}" for note in self.notes)
        return f"{self.source}: {self.kept} {self.unit} kept; {lost or 'none rejected'}{remarks}"

    def as_json(self) -> dict[str, object]:
        return {"source": self.source, "unit": self.unit, "kept": self.kept, "rejected": dict(self.rejected)}


def existing(path: Path, formats: str) -> Path:
    """The path itself, or DataError that says which formats are known."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; expected {formats}")
    return path


def read_parquet(path: Path, formats: str) -> pl.DataFrame:
    """The table, or DataError if it is none."""
    try:
        return pl.read_parquet(path)
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{path}: not readable as parquet; expected {formats}") from error
