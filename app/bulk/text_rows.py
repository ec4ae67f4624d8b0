"""csv and jsonl, read in a stream. A bad row costs that row alone."""

import csv
import io
import itertools
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from app.bulk.rows import BulkError, Kind, Row, check_columns, shown

MOST_CHARACTERS = 10_000_000
"""Of a csv field or a jsonl line; it bounds the memory that a file without line breaks or with a lost quote can take."""

_ROWS_AHEAD = 100
_NOT_UTF8 = "not UTF-8; allowed is UTF-8"


class _TextRows:
    """A text file by lines; bytes that are no UTF-8 become lone surrogates, so that only their own row suffers."""

    columns: list[str]
    typed = False

    def __init__(self, path: Path, newline: str) -> None:
        self.total = path.stat().st_size
        self._bytes = path.open("rb")
        text = io.TextIOWrapper(self._bytes, "utf-8-sig", "surrogateescape", newline=newline)
        self._line: Callable[[], str] = partial(text.readline, MOST_CHARACTERS)
        self._text = text

    @property
    def position(self) -> int:
        """In bytes."""
        return self._bytes.tell()

    def kind(self, column: str) -> Kind:  # noqa: ARG002
        return "string"

    def close(self) -> None:
        self._text.close()


class CsvRows(_TextRows):
    """RFC 4180 with a header; a field may hold line breaks. All values are strings."""

    header = True

    def __init__(self, path: Path) -> None:
        super().__init__(path, newline="")
        csv.field_size_limit(MOST_CHARACTERS)
        self._records = csv.reader(iter(self._line, ""), strict=True)
        try:
            self.columns = self._header()
        except (csv.Error, BulkError) as error:
            self.close()
            raise BulkError(f"{path}: not a CSV header: {error}") from error

    def read(self, columns: list[str]) -> Iterator[Row]:  # noqa: ARG002
        number = 0
        while True:
            try:
                fields = next(self._records)
            except StopIteration:
                return
            except csv.Error as error:  # the reader goes on with the next line
                number += 1
                yield Row(number, fault=f"no CSV: {error} (up to line {self._records.line_num} of the file)")
                continue
            if fields:
                number += 1
                yield self._row(number, fields)

    def _header(self) -> list[str]:
        names = next((fields for fields in self._records if fields), [])
        check_columns(names)
        return names

    def _row(self, number: int, fields: list[str]) -> Row:
        if len(fields) != len(self.columns):
            return Row(number, fault=f"{len(fields)} fields, allowed are {len(self.columns)}, as in the header")
        values = dict(zip(self.columns, fields, strict=True))
        return Row(number, values) if all(map(_encodable, fields)) else Row(number, fault=_NOT_UTF8)


class JsonRows(_TextRows):
    """A JSON object a line. `columns` are those found in the first hundred."""

    header = False

    def __init__(self, path: Path) -> None:
        super().__init__(path, newline="\n")
        self._rest = self._parsed()
        self._ahead = list(itertools.islice(self._rest, _ROWS_AHEAD))
        self.columns = list(dict.fromkeys(name for row in self._ahead for name in row.values))

    def read(self, columns: list[str]) -> Iterator[Row]:  # noqa: ARG002
        yield from self._ahead
        self._ahead = []
        yield from self._rest

    def _parsed(self) -> Iterator[Row]:
        number = 0
        while line := self._line():
            if line.isspace():
                continue
            number += 1
            if len(line) < MOST_CHARACTERS or line.endswith("\n"):
                yield _row_of(number, line)
                continue
            while (more := self._line()) and not more.endswith("\n"):
                pass
            yield Row(number, fault=f"a line of more than {MOST_CHARACTERS} characters, which is the most allowed")


def _row_of(number: int, line: str) -> Row:
    if not _encodable(line):
        return Row(number, fault=_NOT_UTF8)
    try:
        value: Any = json.loads(line.strip())
    except json.JSONDecodeError as error:
        return Row(number, fault=f"no JSON: {error.msg} at character {error.pos + 1} of {shown(line.strip())}")
    except (ValueError, RecursionError) as error:
        return Row(number, fault=f"no JSON that can be read: {type(error).__name__}")
    if not isinstance(value, dict):
        return Row(number, fault=f"a JSON {type(value).__name__}, allowed is an object")
    return Row(number, value)


def _encodable(text: str) -> bool:
    """Whether it is free of lone surrogates."""
    if text.isascii():
        return True
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
