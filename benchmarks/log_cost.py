"""What the request log costs: the service beside itself without a log, all of them up at once and asked in turn.

    python -m benchmarks.log_cost --data data/imdb

One caller: median milliseconds above those without a log. 64 callers: the share of throughput that the log takes. A
difference is taken within a round, and the median over the rounds is judged. Needs wrk.
"""

import json
import os
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Annotated

import typer

from benchmarks.serving.answers import Alone
from benchmarks.serving.arena import Arena, Plan, Served
from benchmarks.serving.closed_loop import require_wrk
from benchmarks.serving.contestants import GATEHOUSE, PRODUCT, REPOSITORY, Place
from benchmarks.serving.cores import available_cores
from benchmarks.serving.measurements import Measurements
from benchmarks.serving.targets import Target
from benchmarks.serving.texts import load_workloads
from training.studies.report import markdown, spread, write_tables

CONNECTIONS = 64
MOST_ADDED_MS = 6.0
MOST_TAKEN = 0.10


def _unlogged(place: Place) -> list[str]:
    return [str(PRODUCT), "-m", "benchmarks.unlogged", str(place.ports[0])]


OFF = replace(GATEHOUSE, name="gatehouse-unlogged", command=_unlogged)
ON = {"SQLite": GATEHOUSE, "PostgreSQL": replace(GATEHOUSE, name="gatehouse-postgresql")}
_WORKLOADS = {"short": "texts of 20 words", "real": "real reviews"}


def main(
    data: Annotated[Path, typer.Option(help="Reviews, as `gatehouse data check sentiment` takes them.")] = Path("data/imdb"),
    models: Annotated[Path, typer.Option(help="Folder of the bundles.")] = Path("models"),
    rounds: Annotated[int, typer.Option(min=1)] = 10,
    seconds: Annotated[int, typer.Option(min=1, help="Of each load.")] = 3,
    requests: Annotated[int, typer.Option(min=10, help="Of the one caller, in a round.")] = 200,
    out: Annotated[Path, typer.Option(help="The page whose table is written.")] = REPOSITORY / "docs" / "reliability.md",
) -> None:
    """Prints and writes the table."""
    require_wrk()
    workloads = load_workloads(data, 512)
    plan = Plan(rounds, seconds, min(2, seconds), CONNECTIONS, (), (), 0, 0, requests)
    build = REPOSITORY / "build"
    build.mkdir(exist_ok=True)
    # Below the repository, where a user's gatehouse.db would be too: /tmp may be memory, on which a flush costs nothing.
    with tempfile.TemporaryDirectory(prefix="bench-", dir=build, ignore_cleanup_errors=True) as scratch:
        everybody = (OFF, *ON.values())
        arena = Arena(plan, everybody, workloads, models.resolve(), Path(scratch), Alone(models), available_cores())
        os.sched_setaffinity(0, arena.split(1).client)
        _measure(arena)
    table = report(arena.measurements)
    typer.echo(table)
    write_tables(out, {"log-cost": table})


def _measure(arena: Arena) -> None:
    with ExitStack() as stack:
        running = {each.name: stack.enter_context(arena.serving(each)) for each in arena.contestants}
        for served in running.values():
            _check(served)
            for name in _WORKLOADS:
                served.warm_up(arena.workloads[name], CONNECTIONS)
        for turn in range(arena.plan.rounds):
            for name in _WORKLOADS:
                for contestant in arena.in_turn(turn, arena.contestants):
                    _ask(arena, running[contestant.name], name, turn)


def _ask(arena: Arena, served: Served, name: str, turn: int) -> None:
    workload, plan = arena.workloads[name], arena.plan
    served.single(workload, 10)  # what another contestant left in the caches is gone
    alone_s = served.single(workload, plan.single_requests)
    flood = served.flood(workload, CONNECTIONS, plan.seconds)
    if flood.refused or flood.lost:
        raise RuntimeError(f"{served.contestant.name}: {flood.refused} requests refused, {flood.lost} lost")
    figures = {"p50_ms": 1000 * alone_s, "requests_per_s": flood.answered_a_second}
    arena.measurements.add("log-cost", served.contestant.name, 1, name, "", turn, figures)


def _check(served: Served) -> None:
    """Raises RuntimeError unless a request leaves a row where, and only where, there is a log."""
    connection = HTTPConnection("127.0.0.1", served.port, timeout=30)
    body = json.dumps(served.contestant.body("A quiet, moving film."))
    connection.request("POST", served.contestant.path, body, {"Content-Type": "application/json"})
    answer = json.loads(connection.getresponse().read())
    connection.request("GET", f"/v1/requests/{answer['request_id']}")
    found = connection.getresponse().status
    connection.close()
    if found != (404 if served.contestant is OFF else 200):
        raise RuntimeError(f"{served.contestant.name}: its record was asked for and answered with {found}")


def report(found: Measurements) -> str:
    """The table, with the targets and whether they are met."""
    rows = []
    for database, contestant in ON.items():
        for name, title in _WORKLOADS.items():
            measures = ("p50_ms", "requests_per_s")
            rows += [[database, title, *_compared(found, contestant.name, name, measure)] for measure in measures]
    return markdown(["log in", "asked", "measured", "without a log", "with it", "cost", "target", ""], rows)


def _compared(found: Measurements, contestant: str, workload: str, measure: str) -> list[str]:
    wanted = {"part": "log-cost", "workload": workload, "measure": measure}
    off, on = found.values(**wanted, contestant=OFF.name), found.values(**wanted, contestant=contestant)
    if measure == "p50_ms":
        costs, form = [with_log - without for without, with_log in zip(off, on, strict=True)], ".2f"
        target = Target("one caller, median ms", median(costs), MOST_ADDED_MS, at_most=True, unit=" ms")
    else:
        costs, form = [1 - with_log / without for without, with_log in zip(off, on, strict=True)], ",.0f"
        target = Target(f"{CONNECTIONS} callers, answers/s", median(costs), MOST_TAKEN, at_most=True, form=".1%")
    title, bound, _, verdict = target.row()
    return [title, spread(off, form), spread(on, form), spread(costs, target.form), bound, verdict]


if __name__ == "__main__":
    typer.run(main)
