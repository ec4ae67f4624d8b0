"""Language-model pretraining: the layers of a sentiment network learn to guess the next word of unlabelled text.

Dai, Le (2015) and Howard, Ruder (2018): a recurrent layer that can guess words needs far fewer labelled texts. The forward
direction reads texts as they stand, the backward one reversed; they share one table of word vectors, which is also the output
layer (Press, Wolf 2017). The softmax is sampled (Jean et al. 2015).
"""

import json
import logging
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from app.tasks.task import pad
from training.precision import bf16
from training.progress import progress
from training.recipe import Recipe
from training.streams import beside

log = logging.getLogger(__name__)

_SHORTEST = 5
_CHECKPOINT_SECONDS = 120.0
_BLOCK = 128
_BLOCK_GPU = 1 << 15

Ids = npt.NDArray[np.int64]


class LanguageModel(nn.Module):
    """Two one-way LSTMs over one table of word vectors, each guessing the word that comes next in its direction."""

    def __init__(self, embedding: nn.Embedding, forwards: nn.Module, backwards: nn.Module, counts: Sequence[int]) -> None:
        """`counts`: how often each word of the vocabulary occurs; frequent ones are drawn more often as wrong guesses."""
        super().__init__()
        self.embedding, self.directions = embedding, nn.ModuleList([forwards, backwards])
        frequency = torch.tensor(counts, dtype=torch.float64).clamp(min=1.0) ** 0.75
        probability = frequency / frequency.sum()
        self.log_share: Tensor
        self.cumulative: Tensor
        self.register_buffer("log_share", probability.log().float())
        self.register_buffer("cumulative", probability.cumsum(0).float())
        self.bias = nn.Parameter(probability.log().float())

    def negatives(self, count: int, generator: torch.Generator) -> Tensor:
        """Wrong guesses, int64 [count], drawn by the words' frequency to the power 3/4."""
        drawn = torch.rand(count, generator=generator).to(self.cumulative.device)
        return torch.searchsorted(self.cumulative, drawn).clamp(max=len(self.bias) - 1)

    def loss(self, direction: int, ids: Tensor, lengths: Tensor, negatives: Tensor) -> Tensor:
        """Mean sampled cross-entropy in nats of every next word; ids int64 [batch, time], lengths int64 [batch]."""
        outputs, _ = self.directions[direction](self.embedding(ids[:, :-1]))
        real = torch.arange(ids.shape[1] - 1, device=ids.device)[None, :] < lengths[:, None] - 1
        state, target = outputs[real], ids[:, 1:][real]
        right = (state * self.embedding(target)).sum(1).float() + self.bias[target]
        # Each draw is weighed by how likely it was to be drawn: together they estimate the softmax's sum over all words.
        offset = self.bias[negatives] - self.log_share[negatives] - float(np.log(len(negatives)))
        others = LogSumWrong.apply(  # type: ignore[no-untyped-call]
            state, self.embedding(negatives), offset, target.int(), negatives.int()
        )
        return functional.softplus(others - right).mean()


class LogSumWrong(torch.autograd.Function):
    """log of the sum of exp(state @ words.T + offset) over the words that are not the target, [positions].

    state [positions, width], words [draws, width], offset [draws], target int32 [positions], drawn int32 [draws]; products are
    in the state's precision. Worked off in blocks that stay in the processor's cache, gradients at once: several times faster
    than the same in plain operations.
    """

    @staticmethod
    def forward(context: Any, state: Tensor, words: Tensor, offset: Tensor, target: Tensor, drawn: Tensor) -> Tensor:
        states, table = state, words.to(state.dtype)
        total = torch.empty(len(states), device=states.device)
        share = torch.empty((len(states), len(table)), dtype=states.dtype, device=states.device)
        size = _BLOCK_GPU if state.is_cuda else _BLOCK
        for start in range(0, len(states), size):
            block = slice(start, start + size)
            logits = (states[block] @ table.T).float().add_(offset)
            logits.masked_fill_(target[block, None] == drawn[None, :], -torch.inf)
            largest = logits.amax(1, keepdim=True)
            weight = logits.sub_(largest).exp_()
            mass = weight.sum(1, keepdim=True)
            total[block] = (mass.log() + largest)[:, 0]
            share[block] = weight.div_(mass)
        context.save_for_backward(states, table, share)
        context.table_kind = words.dtype
        return total

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        states, table, share = context.saved_tensors
        by_row = gradients[0][:, None].to(states.dtype)
        weighed = states * by_row
        to_state = (share @ table) * by_row
        to_offset = (share.T @ by_row)[:, 0].float()
        return to_state, (share.T @ weighed).to(context.table_kind), to_offset, None, None


def pretrain(model: LanguageModel, texts: Sequence[Ids], recipe: Recipe, folder: Path) -> None:
    """Train by the recipe's [pretraining]; the model is changed in place. Resumes from `folder` after a kill."""
    settings = recipe.pretraining
    pieces = [piece for text in texts for piece in _pieces(text, settings.longest)]
    batches = len(pieces) // settings.batch_items * settings.epochs
    optimizer = torch.optim.Adam(model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.99), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, settings.learning_rate, total_steps=batches + 1, pct_start=0.1)
    done = _resume(folder, model, optimizer, schedule)
    torch.set_num_threads(1)  # each direction has a thread of its own, see _step
    started = saved = time.monotonic()
    loss, words = 0.0, 0
    with progress() as bar, ThreadPoolExecutor(2) as threads:
        task = bar.add_task("pretraining", total=batches, completed=done)
        for number, batch in enumerate(_batches(pieces, settings.batch_items, settings.epochs, recipe.training.seed), 1):
            if number <= done:
                continue
            now = _step(model, optimizer, batch, settings.negatives, threads, recipe.training.seed + number)
            schedule.step()
            loss = now if number == done + 1 else 0.99 * loss + 0.01 * now
            words += sum(len(piece) for piece in batch)
            bar.update(task, completed=number, description=f"pretraining, loss {loss:.3f}")
            if time.monotonic() - saved > _CHECKPOINT_SECONDS or number == batches:
                saved = time.monotonic()
                _save(folder, model, optimizer, schedule, number)
                line = {"batch": number, "of": batches, "loss": loss, "words_a_second": words / (saved - started)}
                with (folder / "pretraining.jsonl").open("a") as file:
                    file.write(json.dumps(line) + "\n")


def _pieces(text: Ids, longest: int) -> list[Ids]:
    parts = max(1, -(-len(text) // longest))
    return [piece for piece in np.array_split(text, parts) if len(piece) >= _SHORTEST]


def _batches(pieces: Sequence[Ids], items: int, epochs: int, seed: int) -> Iterator[list[Ids]]:
    """Neighbours in length share a batch; batches come in an order of chance."""
    for epoch in range(epochs):
        chance = random.Random(seed + epoch)  # noqa: S311
        order = sorted(range(len(pieces)), key=lambda row: (len(pieces[row]) // 8, chance.random()))
        groups = [order[cut : cut + items] for cut in range(0, len(order) // items * items, items)]
        chance.shuffle(groups)
        for group in groups:
            yield [pieces[row] for row in group]


def _step(
    model: LanguageModel,
    optimizer: torch.optim.Optimizer,
    batch: Sequence[Ids],
    negatives: int,
    threads: ThreadPoolExecutor,
    seed: int,
) -> float:
    """One step on one batch. Each direction has a thread of its own, which is faster than all threads on each direction."""
    parameters = list(model.parameters())
    device = model.bias.device

    def gradients(direction: int) -> tuple[float, tuple[Tensor | None, ...]]:
        ids, lengths = pad([piece[::-1] if direction else piece for piece in batch])
        drawn = model.negatives(negatives, torch.Generator().manual_seed(2 * seed + direction))
        with beside(device, direction), bf16(device, cache_enabled=False):
            loss = model.loss(direction, torch.from_numpy(ids).to(device), torch.from_numpy(lengths).long().to(device), drawn)
            return loss.item(), torch.autograd.grad(loss, parameters, allow_unused=True)

    (forward_loss, forward), (backward_loss, backward) = threads.map(gradients, (0, 1))
    for parameter, one, other in zip(parameters, forward, backward, strict=True):
        parameter.grad = other if one is None else one if other is None else one + other
    nn.utils.clip_grad_norm_(parameters, 1.0)
    optimizer.step()
    return (forward_loss + backward_loss) / 2


def _save(
    folder: Path,
    model: LanguageModel,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    done: int,
) -> None:
    """Written beside and renamed: a kill leaves the last whole checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / "pretraining.part"
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "schedule": schedule.state_dict(), "done": done}
    torch.save(state, part)
    part.rename(folder / "pretraining.pt")


def _resume(
    folder: Path, model: LanguageModel, optimizer: torch.optim.Optimizer, schedule: torch.optim.lr_scheduler.LRScheduler
) -> int:
    """How many batches are done."""
    if not (folder / "pretraining.pt").exists():
        return 0
    state = torch.load(folder / "pretraining.pt", weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.load_state_dict(state["schedule"])
    return int(state["done"])
