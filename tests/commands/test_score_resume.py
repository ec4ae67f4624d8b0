"""A bulk run that is killed, and how much memory one takes."""

import fcntl
import os
import pty
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from app.bulk import passes
from tests.commands.records import read_records, write_records

Score = Callable[..., tuple[int, str, str]]
COMMAND = (sys.executable, "-m", "app.cli", "score")
KILLED_AT_A_WRITE = """
import os, signal, sys
from app.cli import main

left, real = int(sys.argv.pop(1)), os.fsync

def fsync(handle):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(handle)

os.fsync = fsync
sys.argv.insert(1, "score")
main()
"""


def _reviews(path: Path, count: int, filling: int = 0) -> Path:
    """Rows in which every hundredth is bad; `filling` characters are one word more in each."""
    chance = random.Random(3)
    words = ["good", "dull", "moving", "waste", "film", "of", "the"]
    texts = [
        " ".join(chance.choices(words, k=chance.randint(1, 30))) + " " + chance.randbytes(filling // 2).hex()
        for _ in range(count)
    ]
    return write_records(path, [{"id": n, "text": "" if n % 100 == 50 else text} for n, text in enumerate(texts)])


def _hours(path: Path, count: int) -> Path:
    rows = [
        {"Id": key, "minutes_past": 6 * scan, "radardist_km": 5.0, "Ref": 900.0 if key % 100 == 50 else 10.0 + key % 30}
        for key in range(count)
        for scan in range(1 + key % 4)
    ]
    return write_records(path, rows)


def _start(models: Path, source: Path, task: str, output: Path, *before: str) -> subprocess.Popen[str]:
    arguments = [str(source), "--task", task, "--output", str(output), "--models", str(models)]
    return subprocess.Popen([*(before or COMMAND), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(("task", "ending"), [("sentiment", "csv"), ("sentiment", "parquet"), ("rainfall", "jsonl")])
def test_a_run_killed_again_and_again_ends_like_one_that_was_not(
    tiny_models: Path, tmp_path: Path, task: str, ending: str
) -> None:
    source = tmp_path / f"in.{ending}"
    _reviews(source, 24_000) if task == "sentiment" else _hours(source, 16_000)
    undisturbed, output, chance = tmp_path / f"whole.{ending}", tmp_path / f"out.{ending}", random.Random(ending)
    whole = _start(tiny_models, source, task, undisturbed)
    whole.communicate()
    assert whole.returncode == 0
    write = chance.randint(5, 14)  # two are the run's description, two each of its seven windows or more
    at_a_write = _start(tiny_models, source, task, output, sys.executable, "-c", KILLED_AT_A_WRITE, str(write))
    assert at_a_write.communicate() == ("", "")
    assert at_a_write.returncode == -signal.SIGKILL
    at_a_moment = _start(tiny_models, source, task, output)
    time.sleep(chance.uniform(0.0, 1.5))
    at_a_moment.kill()
    out, err = at_a_moment.communicate()
    if not out:  # it was not quicker than its killer
        out, err = _start(tiny_models, source, task, output).communicate()
    assert err == ""
    assert "went on behind row " in out
    assert read_records(output) == read_records(undisturbed)
    if ending != "parquet":
        assert output.read_bytes() == undisturbed.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(path.name for path in (source, undisturbed, output))


def test_a_run_that_stops_at_any_write_goes_on_without_a_row_lost_or_twice(
    score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passes, "WINDOW_ITEMS", 100)
    source, options = _reviews(tmp_path / "in.csv", 450), ("--task", "sentiment", "--output")
    assert score(source, *options, "whole.csv")[0] == 0
    real, stops = os.fsync, 0
    for stop in range(100):
        left = stop

        def fsync(handle: int) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise OSError("the disk is gone")
            real(handle)

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", fsync)
            code, _, err = score(source, *options, "out.csv")
        stops += code
        assert err == ("error: the disk is gone\n" if code else "")
        assert score(source, *options, "out.csv")[0] == 0
        assert (tmp_path / "out.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()
        assert not (tmp_path / "out.csv.parts").exists()
        if not code:
            break
    assert stops == 2 * (1 + 5 + 1)  # a file and its folder: the run's description, its windows, the whole


@pytest.fixture
def stopped(score: Score, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a run of in.csv to out.csv that stopped halfway."""
    monkeypatch.setattr(passes, "WINDOW_ITEMS", 100)
    _reviews(tmp_path / "in.csv", 450)

    def fsync(handle: int) -> None:
        if (tmp_path / "out.csv.parts" / "000000001-200-99-1").exists():
            raise OSError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fsync)
        assert score("in.csv", "--task", "sentiment", "--output", "out.csv")[0] == 1
    return tmp_path


def test_parts_of_another_input_or_model_are_not_gone_on_with_unless_asked(
    score: Score, stopped: Path, tiny_models: Path
) -> None:
    options = ("in.csv", "--task", "sentiment", "--output", "out.csv")
    shutil.copytree(tiny_models, stopped / "models")
    (version,) = [path for path in (stopped / "models" / "sentiment").iterdir() if path.is_dir()]
    other = version.with_name("20200101-lstm-000000")
    version.rename(other)
    (other / "bundle.json").write_text((other / "bundle.json").read_text().replace(version.name, other.name))
    (other.parent / "CURRENT").write_text(other.name)
    code, _, err = score(*options, "--models", "models")
    assert code == 1
    assert f"out.csv.parts is from another run (model was '{version.name}', is '{other.name}'); --fresh starts over" in err
    with (stopped / "in.csv").open("a") as file:
        file.write("450,good\n")
    code, _, err = score(*options)
    assert code == 1
    assert "input_bytes was " in err
    assert not (stopped / "out.csv").exists()
    code, out, _ = score(*options, "--fresh")
    assert (code, out) == (0, "out.csv: 447 of 451 rows scored; 4 could not be read, their column `error` says why\n")


def test_a_lost_part_is_noticed(score: Score, stopped: Path) -> None:
    (stopped / "out.csv.parts" / "000000000-100-99-1").unlink()
    code, _, err = score("in.csv", "--task", "sentiment", "--output", "out.csv")
    assert (code, err) == (1, "error: out.csv.parts: part 0 is gone; --fresh starts over\n")


def test_two_runs_do_not_write_the_same_output(score: Score, stopped: Path) -> None:
    with (stopped / "out.csv.parts" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        code, _, err = score("in.csv", "--task", "sentiment", "--output", "out.csv")
    assert (code, err) == (1, "error: out.csv.parts is in use by another run\n")
    assert score("in.csv", "--task", "sentiment", "--output", "out.csv")[0] == 0


def test_a_foreign_file_beside_the_parts_stays(score: Score, tmp_path: Path) -> None:
    (tmp_path / "out.csv.parts").mkdir()
    (tmp_path / "out.csv.parts" / "notes.txt").write_text("mine")
    _reviews(tmp_path / "in.csv", 5)
    assert score("in.csv", "--task", "sentiment", "--output", "out.csv")[0] == 0
    assert [path.name for path in (tmp_path / "out.csv.parts").iterdir()] == ["notes.txt"]


_PEAK = """
import sys
from app import cli
try:
    cli.main()
finally:
    with open("/proc/self/status") as status:
        print(next(line.split()[1] for line in status if line.startswith("VmHWM")))
"""


def _peak_mib(models: Path, source: Path) -> float:
    """Of a process that scores the file."""
    options = ("score", source, "--task", "sentiment", "--output", source.with_name(f"out{source.suffix}"), "--models", models)
    done = subprocess.run([sys.executable, "-c", _PEAK, *map(str, options)], capture_output=True, text=True, check=True)
    return int(done.stdout.split()[-1]) / 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_file(tiny_models: Path, tmp_path: Path, ending: str) -> None:
    few, many = 12, 26  # the first windows fill what the allocators keep
    small = _peak_mib(tiny_models, _reviews(tmp_path / f"small.{ending}", few * passes.WINDOW_ITEMS, filling=2000))
    source = _reviews(tmp_path / f"large.{ending}", many * passes.WINDOW_ITEMS, filling=2000)
    large = _peak_mib(tiny_models, source)
    # A window holds 4 MB of text; the larger file has 14 windows, 57 MB, more than the smaller one.
    assert large - small < 30, f"{small:.0f} MiB for {few} windows, {large:.0f} MiB for {many}"
    assert len(read_records(tmp_path / f"out.{ending}")) == many * passes.WINDOW_ITEMS


def test_the_bar_is_drawn_for_people_and_not_into_pipes(tiny_models: Path, tmp_path: Path) -> None:
    source = _reviews(tmp_path / "in.csv", 3000)
    piped = _start(tiny_models, source, "sentiment", tmp_path / "out.csv")
    out, err = piped.communicate()
    assert (err, len(out.splitlines())) == ("", 1)
    ours, theirs = pty.openpty()
    command = [
        *COMMAND,
        str(source),
        "--task",
        "sentiment",
        "--output",
        str(tmp_path / "out.csv"),
        "--models",
        str(tiny_models),
    ]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=theirs, env=environment) as run:
        os.close(theirs)
        seen = b""
        try:
            while piece := os.read(ours, 4096):
                seen += piece
        except OSError:  # how a terminal says that its other side is closed
            pass
    os.close(ours)
    assert run.returncode == 0
    assert b"rows, " in seen
    assert b"a second" in seen
