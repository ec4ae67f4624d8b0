"""A model in a bare loop: no server, nothing but encoding and onnxruntime, texts sorted by length, one thread.

    python -m benchmarks.bare_loop TEXTS.json                 # the served bundle
    python -m benchmarks.bare_loop TEXTS.json --onnx FILE     # a transformer of benchmarks.transformer

TEXTS.json is a list of texts. Prints JSON: texts a second at each batch size, and the median milliseconds of one text alone.
"""

import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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
from benchmarks.transformer import LONGEST, PIECES, PIECES_A_WORD


@dataclass(frozen=True)
class BareLoop:
    """`run` takes the numbers of the texts of one batch; `lengths` are the steps each takes in the model."""

    lengths: Sequence[int]
    run: Callable[[list[int]], None]

    def seconds(self, batch: int) -> float:
        """Of all texts, once."""
        groups = by_length(self.lengths, batch)
        started = time.perf_counter()
        for group in groups:
            self.run(group)
        return time.perf_counter() - started


def gatehouse_loop(models: Path, texts: Sequence[str]) -> BareLoop:
    """The served bundle, encoding counted."""
    predictor = load_predictor(current_folder(models, "sentiment"), "cpu", 1)
    task: Sentiment = predictor.task

    def run(group: list[int]) -> None:
        predictor.run(task.feeds([task.encode(texts[number]) for number in group]))

    return BareLoop([len(task.encode(text).ids) for text in texts], run)


def transformer_loop(model: str | bytes, texts: Sequence[str]) -> BareLoop:
    """A model of benchmarks.transformer, or the file that holds it; word pieces are made up in the right number, at no cost."""
    counts = [sum(1 for _ in tokenize(text)) for text in texts]
    pieces = [np.arange(min(LONGEST, max(1, round(count * PIECES_A_WORD)))) % PIECES for count in counts]
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def run(group: list[int]) -> None:
        ids, lengths = pad([pieces[number] for number in group])
        mask: npt.NDArray[Any] = np.arange(ids.shape[1])[None, :] < lengths[:, None]
        session.run(None, {"ids": ids, "mask": mask.astype(np.int32)})

    return BareLoop([len(each) for each in pieces], run)


def main(
    texts: Path,
    models: Path = Path("models"),
    onnx: Path | None = None,
    batches: Annotated[str, typer.Option(help="Sizes, with commas between.")] = "1,2,4,8,16",
    seconds: Annotated[float, typer.Option(help="At least, at each size; all texts are read at least once.")] = 1.0,
) -> None:
    """Prints one line of JSON."""
    read = json.loads(texts.read_text("utf-8"))
    loop = transformer_loop(str(onnx), read) if onnx else gatehouse_loop(models, read)
    rates = {size: _rate(loop, int(size), seconds) for size in batches.split(",")}
    typer.echo(json.dumps({"texts_a_second": rates, "alone_ms": 1000 * _alone(loop)}))


def _rate(loop: BareLoop, batch: int, seconds: float) -> float:
    """Texts a second, after the first few have warmed up; always whole passes, for the texts are sorted."""
    for group in by_length(loop.lengths, batch)[:3]:
        loop.run(group)
    spent, passes = 0.0, 0
    while not passes or spent < seconds:
        spent += loop.seconds(batch)
        passes += 1
    return passes * len(loop.lengths) / spent


def _alone(loop: BareLoop) -> float:
    """Median seconds of a text, in the order they came."""
    times = []
    for number in range(len(loop.lengths)):
        started = time.perf_counter()
        loop.run([number])
        times.append(time.perf_counter() - started)
    return statistics.median(times)


if __name__ == "__main__":
    typer.run(main)
