"""Radar hours: the competition's train.csv (1.2 GB) or parquet of the same columns -> hours on disk, read in a stream.

The columns are float32 in one memory-mapped array, so the memory needed does not grow with the file.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from app.tasks.rainfall import MEASUREMENTS, MOST_SCANS, Hour
from training.data.report import DataError, ReadReport, existing
from training.progress import track

FORMATS = "train.csv of 'How Much Did It Rain? II' (Kaggle), a .parquet file with its columns, or a folder with either"
_COLUMNS = ["minutes_past", "radardist_km", *MEASUREMENTS]
_MINUTES, _DISTANCE, _GAUGE = 0, 1, -1
_ROWS_A_CHUNK = 200_000


@dataclass(frozen=True)
class Block:
    """Rows of the file: ids float64 [rows], NaN where there is none; values float32 [rows, _COLUMNS and Expected]."""

    ids: npt.NDArray[np.float64]
    values: npt.NDArray[np.float32]


@dataclass(frozen=True)
class HourTable:
    """Hours by row number: scans float32 [rows, 2 + MEASUREMENTS]; starts int64 [hours + 1]; gauge_mm float32 [hours]."""

    scans: npt.NDArray[np.float32]
    starts: npt.NDArray[np.int64]
    gauge_mm: npt.NDArray[np.float32]
    ids: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.gauge_mm)

    def hour(self, index: int) -> Hour:
        rows = self.scans[self.starts[index] : self.starts[index + 1]]
        rows = rows[np.argsort(rows[:, 0], kind="stable")]
        return Hour(float(rows[0, 1]), rows[:, 0].astype(np.float64), np.array(rows[:, 2:]))


def read_hours(path: Path, cache: Path) -> tuple[HourTable, ReadReport]:
    """Streams the file into `cache` (a folder, made anew) and opens it from there. Raises DataError.

    An hour is rejected whole if one of its rows is malformed, it has more than 60 scans, or its gauge is not a number >= 0.
    A file in which a row has more fields than the header, or the rows of an hour do not stand together, is refused.
    """
    source = _source(existing(path, FORMATS))
    report = ReadReport(str(source), "hours")
    cache.mkdir(parents=True, exist_ok=True)
    parts = []
    with (cache / "scans.f32").open("wb") as file:
        for block in _whole_hours(track(_chunks(source), f"reading chunks of {_ROWS_A_CHUNK} rows")):
            starts = _starts(block.ids)
            lengths = np.diff(starts, append=len(block.ids))
            fault = _faults(block, starts, lengths)
            for number in np.unique(fault[fault > 0]):
                report.reject(_REASONS[number], int((fault == number).sum()))
            good = fault == 0
            file.write(np.ascontiguousarray(block.values[np.repeat(good, lengths), :_GAUGE]).tobytes())
            parts.append((block.ids[starts][good], block.values[starts, _GAUGE][good], lengths[good]))
    report.kept = sum(len(ids) for ids, _, _ in parts)
    if not report.kept:
        raise DataError(f"{source}: no usable hour ({report})")
    ids, gauge_mm, lengths = (np.concatenate(column) for column in zip(*parts, strict=True))
    if back := len(ids) - len(np.unique(ids)):
        raise DataError(f"{source}: {back} hours have an Id that came before; rows of an hour must stand together: sort by Id")
    scans = np.memmap(cache / "scans.f32", dtype=np.float32, mode="r").reshape(-1, len(_COLUMNS))
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return HourTable(scans, starts, gauge_mm, ids.astype(np.int64)), report


def folder_of(data: Path) -> Path:
    """Where what belongs to the data is looked for beside them: the folder they are or are in."""
    return data if data.is_dir() else data.parent


def _source(path: Path) -> Path:
    candidates = [path / "train.csv", path / "hours.parquet"] if path.is_dir() else [path]
    for candidate in candidates:
        if candidate.is_file() and candidate.suffix in {".csv", ".parquet"}:
            return candidate
    raise DataError(f"{path}: neither a .csv nor a .parquet file of radar hours; expected {FORMATS}")


def _chunks(source: Path) -> Iterator[Block]:
    """NaN for what is missing or no number."""
    kinds = {"Id": pl.Float64} | dict.fromkeys([*_COLUMNS, "Expected"], pl.Float32)
    try:
        if source.suffix == ".csv":
            # What is no number becomes null; columns that nobody asked for stay text.
            scan = pl.scan_csv(source, infer_schema=False, schema_overrides=kinds, ignore_errors=True)
        else:
            scan = pl.scan_parquet(source)
        columns = scan.collect_schema().names()
        if missing := [name for name in kinds if name not in columns]:
            raise DataError(f"{source}: no column {missing}; expected {FORMATS}")
        if source.suffix == ".parquet":
            scan = scan.select(list(kinds))  # of a csv file all: where a column is left out, polars overlooks a field too many
        table = scan.with_columns(pl.col(name).cast(kind, strict=False) for name, kind in kinds.items())
        for chunk in table.collect_batches(chunk_size=_ROWS_A_CHUNK, maintain_order=True):
            yield Block(chunk["Id"].to_numpy(), chunk.select(list(kinds)[1:]).to_numpy())
    except pl.exceptions.PolarsError as error:
        if source.suffix == ".csv" and (line := _wide_row(source)):
            raise DataError(f"{source}: line {line} has more fields than the header; expected {FORMATS}") from error
        raise DataError(f"{source}: not readable as {source.suffix[1:]}: {error}; expected {FORMATS}") from error


def _wide_row(source: Path) -> int | None:
    """The line of the first row with more fields than the header."""
    with source.open(encoding="utf-8", errors="replace", newline="") as file:
        rows = csv.reader(file)
        header = next(rows, [])
        return next((rows.line_num for row in rows if len(row) > len(header)), None)


def _whole_hours(chunks: Iterator[Block]) -> Iterator[Block]:
    """Cut anew where an hour ends: one may cross from a chunk into the next."""
    rest = Block(np.zeros(0), np.zeros((0, len(_COLUMNS) + 1), np.float32))
    for chunk in chunks:
        block = Block(np.concatenate([rest.ids, chunk.ids]), np.concatenate([rest.values, chunk.values]))
        last = int(_starts(block.ids)[-1]) if len(block.ids) else 0
        if last:
            yield Block(block.ids[:last], block.values[:last])
        rest = Block(block.ids[last:], block.values[last:])
    if len(rest.ids):
        yield rest


def _starts(ids: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The first row of each hour: a run of one Id. NaN differs from everything, so a row without an Id stands alone."""
    return np.flatnonzero(np.concatenate([[True], ids[1:] != ids[:-1]]))


_REASONS = (
    "",
    "a row whose Id is not a number",
    "gauge (Expected) is not one number of at least 0 in all its rows",
    f"more than {MOST_SCANS} scans",
    "minutes_past is not in [0, 60]",
    "radardist_km is not a number of at least 0",
    "a measurement is infinite",
)


def _faults(block: Block, starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The number in _REASONS of the first fault of each hour, 0 where there is none."""
    minutes, distance, gauge = (block.values[:, column] for column in (_MINUTES, _DISTANCE, _GAUGE))
    same = gauge == np.repeat(gauge[starts], lengths)
    bad_rows = [
        ~((gauge >= 0) & same & np.isfinite(gauge)),
        ~((minutes >= 0) & (minutes <= 60)),
        ~((distance >= 0) & np.isfinite(distance)),
        np.isinf(block.values).any(axis=1),
    ]
    gauge_bad, minutes_bad, distance_bad, infinite = (np.logical_or.reduceat(rows, starts) for rows in bad_rows)
    faults = [~np.isfinite(block.ids[starts]), gauge_bad, lengths > MOST_SCANS, minutes_bad, distance_bad, infinite]
    return np.select(faults, range(1, len(_REASONS)), 0)
