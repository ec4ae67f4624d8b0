"""How many characters a second are written for 1 to 64 callers at once, against writing one tune after another.

The same prompts and seeds both ways, alternating, in one process; the ratios tell more than the figures of a busy machine.
One after another is `Music.continuation` in as many threads as the batched way has.

    python -m benchmarks.tunes
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from app.bundle import current_folder
from app.cpus import available_cpus
from app.predictor import Predictor, load_predictor
from app.steps import StepBatcher
from app.tasks.music import Music
from app.tasks.sampling import Sampling

_CALLERS = (1, 4, 16, 64)
_PROMPTS = (
    "X:1\nT:Morning\nM:6/8\nL:1/8\nK:G\n",
    "X:1\nT:Evening\nM:4/4\nL:1/8\nK:D\n|:d2fd Adfd|e2ge cege|",
    "X:1\nT:The Lane\nR:waltz\nM:3/4\nL:1/4\nK:Em\n",
    "X:1\n",
)

Request = tuple[str, Sampling]


def main(
    models: Path = Path("models"),
    characters: Annotated[int, typer.Option(help="The most that a tune is given.")] = 400,
    rounds: int = 5,
    threads: Annotated[int, typer.Option(help="0: the cores this process may use.")] = 0,
) -> None:
    """Prints characters a second of both ways for each number of callers, medians of the rounds, and their ratio."""
    threads = threads or available_cpus()
    predictor: Predictor[Music] = load_predictor(current_folder(models, "music"), "cpu", 1)
    batcher = StepBatcher(predictor, threads)
    typer.echo(f"{threads} threads, tunes of at most {characters} characters, {rounds} rounds")
    for callers in _CALLERS:
        requests = [(_PROMPTS[seed % len(_PROMPTS)], Sampling(characters, 0.9, 0.95, seed)) for seed in range(callers)]
        ways = (partial(_one_after_another, predictor, threads), partial(_batched, batcher))
        rates = [[_rate(way, requests) for way in ways] for _ in range(rounds)]
        alone, shared = (statistics.median(way) for way in zip(*rates, strict=True))
        ratio = statistics.median(pair[1] / pair[0] for pair in rates)
        typer.echo(
            f"  {callers:3} callers: {alone:8,.0f} characters/s one after another, {shared:8,.0f} batched: {ratio:.2f} times"
        )
    batcher.close()


def _one_after_another(predictor: Predictor[Music], threads: int, requests: list[Request]) -> int:
    def written(request: Request) -> int:
        return len(list(predictor.task.continuation(predictor.run, *request)))

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(written, requests))


def _batched(batcher: StepBatcher, requests: list[Request]) -> int:
    async def all_at_once() -> int:
        written = await asyncio.gather(*(batcher.write(*request) for request in requests))
        return sum(len(pieces) for pieces, _ in written)

    return asyncio.run(all_at_once())


def _rate(way: Callable[[list[Request]], int], requests: list[Request]) -> float:
    """Characters a second."""
    started = time.perf_counter()
    characters = way(requests)
    return characters / (time.perf_counter() - started)


if __name__ == "__main__":
    typer.run(main)
