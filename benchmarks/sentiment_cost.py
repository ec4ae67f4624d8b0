"""How many times cheaper a review is for the served sentiment model than for an int8 transformer of DistilBERT's size.

One thread, one process, all alternating; each at the batch size that is best for it, reviews sorted by length. Encoding
counts for the served model and not for the transformer, whose word pieces are made up in the right number.

    python -m benchmarks.sentiment_cost data/imdb
"""

import statistics
from pathlib import Path
from typing import Annotated

import typer

from app.tasks.sentiment import tokenize
from benchmarks.bare_loop import gatehouse_loop, transformer_loop
from benchmarks.transformer import fused_int8, unfused_int8
from training.data.imdb import read_reviews

_BATCHES = (1, 2, 4, 8)


def main(
    data: Annotated[Path, typer.Argument(help="Reviews, as `gatehouse data check sentiment` takes them.")],
    models: Path = Path("models"),
    reviews: Annotated[int, typer.Option(help="How many, drawn at random.")] = 48,
    rounds: int = 5,
) -> None:
    """Prints milliseconds a review at each batch size, medians of the rounds, and the ratios of the best."""
    texts = read_reviews(data)[0]["text"].sample(reviews, seed=0).to_list()
    loops = {
        "gatehouse": gatehouse_loop(models, texts),
        "fused transformer": transformer_loop(fused_int8(), texts),
        "unfused transformer": transformer_loop(unfused_int8(), texts),
    }
    seconds: dict[tuple[str, int], list[float]] = {(name, batch): [] for name in loops for batch in _BATCHES}
    for _ in range(rounds):
        for (name, batch), times in seconds.items():
            times.append(loops[name].seconds(batch))
    words = statistics.median(sum(1 for _ in tokenize(text)) for text in texts)
    typer.echo(f"{reviews} reviews of {words:.0f} words at the median, one thread, {rounds} rounds")
    best: dict[str, float] = {}
    for (name, batch), times in seconds.items():
        each = 1000 * statistics.median(times) / reviews
        best[name] = min(each, best.get(name, each))
        typer.echo(f"  {name:20} batches of {batch}: {each:8.2f} ms a review")
    for name in list(best)[1:]:
        typer.echo(f"  {best[name] / best['gatehouse']:.1f} times cheaper than the {name}")


if __name__ == "__main__":
    typer.run(main)
