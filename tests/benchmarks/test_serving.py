"""The benchmark of the service, run for a minute with small bundles."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.serving.measurements import Measurements

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def command(long_reviews: Path, tiny_models: Path, tmp_path: Path) -> list[str]:
    """The quick benchmark, its page in tmp_path / "page"."""
    if not shutil.which("wrk") or not shutil.which("taskset"):
        pytest.skip("needs wrk and taskset: apt-get install wrk util-linux")
    options = ["--data", str(long_reviews), "--models", str(tiny_models), "--out", str(tmp_path / "page")]
    return [sys.executable, "-m", "benchmarks.serving", "--quick", *options]


def scratch_folders() -> list[Path]:
    return list((REPOSITORY / "build").glob("bench-*"))


def test_the_quick_run_writes_a_page_of_measured_figures(command: list[str], tmp_path: Path) -> None:
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found = Measurements.read(tmp_path / "page" / "measurements.csv")
    for name in ("gatehouse", "fastapi", "echo"):
        for workload in ("short", "real"):
            wanted = {"part": "headline", "contestant": name, "workload": workload}
            assert found.values(**wanted, measure="requests_per_s")[0] > 0
            assert found.values(**wanted, measure="refused") == [0]
    assert sum(found.values(contestant="gatehouse", measure="checked")) > 0
    assert sum(found.values(measure="wrong")) == 0
    page = (tmp_path / "page" / "README.md").read_text("utf-8")
    assert "share of the limit | at least 85% |" in page
    assert "](headline.png)" in page
    assert "](two-cores.png)" not in page
    assert (tmp_path / "page" / "headline.png").stat().st_size > 0
    assert not scratch_folders()


def test_ctrl_c_ends_the_servers_and_leaves_nothing(command: list[str]) -> None:
    process = subprocess.Popen([*command, "--parts", "headline"], cwd=REPOSITORY, stderr=subprocess.DEVNULL)
    family: list[psutil.Process] = []
    deadline = time.monotonic() + 60
    while not any("uvicorn" in word for member in family for word in _words(member)):
        assert process.poll() is None
        assert time.monotonic() < deadline
        family = psutil.Process(process.pid).children(recursive=True)
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(30) != 0
    _, alive = psutil.wait_procs(family, timeout=5)
    assert not alive
    assert not scratch_folders()


def test_an_unknown_contestant_is_named_beside_the_known_ones(command: list[str]) -> None:
    done = subprocess.run([*command, "--only", "gatehose"], cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "gatehose: no such contestant; there are gatehouse, " in done.stderr


def _words(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []
