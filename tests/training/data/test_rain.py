"""Radar hours from the competition's file, streamed in chunks of any size."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.tasks.rainfall import MEASUREMENTS, marshall_palmer_mm
from training.data import rain
from training.data.rain import HourTable, read_hours
from training.data.report import DataError, ReadReport

# The header of train.csv as Kaggle publishes it.
MOMENTS = ["Ref", "RefComposite", "RhoHV", "Zdr", "Kdp"]
MEASURED = [moment + part for moment in MOMENTS for part in ("", "_5x5_10th", "_5x5_50th", "_5x5_90th")]
HEADER = ["Id", "minutes_past", "radardist_km", *MEASURED, "Expected"]

BAD_GAUGE = "gauge (Expected) is not one number of at least 0 in all its rows"
BAD_MINUTES = "minutes_past is not in [0, 60]"
BAD_DISTANCE = "radardist_km is not a number of at least 0"

Cell = str | float


def scan(hour: Cell, minutes: Cell, gauge: Cell = 2.5, distance: Cell = 10, **measured: Cell) -> list[str]:
    """One row of the file; what is not given is an empty cell."""
    return [str(cell) for cell in (hour, minutes, distance, *(measured.get(name, "") for name in MEASURED), gauge)]


def rain_file(folder: Path, rows: Sequence[Sequence[str]], name: str = "train.csv") -> Path:
    path = folder / name
    path.write_text("".join(",".join(row) + "\n" for row in [HEADER, *rows]), "utf-8")
    return path


def sizes(table: HourTable) -> dict[int, int]:
    """Id -> scans."""
    return dict(zip(table.ids.tolist(), np.diff(table.starts).tolist(), strict=True))


def lost(report: ReadReport) -> int:
    return sum(report.rejected.values())


def test_the_competitions_columns_are_the_ones_that_are_read() -> None:
    assert list(MEASUREMENTS) == MEASURED


def test_hours_are_read_with_empty_cells_as_missing(tmp_path: Path) -> None:
    rows = [
        scan(1, 3, gauge=0.254, Ref=9.0, Kdp_5x5_90th=-1.5),
        scan(1, 16, gauge=0.254),
        scan(2, 1, gauge=12, distance=2.5, RhoHV=0.99),
    ]
    table, report = read_hours(rain_file(tmp_path, rows), tmp_path / "cache")
    assert len(table) == 2
    assert table.ids.tolist() == [1, 2]
    assert table.gauge_mm.tolist() == pytest.approx([0.254, 12.0])
    first, second = table.hour(0), table.hour(1)
    assert (first.radardist_km, second.radardist_km) == (10.0, 2.5)
    assert first.minutes_past.tolist() == [3.0, 16.0]
    assert first.measured.shape == (2, 20)
    assert first.measured[0, 0] == 9.0
    assert first.measured[0, 19] == -1.5
    assert np.isnan(first.measured).sum() == 38
    assert second.measured[0, MEASURED.index("RhoHV")] == pytest.approx(0.99)
    assert (report.kept, lost(report), report.unit) == (2, 0, "hours")


def test_scans_of_an_hour_come_in_time_order(tmp_path: Path) -> None:
    rows = [scan(1, 40, Ref=4), scan(1, 5, Ref=1), scan(1, 22, Ref=2)]
    table, _ = read_hours(rain_file(tmp_path, rows), tmp_path / "cache")
    hour = table.hour(0)
    assert hour.minutes_past.tolist() == [5.0, 22.0, 40.0]
    assert hour.reflectivity_dbz.tolist() == [1.0, 2.0, 4.0]


def test_the_estimate_from_a_file_is_marshall_palmers(tmp_path: Path) -> None:
    one_mm_an_hour = 10 * np.log10(200.0)
    rows = [scan(1, 30, Ref=one_mm_an_hour), scan(1, 45)]
    table, _ = read_hours(rain_file(tmp_path, rows), tmp_path / "cache")
    assert marshall_palmer_mm(table.hour(0)) == pytest.approx(0.5, rel=1e-5)


@pytest.mark.parametrize("rows_a_chunk", [1, 2, 3, 5, 7, 1000])
def test_hours_that_cross_from_one_chunk_into_the_next_stay_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_a_chunk: int
) -> None:
    monkeypatch.setattr(rain, "_ROWS_A_CHUNK", rows_a_chunk)
    scans = {11: 5, 12: 1, 13: 7, 14: 1, 15: 4, 16: 9}
    rows = [scan(hour, minute, gauge=hour, Ref=hour) for hour, count in scans.items() for minute in range(count)]
    table, report = read_hours(rain_file(tmp_path, rows), tmp_path / "cache")
    assert sizes(table) == scans
    assert table.gauge_mm.tolist() == list(scans)
    for index, (hour, count) in enumerate(scans.items()):
        assert table.hour(index).minutes_past.tolist() == list(range(count))
        assert set(table.hour(index).reflectivity_dbz.tolist()) == {hour}
    assert (report.kept, lost(report)) == (len(scans), 0)


@pytest.mark.parametrize("rows_a_chunk", [1, 3, 1000])
def test_malformed_hours_are_counted_with_their_reason_and_none_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows_a_chunk: int
) -> None:
    monkeypatch.setattr(rain, "_ROWS_A_CHUNK", rows_a_chunk)
    hours = [
        [scan(1, 0), scan(1, 60)],  # the ends of the hour are in it
        [scan(2, 5, gauge="")],
        [scan(3, 5, gauge="n/a")],
        [scan(4, 5, gauge=-1)],
        [scan(5, 5, gauge="inf")],
        [scan(6, 5), scan(6, "")],
        [scan(7, -1), scan(7, 20)],
        [scan(8, 61)],
        [scan(9, 5, distance="")],
        [scan(10, 5, distance=-3)],
        [scan(11, minute) for minute in range(61)],
        [scan(12, minute) for minute in range(60)],
        [scan(13, 5, gauge=0, distance=0)],
    ]
    path = rain_file(tmp_path, [row for rows in hours for row in rows])
    table, report = read_hours(path, tmp_path / "cache")
    assert sizes(table) == {1: 2, 12: 60, 13: 1}
    assert report.rejected == {
        BAD_GAUGE: 4,
        BAD_MINUTES: 3,
        BAD_DISTANCE: 2,
        "more than 60 scans": 1,
    }
    assert report.kept == len(table) == 3
    assert report.kept + lost(report) == len(hours)


def test_a_row_cut_short_rejects_its_whole_hour(tmp_path: Path) -> None:
    rows = [scan(1, 0, Ref=5), ["1", "5", "10", "20"], scan(1, 9, Ref=5), scan(2, 3)]
    table, report = read_hours(rain_file(tmp_path, rows), tmp_path / "cache")
    assert sizes(table) == {2: 1}
    assert (report.kept, lost(report)) == (1, 1)


@pytest.mark.parametrize("bad", ["", "x"])
def test_a_row_without_an_id_is_no_hour(tmp_path: Path, bad: str) -> None:
    rows = [scan(1, 0), scan(bad, 5), scan(2, 9)]
    table, report = read_hours(rain_file(tmp_path, rows), tmp_path / "cache")
    assert table.ids.tolist() == [1, 2]
    assert (report.kept, lost(report)) == (2, 1)


def test_parquet_of_the_same_columns_gives_the_same_hours(tmp_path: Path) -> None:
    rows = [scan(1, 3, Ref=9.5), scan(1, 16), scan(2, 1, gauge=""), scan(3, 8, Zdr=-0.5)]
    path = rain_file(tmp_path, rows)
    frame = pl.read_csv(path, infer_schema=False).select(
        pl.col(name).cast(pl.Int32 if name in {"Id", "minutes_past"} else pl.Float32) for name in HEADER
    )
    # Another order of columns, and one that nobody asked for.
    shuffled = frame.select(reversed(HEADER)).with_columns(extra=pl.lit("x"))
    shuffled.write_parquet(tmp_path / "hours.parquet")
    from_csv, report = read_hours(path, tmp_path / "one")
    from_parquet, same_report = read_hours(tmp_path / "hours.parquet", tmp_path / "two")
    np.testing.assert_array_equal(from_parquet.scans, from_csv.scans)
    assert from_parquet.starts.tolist() == from_csv.starts.tolist() == [0, 2, 3]
    assert from_parquet.ids.tolist() == from_csv.ids.tolist() == [1, 3]
    assert same_report.rejected == report.rejected == {BAD_GAUGE: 1}


@pytest.mark.parametrize("name", ["train.csv", "hours.parquet"])
def test_a_folder_is_read_from_the_file_in_it(tmp_path: Path, name: str) -> None:
    path = rain_file(tmp_path, [scan(4, 3)])
    if name == "hours.parquet":
        pl.read_csv(path).write_parquet(tmp_path / name)
        path.unlink()
    table, report = read_hours(tmp_path, tmp_path / "cache")
    assert table.ids.tolist() == [4]
    assert report.source == str(tmp_path / name)


def test_a_second_reading_replaces_the_first(tmp_path: Path) -> None:
    read_hours(rain_file(tmp_path, [scan(1, minute) for minute in range(9)]), tmp_path / "cache")
    table, _ = read_hours(rain_file(tmp_path, [scan(2, 30, Ref=7)]), tmp_path / "cache")
    assert table.scans.shape == (1, 22)
    assert table.hour(0).reflectivity_dbz.tolist() == [7.0]


def test_a_missing_file_is_named_with_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train\.csv: no such file or folder; expected train\.csv of 'How Much"):
        read_hours(tmp_path / "train.csv", tmp_path / "cache")


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("Id,minutes_past,radardist_km,Ref\n1,3,10,9\n", "utf-8")
    with pytest.raises(DataError, match=r"train\.csv: no column \['Ref_5x5_10th'.*'Expected'\]"):
        read_hours(path, tmp_path / "cache")


def test_another_kind_of_file_or_an_empty_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "train.zip").write_bytes(b"PK")
    for path in (tmp_path / "train.zip", tmp_path):
        with pytest.raises(DataError, match=r"neither a \.csv nor a \.parquet file of radar hours"):
            read_hours(path, tmp_path / "cache")


def test_hours_whose_rows_do_not_stand_together_are_refused(tmp_path: Path) -> None:
    path = rain_file(tmp_path, [scan(1, 5), scan(2, 5), scan(1, 9)])
    with pytest.raises(DataError, match="1 hours have an Id that came before"):
        read_hours(path, tmp_path / "cache")


@pytest.mark.parametrize("ends", [("", ""), (",note", ",seen"), (",by,note", ",me,seen")])
def test_a_row_with_more_fields_than_the_header_is_named(tmp_path: Path, ends: tuple[str, str]) -> None:
    """As from a decimal comma, which moves what follows it; whether the last columns are used or not."""
    header, first, second = map(",".join, (HEADER, scan(1, 0), scan(1, 5, Ref="20,5")))
    path = tmp_path / "train.csv"
    path.write_text(f"{header}{ends[0]}\n{first}{ends[1]}\n{second}{ends[1]}\n", "utf-8")
    with pytest.raises(DataError, match=r"train\.csv: line 3 has more fields than the header"):
        read_hours(path, tmp_path / "cache")


def test_a_file_without_a_usable_hour_says_why(tmp_path: Path) -> None:
    path = rain_file(tmp_path, [scan(1, 5, gauge=-1), scan(2, 99)])
    with pytest.raises(DataError, match=r"no usable hour .*1 rejected: gauge .*1 rejected: minutes_past"):
        read_hours(path, tmp_path / "cache")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", ""),
        ("ragged.csv", "\n".join(",".join(row) for row in [HEADER, scan(1, 0), [*scan(1, 5), "9", "9"]])),
        ("empty.parquet", ""),
        ("junk.parquet", "this is no parquet"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_named(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content, "utf-8")
    with pytest.raises(DataError, match=name):
        read_hours(path, tmp_path / "cache")
