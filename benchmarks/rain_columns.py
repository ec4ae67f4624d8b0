"""How far the served estimate of rain is from the gauges where callers send fewer columns, beside Marshall-Palmer.

    python -m benchmarks.rain_columns data/rain --part test

The hours are those of the bundle's own split, with reflectivity and a plausible gauge.
"""

from pathlib import Path
from typing import Annotated

import numpy as np
import onnx
import typer

from app.bundle import current_folder, read_bundle
from app.tasks.rainfall import FEATURES, MEASUREMENTS, PLAIN_FEATURES
from training.cli import Part
from training.data.batches import Example
from training.export import examples_of, session_run
from training.studies.report import markdown
from training.train import learner_of

SENT = {
    "all": list(MEASUREMENTS),
    "reflectivities": [name for name in MEASUREMENTS if name.startswith("Ref")],
    "what is measured at the gauge, no surroundings": [name for name in MEASUREMENTS if "5x5" not in name],
    "`Ref` alone": ["Ref"],
}
_FIGURES = {"mae_mm": ".3f", "marshall_palmer_mae_mm": ".3f", "interval_90_coverage": ".3f", "hours": ".0f"}


def main(
    data: Annotated[Path, typer.Argument(help="Hours, as `gatehouse data check rainfall` takes them.")],
    part: Annotated[Part, typer.Option(help="As the bundle's recipe splits the data.")] = Part.test,
    models: Annotated[Path, typer.Option(help="Folder of the bundles.")] = Path("models"),
    runs: Annotated[Path, typer.Option(help="Folder of the recorded splits.")] = Path("runs"),
) -> None:
    """Prints the table."""
    bundle = read_bundle(current_folder(models, "rainfall"))
    rows: list[list[str]] = []
    run = session_run(onnx.load_from_string(bundle.graph))
    with learner_of(bundle, data, part, runs) as learner:
        for name, columns in SENT.items():
            scores = learner.score(run, [_shown(example, columns) for example in examples_of(learner, part)])
            rows.append([name, *(format(scores[figure], form) for figure, form in _FIGURES.items())])
    typer.echo(markdown(["columns sent", "error, mm", "Marshall-Palmer, mm", "interval covers", "hours"], rows))


def _shown(example: Example, columns: list[str]) -> Example:
    """As the service would encode the hour if these columns alone had been sent: what is missing is zero, its flag too."""
    kept = {*PLAIN_FEATURES, *columns, *(f"{name}_present" for name in columns)}
    return Example(example.inputs * np.array([name in kept for name in FEATURES], np.float32), example.target)


if __name__ == "__main__":
    typer.run(main)
