"""The commands `gatehouse data ...` that need the service's code and not training's."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from app.command_database import UrlOption, migrated
from app.log_commands import time_given

data_commands = typer.Typer(no_args_is_help=True, help="Fetch, inspect and make data sets.")


@data_commands.command("from-log")
def from_log(
    output: Annotated[Path, typer.Argument(help="A file, .csv or .parquet.")],
    task: Annotated[Literal["sentiment", "rainfall"], typer.Option(help="Whose items.")],
    since: Annotated[str | None, typer.Option(help="Asked from this time on: 2026-01-31 or 2026-01-31T12:00+01:00.")] = None,
    until: Annotated[str | None, typer.Option(help="Asked before this time. Default: now.")] = None,
    url: UrlOption = None,
) -> None:
    """Make training data of the log: items with feedback whose payload is stored. `gatehouse train` takes the file."""
    from app.from_log import FORMATS, make_training_file
    from app.log_rows import Selection

    if output.suffix not in FORMATS:
        raise ValueError(f"{output}: the name ends with {output.suffix or 'nothing'!r}, allowed are {', '.join(FORMATS)}")
    end = time_given("--until", until) if until else datetime.now(UTC)
    begin = time_given("--since", since) if since else None
    with migrated(url) as engine:
        made = make_training_file(engine, task, Selection(begin, end, task, with_feedback=True), output)
    typer.echo(f"{made.items} items of {made.requests} requests written to {output}")
    if made.without:
        typer.echo(f"{made.without} requests have feedback, but their payload is not stored")
