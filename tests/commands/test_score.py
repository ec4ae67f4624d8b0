"""Whole files scored: what goes in comes out, row for row, and what cannot be read is said beside it."""

import json
import os
import sys
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from app.bulk import text_rows
from app.bulk.rows import BulkError, check_columns
from app.bundle import current_folder
from app.predictor import load_predictor
from app.tasks.rainfall import MEASUREMENTS, Hour
from tests.commands.records import read_records, write_records

Score = Callable[..., tuple[int, str, str]]
FORMATS = ("csv", "jsonl", "parquet")
TEXTS = [f"{word} film, {'very ' * (number % 17)}{word} indeed" for number in range(300) for word in ("good", "dull")]


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("begun", FORMATS)
def test_every_text_gets_a_row_in_order_with_its_id(
    score: Score, tiny_models: Path, tmp_path: Path, begun: str, ending: str
) -> None:
    rows = [{"id": 1000 + number, "stars": 3, "review": text} for number, text in enumerate(TEXTS)]
    source, output = write_records(tmp_path / f"in.{begun}", rows), tmp_path / f"out.{ending}"
    assert score(source, "--task", "sentiment", "--output", output)[:2] == (
        0,
        f"{output}: 600 of 600 rows scored; none had an error\n",
    )
    got = read_records(output)
    assert [int(row["row"]) for row in got] == list(range(1, 601))
    assert [int(row["id"]) for row in got] == [row["id"] for row in rows]
    predictor = load_predictor(current_folder(tiny_models, "sentiment"), "cpu")
    for row, expected in zip(got, predictor.task.answer(predictor.run, TEXTS), strict=True):
        assert int(row["tokens_read"]) == expected.tokens_read
        assert str(row["truncated"]).lower() == str(expected.truncated).lower()
        # int8 scales what shares a pass alike, so neighbours move the last digits.
        assert float(row["probability"]) == pytest.approx(expected.probability, abs=0.02)
        assert row["label"] == ("positive" if float(row["probability"]) >= 0.5 else "negative")
    assert not any(row["error"] for row in got)
    assert not (tmp_path / f"out.{ending}.parts").exists()


def test_a_bad_csv_row_is_said_beside_the_good_ones(score: Score, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_bytes(
        b'\xef\xbb\xbfname,text\na,"two\nlines, good"\nb,\n\nc\nd,"quoted" badly\ne,caf\xe9\nf,'
        + b"dull " * 9000
        + b'\ng,"lost\n'
    )
    code, out, _ = score("in.csv", "--task", "sentiment", "--output", "out.jsonl", "--id-column", "name")
    assert (code, out) == (0, "out.jsonl: 2 of 7 rows scored; 5 could not be read, their column `error` says why\n")
    rows = read_records(tmp_path / "out.jsonl")
    assert [row["error"] for row in rows] == [
        None,
        "text is empty, allowed is a text of at least one character",
        "1 fields, allowed are 2, as in the header",
        "no CSV: ',' expected after '\"' (up to line 7 of the file)",
        "not UTF-8; allowed is UTF-8",
        None,
        "no CSV: unexpected end of data (up to line 10 of the file)",
    ]
    assert [row["name"] for row in rows] == ["a", "b", None, None, None, "f", None]
    assert [row["label"] is None for row in rows] == [row["error"] is not None for row in rows]
    assert rows[5]["truncated"]


@pytest.mark.parametrize("ending", FORMATS)
def test_an_id_comes_out_as_it_went_in(score: Score, tmp_path: Path, ending: str) -> None:
    ids = {
        "name": ["carriage\rreturn", 'line\nfeed, "quoted"'],
        "price": [Decimal("1.50"), None],
        "day": [date(2026, 1, 2), date(2026, 1, 3)],
        "time": pa.array([1_000_000_001, 2], pa.timestamp("ns")),
    }
    parquet.write_table(pa.table({"text": ["good", "dull"], **ids}), tmp_path / "in.parquet")
    named = [option for name in ids for option in ("--id-column", name)]
    assert score("in.parquet", "--task", "sentiment", "--output", f"out.{ending}", *named)[0] == 0
    got = read_records(tmp_path / f"out.{ending}")
    assert [row["name"] for row in got] == ids["name"]
    assert [row["price"] or None for row in got] == ["1.50", None]
    assert [row["day"] for row in got] == ["2026-01-02", "2026-01-03"]
    assert [row["time"][:29] for row in got] == ["1970-01-01 00:00:01.000000001", "1970-01-01 00:00:00.000000002"]


def test_columns_of_one_name_are_refused(score: Score, tmp_path: Path) -> None:
    parquet.write_table(pa.Table.from_arrays([pa.array(["a"])] * 2, ["text", "text"]), tmp_path / "in.parquet")
    code, _, err = score("in.parquet", "--task", "sentiment", "--output", "out.csv")
    assert (code, err) == (1, "error: ['text'] more than once, allowed is once\n")


def test_a_header_of_very_many_columns_is_looked_through_once() -> None:
    class Name(str):
        compared = 0

        def __eq__(self, other: object) -> bool:
            Name.compared += 1
            return super().__eq__(other)

        __hash__ = str.__hash__

    check_columns(Name(f"c{number}") for number in range(1000))
    assert Name.compared < 10_000
    with pytest.raises(BulkError, match=r"\['c1'\] more than once"):
        check_columns([Name("c1"), Name("c2"), Name("c1")])


def test_a_bad_json_line_is_said_beside_the_good_ones(score: Score, tmp_path: Path) -> None:
    lines = ['{"text": "good"}', "{", "[1]", '{"text": 5}', '{"other": "x"}', "", "[" * 100_000, '{"text": "\\ud800 good"}']
    (tmp_path / "in.jsonl").write_bytes("\n".join(lines).encode() + b'\n{"text": "\xff"}')
    assert score("in.jsonl", "--task", "sentiment", "--output", "out.csv")[0] == 0
    assert [row["error"] for row in read_records(tmp_path / "out.csv")] == [
        "",
        "no JSON: Expecting property name enclosed in double quotes at character 2 of '{'",
        "a JSON list, allowed is an object",
        "text is 5, allowed is a text",
        "text is missing, allowed is a text",
        "no JSON that can be read: RecursionError",
        "",
        "not UTF-8; allowed is UTF-8",
    ]


def test_what_json_has_no_number_for_is_null(score: Score, tmp_path: Path) -> None:
    ids = ["1e999", '{"a": [NaN, 2]}', '"\\ud800"']
    (tmp_path / "in.jsonl").write_text("".join(f'{{"id": {given}, "text": "good"}}\n' for given in ids))
    assert score("in.jsonl", "--task", "sentiment", "--output", "out.jsonl", "--id-column", "id")[0] == 0
    text = (tmp_path / "out.jsonl").read_text()
    rows = [json.loads(line, parse_constant=pytest.fail) for line in text.splitlines()]
    assert [row["id"] for row in rows] == [None, {"a": [None, 2]}, "?"]


def test_a_line_or_field_that_never_ends_costs_one_row_and_little_memory(
    score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_rows, "MOST_CHARACTERS", 1000)
    long = "good " * 700
    (tmp_path / "in.jsonl").write_text(f'{{"text": "good"}}\n{{"text": "{long}"}}\n{{"text": "dull"}}')
    assert score("in.jsonl", "--task", "sentiment", "--output", "out.jsonl")[0] == 0
    said = "a line of more than 1000 characters, which is the most allowed"
    assert [row["error"] for row in read_records(tmp_path / "out.jsonl")] == [None, said, None]
    (tmp_path / "in.csv").write_text('text\ngood\n"dull\n' + 400 * "lost\n" + 'good"\nlast\n')
    assert score("in.csv", "--task", "sentiment", "--output", "out.jsonl")[0] == 0
    rows = read_records(tmp_path / "out.jsonl")
    assert rows[1]["error"] == "no CSV: field larger than field limit (1000) (up to line 203 of the file)"
    assert [row["error"] for row in rows[2:-2]] == [None] * (len(rows) - 4)
    assert rows[-1]["label"]


def test_missing_texts_of_a_parquet_file_are_said(score: Score, tmp_path: Path) -> None:
    write_records(tmp_path / "in.parquet", [{"text": "good", "id": 1.5}, {"text": None, "id": float("nan")}])
    assert score("in.parquet", "--task", "sentiment", "--output", "out.parquet")[0] == 0
    rows = read_records(tmp_path / "out.parquet")
    assert [(row["id"], row["error"]) for row in rows] == [(1.5, None), (None, "text is missing, allowed is a text")]


def test_a_file_of_which_nothing_can_be_read_fails_and_says_why(score: Score, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text('text\n""\n""\n')
    code, out, _ = score("in.csv", "--task", "sentiment", "--output", "out.csv")
    assert code == 1
    assert "0 of 2 rows scored" in out
    assert len(read_records(tmp_path / "out.csv")) == 2


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("in.txt", "text\ngood\n", (), "in.txt: the name ends with '.txt', allowed are .csv, .jsonl, .parquet"),
        ("in.csv", "words\ngood\n", (), "no column 'text' or 'review' with the texts, found ['words']"),
        ("in.csv", "text\ngood\n", ("--text-column", "body"), "no column 'body' with the texts, found ['text']"),
        ("in.csv", "text\ngood\n", ("--id-column", "key"), "no column ['key'] for --id-column, found ['text']"),
        ("in.csv", "text,label\ngood,1\n", ("--id-column", "label"), "the output has a column of its own by that name"),
        ("in.csv", "text,text\ngood,1\n", (), "not a CSV header: ['text'] more than once, allowed is once"),
        ("in.csv", "", (), "found []"),
        ("in.csv", "good " * 999 + "\nbad\n", (), f"found ['{'good ' * 11}g...]; --text-column"),
        ("in.csv", ",".join(map(str, range(14))) + "\n", ("--task", "rainfall"), "'10', '11'] and 2 more"),
        ("in.csv", "Id,minutes_past,radardist_km\n", ("--task", "rainfall"), "no column ['Ref'], found"),
        ("in.csv", "text\ngood\n", ("--task", "rainfall", "--id-column", "text"), "--id-column are for sentiment"),
        ("in.csv", "text\ngood\n", ("--output", "in.csv"), "the output would take the place of the input"),
        ("in.csv", "text\ngood\n", ("--output", "out.xls"), "out.xls: the name ends with '.xls', allowed are"),
        ("in.csv", "text\ngood\n", ("--output", "none/out.csv"), "none/out.csv: its folder is not there"),
        ("in.parquet", "no parquet", (), "in.parquet: not readable as parquet: "),
    ],
)
def test_what_cannot_be_scored_is_refused_before_anything_is_written(
    score: Score, tmp_path: Path, name: str, content: str, options: tuple[str, ...], message: str
) -> None:
    (tmp_path / name).write_text(content)
    code, _, err = score(name, "--task", "sentiment", "--output", "out.csv", *options)
    assert code == 1
    assert message in err
    assert len(err.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == content


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_and_a_folder_are_refused(score: Score, tmp_path: Path) -> None:
    """Nobody writes into the pipe: who opened it would wait without end."""
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    for name in ("pipe.csv", "folder.csv"):
        code, _, err = score(name, "--task", "sentiment", "--output", "out.csv")
        assert (code, err) == (1, f"error: {name}: a folder or a pipe, allowed is a file: it is read more than once\n")


def test_without_pyarrow_parquet_is_refused_in_a_line_and_csv_works(
    score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "in.csv").write_text("text\ngood\n")
    code, _, err = score("in.csv", "--task", "sentiment", "--output", "out.parquet")
    assert (code, err) == (1, "error: parquet needs pyarrow, which is not installed: pip install '.[bulk]' in the checkout\n")
    assert score("in.csv", "--task", "sentiment", "--output", "out.csv")[0] == 0


def _hours(count: int) -> list[dict[str, Any]]:
    """Rows of `count` hours of 1 to 12 scans, some values missing."""
    chance = np.random.default_rng(5)
    rows = []
    for key in range(count):
        for minute in sorted(chance.choice(60, chance.integers(1, 13), replace=False).tolist()):
            values = [None if chance.random() < 0.3 else round(float(chance.uniform(0, 2)), 3) for _ in MEASUREMENTS]
            rows.append(
                {"Id": key + 1, "minutes_past": minute, "radardist_km": 7.5, **dict(zip(MEASUREMENTS, values, strict=True))}
            )
    return rows


@pytest.mark.parametrize("ending", FORMATS)
def test_rows_of_an_hour_make_one_answer_wherever_the_file_is_cut(
    score: Score, tiny_models: Path, tmp_path: Path, ending: str
) -> None:
    rows = _hours(400)  # more rows than a batch of parquet holds
    write_records(tmp_path / f"in.{ending}", rows)
    assert score(f"in.{ending}", "--task", "rainfall", "--output", "out.jsonl")[0] == 0
    got = read_records(tmp_path / "out.jsonl")
    assert [int(row["Id"]) for row in got] == list(range(1, 401))
    assert [row["row"] for row in got] == [
        1 + next(n for n, row in enumerate(rows) if row["Id"] == key) for key in range(1, 401)
    ]
    predictor = load_predictor(current_folder(tiny_models, "rainfall"), "cpu")
    hours = [Hour.from_scans(7.5, [row for row in rows if row["Id"] == key]) for key in range(1, 401)]
    for row, expected in zip(got, predictor.task.answer(predictor.run, hours), strict=True):
        assert row["rain_mm"] == pytest.approx(expected.rain_mm, rel=1e-4, abs=1e-5)
        assert row["interval_90_high_mm"] == pytest.approx(expected.interval_90_mm[1], rel=1e-4, abs=1e-5)
        assert row["scans_used"] == expected.scans_used
        assert row["marshall_palmer_mm"] == expected.baselines_mm["marshall_palmer"]


def test_an_hour_with_a_bad_row_and_rows_without_an_hour_are_said(score: Score, tmp_path: Path) -> None:
    scans = [
        "a,3,10,20",
        "a,x,10,20",
        "b,3,10,900",
        "c,3,10,",
        ",5,10,20",
        "short",
        "c,9,10,NaN",
        "d,3,-1,20",
        "e,61,10,20",
        "f,3,,20",
    ]
    many = [f"g,{minute % 60},10,20" for minute in range(61)]
    (tmp_path / "in.csv").write_text("\n".join(["Id,minutes_past,radardist_km,Ref", *scans, *many, "h,3,10,20"]))
    code, out, _ = score("in.csv", "--task", "rainfall", "--output", "out.jsonl")
    assert code == 0
    assert "not in the input, so missing in every scan: Ref_5x5_10th, " in out
    assert "2 of 10 rows scored; 8 could not be read" in out
    number = "Input should be a valid number"
    assert [(row["row"], row["Id"], row["scans_used"], row["error"]) for row in read_records(tmp_path / "out.jsonl")] == [
        (1, "a", None, f"row 2: minutes_past: {number}, unable to parse string as a number (got 'x')"),
        (3, "b", None, "row 3: Ref: Input should be less than or equal to 100 (got '900')"),
        (4, "c", 0, None),
        (5, None, None, "Id is '', allowed is the number or name of an hour"),
        (6, None, None, "1 fields, allowed are 4, as in the header"),
        (8, "d", None, "row 8: radardist_km: Input should be greater than or equal to 0 (got '-1')"),
        (9, "e", None, "row 9: minutes_past: Input should be less than or equal to 60 (got '61')"),
        (10, "f", None, f"row 10: radardist_km: {number} (got None)"),
        (11, "g", None, "61 rows with this Id one after the other, allowed are 1 to 60"),
        (72, "h", 1, None),
    ]


def test_json_lines_may_hold_whole_hours_as_the_service_takes_them(score: Score, tmp_path: Path) -> None:
    hours: list[dict[str, Any]] = [
        {"radardist_km": 10, "scans": [{"minutes_past": 3, "Ref": 21.5}, {"minutes_past": 23}]},
        {"Id": "x", "radardist_km": 10, "scans": [{"minutes_past": 3, "Reff": 21.5}]},
        {"Id": 9, "radardist_km": 10, "scans": []},
        {"Id": 7, "minutes_past": 3, "radardist_km": 10, "Ref": 21.5},
    ]
    (tmp_path / "in.jsonl").write_text("\n".join(map(json.dumps, hours)))
    assert score("in.jsonl", "--task", "rainfall", "--output", "out.jsonl")[0] == 0
    rows = read_records(tmp_path / "out.jsonl")
    assert [(row["Id"], row["scans_used"]) for row in rows] == [(None, 1), ("x", None), (9, None), (7, 1)]
    assert rows[1]["error"] == "scans.0.Reff: Extra inputs are not permitted (got 21.5)"
    assert rows[2]["error"] == "scans: List should have at least 1 item after validation, not 0 (got [])"
