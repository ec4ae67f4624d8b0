"""The command: `python -m benchmarks.durability --kills 200`."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.durability.databases import FORMS
from benchmarks.durability.trial import Outcome, trial
from benchmarks.serving.contestants import REPOSITORY
from training.studies.report import markdown, write_tables

_HEAD = [
    "database",
    "killed, with SIGKILL",
    "kills",
    "requests sent",
    "answers received",
    "of them 4xx",
    "rows lost",
    "duplicates",
    "another status",
    "rows without an answer received",
]


def main(
    kills: Annotated[int, typer.Option(min=1, help="In each form.")] = 200,
    forms: Annotated[str, typer.Option(help=f"With commas between, of {', '.join(FORMS)}.")] = ",".join(FORMS),
    models: Annotated[Path, typer.Option(help="Folder of the bundles.")] = Path("models"),
    seed: Annotated[int, typer.Option(help="Of the moments of the kills.")] = 0,
    out: Annotated[Path, typer.Option(help="The page whose table is written.")] = REPOSITORY / "docs" / "reliability.md",
) -> None:
    """Kill the service, and in one form its database, under load, and look for every answer. Exit code 1 if one is missing."""
    wanted = forms.split(",")
    if unknown := set(wanted) - set(FORMS):
        raise typer.BadParameter(f"--forms {', '.join(sorted(unknown))}: no such form; there are {', '.join(FORMS)}")
    build = REPOSITORY / "build"
    build.mkdir(exist_ok=True)
    outcomes = []
    for name in wanted:
        # Below the repository, where a user's gatehouse.db would be too: /tmp may be memory, on which a flush costs nothing.
        with tempfile.TemporaryDirectory(prefix="durability-", dir=build) as folder:
            outcome = trial(FORMS[name], kills, models, Path(folder), seed)
        outcomes.append(outcome)
        said = "every answer has its row" if outcome.is_sound else "NOT SOUND"
        typer.echo(f"{name}: {outcome.kills} kills in {outcome.seconds:.0f} s, {outcome.acknowledged} answers, {said}")
    table = markdown(_HEAD, [_row(outcome) for outcome in outcomes])
    typer.echo(table)
    write_tables(out, {"kills": table})
    if not all(outcome.is_sound for outcome in outcomes):
        raise typer.Exit(1)


def _row(outcome: Outcome) -> list[str]:
    figures = [outcome.kills, outcome.sent, outcome.acknowledged, outcome.refused]
    figures += [outcome.lost, outcome.duplicates, outcome.changed, outcome.further]
    return [outcome.form.database, outcome.form.killed, *(f"{figure:,}" for figure in figures)]


if __name__ == "__main__":
    typer.run(main)
