"""What every rival serves: the sentiment bundle on one thread, and the batching it is told to use."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from app.bundle import current_folder
from app.predictor import load_predictor

Judge = Callable[[Sequence[str]], list[float]]


def load_judge() -> Judge:
    """Texts -> probabilities; a batch is one pass, as the rival made it."""
    predictor = load_predictor(current_folder(Path(os.environ["BENCHMARK_MODELS"]), "sentiment"), "cpu", 1)

    def judge(texts: Sequence[str]) -> list[float]:
        encoded = [predictor.task.encode(text) for text in texts]
        outputs = predictor.run(predictor.task.feeds(encoded))
        return [prediction.probability for prediction in predictor.task.predictions(encoded, outputs)]

    return judge


def most_batch() -> int:
    """Requests in one batch, at most."""
    return int(os.environ["BENCHMARK_BATCH"])


def wait_s() -> float:
    """Longest wait for a batch to fill."""
    return float(os.environ["BENCHMARK_WAIT_MS"]) / 1000


def workers() -> int:
    """Worker processes: one a core."""
    return int(os.environ["BENCHMARK_WORKERS"])
