"""The command `gatehouse`."""

import json
import logging
import sys
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any

import typer

from app import __version__
from app.bundle import BundleError

app = typer.Typer(
    no_args_is_help=True,
    help="Train recurrent networks, verify their bundles and serve them over REST.",
    pretty_exceptions_enable=False,
)
models_commands = typer.Typer(no_args_is_help=True, help="List, verify and choose bundles.")
predict_commands = typer.Typer(no_args_is_help=True, help="Ask a bundle directly, without a server.")
app.add_typer(models_commands, name="models")
app.add_typer(predict_commands, name="predict")

ModelsOption = Annotated[Path, typer.Option(envvar="GATEHOUSE_MODELS_DIR", help="Folder of the bundles.")]
UrlOption = Annotated[str, typer.Option(envvar="GATEHOUSE_DATABASE_URL", help="The request log's database.")]

_MODELS = Path("models")
_MOST_DRAIN_S = 20  # below the 30 s after which orchestrators kill


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gatehouse {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it.")] = False,
) -> None:
    """Train recurrent networks, verify their bundles and serve them over REST."""


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Default: GATEHOUSE_HOST or 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Default: GATEHOUSE_PORT or 8000.")] = None,
    migrate_first: Annotated[bool, typer.Option("--migrate", help="Bring the database up to date first.")] = False,
) -> None:
    """Serve the bundles. Every setting is an environment variable GATEHOUSE_...; see the README."""
    import uvicorn

    from app.database import make_engine, migrate
    from app.main import create_app
    from app.settings import Settings

    settings = Settings()
    if migrate_first:
        migrate(make_engine(settings.database_url))
    logging.basicConfig(level=logging.INFO, format="%(levelname)s:     %(message)s")
    logging.getLogger("alembic").setLevel(logging.WARNING)  # it speaks at every look at the schema
    uvicorn.run(
        create_app(settings),
        host=host or settings.host,
        port=port or settings.port,
        server_header=False,
        # A client that never finishes its request must not keep the process from ending.
        timeout_graceful_shutdown=_MOST_DRAIN_S,
    )


@app.command("migrate")
def migrate_command(
    revision: Annotated[str, typer.Argument(help="`head`, `base`, or a step such as -1.")] = "head",
    url: UrlOption = "sqlite:///gatehouse.db",
) -> None:
    """Bring the request log's database to a revision, up or down."""
    from app.database import make_engine, migrate

    migrate(make_engine(url), revision)
    typer.echo(f"the database is at {revision}")


@models_commands.command("list")
def list_models(models: ModelsOption = _MODELS) -> None:
    """Every bundle, the served ones marked with *."""
    for folder in sorted(models.glob("*/*/bundle.json")):
        manifest = json.loads(folder.read_text("utf-8"))
        pointer = folder.parents[1] / "CURRENT"
        mark = "*" if pointer.is_file() and pointer.read_text("utf-8").strip() == folder.parent.name else " "
        size_mb = (folder.parent / "model.onnx").stat().st_size / 1e6
        typer.echo(f"{mark} {manifest['task']:10} {folder.parent.name:24} {manifest['precision']:5} {size_mb:5.1f} MB")


@models_commands.command("verify")
def verify_models(models: ModelsOption = _MODELS) -> None:
    """Load every bundle as the service would: checksums, contract, golden cases. Exit code 1 if one fails."""
    from app.predictor import load_predictor

    folders = sorted(path.parent for path in models.glob("*/*/bundle.json"))
    failed = 0
    for folder in folders:
        try:
            predictor = load_predictor(folder, "cpu")
        except BundleError as error:
            failed += 1
            typer.echo(f"FAILED {error}", err=True)
        else:
            typer.echo(f"ok     {folder} ({len(predictor.bundle.golden.cases)} golden cases)")
    if failed or not folders:
        typer.echo(f"{failed} of {len(folders)} bundles in {models} failed", err=True)
        raise typer.Exit(1)


@models_commands.command("use")
def use_model(task: str, version: str, models: ModelsOption = _MODELS) -> None:
    """Serve this version of a task from the next start on."""
    from app.bundle import set_current

    set_current(models, task, version)
    typer.echo(f"{task} is served by {version} from the next start on")


@predict_commands.command("sentiment")
def predict_sentiment(texts: list[str], models: ModelsOption = _MODELS) -> None:
    """Probability that each TEXT is positive; a JSON line each."""
    predictor = _predictor(models, "sentiment")
    for prediction in predictor.task.answer(predictor.run, texts):
        typer.echo(json.dumps(vars(prediction)))


@predict_commands.command("rainfall")
def predict_rainfall(
    file: Annotated[Path, typer.Argument(help="JSON: the body of POST /v1/rainfall. `-` reads standard input.")],
    models: ModelsOption = _MODELS,
) -> None:
    """Millimetres of rain in each hour of FILE; a JSON line each."""
    from pydantic import ValidationError

    from app.schemas import RainfallRequest
    from app.tasks.rainfall import Hour

    text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    try:
        body = RainfallRequest.model_validate_json(text)
    except ValidationError as error:
        raise typer.BadParameter(str(error)) from error
    predictor = _predictor(models, "rainfall")
    hours = [Hour.from_scans(hour.radardist_km, [scan.model_dump() for scan in hour.scans]) for hour in body.hours]
    for prediction in predictor.task.answer(predictor.run, hours):
        typer.echo(json.dumps(vars(prediction)))


@predict_commands.command("music")
def predict_music(
    prompt: Annotated[str, typer.Argument(help="The beginning of a tune; \\n for a new line.")],
    max_characters: Annotated[int, typer.Option(min=1)] = 600,
    temperature: Annotated[float, typer.Option(min=0.01)] = 0.9,
    top_p: Annotated[float, typer.Option(min=0.01, max=1.0)] = 0.95,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    models: ModelsOption = _MODELS,
) -> None:
    """Continue a tune; it appears as it grows."""
    from app.tasks.music import Sampling

    predictor = _predictor(models, "music")
    prompt = prompt.replace("\\n", "\n")
    typer.echo(prompt, nl=False)
    for text in predictor.task.continuation(predictor.run, prompt, Sampling(max_characters, temperature, top_p, seed)):
        typer.echo(text, nl=False)
    typer.echo()


def _predictor(models: Path, task: str) -> Any:
    from app.bundle import current_folder
    from app.predictor import load_predictor

    return load_predictor(current_folder(models, task))


def main() -> None:
    """Expected errors end with one line and exit code 1, not with a traceback."""
    # Commands that other packages bring, such as training's.
    for entry in entry_points(group="gatehouse.commands"):
        app.add_typer(entry.load())
    try:
        app()
    except (BundleError, ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    except ModuleNotFoundError as error:
        typer.echo(f"error: {error.name} is not installed; training needs `pip install 'gatehouse[train]'`", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
