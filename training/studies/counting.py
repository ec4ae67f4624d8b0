"""Whether a cell can count beyond what it has seen: a^n b^n and a^n b^n c^n (Weiss, Goldberg, Yahav 2018)."""

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl
import torch
from torch import Tensor
from torch.nn import functional

from training.progress import track
from training.studies.probe import RATES, Probe, make_probe, step
from training.studies.report import CELLS, COLOURS, MARKERS, NAMES, Runs, Value, markdown, panels, save, spread, write_tables

LANGUAGES = {"a^n b^n": 2, "a^n b^n c^n": 3}
"""Name -> how many letters."""


@dataclass(frozen=True)
class Scale:
    """Trained on all words with n up to `trained_to`, tested on `tested` (n, in rising order)."""

    trained_to: int = 30
    tested: tuple[int, ...] = (*range(1, 31), *range(32, 61, 2), *range(65, 121, 5), *range(140, 301, 20))
    steps: int = 1500
    seeds: int = 5
    parameters: int = 650


FULL = Scale()
QUICK = Scale(trained_to=3, tested=(1, 2, 3, 5, 8), steps=3, seeds=2, parameters=60)


def word(letters: int, n: int) -> tuple[Tensor, Tensor]:
    """A word after its start sign, as symbol numbers [1 + letters n] (0 is the sign, letters count from 1), and what may
    follow each symbol, 0 or 1 [1 + letters n, letters + 1]; column 0 is the end of the word.

    While the first letter lasts it or the second may follow; from then on there is no choice (Gers, Schmidhuber 2001).
    """
    symbols = torch.tensor([0, *(letter for letter in range(1, letters + 1) for _ in range(n))])
    following = torch.cat([symbols[1:], torch.tensor([0])])
    allowed = functional.one_hot(following, letters + 1).float()
    allowed[1 : n + 1, 1:3] = 1.0
    return symbols, allowed


def words(letters: int, upto: int) -> tuple[Tensor, Tensor, Tensor]:
    """All words with n up to `upto`, zero-padded: one-hot x and allowed y [upto, time, letters + 1]; real steps [upto, time]
    are 1, padding 0."""
    made = [word(letters, n) for n in range(1, upto + 1)]
    x, y = torch.zeros(upto, letters * upto + 1, letters + 1), torch.zeros(upto, letters * upto + 1, letters + 1)
    real = torch.zeros(upto, letters * upto + 1)
    for row, (symbols, allowed) in enumerate(made):
        x[row, : len(symbols)] = functional.one_hot(symbols, letters + 1).float()
        y[row, : len(symbols)], real[row, : len(symbols)] = allowed, 1.0
    return x, y, real


def accepted(probe: Probe, letters: int, n: int) -> bool:
    """Whether the probe tells exactly what may follow after every symbol of the word."""
    symbols, allowed = word(letters, n)
    with torch.no_grad():
        out = probe(functional.one_hot(symbols, letters + 1).float()[None])[0]
    return bool(((out > 0) == (allowed > 0.5)).all())


def study(folder: Path, quick: bool) -> None:
    """Writes counting.csv, counting.png and the table in counting.md."""
    scale = QUICK if quick else FULL
    runs = Runs(folder / "counting.csv")
    keys = [(name, seed, cell) for seed in range(scale.seeds) for name in LANGUAGES for cell in CELLS]
    for name, seed, cell in track(keys, "counting runs", len(keys)):
        key: dict[str, Value] = {"language": name, "cell": cell, "seed": seed}
        runs.once(key, partial(learn, LANGUAGES[name], cell, seed, scale))
    _report(folder, runs.table(), scale)


def learn(letters: int, cell: str, seed: int, scale: Scale) -> dict[str, Value]:
    """Train one probe on all short words at once; `right` lists every tested n whose word it gets right throughout."""
    probe = make_probe(cell, letters + 1, letters + 1, scale.parameters, seed)
    optimizer = torch.optim.Adam(probe.parameters(), lr=RATES[cell])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATES[cell], total_steps=scale.steps)
    x, y, real = words(letters, scale.trained_to)
    began = time.perf_counter()
    for _ in range(scale.steps):
        losses = functional.binary_cross_entropy_with_logits(probe(x), y, reduction="none").mean(2)
        step(probe, optimizer, (losses * real).sum() / real.sum())
        schedule.step()
    right = [n for n in scale.tested if accepted(probe, letters, n)]
    loss = float((losses.detach() * real).sum() / real.sum())
    seconds = time.perf_counter() - began
    return {"hidden": probe.hidden, "loss": loss, "seconds": seconds, "right": " ".join(map(str, right))}


def _shares(right: set[int], scale: Scale) -> tuple[float, float, int]:
    """Of the trained n, of the longer n, and the largest n right of all tested (0: none)."""
    trained = [n in right for n in scale.tested if n <= scale.trained_to]
    longer = [n in right for n in scale.tested if n > scale.trained_to]
    return sum(trained) / len(trained), sum(longer) / len(longer), max(right, default=0)


def _report(folder: Path, table: pl.DataFrame, scale: Scale) -> None:
    rows, farthest_of_all = [], 0
    figure, axes = panels(2, height=4.0)
    panel = dict(zip(LANGUAGES, axes, strict=True))
    groups = table.group_by("language", "cell", maintain_order=True).all().sort("language", maintain_order=True)
    for row in groups.iter_rows(named=True):
        right = [{int(n) for n in str(field or "").split()} for field in row["right"]]
        trained, longer, farthest = zip(*(_shares(each, scale) for each in right), strict=True)
        farthest_of_all = max(farthest_of_all, *farthest)
        figures = [spread(trained, ".2f"), spread(longer, ".2f"), spread(farthest, ".0f"), spread(row["loss"], ".4f")]
        rows.append([row["language"], NAMES[row["cell"]], row["hidden"][0], *figures])
        shares = [sum(n in each for each in right) / len(right) for n in scale.tested]
        colour, marker = COLOURS[row["cell"]], MARKERS[row["cell"]]
        panel[row["language"]].plot(
            scale.tested, shares, color=colour, marker=marker, markersize=3, lw=1, label=NAMES[row["cell"]]
        )
    for name, each in panel.items():
        each.axvspan(scale.tested[0], scale.trained_to, color="grey", alpha=0.15, lw=0, label="trained on")
        each.set(title=f"${name.replace(' ', '')}$", xlabel="n (letters of each kind)")
        each.set(xlim=(0, 1.15 * max(farthest_of_all, scale.trained_to)), ylim=(-0.05, 1.05))
        each.set_ylabel("share of networks that get the word right")
    axes[1].legend()
    head = ["language", "cell", "width", "right, trained n", "right, longer n", "largest n right", "training loss"]
    write_tables(folder / "counting.md", {"counting": markdown(head, rows)})
    save(figure, folder / "counting.png")
