"""What reading a data set kept and what it could not use. Nothing is dropped without being counted here."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


class DataError(ValueError):
    """The path holds no data in a known format; the message says what was got and what is allowed."""


@dataclass
class ReadReport:
    """`unit` is what is counted: reviews, scans, tunes."""

    source: str
    unit: str
    kept: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    def reject(self, reason: str, count: int = 1) -> None:
        if count:
            self.rejected[reason] += count

    def __str__(self) -> str:
        lost = ", ".join(f"{count} rejected: {reason}" for reason, count in sorted(self.rejected.items()))
        return f"{self.source}: {self.kept} {self.unit} kept" + (f"; {lost}" if lost else "; none rejected")

    def as_json(self) -> dict[str, object]:
        return {"source": self.source, "unit": self.unit, "kept": self.kept, "rejected": dict(self.rejected)}


def existing(path: Path, formats: str) -> Path:
    """The path itself, or DataError that says which formats are known."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder; expected {formats}")
    return path
