"""In how many real hours the served estimate of rain does not fall when reflectivity rises, in all columns or in some alone.

python -m benchmarks.rain_rise data/rain            # every hour with an echo; --part test: those of the test split
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import numpy.typing as npt
import typer

from app.bundle import current_folder
from app.predictor import load_predictor
from app.tasks.rainfall import Hour
from training.cli import Part
from training.data.radar_generator import REFLECTIVITIES, raised
from training.data.rain import read_hours
from training.rain_study import RAISED_DB, ROUNDING_MM
from training.studies.report import markdown
from training.train import learner_of

RAISED = {
    "all reflectivities": REFLECTIVITIES,
    "`Ref` alone": ["Ref"],
    "`RefComposite` alone": ["RefComposite"],
}


def main(
    data: Annotated[Path, typer.Argument(help="Hours, as `gatehouse data check rainfall` takes them.")],
    part: Annotated[Part, typer.Option(help="As the bundle's recipe splits the data.")] = Part.all,
    models: Annotated[Path, typer.Option(help="Folder of the bundles.")] = Path("models"),
    runs: Annotated[Path, typer.Option(help="Folder of the recorded splits.")] = Path("runs"),
) -> None:
    """Prints the table."""
    predictor = load_predictor(current_folder(models, "rainfall"), "cpu")
    with learner_of(predictor.bundle, data, part, runs) as learner:
        splits = learner.sets.splits
        table, _ = read_hours(data, runs / "hours")
    rows = range(len(table)) if part is Part.all else getattr(splits, part.value)
    hours = [hour for hour in map(table.hour, rows) if np.isfinite(hour.reflectivity_dbz).any()]

    def estimates(some: list[Hour]) -> npt.NDArray[np.float64]:
        return np.array([said.rain_mm for said in predictor.task.answer(predictor.run, some)])

    before, lines = estimates(hours), []
    for name, columns in RAISED.items():
        after = [estimates([raised(hour, decibel, columns) for hour in hours]) for decibel in RAISED_DB]
        lines.append([name, *(f"{np.mean(one >= before - ROUNDING_MM):.1%}" for one in after)])
    typer.echo(f"{len(hours)} hours\n\n" + markdown(["raised", *(f"{db:g} dB" for db in RAISED_DB)], lines))


if __name__ == "__main__":
    typer.run(main)
