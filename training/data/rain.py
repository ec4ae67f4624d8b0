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

FORMATS = "train.csv of 'How Much Did It Rain? II' (Kaggle), a .parquet file with its columns, or a folder with either"
_COLUMNS = ["minutes_past", "radardist_km", *MEASUREMENTS]
_ROWS_A_CHUNK = 200_000


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
        for hour_id, rows, gauge_mm in _hours(_chunks(source)):
            if reason := _fault(rows, gauge_mm):
                report.reject(reason)
                continue
            file.write(np.ascontiguousarray(rows, dtype=np.float32).tobytes())
            gauges.append(gauge_mm)
            lengths.append(len(rows))
            ids.append(hour_id)
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


def _chunks(source: Path) -> Iterator[npt.NDArray[np.float64]]:
    """float64 [rows, Id and _COLUMNS and Expected], NaN for what is missing or no number."""
    scan = pl.scan_csv(source, infer_schema=False) if source.suffix == ".csv" else pl.scan_parquet(source)
    columns = ["Id", *_COLUMNS, "Expected"]
    if missing := [name for name in columns if name not in scan.collect_schema().names()]:
        raise DataError(f"{source}: no column {missing}; expected {FORMATS}")
    table = scan.select(pl.col(name).cast(pl.Float64, strict=False) for name in columns)
    for chunk in table.collect_batches(chunk_size=_ROWS_A_CHUNK, maintain_order=True):
        yield chunk.to_numpy()


def _hours(chunks: Iterator[npt.NDArray[np.float64]]) -> Iterator[tuple[int, npt.NDArray[np.float64], float]]:
    """(Id, rows, gauge in mm) for each run of rows with one Id; an hour may cross from one chunk into the next."""
    rest: npt.NDArray[np.float64] | None = None
    for chunk in chunks:
        rows = chunk if rest is None else np.concatenate([rest, chunk])
        cuts = np.flatnonzero(np.diff(rows[:, 0]) != 0) + 1
        *whole, rest = np.split(rows, cuts)
        for part in whole:
            yield _hour(part)
    if rest is not None and len(rest):
        yield _hour(rest)


def _hour(rows: npt.NDArray[np.float64]) -> tuple[int, npt.NDArray[np.float64], float]:
    return int(np.nan_to_num(rows[0, 0], nan=-1)), rows[:, 1:-1], float(rows[0, -1])


def _fault(rows: npt.NDArray[np.float64], gauge_mm: float) -> str | None:
    """Why an hour cannot be used, or None."""
    if not np.isfinite(gauge_mm) or gauge_mm < 0:
        return "gauge (Expected) is not a number of at least 0"
    if len(rows) > MOST_SCANS:
        return f"more than {MOST_SCANS} scans, or an Id that comes back"
    if not (np.all(rows[:, 0] >= 0) and np.all(rows[:, 0] <= 60)):
        return "minutes_past is not in [0, 60]"
    if not np.all(rows[:, 1] >= 0):
        return "radardist_km is not a number of at least 0"
    return None
