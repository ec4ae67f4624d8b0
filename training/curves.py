"""Learning curves: loss and validation score over epochs, from a run's log."""

import json
from pathlib import Path

from matplotlib.figure import Figure


def plot_curves(log: Path, picture: Path, score: str) -> None:
    """Draw the training loss and the named validation score; the best epoch is marked."""
    lines = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    epochs = [line["epoch"] for line in lines]
    figure = Figure(figsize=(8, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    left.plot(epochs, [line["loss"] for line in lines], marker="o")
    left.set(title="training loss", xlabel="epoch")
    right.plot(epochs, [line[score] for line in lines], marker="o", color="tab:orange")
    right.axvline(lines[-1]["best"], linestyle=":", color="grey")
    right.set(title=f"validation {score}", xlabel="epoch")
    figure.savefig(picture, dpi=100)
