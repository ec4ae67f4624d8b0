"""From a file to a file: read, scored and written in a stream; a run that was killed goes on where it was."""

import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

from app import __version__
from app.bulk.items import TaskItems
from app.bulk.outputs import check_output, output_for
from app.bulk.parquet_rows import ParquetRows
from app.bulk.parts import Parts, open_parts
from app.bulk.passes import WINDOW_ITEMS, WINDOW_SIZE, scored, windows
from app.bulk.rain_items import RainItems
from app.bulk.rows import BulkError, Rows, known_format
from app.bulk.sentiment_items import SentimentItems
from app.bulk.text_rows import CsvRows, JsonRows
from app.predictor import Predictor

_READERS: dict[str, Callable[[Path], Rows]] = {".csv": CsvRows, ".jsonl": JsonRows, ".parquet": ParquetRows}
_HEAD_BYTES = 1 << 20
_SWITCH_S = 0.0005


@dataclass(frozen=True)
class Choice:
    """What to read."""

    task: Literal["sentiment", "rainfall"]
    text_column: str | None = None
    id_columns: Sequence[str] = ()


@dataclass(frozen=True)
class Summary:
    """Rows of the output with an answer and with an error, over all runs; the input row up to which an earlier run had come;
    columns that would be of use and are not in the input.
    """

    output: Path
    scored: int
    faulty: int
    resumed_at: int
    absent: Sequence[str]

    def lines(self) -> Iterator[str]:
        """For people."""
        if self.absent:
            yield f"not in the input, so missing in every scan: {', '.join(self.absent)}"
        if self.resumed_at:
            yield f"went on behind row {self.resumed_at:,}, which an earlier run had reached"
        faulty = f"{self.faulty:,} could not be read, their column `error` says why" if self.faulty else "none had an error"
        yield f"{self.output}: {self.scored:,} of {self.scored + self.faulty:,} rows scored; {faulty}"


def score_file(
    source: Path, output: Path, choice: Choice, predictor: Predictor[Any], threads: int, fresh: bool = False
) -> Summary:
    """Nothing is written before the input's columns are known to fit. Raises BulkError, OSError."""
    known_format(output)
    if choice.task == "rainfall" and (choice.text_column or choice.id_columns):
        raise BulkError("--text-column and --id-column are for sentiment; an hour of rain is named by its Id")
    if source.exists() and not source.is_file():
        raise BulkError(f"{source}: a folder or a pipe, allowed is a file: it is read more than once")
    check_output(output)
    if source.resolve() == output.resolve():
        raise BulkError(f"{output}: the output would take the place of the input")
    with closing(_READERS[known_format(source)](source)) as rows:
        kind = _items(rows, choice, source)
        out = output_for(output, kind.columns)
        with open_parts(output, _identity(source, output, kind, predictor), fresh) as parts:
            resumed_at = parts.progress.last_row
            with _progress(parts, rows) as show, _quick_turns():
                rest = (row for row in rows.read(kind.needed) if row.number > resumed_at)
                cut = windows(kind.read(rest), lambda: rows.position)
                for window, records in scored(cut, kind, predictor, threads):
                    faulty = sum(item.fault is not None for item in window.items)
                    parts.commit(partial(out.write, records=records), window.last_row, len(records) - faulty, faulty)
                    show(window.position)
            parts.finish(output, out.join)
            return Summary(output, parts.progress.scored, parts.progress.faulty, resumed_at, kind.absent)


def _items(rows: Rows, choice: Choice, source: Path) -> TaskItems:
    try:
        if choice.task == "sentiment":
            return SentimentItems(rows, choice.text_column, choice.id_columns)
        return RainItems(rows)
    except BulkError as error:
        raise BulkError(f"{source}: {error}") from error


def _identity(source: Path, output: Path, kind: TaskItems, predictor: Predictor[Any]) -> dict[str, Any]:
    """What must be the same for a run to go on where another stopped."""
    state = source.stat()
    with source.open("rb") as file:
        head = hashlib.sha256(file.read(_HEAD_BYTES)).hexdigest()
    return {
        "input": str(source.resolve()),
        "input_bytes": state.st_size,
        "input_changed_ns": state.st_mtime_ns,
        "input_head_sha256": head,
        "columns_read": kind.needed,
        "columns_written": list(kind.columns),
        "format": known_format(output),
        "task": predictor.manifest.task,
        "model": predictor.manifest.version,
        "provider": predictor.provider,
        "gatehouse": __version__,
        "window": [WINDOW_ITEMS, WINDOW_SIZE],
    }


@contextmanager
def _quick_turns() -> Iterator[None]:
    """A thread that comes back from the graph gets Python's lock from one that encodes in 0.5 ms, not in the usual 5."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(_SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        rows = task.fields["rows"]
        return Text(f"{rows:,} rows, {rows / max(task.elapsed or 0.0, 0.001):,.0f} a second")


@contextmanager
def _progress(parts: Parts, rows: Rows) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, for people: nothing is drawn where nobody watches. Call it with the reader's position."""
    console = Console(stderr=True)
    columns = (TextColumn("scoring"), BarColumn(), TaskProgressColumn(), _Rate(), TimeRemainingColumn())
    before = parts.progress.scored + parts.progress.faulty
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=rows.total, rows=0)

        def show(position: int) -> None:
            bar.update(task, completed=position, rows=parts.progress.scored + parts.progress.faulty - before)

        yield show
