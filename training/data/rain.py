"""Radar hours: the competition's train.csv (1.2 GB) or parquet of the same columns -> hours on disk, read in a stream.

The columns are float32 in one memory-mapped array, so the memory needed does not grow with the file.
"""

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
_ID, _MINUTES, _DISTANCE, _GAUGE = 0, 1, 2, -1
_ROWS_A_CHUNK = 200_000

Rows = npt.NDArray[np.float64]


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
    """
    source = _source(existing(path, FORMATS))
    report = ReadReport(str(source), "hours")
    cache.mkdir(parents=True, exist_ok=True)
    gauges, lengths, ids = [], [], []
    with (cache / "scans.f32").open("wb") as file:
        for hour in _hours(track(_chunks(source), f"reading chunks of {_ROWS_A_CHUNK} rows")):
            if reason := _fault(hour):
                report.reject(reason)
                continue
            file.write(np.ascontiguousarray(hour[:, 1:-1], dtype=np.float32).tobytes())
            ids.append(int(hour[0, _ID]))
            gauges.append(hour[0, _GAUGE])
            lengths.append(len(hour))
    report.kept = len(gauges)
    if not gauges:
        raise DataError(f"{source}: no usable hour ({report})")
    scans = np.memmap(cache / "scans.f32", dtype=np.float32, mode="r").reshape(-1, len(_COLUMNS))
    starts = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return HourTable(scans, starts, np.array(gauges, np.float32), np.array(ids, np.int64)), report


def _source(path: Path) -> Path:
    candidates = [path / "train.csv", path / "hours.parquet"] if path.is_dir() else [path]
    for candidate in candidates:
        if candidate.is_file() and candidate.suffix in {".csv", ".parquet"}:
            return candidate
    raise DataError(f"{path}: neither a .csv nor a .parquet file of radar hours; expected {FORMATS}")


def _chunks(source: Path) -> Iterator[Rows]:
    """float64 [rows, Id and _COLUMNS and Expected], NaN for what is missing or no number."""
    columns = ["Id", *_COLUMNS, "Expected"]
    try:
        scan = pl.scan_csv(source, infer_schema=False) if source.suffix == ".csv" else pl.scan_parquet(source)
        if missing := [name for name in columns if name not in scan.collect_schema().names()]:
            raise DataError(f"{source}: no column {missing}; expected {FORMATS}")
        table = scan.select(pl.col(name).cast(pl.Float64, strict=False) for name in columns)
        for chunk in table.collect_batches(chunk_size=_ROWS_A_CHUNK, maintain_order=True):
            yield chunk.to_numpy()
    except pl.exceptions.PolarsError as error:
        raise DataError(f"{source}: not readable as {source.suffix[1:]}: {error}; expected {FORMATS}") from error


def _hours(chunks: Iterator[Rows]) -> Iterator[Rows]:
    """The rows of each hour: a run of one Id. An hour may cross from one chunk into the next."""
    rest: Rows | None = None
    for chunk in chunks:
        rows = chunk if rest is None else np.concatenate([rest, chunk])
        # NaN differs from everything, itself included: a row without an Id stands alone.
        cuts = np.flatnonzero(rows[1:, _ID] != rows[:-1, _ID]) + 1
        *whole, rest = np.split(rows, cuts)
        yield from whole
    if rest is not None and len(rest):
        yield rest


def _fault(hour: Rows) -> str | None:
    """Why an hour cannot be used, or None."""
    if not np.isfinite(hour[0, _ID]):
        return "a row whose Id is not a number"
    if not np.all((hour[:, _GAUGE] >= 0) & (hour[:, _GAUGE] == hour[0, _GAUGE]) & np.isfinite(hour[:, _GAUGE])):
        return "gauge (Expected) is not one number of at least 0 in all its rows"
    if len(hour) > MOST_SCANS:
        return f"more than {MOST_SCANS} scans, or an Id that comes back"
    if not np.all((hour[:, _MINUTES] >= 0) & (hour[:, _MINUTES] <= 60)):
        return "minutes_past is not in [0, 60]"
    if not np.all((hour[:, _DISTANCE] >= 0) & np.isfinite(hour[:, _DISTANCE])):
        return "radardist_km is not a number of at least 0"
    if np.any(np.isinf(hour)):
        return "a measurement is infinite"
    return None
