"""How near `gatehouse score` comes to a bare onnxruntime loop over the same reviews, in one process, the two alternating.

The bare loop has all texts in memory, encodes them, sorts all of them by length and runs the graph, on as many threads and each
pass on one; it neither reads nor writes a file. It is timed at several batch sizes and judged by its best.

    python -m benchmarks.bulk data/imdb
"""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import polars as pl
import typer

from app.bulk.score import Choice, score_file
from app.bundle import current_folder
from app.cpus import available_cpus
from app.predictor import Predictor, load_predictor
from app.tasks.sentiment import Sentiment
from app.tasks.task import by_length
from training.data.imdb import read_reviews

_BATCHES = (1, 4, 8, 16)
_FORMATS = ("csv", "jsonl", "parquet")


def main(
    data: Annotated[Path, typer.Argument(help="Reviews, as `gatehouse data check sentiment` takes them.")],
    models: Path = Path("models"),
    reviews: Annotated[int, typer.Option(help="How many, drawn at random.")] = 4000,
    rounds: int = 5,
    threads: Annotated[int | None, typer.Option(help="Default: the cores the process may use.")] = None,
) -> None:
    """Prints reviews a second, medians of the rounds, and the ratio of the best bare loop to each format."""
    threads = threads or available_cpus()
    texts = read_reviews(data)[0].select("text").sample(reviews, seed=0)
    predictor = load_predictor(current_folder(models, "sentiment"), "cpu")
    with TemporaryDirectory() as work:
        loops: dict[str, Callable[[], object]] = {
            f"bare loop, batches of {batch}": partial(_bare, predictor, texts["text"].to_list(), batch, threads)
            for batch in _BATCHES
        }
        for ending in _FORMATS:
            source, output = Path(work) / f"reviews.{ending}", Path(work) / f"scored.{ending}"
            _write(texts, source)
            loops[f"score, {ending}"] = partial(score_file, source, output, Choice("sentiment"), predictor, threads)
        rates = {name: reviews / seconds for name, seconds in _seconds(loops, rounds).items()}
    best = max(rate for name, rate in rates.items() if name.startswith("bare"))
    typer.echo(f"{reviews} reviews, {threads} threads, {rounds} rounds")
    for name, rate in rates.items():
        ratio = "" if name.startswith("bare") else f", {100 * rate / best:.1f} % of the best bare loop"
        typer.echo(f"  {name:26} {rate:8.1f} reviews a second{ratio}")


def _bare(predictor: Predictor[Any], texts: list[str], batch: int, threads: int) -> None:
    task: Sentiment = predictor.task
    with ThreadPoolExecutor(threads) as pool:
        encoded = list(pool.map(task.encode, texts))
        groups = by_length([len(text.ids) for text in encoded], batch)
        for _ in pool.map(lambda group: predictor.run(task.feeds([encoded[index] for index in group])), groups):
            pass


def _write(texts: pl.DataFrame, path: Path) -> None:
    if path.suffix == ".csv":
        texts.write_csv(path)
    elif path.suffix == ".jsonl":
        texts.write_ndjson(path)
    else:
        texts.write_parquet(path)


def _seconds(loops: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Medians; every round runs each once."""
    times: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(rounds):
        for name, loop in loops.items():
            started = time.perf_counter()
            loop()
            times[name].append(time.perf_counter() - started)
    return {name: statistics.median(taken) for name, taken in times.items()}


if __name__ == "__main__":
    typer.run(main)
