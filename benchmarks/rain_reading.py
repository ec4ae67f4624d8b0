"""The full path of rainfall at the competition's size: `train.csv` of 1.18 million hours, read, prepared and learned from.

    python benchmarks/rain_reading.py            # about 1.2 GB in a temporary folder, some minutes
    python benchmarks/rain_reading.py --hours 50000

Each part runs in a process of its own, so that its peak of memory is its own.
"""

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt
import polars as pl

from app.tasks.rainfall import MEASUREMENTS
from training.data.rain import read_hours
from training.data.rain_lessons import no_lessons
from training.data.splits import Splits
from training.learners.rainfall import RainLearner
from training.loop import fit
from training.recipe import read_recipe

HOURS = 1_184_400  # 12.5 million rows
RECIPE = Path(__file__).parents[1] / "training" / "recipes" / "rainfall-kaggle.toml"
HOURS_A_WRITE = 50_000
TRAINED_HOURS = 20_000

Clocks = npt.NDArray[np.float64]


def write_hours(path: Path, hours: int) -> None:
    """Random hours in the competition's columns and steps, about half of the cells empty, as in the real file."""
    chance = np.random.default_rng(0)
    with path.open("wb") as file:
        for first in range(0, hours, HOURS_A_WRITE):
            count = min(HOURS_A_WRITE, hours - first)
            frame = _hours(first, count, chance)
            frame.write_csv(file, include_header=first == 0)


def _hours(first: int, count: int, chance: np.random.Generator) -> pl.DataFrame:
    scans = chance.integers(6, 16, count)
    rows = int(scans.sum())
    place = np.arange(rows) - np.repeat(np.cumsum(scans) - scans, scans)
    columns = {
        "Id": np.repeat(np.arange(first, first + count), scans),
        "minutes_past": (place * 60 // np.repeat(scans, scans)).astype(np.int64),
        "radardist_km": np.repeat(chance.integers(0, 21, count), scans).astype(np.float64),
    }
    level = np.repeat(chance.normal(23, 9, count), scans)
    for name, unit in MEASUREMENTS.items():
        middle, step = {"dBZ": (0.0, 0.5), "dB": (0.5, 0.0625), "1": (0.97, 1 / 300)}.get(unit, (0.0, 0.3515625))
        around = level if unit == "dBZ" else middle
        values = np.round((around + chance.normal(0, 4 * step, rows)) / step) * step
        columns[name] = np.where(chance.random(rows) < 0.5, np.nan, values)
    columns["Expected"] = np.repeat(np.round(chance.lognormal(0, 1.3, count), 6), scans)
    return pl.DataFrame(columns).with_columns(pl.col(pl.Float64).round(6).fill_nan(None))


def scan_barely(path: Path) -> Clocks:
    """Polars alone: every column as float32, summed in a stream."""
    names = pl.scan_csv(path, infer_schema=False).collect_schema().names()
    started = _clocks()
    scan = pl.scan_csv(path, schema_overrides=dict.fromkeys(names, pl.Float32))
    scan.select(pl.all().sum()).collect(engine="streaming")
    return _clocks() - started


def prepare(path: Path) -> Clocks:
    """As `gatehouse train` does it."""
    started = _clocks()
    read_hours(path, path.parent / "hours")
    return _clocks() - started


def learn(path: Path) -> Clocks:
    """One epoch over the first hours, which are encoded for it, and a score on one in twenty of them."""
    table, report = read_hours(path, path.parent / "hours")
    splits = Splits(list(range(TRAINED_HOURS)), list(range(TRAINED_HOURS // 20)), [])
    recipe = read_recipe(RECIPE)
    recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"epochs": 1})})
    run = path.parent / "run"
    run.mkdir()
    started = _clocks()
    fit(RainLearner(recipe, table, report, splits, no_lessons(table)), recipe, run)
    return _clocks() - started


def _clocks() -> Clocks:
    """Seconds on the wall and of processor."""
    return np.array([time.perf_counter(), time.process_time()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=int, default=HOURS, help=f"at least {TRAINED_HOURS}, which are learned from")
    parser.add_argument("--part", choices=("write", "scan", "prepare", "learn"))
    parser.add_argument("--file", type=Path)
    options = parser.parse_args()
    if options.part == "write":
        write_hours(options.file, options.hours)
    elif options.part:
        seconds, processor = {"scan": scan_barely, "prepare": prepare, "learn": learn}[options.part](options.file)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        sys.stdout.write(f"{seconds} {processor} {peak}")
    else:
        report(options.hours)


def report(hours: int) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "train.csv"
        _run("write", path, hours)
        megabytes = path.stat().st_size / 1e6
        _say(f"{megabytes:,.0f} MB, {hours:,} hours")
        for part, name in (("scan", "bare polars scan"), ("prepare", "our preparation")):
            seconds, processor, peak = _run(part, path, hours)
            _say(
                f"{name}: {megabytes / seconds:.0f} MB/s, {seconds:.1f} s ({processor:.1f} s of processor), peak {peak:,.0f} MB"
            )
        seconds, _, peak = _run("learn", path, hours)
        _say(f"training: {TRAINED_HOURS / seconds:.0f} hours/s, encoding and scoring included, peak {peak:,.0f} MB")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _run(part: str, path: Path, hours: int) -> list[float]:
    command = [sys.executable, __file__, "--part", part, "--file", str(path), "--hours", str(hours)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603
    return [float(word) for word in done.stdout.split()]


if __name__ == "__main__":
    main()
