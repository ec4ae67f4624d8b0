"""Hours of the competition's first edition in the columns of the second, as far as it has them."""

from pathlib import Path

import numpy as np
import polars as pl

from app.tasks.rainfall import MEASUREMENTS, MOST_SCANS, Hour
from training.data.report import DataError, existing, read_parquet

FORMAT = "a .parquet file with the columns of train_2013.csv of 'How Much Did It Rain?' (Kaggle), one row a scan"

# `Reflectivity` is not used: it holds clutter and insects too. Kdp is 0 throughout, so it says nothing.
_COLUMNS = {"Ref": "ReflectivityQC", "RefComposite": "Composite", "RhoHV": "RhoHV", "Zdr": "Zdr"}
_MISSING_BELOW = -99_000.0  # codes -99900 to -99903 say why a value is missing


def read_edition1(path: Path) -> list[Hour]:
    """One hour for each gauge, hour and radar that saw rain there, in the order of the file. Raises DataError.

    The surroundings (`_5x5_`) and Kdp are missing throughout; without `Ref` the other moments
    are clutter, so they are missing too.
    """
    table = read_parquet(existing(path, FORMAT), FORMAT)
    needed = ["Id", "radar", "TimeToEnd", "DistanceToRadar", *_COLUMNS.values()]
    if missing := [name for name in needed if name not in table.columns]:
        raise DataError(f"{path}: no column {missing}; expected {FORMAT}")
    groups = table.select(pl.col(needed)).group_by("Id", "radar", maintain_order=True)
    hours = [_hour(rows) for _, rows in groups if rows.height <= MOST_SCANS]
    return [hour for hour in hours if np.isfinite(hour.reflectivity_dbz).any()]


def _hour(rows: pl.DataFrame) -> Hour:
    # A scan up to a minute before the hour is kept as its first.
    minutes = np.clip(60.0 - rows["TimeToEnd"].to_numpy().astype(np.float64), 0.0, 60.0)
    measured = np.full((rows.height, len(MEASUREMENTS)), np.nan, dtype=np.float32)
    for name, column in _COLUMNS.items():
        values = rows[column].to_numpy().astype(np.float32)
        measured[:, list(MEASUREMENTS).index(name)] = np.where(values < _MISSING_BELOW, np.nan, values)
    measured[np.isnan(measured[:, 0])] = np.nan
    order = np.argsort(minutes, kind="stable")
    return Hour(float(rows["DistanceToRadar"][0]), minutes[order], measured[order])
