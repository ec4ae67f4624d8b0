"""How much of the loss's gradient reaches the input k steps back, before and after training (Bengio et al. 1994)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import numpy as np
import numpy.typing as npt
import polars as pl
import torch
from torch import Tensor
from torch.nn import functional

from training.progress import track
from training.studies.memory import adding
from training.studies.probe import RATES, Probe, Start, make_probe, remember, step
from training.studies.report import CELLS, COLOURS, NAMES, Runs, Value, markdown, panels, save, spread, write_tables


@dataclass(frozen=True)
class Scale:
    """Adding problems of `length` steps."""

    length: int = 100
    steps: int = 400
    seeds: int = 5
    parameters: int = 2600
    batch_items: int = 32
    measured_items: int = 256


FULL = Scale()
QUICK = Scale(length=12, steps=3, seeds=2, parameters=60, batch_items=4, measured_items=4)


def gradient_norms(probe: Probe, x: Tensor, y: Tensor) -> Tensor:
    """[length]: the mean over sequences of |d loss / d x(T - k)|, k from 0; the loss is each sequence's own squared error.

    x [items, length, inputs]; y [items] is compared with the output after the last step.
    """
    x = x.clone().requires_grad_()
    loss = functional.mse_loss(probe(x)[:, -1, 0], y, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x)
    return torch.as_tensor(gradient.norm(dim=2).mean(0).flip(0))


def study(folder: Path, quick: bool) -> None:
    """Writes gradients.csv, gradients.png and the table in gradients.md."""
    scale = QUICK if quick else FULL
    runs = Runs(folder / "gradients.csv")
    keys = [(start, seed, cell) for start in get_args(Start) for seed in range(scale.seeds) for cell in CELLS]
    for start, seed, cell in track(keys, "gradients runs", len(keys)):
        key: dict[str, Value] = {"start": start, "cell": cell, "seed": seed}
        runs.once(key, partial(measure, start, cell, seed, scale))
    _report(folder, runs.table(), scale.length)


def measure(start: Start, cell: str, seed: int, scale: Scale) -> dict[str, Value]:
    """The gradient norms of one network before and after training on the adding problem, and what it learned."""
    chance = torch.Generator().manual_seed(seed)
    probe = make_probe(cell, 2, 1, scale.parameters, seed)
    if start == "remembering":
        remember(probe, scale.length)
    x, y = adding(scale.measured_items, scale.length, chance)
    before = gradient_norms(probe, x, y)
    optimizer = torch.optim.Adam(probe.parameters(), lr=RATES[cell])
    for _ in range(scale.steps):
        items, sums = adding(scale.batch_items, scale.length, chance)
        step(probe, optimizer, functional.mse_loss(probe(items)[:, -1, 0], sums))
    after = gradient_norms(probe, x, y)
    with torch.no_grad():
        explained = 1.0 - 6.0 * float(functional.mse_loss(probe(x)[:, -1, 0], y))
    return {"hidden": probe.hidden, "explained": explained, "before": _joined(before), "after": _joined(after)}


def _joined(norms: Tensor) -> str:
    """One field of the CSV file."""
    return " ".join(f"{norm:.4g}" for norm in norms.tolist())


def _relative(fields: Sequence[str]) -> npt.NDArray[np.float64]:
    """[seeds, length]: each norm as a share of that of the last step."""
    norms = np.array([[float(norm) for norm in field.split()] for field in fields])
    return np.asarray(norms / norms[:, :1])


def _report(folder: Path, table: pl.DataFrame, length: int) -> None:
    groups = table.group_by("start", "cell", maintain_order=True).all()
    places = [length // 10, length // 2, length - 1]
    rows = []
    figure, axes = panels(2, height=4.8)
    panel = dict(zip(get_args(Start), axes, strict=True))
    for row in groups.iter_rows(named=True):
        for when, line in (("before", "--"), ("after", "-")):
            relative = _relative(row[when])
            learned = spread(row["explained"], ".2f") if when == "after" else "-"
            shares = [spread(relative[:, place].tolist(), ".0e") for place in places]
            rows.append([row["start"], NAMES[row["cell"]], row["hidden"][0], when, *shares, learned])
            colour, label = COLOURS[row["cell"]], f"{NAMES[row['cell']]} {when} training"
            panel[row["start"]].plot(np.median(relative, axis=0), color=colour, linestyle=line, label=label)
            panel[row["start"]].fill_between(range(length), relative.min(0), relative.max(0), color=colour, alpha=0.12, lw=0)
    for start, each in panel.items():
        each.set(title=f"{start} start", yscale="log", ylim=(1e-12, 1e3))
        each.set(xlabel="k (steps back from the loss)", ylabel="gradient norm, 1 at the last step")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    head = ["start", "cell", "width", "training", *(f"k = {place}" for place in places), "variance explained"]
    write_tables(folder / "gradients.md", {"gradients": markdown(head, rows)})
    save(figure, folder / "gradients.png")
