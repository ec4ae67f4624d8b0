"""A teacher of sentiment too wide to serve: two towers of LSTMs under one head, one tower for each direction.

A language model first teaches every layer to guess words, then labelled texts teach all of them at once, the higher ones faster
(Howard, Ruder 2018). It takes a GPU: pretraining that takes minutes there takes days on two cores.
"""

import torch
from torch import Tensor, nn

from training.model import TextNet, reverse_within_length, steps_within
from training.recipe import Model, Recipe

Outputs = tuple[Tensor, Tensor]


class Tower(nn.Module):
    """LSTMs one above the other that read in one direction: [batch, time, width] -> the same, for a language model; `read`
    gives the hidden states [batch, time, hidden]."""

    def __init__(self, width: int, shape: Model, dropout: float) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, shape.hidden, shape.layers, batch_first=True, dropout=dropout)
        self.dropout = nn.Dropout(dropout)
        self.narrow = nn.Linear(shape.hidden, width)

    def forward(self, vectors: Tensor) -> Outputs:
        states = self.dropout(self.read(vectors))
        return self.narrow(states), states

    def read(self, vectors: Tensor) -> Tensor:
        return torch.as_tensor(self.lstm(vectors)[0])

    def layer(self, index: int) -> list[nn.Parameter]:
        return [weights for name, weights in self.lstm.named_parameters() if name.endswith(f"_l{index}")]


class WideNet(TextNet):
    """See TextNet. The head reads each tower's maximum, mean and last state."""

    def __init__(self, recipe: Recipe, vocabulary_size: int) -> None:
        super().__init__(recipe, vocabulary_size)
        shape, dropout = recipe.model, recipe.regularisation.dropout
        self.forwards, self.backwards = (Tower(shape.embedding, shape, dropout / 2) for _ in range(2))
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(2 * 3 * shape.hidden, 1)

    def directions(self) -> tuple[nn.Module, nn.Module]:
        return self.forwards, self.backwards

    def levels(self) -> list[list[nn.Parameter]]:
        layers = range(self.forwards.lstm.num_layers)
        towers = [[*self.forwards.layer(index), *self.backwards.layer(index)] for index in layers]
        return [list(self.embedding.parameters()), *towers, list(self.head.parameters())]

    def judge(self, vectors: Tensor, lengths: Tensor) -> Tensor:
        forwards = self.forwards.read(vectors)
        backwards = self.backwards.read(reverse_within_length(vectors, lengths))
        seen = torch.cat([_pool(states, lengths) for states in (forwards, backwards)], dim=1)
        return torch.as_tensor(self.head(self.dropout(seen))[:, 0])

    def outputs(self, feeds: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"logit": self(feeds["ids"], feeds["lengths"].long())}


def _pool(states: Tensor, lengths: Tensor) -> Tensor:
    """[batch, time, hidden] -> [batch, 3 hidden]: the maximum, the mean and the last of each sequence's own steps."""
    real = steps_within(lengths, states.shape[1])[:, :, None]
    largest = states.masked_fill(~real, -torch.inf).amax(1)
    mean = (states * real).sum(1) / lengths[:, None]
    last = states[torch.arange(len(states), device=states.device), lengths - 1]
    return torch.cat([largest, mean, last], dim=1)
