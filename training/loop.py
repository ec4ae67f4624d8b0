"""The training loop, in the open: batches, loss, step; a score after every epoch; the best weights kept."""

import json
import math
import random
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from app.tasks.task import Run, Tensors
from training.data.batches import Batch, shuffled_batches
from training.learners.learner import Learner, Scores
from training.model import TaskNet
from training.precision import bf16
from training.progress import progress
from training.recipe import Recipe, Training
from training.run_folder import keep_data, write_whole
from training.shards import CORES, Shards


@dataclass(frozen=True)
class Checkpoint:
    """The weights to keep so far, with their validation scores and epoch (from 1)."""

    weights: dict[str, Tensor]
    scores: Scores
    epoch: int


def device_here() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def as_run(network: TaskNet, device: torch.device) -> Run:
    """A network as the function that tasks call: named arrays in, named arrays out, like its exported graph."""

    def run(feeds: Tensors) -> Tensors:
        network.eval()
        tensors = {name: torch.from_numpy(array).to(device) for name, array in feeds.items()}
        with torch.inference_mode():
            outputs = network.outputs(tensors)
        return {name: tensor.float().cpu().numpy() for name, tensor in outputs.items()}

    return run


def fit(learner: Learner, recipe: Recipe, run_folder: Path, *, one_batch: bool = False) -> tuple[TaskNet, Checkpoint]:
    """Train until the last epoch or until `patience` epochs brought nothing; resumes from `run_folder` after a kill.

    Each epoch adds a line to log.jsonl. Returns the network with the weights in it that the recipe keeps, the best or the
    last. `one_batch` is the dry run.
    """
    settings, device = recipe.training, device_here()
    _seed(settings.seed)
    network = learner.network().to(device)
    batches = 1 if one_batch else -(-len(learner.sets.train) // settings.batch_items)
    shards = Shards(network, CORES if settings.divide == "items" and device.type == "cpu" else 1)
    optimizer = torch.optim.AdamW(
        _levels(network, settings), lr=settings.learning_rate, weight_decay=recipe.regularisation.l2, fused=True
    )
    schedule = _schedule(optimizer, recipe, batches)
    keep_data(run_folder, learner)
    done, best = _resume(run_folder, network, optimizer, schedule)
    _cut_log(run_folder / "log.jsonl", done)
    for epoch in range(done + 1, (1 if one_batch else settings.epochs) + 1):
        if best and epoch - 1 - best.epoch >= settings.patience:
            break
        started = time.perf_counter()
        # A seed per epoch, so that a resumed run draws what an unbroken one would have drawn.
        _seed(settings.seed + epoch)
        loss = _one_epoch(learner, recipe, shards, optimizer, schedule, batches, f"epoch {epoch}/{settings.epochs}")
        scores = learner.score(as_run(network, device), learner.sets.validation)
        new = Checkpoint(_copy(network), scores, epoch)
        best = new if settings.keep == "last" else _better(learner, best, new)
        line = {"epoch": epoch, "loss": loss, **scores, "seconds": time.perf_counter() - started, "best": best.epoch}
        _append(run_folder / "log.jsonl", line)
        _save(run_folder, network, optimizer, schedule, epoch, best)
    if best is None:
        raise ValueError(f"{run_folder}: nothing was trained")
    network.load_state_dict(best.weights)
    return network, best


def _one_epoch(
    learner: Learner,
    recipe: Recipe,
    shards: Shards,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    batches: int,
    title: str,
) -> float:
    """The mean loss over the epoch."""
    device, total = device_here(), 0.0
    chance = random.Random(torch.initial_seed())  # noqa: S311
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def loss(network: TaskNet, share: Batch) -> Tensor:
        with bf16(device, wanted=recipe.training.precision == "bf16"):
            value = learner.loss(network, share)
        return value + recipe.regularisation.l1 * _absolute_weights(network) if recipe.regularisation.l1 else value

    with progress() as bar:
        task = bar.add_task(title, total=batches)
        for number, batch in enumerate(shuffled_batches(learner.sets.train, recipe.training.batch_items, chance), 1):
            total += shards.backward(loss, batch.to(device))
            nn.utils.clip_grad_norm_(parameters, recipe.regularisation.clip_norm)
            optimizer.step()
            schedule.step()
            bar.update(task, completed=number, description=f"{title} loss {total / number:.4f}")
            if number >= batches:
                break
    return total / number


def _absolute_weights(network: TaskNet) -> Tensor:
    """The sum of |w| over matrices; biases are free (as is usual for L1 and L2)."""
    return torch.stack([weights.abs().sum() for weights in network.parameters() if weights.ndim > 1]).sum()


def _schedule(optimizer: torch.optim.Optimizer, recipe: Recipe, batches: int) -> torch.optim.lr_scheduler.LRScheduler:
    """One cycle (Smith 2018) over all epochs, or a constant rate."""
    if recipe.training.schedule == "constant":
        return torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
    steps = batches * recipe.training.epochs + 1
    highest = [group["lr"] for group in optimizer.param_groups]
    return torch.optim.lr_scheduler.OneCycleLR(optimizer, highest, total_steps=steps)


def _levels(network: TaskNet, settings: Training) -> list[dict[str, Any]]:
    """What learns at the recipe's rate, and what learns slower: the nearer to the input the slower."""
    if settings.rate_decay == 1:
        return [{"params": list(network.parameters())}]
    top_down = reversed(network.levels())
    return [
        {"params": level, "lr": settings.learning_rate / settings.rate_decay**depth} for depth, level in enumerate(top_down)
    ]


def _better(learner: Learner, best: Checkpoint | None, new: Checkpoint) -> Checkpoint:
    if best is None:
        return new
    if math.isnan(new.scores[learner.primary]) or math.isnan(best.scores[learner.primary]):
        return best if math.isnan(new.scores[learner.primary]) else new
    gain = new.scores[learner.primary] - best.scores[learner.primary]
    return new if (gain > 0) == learner.higher and gain != 0 else best


def _copy(network: TaskNet) -> dict[str, Tensor]:
    return {name: tensor.detach().cpu().clone() for name, tensor in network.state_dict().items()}


def _seed(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _cut_log(path: Path, done: int) -> None:
    """Of an epoch that a kill left without a checkpoint, and of a line that was torn, nothing stays: it comes again."""
    if path.exists():
        lines = path.read_text("utf-8", "replace").splitlines(keepends=True)
        write_whole(path, "".join(line for line in lines if 1 <= _epoch(line) <= done))


def _epoch(line: str) -> int:
    """0 of what is no line of a log."""
    try:
        return int(json.loads(line)["epoch"]) if line.endswith("\n") else 0
    except (ValueError, KeyError, TypeError):
        return 0


def _append(path: Path, line: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _save(
    run_folder: Path,
    network: TaskNet,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    epoch: int,
    best: Checkpoint,
) -> None:
    """Written beside and renamed: a kill leaves the last whole checkpoint."""
    part = run_folder / "checkpoint.part"
    state = {
        "network": network.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": schedule.state_dict(),
        "epoch": epoch,
        "best": asdict(best),
    }
    torch.save(state, part)
    part.rename(run_folder / "checkpoint.pt")


def _resume(
    run_folder: Path,
    network: TaskNet,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> tuple[int, Checkpoint | None]:
    """The last finished epoch (0 for a fresh run) and the best checkpoint up to it."""
    path = run_folder / "checkpoint.pt"
    if not path.exists():
        return 0, None
    state = torch.load(path, weights_only=True, map_location=device_here())
    network.load_state_dict(state["network"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    return state["epoch"], Checkpoint(**state["best"])
