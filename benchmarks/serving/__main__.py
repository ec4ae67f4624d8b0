"""The command: `python -m benchmarks.serving`, or `make bench`."""

import logging
import os
import signal
import tempfile
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from benchmarks.serving.answers import Alone
from benchmarks.serving.arena import Arena, Plan
from benchmarks.serving.closed_loop import require_wrk
from benchmarks.serving.contestants import CONTESTANTS, REPOSITORY, Contestant
from benchmarks.serving.cores import available_cores
from benchmarks.serving.machine import machine_facts
from benchmarks.serving.parts import PARTS
from benchmarks.serving.processes import ServerFailed
from benchmarks.serving.report import keep, write_page
from benchmarks.serving.texts import load_workloads
from training.data.report import DataError

log = logging.getLogger("benchmarks.serving")

_QUICK = ("gatehouse", "fastapi")
_QUICK_PARTS = ("headline", "idle", "background", "concurrency", "offered")
_PAGES = REPOSITORY / "docs" / "benchmarks"

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.callback(invoke_without_command=True)
def measure(
    context: typer.Context,
    data: Annotated[Path, typer.Option(help="Reviews, as `gatehouse data check sentiment` takes them.")] = Path("data/imdb"),
    models: Annotated[Path, typer.Option(help="Folder of the bundles.")] = Path("models"),
    out: Annotated[
        Path | None, typer.Option(help="Folder of the page. Default: docs/benchmarks, with --quick its quick/.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Whether it all works, in a minute; no figures to rely on.")] = False,
    rounds: Annotated[int | None, typer.Option(min=1, help="Default: 5, with --quick 1.")] = None,
    seconds: Annotated[int | None, typer.Option(min=1, help="Of each load. Default: 5, with --quick 1.")] = None,
    only: Annotated[str, typer.Option(help=f"Contestants, commas between: {', '.join(c.name for c in CONTESTANTS)}.")] = "",
    parts: Annotated[str, typer.Option(help=f"Parts, commas between: {', '.join(PARTS)}.")] = "",
) -> None:
    """Measure everything and write tables and plots. `page` writes them again from what was measured."""
    if context.invoked_subcommand:
        return
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    log.setLevel(logging.INFO)
    try:
        require_wrk()
        chosen = _contestants(only or (",".join(_QUICK) if quick else ""))
        wanted = _parts(parts or (",".join(_QUICK_PARTS) if quick else ""))
        folder = (out or (_PAGES / "quick" if quick else _PAGES)).resolve()
        _run(_plan(quick, rounds, seconds), chosen, wanted, data, models.resolve(), folder)
    except (ValueError, DataError, ServerFailed) as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(1) from error


@app.command()
def page(out: Path = _PAGES) -> None:
    """Tables and plots from measurements.csv and machine.json of an earlier run."""
    typer.echo(f"written: {write_page(out)}")


def _run(plan: Plan, chosen: tuple[Contestant, ...], parts: list[str], data: Path, models: Path, folder: Path) -> None:
    signal.signal(signal.SIGTERM, _interrupt)
    workloads = load_workloads(data, 64 if plan.rounds == 1 else 512)
    alone = Alone(models)
    build = REPOSITORY / "build"
    build.mkdir(exist_ok=True)
    # Below the repository, where a user's gatehouse.db would be too: /tmp may be memory, on which a flush costs nothing.
    with tempfile.TemporaryDirectory(prefix="bench-", dir=build, ignore_cleanup_errors=True) as scratch:
        arena = Arena(plan, chosen, workloads, models, Path(scratch), alone, available_cores())
        settings = {
            "contestants": ", ".join(contestant.name for contestant in chosen),
            "parts": ", ".join(parts),
            "rounds": plan.rounds,
            "seconds of each load": plan.seconds,
            "connections": plan.headline_connections,
            "texts": len(workloads["real"].texts),
        }
        facts = machine_facts(models, Path(scratch), arena.split(1), settings)
        # Everything this process does itself is the client's work.
        os.sched_setaffinity(0, arena.split(1).client)
        for part in parts:
            log.info("%s", part)
            PARTS[part](arena)
            facts |= {f"batching of {name}": str(batching) for name, batching in arena.batching.items()}
            keep(arena.measurements, facts, folder)
    typer.echo(f"written: {write_page(folder)}")


def _plan(quick: bool, rounds: int | None, seconds: int | None) -> Plan:
    if quick:
        return Plan(rounds or 1, seconds or 1, 0.3, 16, (16,), (0.5, 1.0), 0.1, 4, 100)
    shares = (0.2, 0.4, 0.6, 0.8, 0.9, 1.0, 1.1)
    return Plan(rounds or 5, seconds or 5, 2, 64, (1, 4, 16, 64, 256), shares, 2.0, 48, 400)


def _contestants(names: str) -> tuple[Contestant, ...]:
    """Raises ValueError for an unknown name or one whose environment is missing."""
    wanted = [name for name in names.split(",") if name]
    known = {contestant.name: contestant for contestant in CONTESTANTS}
    if unknown := set(wanted) - set(known):
        raise ValueError(f"--only {', '.join(sorted(unknown))}: no such contestant; there are {', '.join(known)}")
    chosen = tuple(known[name] for name in wanted or known)
    if missing := [contestant for contestant in chosen if contestant.missing]:
        names = ", ".join(f"{contestant.name} ({contestant.python})" for contestant in missing)
        raise ValueError(f"not installed: {names}; `make bench` installs them, --only leaves them out")
    return chosen


def _parts(names: str) -> list[str]:
    wanted = [name for name in names.split(",") if name]
    if unknown := set(wanted) - set(PARTS):
        raise ValueError(f"--parts {', '.join(sorted(unknown))}: no such part; there are {', '.join(PARTS)}")
    return [name for name in PARTS if name in wanted or not wanted]


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    """A polite kill ends the servers as Ctrl-C does."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    app()
