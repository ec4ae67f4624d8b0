"""The command `gatehouse`."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Literal

import typer
from pydantic_core import ValidationError

from app import __version__
from app.bundle import BundleError
from app.command_database import brought_to
from app.data_commands import data_commands
from app.key_commands import keys_commands
from app.log_commands import log_commands
from app.model_commands import DEFAULT_MODELS, ModelsOption, models_commands

app = typer.Typer(
    no_args_is_help=True,
    help="Train recurrent networks, verify their bundles and serve them over REST.",
    pretty_exceptions_enable=False,
)
predict_commands = typer.Typer(no_args_is_help=True, help="Ask a bundle directly, without a server.")
app.add_typer(data_commands, name="data")
app.add_typer(keys_commands, name="keys")
app.add_typer(log_commands, name="log")
app.add_typer(models_commands, name="models")
app.add_typer(predict_commands, name="predict")


UrlOption = Annotated[str | None, typer.Option(help="The request log's database. Default: GATEHOUSE_DATABASE_URL.")]


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
    """Serve the bundles. Every setting is an environment variable GATEHOUSE_...; see docs/reference/settings.md."""
    import uvicorn

    from app import listening
    from app.database import is_for_many_processes
    from app.metrics import SHARED
    from app.process_log import log_config
    from app.processes import serve_side_by_side
    from app.settings import Settings
    from app.tracing import check_traces

    settings = Settings()
    listening.check_address(host or settings.host, settings)
    check_traces(settings)
    if migrate_first:
        brought_to(settings.database_url)
    if settings.workers > 1 and not is_for_many_processes(settings.database_url):
        raise ValueError("GATEHOUSE_WORKERS above 1 needs PostgreSQL: of a SQLite file only one process is the writer")
    options: dict[str, Any] = {
        "app": "app.main:create_app",
        "factory": True,
        "host": host or settings.host,
        "port": port or settings.port,
        "workers": settings.workers,
        **listening.OPTIONS,
        "log_config": log_config(settings.log_format),
        "access_log": False,  # requests have lines of our own
        # A client that never finishes its request must not keep the process from ending.
        "timeout_graceful_shutdown": _MOST_DRAIN_S,
    }
    if settings.workers == 1:
        uvicorn.run(**options)
        return
    with TemporaryDirectory() as shared:
        os.environ[SHARED] = shared  # read by the processes to come
        serve_side_by_side(uvicorn.Config(**options))


# A step down looks like an option.
@app.command("migrate", context_settings={"ignore_unknown_options": True})
def migrate_command(
    revision: Annotated[str, typer.Argument(help="`head`, `base`, one of those between, or a step such as -1.")] = "head",
    url: UrlOption = None,
) -> None:
    """Bring the request log's database to a revision, up or down."""
    from app.settings import Settings

    typer.echo(f"the database is at {brought_to(url or Settings().database_url, revision)}")


@predict_commands.command("sentiment")
def predict_sentiment(
    texts: Annotated[list[str], typer.Argument(help="Texts in English.")],
    explain: Annotated[bool, typer.Option("--explain", help="Say what each word adds to the verdict.")] = False,
    models: ModelsOption = DEFAULT_MODELS,
) -> None:
    """Probability that each TEXT is positive; a JSON line each."""
    from app.schemas import SentimentPrediction, SentimentRequest
    from app.tasks.word_weights import word_weights

    SentimentRequest(texts=texts, explain=explain)  # refuses what the service would
    predictor = _predictor(models, "sentiment")
    task, run = predictor.task, predictor.run

    async def log_odds(parts: Sequence[Any]) -> list[float]:
        return [prediction.log_odds for prediction in task.answer(run, parts)]

    for text, prediction in zip(texts, task.answer(run, texts), strict=True):
        words = [word._asdict() for word in asyncio.run(word_weights(task, text, log_odds))] if explain else None
        typer.echo(json.dumps(SentimentPrediction.model_validate({**vars(prediction), "words": words}).model_dump()))


@predict_commands.command("rainfall")
def predict_rainfall(
    file: Annotated[Path, typer.Argument(help="JSON: the body of POST /v1/rainfall. `-` reads standard input.")],
    models: ModelsOption = DEFAULT_MODELS,
) -> None:
    """Millimetres of rain in each hour of FILE; a JSON line each."""
    from app.schemas import RainfallPrediction, RainfallRequest
    from app.tasks.rainfall import Hour

    text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    body = RainfallRequest.model_validate_json(text)
    predictor = _predictor(models, "rainfall")
    hours = [Hour.from_scans(hour.radardist_km, [scan.model_dump() for scan in hour.scans]) for hour in body.hours]
    for prediction in predictor.task.answer(predictor.run, hours):
        typer.echo(json.dumps(RainfallPrediction.model_validate(prediction).model_dump()))


@predict_commands.command("music")
def predict_music(
    prompt: Annotated[str, typer.Argument(help="The beginning of a tune; \\n for a new line.")],
    max_characters: Annotated[int, typer.Option(min=1, help="Added at most.")] = 600,
    temperature: Annotated[float, typer.Option(min=0.01, max=5, help="Below 1 safer, above 1 wilder.")] = 0.9,
    top_p: Annotated[
        float, typer.Option(min=0.01, max=1.0, help="Draw from the smallest set of characters with this probability.")
    ] = 0.95,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same tune.")] = 0,
    models: ModelsOption = DEFAULT_MODELS,
) -> None:
    """Continue a tune; it appears as it grows."""
    from app.schemas import GenerateRequest
    from app.tasks.sampling import Sampling

    prompt = prompt.replace("\\n", "\n")
    # Refuses what the service would.
    GenerateRequest(prompt=prompt, max_characters=max_characters, temperature=temperature, top_p=top_p, seed=seed)
    predictor = _predictor(models, "music")
    continuation = predictor.task.continuation(predictor.run, prompt, Sampling(max_characters, temperature, top_p, seed))
    first = next(continuation, "")  # a prompt that cannot be gone on with is refused here
    typer.echo(prompt + first, nl=False)
    for text in continuation:
        typer.echo(text, nl=False)
    typer.echo()


@app.command()
def score(
    file: Annotated[Path, typer.Argument(help="What to score: .csv, .jsonl or .parquet.")],
    task: Annotated[Literal["sentiment", "rainfall"], typer.Option(help="What its rows are.")],
    output: Annotated[Path, typer.Option(help="Where the answers go: .csv, .jsonl or .parquet.")],
    text_column: Annotated[str | None, typer.Option(help="Column of the texts. Default: `text` or `review`.")] = None,
    id_column: Annotated[
        list[str] | None,
        typer.Option(help="Column copied beside each answer; may be repeated. Default: `id`, `Id` or `ID`, if there."),
    ] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, envvar="GATEHOUSE_CPU_THREADS", help="Default: the cores the process may use.")
    ] = None,
    provider: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(envvar="GATEHOUSE_PROVIDER", help="Where graphs run.")
    ] = "auto",
    fresh: Annotated[bool, typer.Option("--fresh", help="Forget an earlier run that did not end.")] = False,
    models: ModelsOption = DEFAULT_MODELS,
) -> None:
    """Score a whole file: a row of OUTPUT for each text, or each hour of radar scans, in order.

    A row that cannot be read gets an `error` in place of an answer. A run that was killed goes on where it was when started
    again. Exit code 1 if no row could be scored.
    """
    from app.bulk.score import Choice, score_file
    from app.bundle import current_folder
    from app.cpus import available_cpus
    from app.predictor import load_placed

    predictor = load_placed(current_folder(models, task), provider)
    choice = Choice(task, text_column, tuple(id_column or ()))
    summary = score_file(file, output, choice, predictor, threads or available_cpus(), fresh=fresh)
    for line in summary.lines():
        typer.echo(line)
    if not summary.scored:
        raise typer.Exit(1)


def _predictor(models: Path, task: str) -> Any:
    from app.bundle import current_folder
    from app.predictor import load_placed

    return load_placed(current_folder(models, task))


@cache
def whole() -> typer.Typer:
    """The command with what other packages bring, such as training's; a group that is here already holds theirs, too."""
    own = {group.name: group.typer_instance for group in app.registered_groups}
    for entry in entry_points(group="gatehouse.commands"):
        brought: typer.Typer = entry.load()
        app.registered_commands += brought.registered_commands
        for group in brought.registered_groups:
            here, theirs = own.get(group.name), group.typer_instance
            if here and theirs:
                here.registered_commands += theirs.registered_commands
            elif theirs:
                app.add_typer(theirs, name=group.name)
    return app


def main() -> None:
    """Expected errors end with one line and exit code 1, not with a traceback."""
    try:
        whole()()
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            path = "/".join(map(str, fault["loc"]))
            name = f"GATEHOUSE_{path}".upper() if error.title == "Settings" else f"/{path}"
            typer.echo(f"error: {name + ': ' if path else ''}{fault['msg'].removeprefix('Value error, ')}", err=True)
        sys.exit(1)
    except (BundleError, ValueError, OSError) as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)
    except ModuleNotFoundError as error:
        typer.echo(f"error: {error.name} is not installed; training needs `pip install '.[train]'` in the checkout", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
