"""What the studies share: runs kept as they come, spreads, tables and plots.

A study leaves NAME.csv (a line a run), NAME.png and its tables in NAME.md in one folder. The text of a page is written
by a person who has seen the figures; a study fills in only what stands between `<!-- table NAME -->` and `<!-- end -->`.
"""

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

Value = str | int | float

CELLS = ("rnn", "lstm", "gru")
NAMES = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
# Okabe, Ito 2008: told apart with every kind of colour blindness; the markers do it in print.
COLOURS = {"rnn": "#D55E00", "lstm": "#0072B2", "gru": "#009E73"}
MORE_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = {"rnn": "s", "lstm": "o", "gru": "^"}


class Runs:
    """The runs of a study in a CSV file, written one by one: a study that was killed goes on behind the last of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def once(self, key: Mapping[str, Value], work: Callable[[], Mapping[str, Value]]) -> None:
        """Add the line of `key` and what `work` returns, unless there is a line of this key."""
        first = not self._cut()
        if self.has(key):
            return
        line = {**key, **work()}
        with self._path.open("a", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(line))
            if first:
                writer.writeheader()
            writer.writerow({name: f"{value:.6g}" if isinstance(value, float) else value for name, value in line.items()})

    def _cut(self) -> int:
        """A line that a kill has torn is cut off, so that its run comes again; the bytes that are left."""
        if not self._path.exists():
            return 0
        written = self._path.read_bytes()
        end = written.rfind(b"\n") + 1
        if end < len(written):
            os.truncate(self._path, end)
        return end

    def has(self, key: Mapping[str, Value]) -> bool:
        """Whether there is a line of this key."""
        wanted = {name: str(value) for name, value in key.items()}
        return any(wanted.items() <= row.items() for row in self._rows())

    def table(self) -> pl.DataFrame:
        """All runs, numbers as numbers."""
        return pl.read_csv(self._path, infer_schema_length=None)

    def _rows(self) -> list[dict[str, str]]:
        if not self._path.exists():
            return []
        with self._path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))


def spread(values: Sequence[float], form: str = ".3g") -> str:
    """`median (least to most)`."""
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


def markdown(head: Sequence[str], rows: Sequence[Sequence[Value]]) -> str:
    """A table in markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def write_tables(page: Path, tables: Mapping[str, str]) -> None:
    """Put each table between its marks in the page; a page that is not there yet is begun with the marks alone."""
    text = page.read_text("utf-8") if page.exists() else f"# {page.stem}\n"
    for name, table in tables.items():
        begin = f"<!-- table {name} -->"
        if begin not in text:
            text += f"\n{begin}\n<!-- end -->\n"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}\n\n{table}\n\n<!-- end -->{rest.partition('<!-- end -->')[2]}"
    page.write_text(text, "utf-8")


def panels(columns: int, rows: int = 1, height: float = 3.8) -> tuple[Figure, list[Axes]]:
    """A figure with a grid of axes, row by row, `height` inches high."""
    figure = Figure(figsize=(5.0 * columns if columns > 1 else 7.0, height), layout="constrained")
    axes = [figure.add_subplot(rows, columns, place + 1) for place in range(rows * columns)]
    for each in axes:
        each.grid(alpha=0.3)
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes


def band(axes: Axes, x: Sequence[float], runs: Sequence[Sequence[float]], colour: str, marker: str, label: str) -> None:
    """The median over runs [len(x)] as a line, from least to most as a shade; `runs[i]` are the values at `x[i]`."""
    axes.plot(x, [median(values) for values in runs], color=colour, marker=marker, markersize=5, label=label)
    axes.fill_between(x, [min(values) for values in runs], [max(values) for values in runs], color=colour, alpha=0.15, lw=0)


def whiskers(axes: Axes, x: Sequence[float], runs: Sequence[Sequence[float]], colour: str, marker: str, label: str) -> None:
    """The median over runs as a line with whiskers from least to most, for few places on the x axis."""
    middle = [median(values) for values in runs]
    below = [each - min(values) for each, values in zip(middle, runs, strict=True)]
    above = [max(values) - each for each, values in zip(middle, runs, strict=True)]
    axes.errorbar(x, middle, yerr=[below, above], color=colour, marker=marker, markersize=5, capsize=3, lw=1.2, label=label)


def save(figure: Figure, path: Path) -> None:
    figure.savefig(path, dpi=110)
