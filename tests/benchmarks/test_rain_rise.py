"""The table of hours that do not fall: all reflectivities never lower an estimate, and each column is raised alone."""

from pathlib import Path

import numpy as np
import pytest

from app.tasks.rainfall import MEASUREMENTS, Hour
from benchmarks import rain_rise
from training.data.radar_generator import raised


def test_the_table_has_each_way_to_raise(
    tiny_models: Path, tiny_sources: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rain_rise.main(tiny_sources["rainfall"], models=tiny_models, runs=tmp_path / "runs")
    lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    found = {name: shares for name, *shares in lines[2:]}
    assert found.keys() == rain_rise.RAISED.keys()
    assert found["all reflectivities"] == ["100.0%"] * 3


def test_only_what_is_named_is_raised() -> None:
    hour = Hour(5.0, np.array([1.0]), np.zeros((1, len(MEASUREMENTS)), np.float32))
    measured = raised(hour, 3.0, ["Ref"]).measured[0]
    assert measured.tolist() == [3.0] + [0.0] * (len(MEASUREMENTS) - 1)
