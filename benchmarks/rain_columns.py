"""How far the served estimate of rain is from the gauges where callers send fewer columns, beside Marshall-Palmer.

python -m benchmarks.rain_columns data/rain --part test
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


def main(
    data: Annotated[Path, typer.Argument(help="Hours, as `gatehouse data check rainfall` takes them.")],
    part: Annotated[Part, typer.Option(help="As the bundle's recipe splits the data.")] = Part.test,
    models: Annotated[Path, typer.Option(help="Folder of the bundles.")] = Path("models"),
    runs: Annotated[Path, typer.Option(help="Folder of the recorded splits.")] = Path("runs"),
) -> None:
    """Prints a table over hours with reflectivity and a plausible gauge."""
    bundle, rows = read_bundle(current_folder(models, "rainfall")), []
    run = session_run(onnx.load_from_string(bundle.graph))
    with learner_of(bundle, data, part, runs) as learner:
        for name, columns in SENT.items():
            scores = learner.score(run, [_shown(example, columns) for example in examples_of(learner, part)])
            figures = ("mae_mm", "marshall_palmer_mae_mm", "interval_90_coverage", "hours")
            rows.append([name, *(f"{scores[figure]:{'.0f' if figure == 'hours' else '.3f'}}" for figure in figures)])
    typer.echo(markdown(["columns sent", "error, mm", "Marshall-Palmer, mm", "interval covers", "hours"], rows))


def _shown(example: Example, columns: list[str]) -> Example:
    """As the service would encode the hour if these columns alone had been sent: what is missing is zero, its flag too."""
    kept = {*PLAIN_FEATURES, *columns, *(f"{name}_present" for name in columns)}
    return Example(example.inputs * np.array([name in kept for name in FEATURES], np.float32), example.target)


if __name__ == "__main__":
    typer.run(main)
