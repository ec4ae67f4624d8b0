"""The training commands of `gatehouse`. Torch and polars are loaded only when a command runs."""

import logging
import os
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from training.recipe import RECIPES, RecipeError, read_recipe

commands = typer.Typer(no_args_is_help=True, help="Train, evaluate and fetch data.")
data_commands = typer.Typer(no_args_is_help=True, help="Fetch and inspect data sets.")
models_commands = typer.Typer(no_args_is_help=True, help="What bundles say of their data.")
commands.add_typer(data_commands, name="data")
commands.add_typer(models_commands, name="models")


class TaskName(StrEnum):
    """The tasks there are, and the demonstration."""

    sentiment = "sentiment"
    rainfall = "rainfall"
    music = "music"
    cells = "cells"


class PublicData(StrEnum):
    """The data sets that can be fetched."""

    imdb = "imdb"
    rainfall = "rainfall"


class Part(StrEnum):
    """What a bundle is scored on."""

    validation = "validation"
    test = "test"
    all = "all"


class StudyName(StrEnum):
    """The studies there are."""

    cells = "cells"
    gradients = "gradients"
    memory = "memory"
    counting = "counting"
    tuning = "tuning"


_DEFAULT_RECIPES = {"sentiment": "sentiment-lstm", "rainfall": "rainfall-gru", "music": "music-lstm", "cells": "cells"}
_DEFAULT_DATA = {"sentiment": "imdb", "rainfall": "rain", "music": "music", "cells": "imdb"}

TaskArgument = Annotated[TaskName, typer.Argument(help="What is asked of the network.")]
RunsOption = Annotated[Path, typer.Option(help="Folder for checkpoints, logs, curves and recorded splits.")]
ModelsOption = Annotated[Path, typer.Option(envvar="GATEHOUSE_MODELS_DIR", help="Folder of the bundles.")]
DataOption = Annotated[
    Path | None,
    typer.Option(help="File or folder with the data. Default: the task's folder under $GATEHOUSE_DATA or data/."),
]


@commands.command("train")
def train_command(
    task: TaskArgument,
    recipe: Annotated[Path | None, typer.Option(help="TOML file. Default: the task's own in training/recipes.")] = None,
    data: DataOption = None,
    runs: RunsOption = Path("runs"),
    models: ModelsOption = Path("models"),
    about: Annotated[str, typer.Option(help="Where the data come from, for the bundle's card.")] = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget an earlier run of this recipe.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="One batch, unprepared, in RUNS/<recipe>-dry-run; nothing served changes."),
    ] = False,
) -> None:
    """Train a network by a recipe, export it and seal it as a bundle, which is served from the next start on.

    A run that was killed goes on with the epoch it was in. The log, the curves and the splits are in RUNS/<recipe>.
    """
    from training.train import train

    _log_to_console()
    path = recipe or RECIPES / f"{_DEFAULT_RECIPES[task]}.toml"
    if (found := read_recipe(path).task) != task:
        raise RecipeError(f"{path} is a recipe for {found}, not for {task}")
    folder = train(path, _data(task, data), runs, models, about=about, fresh=fresh, dry_run=dry_run)
    typer.echo(f"sealed {folder}")


@commands.command("evaluate")
def evaluate_command(
    task: TaskArgument,
    data: DataOption = None,
    part: Annotated[Part, typer.Option(help="Score on this part, as the bundle's recipe splits the data.")] = Part.validation,
    version: Annotated[str | None, typer.Option(help="Default: the version that is served.")] = None,
    runs: RunsOption = Path("runs"),
    models: ModelsOption = Path("models"),
) -> None:
    """Score a bundle's graph, as it is served, on real data."""
    from app.bundle import current_folder, read_bundle, version_folder
    from training.train import evaluate

    folder = version_folder(models, task, version) if version else current_folder(models, task)
    scores = evaluate(read_bundle(folder), _data(task, data), part, runs)
    typer.echo(f"{folder.name} on {part}")
    for name, value in scores.items():
        typer.echo(f"  {name:32} {value:.4f}")


@commands.command("tunes")
def tunes_command(
    data: DataOption = None,
    count: Annotated[int, typer.Option(min=1, help="Tunes with the grammar, and as many without.")] = 500,
    temperature: Annotated[float, typer.Option(min=0.01, max=5, help="Below 1 safer, above 1 wilder.")] = 0.9,
    top_p: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Draw from the smallest set of characters with this probability.")
    ] = 0.95,
    max_characters: Annotated[int, typer.Option(min=1, help="Of each tune, at most.")] = 800,
    seed: Annotated[int, typer.Option(min=0, help="Of the first tune.")] = 0,
    abcjs: Annotated[Path | None, typer.Option(help="Folder with node_modules/abcjs.")] = None,
    out: Annotated[Path, typer.Option(help="Where the tunes are written.")] = Path("runs/tunes"),
    version: Annotated[str | None, typer.Option(help="Default: the version that is served.")] = None,
    runs: RunsOption = Path("runs"),
    models: ModelsOption = Path("models"),
) -> None:
    """Generate tunes with and without the grammar; say how many are well-formed and how near to those learned from.

    Needs abc2midi (package abcmidi) and, for abcjs, node; a column stays empty where its program is not there.
    """
    import onnx

    from app.bundle import current_folder, read_bundle
    from app.tasks.music import Music
    from app.tasks.sampling import Sampling
    from training.export import session_run
    from training.tunes_check import check_tunes

    bundle = read_bundle(models / "music" / version if version else current_folder(models, "music"))
    task = Music.from_bundle(bundle.manifest.settings, bundle.asset)
    run = session_run(onnx.load_from_string(bundle.graph), threads=1)
    sampling = Sampling(max_characters, temperature, top_p, seed)
    recipe, source = bundle.folder / "recipe.toml", _data(TaskName.music, data)
    typer.echo(check_tunes(task, run, recipe, source, runs / "splits", out, count, sampling, abcjs))


@commands.command("tune-baselines")
def tune_baselines_command(
    data: DataOption = None,
    recipe: Annotated[list[Path] | None, typer.Option(help="TOML file; may be repeated. Default: all baselines.")] = None,
    networks: Annotated[bool, typer.Option(help="Train the plain networks, too: hours on two cores.")] = True,
    runs: RunsOption = Path("runs"),
) -> None:
    """What the music model has to beat: bits per character of n-grams, xz and plain networks on the same held-out tunes."""
    from training.tune_baselines import tune_baselines

    _log_to_console()
    paths = (recipe or sorted((RECIPES / "baselines").glob("music-*.toml"))) if networks else []
    typer.echo("| baseline | validation | test |\n| --- | --- | --- |")
    for name, validation, test in tune_baselines(_data(TaskName.music, data), runs, paths):
        typer.echo(f"| {name} | {validation:.3f} | {test:.3f} |")


@commands.command("rain-cv")
def rain_cv_command(
    data: DataOption = None,
    recipe: Annotated[list[Path] | None, typer.Option(help="TOML file; may be repeated. Default: LSTM and GRU.")] = None,
    folds: Annotated[int, typer.Option(min=2, help="Parts, each judged by networks of the others.")] = 5,
    repeats: Annotated[int, typer.Option(min=1, help="How often, with other parts each time.")] = 2,
    runs: RunsOption = Path("runs"),
) -> None:
    """Cross-validate rain networks on all real hours, beside physics and the competition's winner; goes on after a kill."""
    from training.rain_study import rain_study

    _log_to_console()
    paths = recipe or [RECIPES / f"rainfall-{cell}.toml" for cell in ("lstm", "gru")]
    recipes = {path.stem: read_recipe(path) for path in paths}
    if others := [name for name, one in recipes.items() if one.task != "rainfall"]:
        raise typer.BadParameter(f"the task of {', '.join(others)} is another, allowed is rainfall", param_hint="--recipe")
    typer.echo(rain_study(_data(TaskName.rainfall, data), recipes, runs, folds, repeats))


@commands.command("study")
def study_command(
    name: Annotated[StudyName, typer.Argument(help="Which one.")],
    data: Annotated[
        Path | None, typer.Option(help="Folder that holds imdb/, rain/ and music/. Default: $GATEHOUSE_DATA or data/.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the runs, the plot and the tables.")] = Path("docs/studies"),
    quick: Annotated[bool, typer.Option("--quick", help="A toy scale of seconds, in OUT/quick.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget the runs that are there.")] = False,
) -> None:
    """Reproduce a study of what a recurrent network is for; goes on behind the runs that are there."""
    from training.studies.run import run_study

    folder = out / "quick" if quick else out
    run_study(name, data or Path(os.environ.get("GATEHOUSE_DATA", "data")), folder, quick=quick, fresh=fresh)
    typer.echo(f"wrote {folder / f'{name}.md'}")


@models_commands.command("reference")
def reference_command(
    task: TaskArgument,
    data: DataOption = None,
    version: Annotated[str | None, typer.Option(help="Default: the version that is served.")] = None,
    runs: RunsOption = Path("runs"),
    models: ModelsOption = Path("models"),
) -> None:
    """Write into a bundle how its validation data are spread, for drift to be told from. Training does it by itself."""
    from app.bundle import current_folder, read_bundle, refer
    from training.train import reference

    bundle = read_bundle(models / task / version if version else current_folder(models, task))
    found = reference(bundle, _data(task, data), runs)
    if not found:
        raise ValueError(f"{task}: nothing to refer to: no number of it is observed, or its validation data are below 60 items")
    refer(bundle, found)
    for feature, one in found.items():
        typer.echo(f"{feature:20} {len(one.shares):2} bins of {one.items} items")
    typer.echo(f"written to {bundle.folder}; in use from the next start on")


@data_commands.command("fetch")
def fetch_command(
    name: Annotated[PublicData, typer.Argument(help="Which one.")],
    folder: Annotated[Path, typer.Option(help="Where to put it, in a folder of its own.")] = Path("data"),
) -> None:
    """Download a public data set from Kaggle (needs an account: see `kagglehub`)."""
    from training.data.fetch import fetch

    typer.echo(f"fetched {fetch(name, folder / ('imdb' if name == PublicData.imdb else 'rain'))}")


@data_commands.command("check")
def check_command(task: TaskArgument, data: DataOption = None) -> None:
    """Read a data set as training would; say what is kept and what is rejected and why."""
    from training.data.imdb import read_reviews
    from training.data.rain import read_hours
    from training.data.tunes import read_tunes

    path = _data(task, data)
    with TemporaryDirectory() as work:
        read = {
            TaskName.sentiment: lambda: read_reviews(path)[1],
            TaskName.cells: lambda: read_reviews(path)[1],
            TaskName.rainfall: lambda: read_hours(path, Path(work))[1],
            TaskName.music: lambda: read_tunes(path)[1],
        }
        typer.echo(str(read[task]()))


def _data(task: TaskName, given: Path | None) -> Path:
    return given or Path(os.environ.get("GATEHOUSE_DATA", "data")) / _DEFAULT_DATA[task]


def _log_to_console() -> None:
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("gensim").setLevel(logging.WARNING)
    # onnxruntime's quantiser speaks through the root logger, of things that do not matter here.
    logging.getLogger().handlers[0].addFilter(lambda record: record.name != "root")
