"""Files to be scored and recipes: whatever bytes they hold, rows are read or reported, and nothing else happens."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.bulk.items import Item, TaskItems
from app.bulk.parquet_rows import ParquetRows
from app.bulk.rain_items import RainItems
from app.bulk.rows import BulkError, Rows
from app.bulk.sentiment_items import SentimentItems
from app.bulk.text_rows import CsvRows, JsonRows
from app.tasks.rainfall import Hour
from tests.fuzz.thoroughness import fuzzed
from training.recipe import RecipeError, read_recipe

VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
NAMES = ["Id", "minutes_past", "radardist_km", "Ref", "RhoHV_5x5_90th", "text", "id", "scans"]
RECORDS = st.lists(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8), max_size=12)
CELLS = st.text('0123456789.-+eEnaNifINF_ ,"\n\r\0é\ud800', max_size=12)


def items_of(rows: Rows, ids: list[str]) -> Iterator[tuple[type[TaskItems], list[Item]]]:
    """Read for either task; the rows may be read once only, so each wants a file of its own."""
    for kind in (SentimentItems, RainItems):
        try:
            task = SentimentItems(rows, None, ids) if kind is SentimentItems else RainItems(rows)
        except BulkError:
            continue
        yield kind, [item for group in task.read(rows.read(task.needed)) for item in group]
        return


def check(kind: type[Rows], path: Path) -> list[Item]:
    """Every item is good or has a fault that can be written; rows are counted without a gap."""
    try:
        rows: Any = kind(path)  # type: ignore[call-arg]
    except BulkError as error:
        str(error).encode()
        return []
    try:
        for task, items in items_of(rows, []):
            for item in items:
                assert item.fault is not None or item.input is not None
                (item.fault or "").encode()
                assert task is SentimentItems or item.input is None or isinstance(item.input, Hour)
            covered = sorted(number for item in items for number in (item.first, item.last))
            assert not covered or covered[0] == 1
            return items
    except BulkError as error:
        str(error).encode()
    finally:
        rows.close()
    return []


@fuzzed
@given(st.binary(max_size=600), st.sampled_from([b"", b"text\n", b"Id,minutes_past,radardist_km,Ref\n", b'{"text": "a"}\n']))
def test_any_bytes_are_rows_or_reported(tmp_path: Path, content: bytes, begin: bytes) -> None:
    path = tmp_path / "in"
    path.write_bytes(begin + content)
    for kind in (CsvRows, JsonRows):
        check(kind, path)


@fuzzed
@given(st.lists(st.lists(CELLS, min_size=4, max_size=5), max_size=20))
def test_any_row_of_the_rain_competition_is_a_scan_or_reported(tmp_path: Path, cells: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows([["Id", "minutes_past", "radardist_km", "Ref"], *cells])
    path = tmp_path / "in.csv"
    path.write_bytes(text.getvalue().encode("utf-8", "surrogatepass"))
    check(CsvRows, path)


@fuzzed
@given(RECORDS)
def test_any_json_is_rows_or_reported(tmp_path: Path, records: list[dict[str, Any]]) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    check(JsonRows, path)


@pytest.mark.parametrize("line", ["[" * 100_000, '{"text": ' + "9" * 10_000 + "}", "{" * 5000])
def test_json_that_cannot_be_read_is_reported_in_a_line(tmp_path: Path, line: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(f'{{"text": "good"}}\n{line}\n{{"text": "good"}}\n')
    items = check(JsonRows, path)
    assert [item.fault is None for item in items] == [True, False, True]
    assert len(items[1].fault or "") < 300


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    import pyarrow
    import pyarrow.parquet

    path = tmp_path_factory.mktemp("parquet") / "whole.parquet"
    table = pyarrow.table({"text": [f"film {number}" for number in range(50)], "id": list(range(50))})
    pyarrow.parquet.write_table(table, path)
    return path.read_bytes()


@fuzzed
@given(st.data())
def test_damaged_parquet_is_rows_or_refused(tmp_path: Path, parquet: bytes, data: st.DataObject) -> None:
    content = bytearray(parquet)
    for _ in range(data.draw(st.integers(0, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        start = data.draw(st.integers(0, len(content)))
        del content[start : start + data.draw(st.integers(0, 200))]
    path = tmp_path / "in.parquet"
    path.write_bytes(bytes(content))
    check(ParquetRows, path)


def test_parquet_with_a_column_whose_name_is_no_text_is_refused(tmp_path: Path, parquet: bytes) -> None:
    path = tmp_path / "in.parquet"
    name = b"text"
    path.write_bytes(parquet.replace(name, b"\x80" + name[1:]))
    with pytest.raises(BulkError, match="not readable as parquet"):
        ParquetRows(path)


TOML = st.text("abc=[]{}\"'.\n0123456789# task=_-:TZ", max_size=200)
GOOD = 'task = "music"\ncell = "lstm"\n'


@fuzzed
@given(st.binary(max_size=200) | TOML.map(str.encode) | TOML.map(lambda text: (GOOD + text).encode()))
def test_any_bytes_are_a_recipe_or_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "some.toml"
    path.write_bytes(content)
    with pytest.raises(RecipeError, match=r"some\.toml: "):
        read_recipe(path)


@pytest.mark.parametrize(
    "content",
    [
        "a = " + "[" * 50_000,
        "a = " + "9" * 50_000,
        f"task = '{'x' * 500_000}'",
        "a.b" * 1 + ".c" * 5_000 + " = 1",
        "\0",
        "\ud800",
    ],
    ids=["deep", "many digits", "long", "many tables", "zero", "half a character"],
)
def test_a_recipe_beyond_reason_is_refused_in_a_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "some.toml"
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    with pytest.raises(RecipeError) as caught:
        read_recipe(path)
    assert len(str(caught.value)) < 1000
