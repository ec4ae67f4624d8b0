"""Rows -> texts to judge -> cells of the output."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from app.bulk.items import Item, TaskItems, id_value
from app.bulk.rows import BulkError, Kind, Row, Rows, found, shown
from app.tasks.sentiment import Sentiment
from app.tasks.task import Run

_TEXT_COLUMNS = ("text", "review")
_ID_COLUMNS = ("id", "Id", "ID")


class SentimentItems(TaskItems):
    """A row is a text. Columns are found by name where none is asked for."""

    answers: ClassVar[dict[str, Kind]] = {
        "label": "string",
        "probability": "number",
        "tokens_read": "integer",
        "truncated": "boolean",
    }

    def __init__(self, rows: Rows, text_column: str | None, id_columns: Sequence[str]) -> None:
        usual = [name for name in _TEXT_COLUMNS if name in rows.columns]
        if not (text_column in rows.columns if text_column else usual):
            wanted = repr(text_column) if text_column else " or ".join(map(repr, _TEXT_COLUMNS))
            raise BulkError(f"no column {wanted} with the texts, {found(rows.columns)}; --text-column names another")
        self.text_column = text_column or usual[0]
        if rows.typed and rows.kind(self.text_column) != "string":
            raise BulkError(f"column {self.text_column!r} holds a {rows.kind(self.text_column)}, allowed is text")
        if missing := [name for name in id_columns if name not in rows.columns]:
            raise BulkError(f"no column {missing} for --id-column, {found(rows.columns)}")
        copied = list(id_columns) or [name for name in _ID_COLUMNS if name in rows.columns and name != self.text_column][:1]
        if taken := {"row", *self.answers, "error"} & set(copied):
            raise BulkError(f"--id-column {sorted(taken)}: the output has a column of its own by that name")
        self.ids = {name: rows.kind(name) for name in copied}
        self.needed = list(dict.fromkeys([self.text_column, *self.ids]))

    def read(self, rows: Iterator[Row]) -> Iterator[list[Item]]:
        for row in rows:
            text = row.values.get(self.text_column)
            ids = tuple(id_value(row.values.get(name)) for name in self.ids)
            fault = row.fault or self._fault(text)
            size = len(text) if isinstance(text, str) else 0
            yield [Item(row.number, row.number, ids, text, size, fault)]

    def _fault(self, text: Any) -> str | None:
        if not isinstance(text, str):
            got = "missing" if text is None else shown(text)
            return f"{self.text_column} is {got}, allowed is a text"
        return None if text else f"{self.text_column} is empty, allowed is a text of at least one character"

    def cells(self, task: Sentiment, run: Run, inputs: list[str]) -> list[tuple[Any, ...]]:
        return [(each.label, each.probability, each.tokens_read, each.truncated) for each in task.answer(run, inputs)]
