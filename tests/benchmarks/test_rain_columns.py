"""What an estimate of rain is worth where columns are missing."""

from pathlib import Path

import numpy as np
import pytest

from app.bundle import current_folder
from app.predictor import load_predictor
from app.tasks.rainfall import MEASUREMENTS, Hour
from benchmarks import rain_columns
from training.data.batches import Example


def test_the_table_has_a_line_for_each_choice_of_columns(
    tiny_models: Path, tiny_sources: dict[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rain_columns.main(tiny_sources["rainfall"], models=tiny_models, runs=tmp_path / "runs")
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in capsys.readouterr().out.strip().splitlines()]
    found = {line[0]: [float(cell) for cell in line[1:]] for line in lines[2:]}
    assert found.keys() == rain_columns.SENT.keys()
    whole, bare = found["all"], found["`Ref` alone"]
    assert whole[0] != bare[0]
    assert whole[1] == bare[1]  # Marshall-Palmer knows `Ref` alone
    assert whole[3] == bare[3]


def test_what_is_left_out_is_encoded_as_the_service_does(tiny_models: Path) -> None:
    task = load_predictor(current_folder(tiny_models, "rainfall")).task
    scans = [{"minutes_past": 5.0 * k, **dict.fromkeys(MEASUREMENTS, 10.0 + k)} for k in range(4)]
    whole = task.encode(Hour.from_scans(3.0, scans)).features
    sent = [{name: scan[name] for name in ("minutes_past", "Ref", "Zdr")} for scan in scans]
    shown = rain_columns._shown(Example(whole, np.array(0.0)), ["Ref", "Zdr"])
    np.testing.assert_array_equal(shown.inputs, task.encode(Hour.from_scans(3.0, sent)).features)
