"""The commands `gatehouse log ...`."""

import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.command_database import UrlOption, migrated

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Engine

    from app.retention import Batch

log_commands = typer.Typer(no_args_is_help=True, help="Export the request log, and remove rows from it.")

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only say how many rows it would be.")]
VacuumOption = Annotated[
    bool, typer.Option("--vacuum", help="Give freed space back to the system. SQLite: requests wait, so stop the service.")
]


@log_commands.command("export")
def export(
    output: Annotated[str, typer.Argument(help="A file, .jsonl or .parquet; `-` is standard output, in jsonl.")] = "-",
    since: Annotated[str | None, typer.Option(help="From this time on: 2026-01-31 or 2026-01-31T12:00+01:00.")] = None,
    until: Annotated[str | None, typer.Option(help="Before this time. Default: now.")] = None,
    task: Annotated[Literal["sentiment", "rainfall", "music", "cells"] | None, typer.Option(help="Default: all.")] = None,
    status: Annotated[list[str] | None, typer.Option(help="Such as 422 or 4xx; may be repeated. Default: all.")] = None,
    key: Annotated[str | None, typer.Option(help="Only requests that came with this API key, by its id.")] = None,
    url: UrlOption = None,
) -> None:
    """Write rows of the log, the oldest first. A file appears whole, at the end; a time without a zone is UTC."""
    from app.log_export import FORMATS, appearing, rows, write_jsonl, write_parquet
    from app.log_rows import Selection

    path = Path(output)
    if output != "-" and path.suffix not in FORMATS:
        raise ValueError(f"{output}: the name ends with {path.suffix or 'nothing'!r}, allowed are {', '.join(FORMATS)}")
    end = time_given("--until", until) if until else datetime.now(UTC)
    begin = time_given("--since", since) if since else None
    selection = Selection(begin, end, task, tuple(map(_statuses, status or ())), key)
    with migrated(url) as engine:
        if output == "-":
            write_jsonl(rows(engine, selection), sys.stdout.buffer)
            return
        with appearing(path) as file:
            write = write_parquet if path.suffix == ".parquet" else write_jsonl
            written = write(rows(engine, selection), file)
    typer.echo(f"{written} rows written to {output}")


@log_commands.command("purge")
def purge(
    before: Annotated[str | None, typer.Option(help="Rows before this time: 2026-01-31 or 2026-01-31T12:00+01:00.")] = None,
    older_than: Annotated[int | None, typer.Option(min=0, max=36_500, help="Rows older than as many days.")] = None,
    payloads_only: Annotated[bool, typer.Option("--payloads-only", help="Empty inputs and outputs, keep the rows.")] = False,
    dry_run: DryRunOption = False,
    vacuum: VacuumOption = False,
    url: UrlOption = None,
) -> None:
    """Remove old rows, or what was sent and answered in them. Beside a running service, too: it works in small batches."""
    from app.log_rows import Selection, count
    from app.retention import delete_rows, empty_payloads

    if (before is None) == (older_than is None):
        raise ValueError("say either --before TIME or --older-than DAYS")
    until = time_given("--before", before) if before else datetime.now(UTC) - timedelta(days=older_than or 0)
    selection = Selection(until=until, with_payloads=payloads_only)
    what = f"rows before {until:%Y-%m-%d %H:%M:%S} UTC"
    with migrated(url) as engine:
        if dry_run:
            said = f"{what} would be " + ("emptied of their payloads" if payloads_only else "removed")
            typer.echo(f"{count(engine, selection)} {said}")
            return
        remove = empty_payloads if payloads_only else delete_rows
        removed = _removed(engine, remove(engine, selection), vacuum)
    typer.echo(f"{removed} {what} " + ("emptied of their payloads" if payloads_only else "removed"))


@log_commands.command("delete")
def delete(
    key: Annotated[str | None, typer.Option(help="Requests that came with this API key, by its id.")] = None,
    client_request_id: Annotated[str | None, typer.Option(help="Requests that came with this X-Client-Request-Id.")] = None,
    dry_run: DryRunOption = False,
    vacuum: VacuumOption = False,
    url: UrlOption = None,
) -> None:
    """Remove all rows of one caller up to now. With both options, the rows that meet both."""
    from app.log_rows import Selection, count
    from app.retention import delete_rows

    if key is None and client_request_id is None:
        raise ValueError("say whose rows: --key ID or --client-request-id ID")
    selection = Selection(until=datetime.now(UTC), api_key_id=key, client_request_id=client_request_id)
    with migrated(url) as engine:
        if dry_run:
            typer.echo(f"{count(engine, selection)} rows would be removed")
            return
        typer.echo(f"{_removed(engine, delete_rows(engine, selection), vacuum)} rows removed")


def _removed(engine: "Engine", batches: "Iterable[Batch]", vacuum: bool) -> int:
    """How many rows it was, once they are gone from the file, too."""
    from app import freed_space

    removed = sum(batch.rows for batch in batches)
    if vacuum:
        freed_space.vacuum(engine)
    else:
        freed_space.settle_sqlite(engine)
    return removed


def time_given(option: str, given: str) -> datetime:
    """In UTC. Raises ValueError."""
    try:
        time = datetime.fromisoformat(given)
        return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        allowed = "allowed are 2026-01-31 and 2026-01-31T12:00:00+01:00"
        raise ValueError(f"{option} {given[:40]!r} is no time, {allowed}") from None


def _statuses(given: str) -> tuple[int, int]:
    """The first and the last of `422` or `4xx`. Raises ValueError."""
    if not re.fullmatch(r"[1-5](\d\d|xx)", given):
        raise ValueError(f"--status {given[:40]!r}, allowed are a status such as 422 and a class such as 4xx")
    return int(given.replace("x", "0")), int(given.replace("x", "9"))
