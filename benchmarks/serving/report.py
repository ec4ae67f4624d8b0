"""The page: prose from page.md, tables and plots from the measurements."""

import json
import shutil
from pathlib import Path

from benchmarks.serving.measurements import Measurements
from benchmarks.serving.plots import plot
from benchmarks.serving.tables import tables
from training.studies.report import markdown, write_tables

_PROSE = Path(__file__).with_name("page.md")


def keep(measurements: Measurements, facts: dict[str, str], folder: Path) -> None:
    """measurements.csv and machine.json, from which `write_page` makes everything else."""
    folder.mkdir(parents=True, exist_ok=True)
    measurements.write(folder / "measurements.csv")
    (folder / "machine.json").write_text(json.dumps(facts, indent=2) + "\n", "utf-8")


def write_page(folder: Path) -> Path:
    """README.md in `folder`, with its plots. Plots of parts that were not measured are taken off the page."""
    measurements = Measurements.read(folder / "measurements.csv")
    facts: dict[str, str] = json.loads((folder / "machine.json").read_text("utf-8"))
    page = folder / "README.md"
    shutil.copyfile(_PROSE, page)
    machine = markdown(["what", "value"], list(facts.items()))
    write_tables(page, {**tables(measurements), "machine": machine})
    drawn = {path.name for path in plot(measurements, folder)}
    lines = page.read_text("utf-8").splitlines(keepends=True)
    page.write_text("".join(line for line in lines if not _is_missing_plot(line, drawn)), "utf-8")
    return page


def _is_missing_plot(line: str, drawn: set[str]) -> bool:
    return line.startswith("![") and line.rstrip().rpartition("(")[2].rstrip(")") not in drawn
