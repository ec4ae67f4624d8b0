"""The request log as a file: a JSON object a line, or parquet; in memory that the log's length does not change."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO

from sqlalchemy import JSON, Boolean, Engine, Float, Integer, select

from app.bulk.arrow import pyarrow
from app.bulk.outputs import check_output
from app.log_rows import Selection, walk
from app.request_record import RequestRecord, UtcDateTime

FORMATS = (".jsonl", ".parquet")

_MOST_ROWS = 1000
_MOST_BYTES = 4 << 20
_ROW_GROUP_ROWS = 20_000
_ROW_GROUP_BYTES = 32 << 20
_TABLE = RequestRecord.__table__

Row = dict[str, Any]


def rows(engine: Engine, selection: Selection) -> Iterator[list[Row]]:
    """Batches of rows, the oldest first. What was removed since the batch was chosen is not in it."""
    for places in walk(engine, selection, _MOST_ROWS, _MOST_BYTES):
        chosen = RequestRecord.request_id.in_([place.request_id for place in places])
        query = select(_TABLE).where(chosen).order_by(RequestRecord.time, RequestRecord.request_id)
        with engine.connect() as connection:
            yield [dict(row) for row in connection.execute(query).mappings()]


def write_jsonl(batches: Iterable[list[Row]], file: BinaryIO) -> int:
    """How many rows were written. Times in ISO 8601, payloads as they were stored."""
    written = 0
    for batch in batches:
        lines = [json.dumps(row, ensure_ascii=False, default=_iso) + "\n" for row in batch]
        file.write("".join(lines).encode("utf-8", "replace"))
        written += len(batch)
    return written


def write_parquet(batches: Iterable[list[Row]], file: BinaryIO) -> int:
    """How many rows were written. Payloads are JSON text. Raises BulkError without pyarrow."""
    arrow, parquet = pyarrow()
    schema = arrow.schema([(column.name, _arrow_type(arrow, column.type)) for column in _TABLE.columns])
    payloads = [column.name for column in _TABLE.columns if isinstance(column.type, JSON)]
    written, waiting = 0, []
    with parquet.ParquetWriter(file, schema) as writer:
        for batch in batches:
            written += len(batch)
            waiting.append(arrow.Table.from_pylist([_with_text(row, payloads) for row in batch], schema))
            if written % _ROW_GROUP_ROWS < len(batch) or sum(table.nbytes for table in waiting) > _ROW_GROUP_BYTES:
                writer.write_table(arrow.concat_tables(waiting))
                waiting = []
        if waiting:
            writer.write_table(arrow.concat_tables(waiting))
    return written


@contextmanager
def appearing(path: Path) -> Iterator[BinaryIO]:
    """A file that has its name only when it is whole and on the disk; before, it lies beside it as NAME.new.

    Raises BulkError where there can be no such file.
    """
    check_output(path)
    new = path.with_name(path.name + ".new")
    try:
        with new.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def _iso(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"a {type(value).__name__} in a row, allowed are what JSON has and times")


def _with_text(row: Row, payloads: list[str]) -> Row:
    return {**row, **{name: None if row[name] is None else json.dumps(row[name], ensure_ascii=False) for name in payloads}}


def _arrow_type(arrow: Any, kind: Any) -> Any:
    """Of a column of the table; whatever is no number and no time is text."""
    if isinstance(kind, UtcDateTime):
        return arrow.timestamp("us", tz="UTC")
    if isinstance(kind, Boolean):
        return arrow.bool_()
    if isinstance(kind, Integer):
        return arrow.int64()
    return arrow.float64() if isinstance(kind, Float) else arrow.string()
