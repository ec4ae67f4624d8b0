"""Records -> csv, jsonl or parquet: written in parts, and the parts joined, in memory that their number does not change."""

import csv
import json
import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from app.bulk.arrow import pyarrow
from app.bulk.rows import BulkError, Kind, known_format

Record = tuple[Any, ...]
"""A row of the output: a value for each column, None where there is none."""

_PARTS_A_ROW_GROUP = 32
_OF_JSON = (dict, list, bool, int, float)


class Output(ABC):
    """One format, for given columns."""

    def __init__(self, columns: Mapping[str, Kind]) -> None:
        self.columns = columns

    @abstractmethod
    def write(self, path: Path, records: Sequence[Record]) -> None:
        """A part."""

    @abstractmethod
    def join(self, parts: Sequence[Path], path: Path) -> None:
        """The whole file."""


def check_output(path: Path) -> None:
    """Raises BulkError where no file can have this name."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise BulkError(f"{path}: {'a folder' if path.is_dir() else 'its folder is not there'}, allowed is a file's name")


def output_for(path: Path, columns: Mapping[str, Kind]) -> Output:
    """By the file's ending. Raises BulkError."""
    formats: dict[str, type[_Csv] | type[_Json] | type[_Parquet]] = {".csv": _Csv, ".jsonl": _Json, ".parquet": _Parquet}
    return formats[known_format(path)](columns)


class _Text(Output):
    def join(self, parts: Sequence[Path], path: Path) -> None:
        with path.open("wb") as whole:
            whole.write(self.head())
            for part in parts:
                with part.open("rb") as file:
                    shutil.copyfileobj(file, whole)

    def head(self) -> bytes:
        return b""


class _Csv(_Text):
    """RFC 4180, but lines end with a line feed alone. A missing value is an empty field."""

    def head(self) -> bytes:
        return self._lines([tuple(self.columns)])

    def write(self, path: Path, records: Sequence[Record]) -> None:
        path.write_bytes(self._lines([tuple(map(_field, record)) for record in records]))

    @staticmethod
    def _lines(records: Sequence[Record]) -> bytes:
        # The writer quotes what holds a character of its own line end, so that is both, and written is the line feed alone.
        lines: list[str] = []
        sink = SimpleNamespace(write=lambda line: lines.append(line.removesuffix("\r\n") + "\n"))
        csv.writer(sink, lineterminator="\r\n").writerows(records)
        return "".join(lines).encode("utf-8", "replace")


class _Json(_Text):
    """An object a line. A missing value is null, and so is a number that JSON has not: NaN, or infinite."""

    def write(self, path: Path, records: Sequence[Record]) -> None:
        text = "".join(f"{_object(dict(zip(self.columns, record, strict=True)))}\n" for record in records)
        path.write_bytes(text.encode("utf-8", "replace"))


class _Parquet(Output):
    """A row group for some ten thousand rows."""

    def __init__(self, columns: Mapping[str, Kind]) -> None:
        super().__init__(columns)
        self._pa, self._parquet = pyarrow()
        types = {
            "string": self._pa.string(),
            "integer": self._pa.int64(),
            "number": self._pa.float64(),
            "boolean": self._pa.bool_(),
        }
        self._schema = self._pa.schema([(name, types[kind]) for name, kind in columns.items()])

    def write(self, path: Path, records: Sequence[Record]) -> None:
        columns = zip(*records, strict=True) if records else [()] * len(self.columns)
        arrays = [
            self._pa.array([_field(value) for value in column] if field.type == self._pa.string() else column, field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        self._parquet.write_table(self._pa.Table.from_arrays(arrays, schema=self._schema), path)

    def join(self, parts: Sequence[Path], path: Path) -> None:
        with self._parquet.ParquetWriter(path, self._schema) as whole:
            for start in range(0, len(parts), _PARTS_A_ROW_GROUP):
                tables = [self._parquet.read_table(part) for part in parts[start : start + _PARTS_A_ROW_GROUP]]
                whole.write_table(self._pa.concat_tables(tables))


def _object(named: dict[str, Any]) -> str:
    try:
        return json.dumps(named, ensure_ascii=False, default=str, allow_nan=False)
    except ValueError:
        without = json.loads(json.dumps(named, default=str), parse_constant=lambda _: None)
        return json.dumps(without, ensure_ascii=False)


def _field(value: Any) -> Any:
    """A value where only text can stand: as JSON writes it, or what JSON has no type for, such as a decimal, as itself."""
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, _OF_JSON) else str(value)
