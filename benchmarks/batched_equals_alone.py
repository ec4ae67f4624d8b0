"""Whether answers given in batches are those given alone: a whole data set through a running server, many requests at a time.

    gatehouse serve --migrate &
    python -m benchmarks.batched_equals_alone sentiment data/imdb
    python -m benchmarks.batched_equals_alone rainfall data/rain --url http://127.0.0.1:8000

One text or hour a request. Prints how far each answer is from the model's own in this process, one text or hour a pass, and how
many labels differ. Exit code 1 where an answer is missing or further away than --tolerance.
"""

import asyncio
import json
import math
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import httpx
import numpy as np
import typer
from pydantic import ValidationError

from app.bundle import current_folder
from app.predictor import load_predictor
from app.schemas import LIMITS, RainfallRequest
from app.tasks.rainfall import MEASUREMENTS, Hour
from training.data.imdb import read_reviews
from training.data.rain import read_hours

Numbers = list[float]


class Task(StrEnum):
    """The tasks whose requests are batched."""

    SENTIMENT = "sentiment"
    RAINFALL = "rainfall"


def main(
    task: Task,
    data: Annotated[Path, typer.Argument(help="As `gatehouse data check` takes it.")],
    url: Annotated[str, typer.Option(help="Of the running server.")] = "http://127.0.0.1:8000",
    models: Annotated[Path, typer.Option(help="Of that server.")] = Path("models"),
    concurrency: Annotated[int, typer.Option(min=1)] = 64,
    most: Annotated[int | None, typer.Option(min=1, help="Only so many items.")] = None,
    tolerance: Annotated[float, typer.Option(min=0, help="Of a probability; of mm, relative above 1 mm.")] = 0.02,
) -> None:
    """Prints what differs."""
    bodies = (_reviews(data) if task is Task.SENTIMENT else _hours(data))[:most]
    alone = _alone(task, models, bodies)
    served, refused = asyncio.run(_ask(url, task, bodies, concurrency))
    pairs = [(got, own) for got, own in zip(served, alone, strict=True) if got is not None]
    missing = len(bodies) - len(pairs)
    typer.echo(f"{len(bodies):,} items, {concurrency} at a time, {refused:,} refusals retried, {missing:,} without an answer")
    if not pairs:
        raise typer.Exit(1)
    got, own = (np.array(side) for side in zip(*pairs, strict=True))
    differences = np.abs(got - own) / np.maximum(1.0, np.abs(own))
    worst = float(differences.max())
    typer.echo(
        f"largest difference {worst:.3g}, mean {differences.mean():.3g}, {(differences == 0).mean():.1%} equal to the bit"
    )
    if task is Task.SENTIMENT:
        flips = int(((got[:, 0] >= 0.5) != (own[:, 0] >= 0.5)).sum())
        typer.echo(f"{flips:,} of {len(pairs):,} labels differ")
    if missing or not worst <= tolerance:
        raise typer.Exit(1)


def _reviews(data: Path) -> list[dict[str, Any]]:
    longest = LIMITS["sentiment"]["characters_per_text"]
    return [{"texts": [text[:longest]]} for text in read_reviews(data)[0]["text"].to_list()]


def _hours(data: Path) -> list[dict[str, Any]]:
    """As a client would send them: a missing measurement is left out, and so is an hour beyond the interface's limits."""
    with TemporaryDirectory() as folder:
        table, _ = read_hours(data, Path(folder) / "hours")
        bodies = [{"hours": [_sent(table.hour(number))]} for number in range(len(table))]
    taken = [body for body in bodies if _is_taken(body)]
    typer.echo(f"{len(bodies) - len(taken):,} of {len(bodies):,} hours are beyond the limits of the interface")
    return taken


def _sent(hour: Hour) -> dict[str, Any]:
    rows = zip(hour.minutes_past.tolist(), hour.measured.tolist(), strict=True)
    scans = [
        {
            "minutes_past": minute,
            **{name: value for name, value in zip(MEASUREMENTS, row, strict=True) if not math.isnan(value)},
        }
        for minute, row in rows
    ]
    return {"radardist_km": hour.radardist_km, "scans": scans}


def _is_taken(body: dict[str, Any]) -> bool:
    try:
        RainfallRequest.model_validate_json(json.dumps(body))
    except ValidationError:
        return False
    return True


def _alone(task: Task, models: Path, bodies: Sequence[dict[str, Any]]) -> list[Numbers]:
    """The model's own answers, one item a pass, on one thread."""
    predictor = load_predictor(current_folder(models, task), "cpu", 1)
    typer.echo(f"{task} alone: {predictor.manifest.version}, {len(bodies):,} items")

    def judge(body: dict[str, Any]) -> Numbers:
        if task is Task.SENTIMENT:
            return _probability(vars(predictor.task.answer(predictor.run, body["texts"])[0]))
        hours = [Hour.from_scans(hour["radardist_km"], hour["scans"]) for hour in body["hours"]]
        return _rain(vars(predictor.task.answer(predictor.run, hours)[0]))

    return [judge(body) for body in bodies]


def _probability(prediction: dict[str, Any]) -> Numbers:
    return [prediction["probability"]]


def _rain(prediction: dict[str, Any]) -> Numbers:
    return [prediction["rain_mm"], *prediction["interval_90_mm"]]


async def _ask(url: str, task: Task, bodies: Sequence[dict[str, Any]], concurrency: int) -> tuple[list[Numbers | None], int]:
    """One answer a body, None for any other status than 200 and 503; how often it was refused with 503 and asked again."""
    read = _probability if task is Task.SENTIMENT else _rain
    found: list[Numbers | None] = [None] * len(bodies)
    left, refused = iter(range(len(bodies))), 0
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)

    async def caller(client: httpx.AsyncClient) -> None:
        nonlocal refused
        for number in left:
            while (answer := await client.post(f"/v1/{task}", json=bodies[number])).status_code == 503:
                refused += 1
                await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))
            if answer.status_code == 200:
                found[number] = read(answer.json()["predictions"][0])

    async with httpx.AsyncClient(base_url=url, limits=limits, timeout=60, trust_env=False) as client:
        await asyncio.gather(*(caller(client) for _ in range(concurrency)))
    return found, refused


if __name__ == "__main__":
    typer.run(main)
