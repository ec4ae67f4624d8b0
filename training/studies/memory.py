"""How far back a cell can carry something: the adding and copying problems (Hochreiter, Schmidhuber 1997)."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from training.progress import track
from training.studies.probe import RATES, Start, make_probe, remember, step
from training.studies.report import (
    CELLS,
    COLOURS,
    MARKERS,
    NAMES,
    Runs,
    Value,
    markdown,
    panels,
    save,
    spread,
    whiskers,
    write_tables,
)

SYMBOLS, LETTERS = 5, 4
"""The copying problem: so many symbols are to be given back, each one of so many letters."""

_CHECK_STEPS = 50
_TEST_ITEMS = 256


@dataclass(frozen=True)
class Scale:
    """`budgets`: problem length -> training steps at most; `starts` at each length."""

    budgets: dict[int, int]
    starts: dict[int, tuple[Start, ...]]
    seeds: int = 5
    parameters: int = 2600
    batch_items: int = 32


FULL = Scale(
    {50: 600, 200: 400, 1000: 100},
    {50: ("plain", "remembering"), 200: ("remembering",), 1000: ("remembering",)},
)
QUICK = Scale({10: 3, 20: 3}, {10: ("plain", "remembering"), 20: ("remembering",)}, seeds=2, parameters=60, batch_items=4)


def adding(items: int, length: int, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """x [items, length, 2]: numbers in [0, 1) and marks, 1 at one step of each half and else 0; y [items]: the sum of the
    two marked numbers. Who remembers nothing and says 1 has a mean squared error of 1/6."""
    numbers, marks = torch.rand(items, length, generator=chance), torch.zeros(items, length)
    half = length // 2
    marks.scatter_(1, torch.randint(0, half, (items, 1), generator=chance), 1.0)
    marks.scatter_(1, torch.randint(half, length, (items, 1), generator=chance), 1.0)
    return torch.stack([numbers, marks], dim=2), (numbers * marks).sum(1)


def copying(items: int, length: int, chance: torch.Generator) -> tuple[Tensor, Tensor]:
    """x one-hot [items, length + 2 SYMBOLS, LETTERS + 2]: symbols, `length` blanks, then a sign at each step at which a symbol
    is to be given back in order; y int64 [items, SYMBOLS]: the symbols."""
    symbols = torch.randint(0, LETTERS, (items, SYMBOLS), generator=chance)
    blanks, signs = torch.full((items, length), LETTERS), torch.full((items, SYMBOLS), LETTERS + 1)
    return functional.one_hot(torch.cat([symbols, blanks, signs], dim=1), LETTERS + 2).float(), symbols


@dataclass(frozen=True)
class Problem:
    """`loss` and `score` of the outputs [items, time, outputs]; `solved` is the score at which training ends early."""

    make: Callable[[int, int, torch.Generator], tuple[Tensor, Tensor]]
    inputs: int
    outputs: int
    loss: Callable[[Tensor, Tensor], Tensor]
    score: Callable[[Tensor, Tensor], Tensor]
    solved: float
    chance: float
    unit: str


def _adding_loss(out: Tensor, y: Tensor) -> Tensor:
    return (out[:, -1, 0] - y).square().mean()


def _explained(out: Tensor, y: Tensor) -> Tensor:
    # Two independent numbers, uniform on [0, 1): their sum has a variance of 1/6.
    return 1.0 - 6.0 * _adding_loss(out, y)


def _copying_loss(out: Tensor, y: Tensor) -> Tensor:
    return functional.cross_entropy(out[:, -SYMBOLS:].flatten(0, 1), y.flatten())


def _right(out: Tensor, y: Tensor) -> Tensor:
    return (out[:, -SYMBOLS:].argmax(2) == y).float().mean()


PROBLEMS = {
    "adding": Problem(adding, 2, 1, _adding_loss, _explained, 0.97, 0.0, "share of variance explained"),
    "copying": Problem(
        copying, LETTERS + 2, LETTERS, _copying_loss, _right, 0.995, 1 / LETTERS, "share of symbols given back right"
    ),
}


def study(folder: Path, quick: bool) -> None:
    """Writes memory.csv, memory.png and the table in memory.md."""
    scale = QUICK if quick else FULL
    runs = Runs(folder / "memory.csv")
    keys = [
        (length, name, start, seed, cell)
        for length in scale.budgets
        for start in scale.starts[length]
        for seed in range(scale.seeds)
        for name in PROBLEMS
        for cell in CELLS
    ]
    for length, name, start, seed, cell in track(keys, "memory runs", len(keys)):
        key: dict[str, Value] = {"problem": name, "length": length, "start": start, "cell": cell, "seed": seed}
        runs.once(key, partial(learn, PROBLEMS[name], cell, length, start, seed, scale))
    _report(folder, runs)


def learn(problem: Problem, cell: str, length: int, start: Start, seed: int, scale: Scale) -> dict[str, float]:
    """Train one probe on fresh sequences until it is solved or the budget is spent; its score on others."""
    chance = torch.Generator().manual_seed(seed)
    probe = make_probe(cell, problem.inputs, problem.outputs, scale.parameters, seed)
    if start == "remembering":
        remember(probe, length)
    optimizer = torch.optim.Adam(probe.parameters(), lr=RATES[cell])
    began, recent, done = time.perf_counter(), 0.0, 0
    while done < scale.budgets[length] and recent < problem.solved:
        recent = 0.0
        for _ in range(min(_CHECK_STEPS, scale.budgets[length] - done)):
            x, y = problem.make(scale.batch_items, length, chance)
            out = probe(x)
            step(probe, optimizer, problem.loss(out, y))
            recent += float(problem.score(out.detach(), y)) / _CHECK_STEPS
            done += 1
    seconds = time.perf_counter() - began
    with torch.no_grad():
        x, y = problem.make(_TEST_ITEMS, length, chance)
        score = float(problem.score(probe(x), y))
    return {"hidden": probe.hidden, "steps": done, "seconds": seconds, "score": score}


def _report(folder: Path, runs: Runs) -> None:
    table = runs.table()
    groups = table.group_by("problem", "length", "start", "cell", maintain_order=True).all().sort("problem", "start", "length")
    rows = [
        [
            *(row["problem"], row["start"], row["length"], NAMES[row["cell"]], row["hidden"][0]),
            *(spread(row["score"], ".2f"), spread(row["steps"], ".0f")),
        ]
        for row in groups.iter_rows(named=True)
    ]
    head = ["problem", "start", "length", "cell", "width", "score: median (range)", "steps: median (range)"]
    write_tables(folder / "memory.md", {"memory": markdown(head, rows)})
    figure, axes = panels(2, rows=2, height=7.0)
    places = [(name, start) for name in PROBLEMS for start in ("plain", "remembering")]
    for each, (name, start) in zip(axes, places, strict=True):
        for cell, shift in zip(CELLS, (0.93, 1.0, 1.07), strict=True):
            part = groups.filter(problem=name, start=start, cell=cell)
            x = [length * shift for length in part["length"]]
            whiskers(each, x, part["score"].to_list(), COLOURS[cell], MARKERS[cell], NAMES[cell])
        each.axhline(PROBLEMS[name].chance, color="grey", linestyle=":", label="guessing")
        lengths = sorted(set(table["length"].to_list()))
        each.set(xscale="log", ylim=(-0.05, 1.05), xlabel="length (steps)", ylabel=PROBLEMS[name].unit)
        each.minorticks_off()
        each.set_xticks(lengths, [str(length) for length in lengths])
        each.set(title=f"{name} problem, {start} start", xlim=(lengths[0] * 0.85, lengths[-1] * 1.2))
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    save(figure, folder / "memory.png")
