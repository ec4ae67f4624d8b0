"""How many times cheaper a review is for the served sentiment model than for an int8 transformer of DistilBERT's size.

One thread, one process, the two alternating; each at the batch size that is best for it, reviews sorted by length. Encoding
counts for the served model and not for the transformer, whose word pieces are made up in the right number.

    python -m benchmarks.sentiment_cost data/imdb
"""

import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
import typer

from app.bundle import current_folder
from app.predictor import load_predictor
from app.tasks.sentiment import Sentiment, tokenize
from app.tasks.task import by_length, pad
from benchmarks.transformer import LONGEST, PIECES, PIECES_A_WORD, transformer_int8
from training.data.imdb import read_reviews

_BATCHES = (1, 4, 8)

Ids = npt.NDArray[np.int64]


def main(
    data: Annotated[Path, typer.Argument(help="Reviews, as `gatehouse data check sentiment` takes them.")],
    models: Path = Path("models"),
    reviews: Annotated[int, typer.Option(help="How many, drawn at random.")] = 48,
    rounds: int = 5,
) -> None:
    """Prints milliseconds a review at each batch size, medians of the rounds, and the ratio of the best."""
    texts = read_reviews(data)[0]["text"].sample(reviews, seed=0).to_list()
    words = [sum(1 for _ in tokenize(text)) for text in texts]
    loops = {**_gatehouse(models, texts), **_transformer(words)}
    seconds: dict[tuple[str, int], list[float]] = {name: [] for name in loops}
    for _ in range(rounds):
        for name, loop in loops.items():
            started = time.perf_counter()
            loop()
            seconds[name].append(time.perf_counter() - started)
    typer.echo(f"{reviews} reviews of {statistics.median(words):.0f} words at the median, one thread, {rounds} rounds")
    best: dict[str, float] = {}
    for (model, batch), times in seconds.items():
        each = 1000 * statistics.median(times) / reviews
        best[model] = min(each, best.get(model, each))
        typer.echo(f"  {model:12} batches of {batch}: {each:8.2f} ms a review")
    typer.echo(f"  {best['transformer'] / best['gatehouse']:.1f} times cheaper")


def _gatehouse(models: Path, texts: Sequence[str]) -> dict[tuple[str, int], Callable[[], None]]:
    predictor = load_predictor(current_folder(models, "sentiment"), "cpu", 1)
    task: Sentiment = predictor.task
    lengths = [len(task.encode(text).ids) for text in texts]

    def run(group: list[int]) -> None:
        predictor.run(task.feeds([task.encode(texts[index]) for index in group]))

    return {("gatehouse", batch): _loop(run, lengths, batch) for batch in _BATCHES}


def _transformer(words: Sequence[int]) -> dict[tuple[str, int], Callable[[], None]]:
    pieces: list[Ids] = [np.arange(min(LONGEST, max(1, round(count * PIECES_A_WORD)))) % PIECES for count in words]
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(transformer_int8(), options, providers=["CPUExecutionProvider"])

    def run(group: list[int]) -> None:
        ids, lengths = pad([pieces[index] for index in group])
        mask: npt.NDArray[Any] = np.arange(ids.shape[1])[None, :] < lengths[:, None]
        session.run(None, {"ids": ids, "mask": mask.astype(np.int32)})

    return {("transformer", batch): _loop(run, [len(text) for text in pieces], batch) for batch in _BATCHES}


def _loop(run: Callable[[list[int]], None], lengths: Sequence[int], batch: int) -> Callable[[], None]:
    groups = by_length(lengths, batch)

    def loop() -> None:
        for group in groups:
            run(group)

    return loop


if __name__ == "__main__":
    typer.run(main)
