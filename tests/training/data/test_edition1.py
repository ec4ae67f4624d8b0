"""The first edition's columns, codes and clock, in those of the second."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from app.tasks.rainfall import MEASUREMENTS
from training.data.edition1 import read_edition1
from training.data.report import DataError

NAMES = list(MEASUREMENTS)
PLAIN = {"Id": 1, "radar": 0, "TimeToEnd": 30.0, "DistanceToRadar": 10.0, "ReflectivityQC": 20.0, "Composite": 25.0}
REST = {"RhoHV": 0.99, "Zdr": 0.5, "Kdp": 0.0, "Reflectivity": 33.0, "Expected": 1.0}


def file(folder: Path, *scans: dict[str, float]) -> Path:
    path = folder / "edition1_hours.parquet"
    pl.DataFrame([{**PLAIN, **REST, **scan} for scan in scans]).write_parquet(path)
    return path


def test_columns_find_their_place_and_what_there_is_not_is_missing(tmp_path: Path) -> None:
    (hour,) = read_edition1(file(tmp_path, {}))
    got = {name: value for name, value in zip(NAMES, hour.measured[0].tolist(), strict=True) if np.isfinite(value)}
    assert got == pytest.approx({"Ref": 20.0, "RefComposite": 25.0, "RhoHV": 0.99, "Zdr": 0.5})
    assert (hour.radardist_km, hour.minutes_past.tolist()) == (10.0, [30.0])


@pytest.mark.parametrize("code", [-99900.0, -99901.0, -99903.0])
def test_codes_are_missing_values_not_measurements(tmp_path: Path, code: float) -> None:
    (hour,) = read_edition1(file(tmp_path, {"Composite": code, "Zdr": code}))
    assert np.isfinite(hour.measured[0]).sum() == 2


def test_minutes_to_the_end_become_minutes_past_in_time_order(tmp_path: Path) -> None:
    scans = [{"TimeToEnd": 5.0, "ReflectivityQC": 1.0}, {"TimeToEnd": 61.0, "ReflectivityQC": 2.0}, {"TimeToEnd": 30.0}]
    (hour,) = read_edition1(file(tmp_path, *scans))
    assert hour.minutes_past.tolist() == [0.0, 30.0, 55.0]
    assert hour.reflectivity_dbz.tolist() == [2.0, 20.0, 1.0]


def test_each_radar_of_an_hour_is_an_hour_and_silent_ones_are_left_out(tmp_path: Path) -> None:
    silent = {"Id": 2, "ReflectivityQC": -99900.0}
    hours = read_edition1(file(tmp_path, {"DistanceToRadar": 3.0}, {"radar": 1, "DistanceToRadar": 9.0}, silent))
    assert [hour.radardist_km for hour in hours] == [3.0, 9.0]


def test_without_reflectivity_a_scan_says_nothing(tmp_path: Path) -> None:
    (hour,) = read_edition1(file(tmp_path, {}, {"TimeToEnd": 20.0, "ReflectivityQC": -99903.0}))
    assert np.isnan(hour.measured[1]).all()


def test_another_table_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pl.DataFrame({"Id": [1]}).write_parquet(path)
    with pytest.raises(DataError, match=r"no column \['radar', 'TimeToEnd'"):
        read_edition1(path)
