"""Everything that was measured, one figure a line, so that tables and plots can be made again from the file."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Measurement:
    """`at` is what the part varies: connections, a share of the capacity, a batch size; `measure` names figure and unit."""

    part: str
    contestant: str
    cores: int
    workload: str
    at: str
    round: int
    measure: str
    value: float


class Measurements:
    """Kept in memory and, with `write`, in a CSV file."""

    def __init__(self, lines: Sequence[Measurement] = ()) -> None:
        self._lines = list(lines)

    def __iter__(self) -> Iterator[Measurement]:
        return iter(self._lines)

    def add(
        self, part: str, contestant: str, cores: int, workload: str, at: object, turn: int, figures: dict[str, float]
    ) -> None:
        """One round's figures of one contestant."""
        for measure, value in figures.items():
            self._lines.append(Measurement(part, contestant, cores, workload, str(at), turn, measure, float(value)))

    def values(self, **wanted: str | int) -> list[float]:
        """One a round, of the lines whose fields are as wanted."""
        return [line.value for line in self._lines if all(getattr(line, name) == value for name, value in wanted.items())]

    def median(self, **wanted: str | int) -> float | None:
        """Over the rounds; None where nothing was measured."""
        values = self.values(**wanted)
        return median(values) if values else None

    def distinct(self, name: str, **wanted: str | int) -> list[str]:
        """The values of a field in the order they came."""
        matching = (line for line in self._lines if all(getattr(line, key) == value for key, value in wanted.items()))
        return list(dict.fromkeys(str(getattr(line, name)) for line in matching))

    def write(self, path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([column.name for column in fields(Measurement)])
            writer.writerows((*astuple(line)[:-1], f"{line.value:.6g}") for line in self._lines)

    @classmethod
    def read(cls, path: Path) -> "Measurements":
        with path.open(encoding="utf-8", newline="") as file:
            return cls([_line(row) for row in csv.DictReader(file)])


def _line(row: dict[str, str]) -> Measurement:
    return Measurement(
        row["part"],
        row["contestant"],
        int(row["cores"]),
        row["workload"],
        row["at"],
        int(row["round"]),
        row["measure"],
        float(row["value"]),
    )
