"""The benchmark of what logging costs works, and its service without a log records nothing."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]


def test_the_cost_is_measured_against_a_service_that_records_nothing(
    long_reviews: Path, tiny_models: Path, tmp_path: Path
) -> None:
    if not shutil.which("wrk") or not shutil.which("taskset"):
        pytest.skip("needs wrk and taskset: apt-get install wrk util-linux")
    page = tmp_path / "page.md"
    options = ["--data", str(long_reviews), "--models", str(tiny_models), "--out", str(page)]
    command = [sys.executable, "-m", "benchmarks.log_cost", "--rounds", "1", "--seconds", "1", "--requests", "10", *options]
    # It asks each service for a record, and ends with an error where the unlogged one has it or another has not.
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    rows = [line.split(" | ") for line in page.read_text("utf-8").splitlines() if "QL" in line]
    assert len(rows) == 8
    assert {row[6] for row in rows} == {"at most 6.00 ms", "at most 10.0%"}
