"""Parquet, read in a stream: page by page, whatever the size of its row groups."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.bulk.arrow import pyarrow
from app.bulk.rows import BulkError, Kind, Row, check_columns

_ROWS_A_BATCH = 512
_BUFFER_BYTES = 1 << 20


class ParquetRows:
    """Values keep their types; a float that is NaN stays one."""

    header = typed = True

    def __init__(self, path: Path) -> None:
        self._pa, parquet = pyarrow()
        try:
            # Without pre_buffer a row group is not loaded whole before its first row.
            self._file = parquet.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES)
        except (self._pa.ArrowException, OSError, UnicodeDecodeError) as error:  # the last: names of columns that are no UTF-8
            if isinstance(error, OSError) and error.errno:  # of the file system's, not of the content
                raise
            raise BulkError(f"{path}: not readable as parquet: {_line(error)}") from error
        self._path, self._schema = path, self._file.schema_arrow
        self.columns: list[str] = list(self._schema.names)
        check_columns(self.columns)
        self.total, self._position = int(self._file.metadata.num_rows), 0

    @property
    def position(self) -> int:
        """In rows."""
        return self._position

    def kind(self, column: str) -> Kind:
        types, kind = self._pa.types, self._schema.field(column).type
        if types.is_boolean(kind):
            return "boolean"
        if types.is_integer(kind) and kind != self._pa.uint64():
            return "integer"
        return "number" if types.is_floating(kind) else "string"

    def read(self, columns: list[str]) -> Iterator[Row]:
        number = 0
        try:
            for batch in self._file.iter_batches(_ROWS_A_BATCH, columns=columns, use_threads=False):
                names, arrays = batch.schema.names, [_values(array) for array in batch.columns]
                for values in zip(*arrays, strict=True):
                    number += 1
                    yield Row(number, dict(zip(names, values, strict=True)))
                self._position += len(batch)
        except (self._pa.ArrowException, OSError, UnicodeDecodeError) as error:
            raise BulkError(f"{self._path}: row {number + 1} and on not readable: {_line(error)}") from error

    def close(self) -> None:
        self._file.close()


def _line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _values(array: Any) -> list[Any]:
    try:
        return list(array.to_pylist())
    except ValueError:
        return [_value(scalar) for scalar in array]


def _value(scalar: Any) -> Any:
    """Of a string that is no UTF-8 its bytes, which are refused as no string; of a time finer than Python's its text."""
    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        return scalar.as_buffer().to_pybytes()
    except ValueError:
        return scalar.cast("string").as_py()
