"""The networks: a stack of fused recurrent layers under a small head for each task.

Sequences are right-padded: [batch, time, ...] with lengths int64 [batch]. Nothing a net answers depends on the padding.
"""

import torch
from torch import Tensor, nn

from app.tasks.recall import TRUST_CLASSES
from training.cells import FUSED_CELLS
from training.recipe import Model, Recipe

State = dict[str, Tensor]
"""Recurrent state by name, `h` and for the LSTM `c`, each [layers, batch, hidden]."""


def reverse_within_length(x: Tensor, lengths: Tensor) -> Tensor:
    """[batch, time, width], each sequence turned round within its length, its padding left in place."""
    steps = torch.arange(x.shape[1], device=x.device)[None, :]
    mirrored = lengths[:, None] - 1 - steps
    index = torch.where(mirrored >= 0, mirrored, steps)
    return x.gather(1, index[:, :, None].expand_as(x))


def steps_within(lengths: Tensor, time: int) -> Tensor:
    """Which steps are a sequence's own and no padding, bool [batch, time]."""
    return torch.arange(time, device=lengths.device)[None, :] < lengths[:, None]


def pool(outputs: Tensor, lengths: Tensor) -> Tensor:
    """[batch, time, width] -> [batch, 2 width]: the maximum and the mean over each sequence's own steps."""
    real = steps_within(lengths, outputs.shape[1])
    largest = outputs.masked_fill(~real[:, :, None], -torch.inf).amax(1)
    mean = (outputs * real[:, :, None]).sum(1) / lengths[:, None]
    return torch.cat([largest, mean], dim=1)


class Stack(nn.Module):
    """Recurrent layers. The backward direction is a second forward kernel over reversed sequences.

    One-layer modules, never packed: the padded path is the one with fused kernels on a CPU.
    """

    def __init__(self, cell: str, inputs: int, shape: Model, dropout: float) -> None:
        super().__init__()
        directions = 2 if shape.bidirectional else 1
        widths = [inputs] + [directions * shape.hidden] * (shape.layers - 1)
        self.cell, self.inputs, self.hidden = cell, inputs, shape.hidden
        self.width = directions * shape.hidden
        self.pins = 0  # how many of `hidden` are none of the network's own, see training/pins.py
        self.dropout = nn.Dropout(dropout)
        self.forwards = nn.ModuleList(FUSED_CELLS[cell](width, shape.hidden, batch_first=True) for width in widths)
        backwards = widths if shape.bidirectional else []
        self.backwards = nn.ModuleList(FUSED_CELLS[cell](width, shape.hidden, batch_first=True) for width in backwards)

    def forward(self, x: Tensor, lengths: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """[batch, time, width] and the forward direction's state after the last step, padding included."""
        last: list[tuple[Tensor, ...]] = []
        for layer, forward in enumerate(self.forwards):
            x = self.dropout(x) if layer else x
            y, after = forward(x, _layer_state(state, layer))
            last.append(after if isinstance(after, tuple) else (after,))
            if self.backwards:
                turned, _ = self.backwards[layer](reverse_within_length(x, lengths))
                y = torch.cat([y, reverse_within_length(turned, lengths)], dim=2)
            x = y
        return x, {name: torch.cat(parts) for name, parts in zip("hc", zip(*last, strict=True), strict=False)}


def _layer_state(state: State | None, layer: int) -> Tensor | tuple[Tensor, Tensor] | None:
    if state is None:
        return None
    h = state["h"][layer : layer + 1]
    return (h, state["c"][layer : layer + 1]) if "c" in state else h


class TaskNet(nn.Module):
    """A network that can be called by the names of its exported graph."""

    def outputs(self, feeds: dict[str, Tensor]) -> dict[str, Tensor]:
        """The graph's inputs by name -> the graph's outputs by name."""
        raise NotImplementedError

    def levels(self) -> list[list[nn.Parameter]]:
        """The parameters from what reads the input up to the head; all as one where no level has learned before."""
        return [list(self.parameters())]


class TextNet(TaskNet):
    """Word indices [batch, time] -> the logit of *positive* [batch], by way of a table of word vectors."""

    def __init__(self, recipe: Recipe, vocabulary_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, recipe.model.embedding)
        nn.init.normal_(self.embedding.weight, std=0.1)
        # Dropout1d drops whole channels: here one mask for all steps of a text.
        self.embedding_dropout = nn.Dropout1d(recipe.regularisation.embedding_dropout)

    def forward(self, ids: Tensor, lengths: Tensor) -> Tensor:
        return self.judge(self.embed(ids), lengths)

    def embed(self, ids: Tensor) -> Tensor:
        """Word vectors [batch, time, embedding]."""
        return torch.as_tensor(self.embedding_dropout(self.embedding(ids).transpose(1, 2)).transpose(1, 2))

    def judge(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Word vectors -> the logit [batch]."""
        raise NotImplementedError

    def directions(self) -> tuple[nn.Module, nn.Module]:
        """What reads forwards and what reads backwards, for a language model to teach; each answers with outputs as wide as
        the word vectors."""
        raise NotImplementedError


class SentimentNet(TextNet):
    """The network that is served; it also tells what each word contributes to the logit, [batch, time]."""

    def __init__(self, recipe: Recipe, vocabulary_size: int) -> None:
        super().__init__(recipe, vocabulary_size)
        regular = recipe.regularisation
        self.stack = Stack(recipe.cell, recipe.model.embedding, recipe.model, regular.dropout)
        self.dropout = nn.Dropout(regular.dropout)
        self.head = nn.Linear(2 * self.stack.width, 1)

    def directions(self) -> tuple[nn.Module, nn.Module]:
        return self.stack.forwards[0], self.stack.backwards[0]

    def levels(self) -> list[list[nn.Parameter]]:
        return [list(part.parameters()) for part in (self.embedding, self.stack, self.head)]

    def judge(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        """Word vectors -> the logit [batch]."""
        outputs, _ = self.stack(vectors, lengths)
        return torch.as_tensor(self.head(self.dropout(pool(outputs, lengths)))[:, 0])

    def contributions(self, outputs: Tensor, lengths: Tensor) -> Tensor:
        """The stack's outputs [batch, time, width] -> [batch, time], zero beyond each length; a text's add up to its logit
        less the bias.

        Class activation mapping (Zhou et al. 2016): the head is linear, so what it reads off a maximum is due to the steps that
        attain it, in equal parts, and what it reads off a mean to every step's share of the mean.
        """
        from_maxima, from_means = self.head.weight[0].chunk(2)
        real = steps_within(lengths, outputs.shape[1])[:, :, None]
        attained = (real & (outputs == pool(outputs, lengths)[:, None, : self.stack.width])).to(outputs.dtype)
        of_maxima = (attained / attained.sum(1, keepdim=True) * outputs) @ from_maxima
        return torch.as_tensor(of_maxima + (outputs * real) @ from_means / lengths[:, None])

    def outputs(self, feeds: dict[str, Tensor]) -> dict[str, Tensor]:
        """Contributions only where `explain` is true; `explain` left out counts as false."""
        lengths = feeds["lengths"].long()
        outputs, _ = self.stack(self.embed(feeds["ids"]), lengths)
        logit = self.head(self.dropout(pool(outputs, lengths)))[:, 0]
        explain = bool(feeds.get("explain", False))
        contributions = self.contributions(outputs, lengths) if explain else outputs.new_zeros(len(lengths), 0)
        return {"logit": logit, "contributions": contributions}


class MusicNet(TaskNet):
    """A tune read so far and a state -> logits of the next character [batch, time, vocabulary] and the state.

    Three indices a step, int64 [batch, time] each: the character, the character that the tune itself suggests next, and how
    far to trust that. The suggestion reaches the output directly as well: to repeat is then not a feat of memory.
    """

    def __init__(self, recipe: Recipe, vocabulary_size: int) -> None:
        super().__init__()
        regular, width = recipe.regularisation, recipe.model.embedding
        self.embedding = nn.Embedding(vocabulary_size, width)
        self.guess = nn.Embedding(vocabulary_size, width // 2)
        self.trust = nn.Embedding(TRUST_CLASSES, width // 2)
        # Dropout1d drops whole channels: here one mask for all steps of a tune.
        self.embedding_dropout = nn.Dropout1d(regular.embedding_dropout)
        self.stack = Stack(recipe.cell, width + 2 * (width // 2), recipe.model, regular.dropout)
        self.dropout = nn.Dropout(regular.dropout)
        self.head = nn.Linear(self.stack.width + 2 * (width // 2), vocabulary_size)

    def forward(
        self, ids: Tensor, guesses: Tensor, trust: Tensor, lengths: Tensor, state: State | None = None
    ) -> tuple[Tensor, State]:
        suggestion = torch.cat([self.guess(guesses), self.trust(trust)], dim=2)
        x = torch.cat([self.embedding(ids), suggestion], dim=2)
        outputs, state = self.stack(self.embedding_dropout(x.transpose(1, 2)).transpose(1, 2), lengths, state)
        return self.head(torch.cat([self.dropout(outputs), suggestion.to(outputs.dtype)], dim=2)), state

    def outputs(self, feeds: dict[str, Tensor]) -> dict[str, Tensor]:
        """A state left out counts as zero."""
        ids, guesses, trust = (feeds[name] for name in ("ids", "guesses", "trust"))
        lengths = torch.full((len(ids),), ids.shape[1], device=ids.device)
        state = {name: tensor for name, tensor in feeds.items() if name in {"h", "c"}}
        logits, after = self(ids, guesses, trust, lengths, state or None)
        return {"logits": logits, **{f"next_{name}": tensor for name, tensor in after.items()}}
