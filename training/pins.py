"""Pins: what makes an int8 answer independent of whatever else is in the same pass.

The int8 LSTM of onnxruntime quantises activations on the fly, with one scale for a whole tensor: one for all inputs of a pass,
one for all outputs of each step. So a text would be rounded otherwise beside a text with larger values than alone. Here each
tensor that is quantised gets columns that reach the ends of its range, whatever is asked. The scale is then the same in
every pass, each row is computed from itself alone, and its answer among others is to the last bit what it is alone.

- A table of embeddings gets two more columns, its smallest and its largest entry in every row. They reach what the whole table
  does, so the range of a concatenation of lookups is always that of all its tables. Where there is one table its int8 scale,
  which these ends make, is met again when lookups are quantised as inputs, and that rounds nothing.
- An LSTM gets two more units, without weights. Their input gate is shut and their forget gate open, so that the cells which the
  graph puts there (`held_cells`), -_CELL and _CELL, never change; their output gate is open, so h is -1 and 1 after every step.
  No other unit is beyond them, for |h| = o |tanh c| <= 1 whatever c is. So the range of h is theirs at every step, and that of
  the next layer's inputs too: by induction over steps and layers all scales are fixed. A state of zeros before the
  first step needs no pins: zero is quantised without error at every scale.
- Weights that read pins are zero, in layers and head, so no answer changes. The head stays in floating point (see `quantise`).

Rain is not pinned, for scans have no largest value: its recipes allow fp32 alone. Nor are the plain recurrent network and the
GRU, which have no int8 kernel: of them only tables are quantised, entry by entry.
"""

import copy

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from training.model import MusicNet, SentimentNet, TaskNet

PINS = 2

# onnxruntime's tanh and sigmoid are rational functions that overshoot 1 by a unit or two in the last place before they
# saturate. At these arguments they are largest (on x86), so that not even a saturated unit is beyond a pin.
_CELL, _OPEN_OUTPUT = 8.47554, 17.482065
_SHUT, _OPEN = -20.0, 20.0  # the sigmoid is 0 and 1 there in float32


def pinned(network: TaskNet) -> TaskNet:
    """A wider network that answers the same, to be made a graph of and quantised; one that takes no pins as it is."""
    if not isinstance(network, SentimentNet | MusicNet) or network.stack.cell != "lstm":
        return network
    wide, stack = copy.deepcopy(network), network.stack
    outputs = [stack.hidden] * (stack.width // stack.hidden)
    widths = [table.embedding_dim for table in _tables(network)]
    if isinstance(wide, MusicNet):
        wide.guess, wide.trust = _pinned_table(wide.guess), _pinned_table(wide.trust)
        wide.head = _spread_linear(wide.head, [*outputs, *widths[1:]])
    else:
        wide.head = _spread_linear(wide.head, [*outputs, *outputs])
    wide.embedding = _pinned_table(wide.embedding)
    for directions in (wide.stack.forwards, wide.stack.backwards):
        for layer, lstm in enumerate(directions):
            directions[layer] = _pinned_lstm(lstm, outputs if layer else widths)
    wide.stack.inputs += PINS * len(widths)
    wide.stack.hidden += PINS
    wide.stack.width += PINS * len(outputs)
    wide.stack.pins = PINS
    return wide


def held_cells(hidden: int) -> npt.NDArray[np.float32]:
    """float32 [hidden]: what the cells of the pins, the last ones, must hold; zero elsewhere."""
    cells = np.zeros(hidden, np.float32)
    cells[-PINS:] = -_CELL, _CELL
    return cells


def _tables(network: SentimentNet | MusicNet) -> list[nn.Embedding]:
    """In the order in which their lookups stand side by side."""
    if isinstance(network, MusicNet):
        return [network.embedding, network.guess, network.trust]
    return [network.embedding]


def _pinned_table(table: nn.Embedding) -> nn.Embedding:
    weight = table.weight.detach()
    ends = torch.stack([weight.min(), weight.max()]).expand(len(weight), PINS)
    wide = nn.Embedding(len(weight), table.embedding_dim + PINS)
    with torch.no_grad():
        wide.weight.copy_(torch.cat([weight, ends], dim=1))
    return wide


def _pinned_lstm(lstm: nn.Module, blocks: list[int]) -> nn.LSTM:
    """`blocks`: the widths of the pieces that the layer's input consists of, each followed by its pins."""
    assert isinstance(lstm, nn.LSTM)  # noqa: S101
    hidden = lstm.hidden_size
    wide = nn.LSTM(lstm.input_size + PINS * len(blocks), hidden + PINS, batch_first=True)
    gates = torch.tensor([_SHUT, _OPEN, 0.0, _OPEN_OUTPUT])[:, None].expand(4, PINS)  # torch's order: i, f, g, o
    with torch.no_grad():
        for side, pieces in (("ih", blocks), ("hh", [hidden])):
            weight = _spread(lstm.get_parameter(f"weight_{side}_l0"), pieces).view(4, hidden, -1)
            bias = lstm.get_parameter(f"bias_{side}_l0").view(4, hidden)
            added = gates if side == "ih" else torch.zeros_like(gates)
            wide.get_parameter(f"weight_{side}_l0").copy_(functional.pad(weight, (0, 0, 0, PINS)).flatten(0, 1))
            wide.get_parameter(f"bias_{side}_l0").copy_(torch.cat([bias, added], dim=1).flatten())
    return wide


def _spread_linear(layer: nn.Linear, blocks: list[int]) -> nn.Linear:
    wide = nn.Linear(layer.in_features + PINS * len(blocks), layer.out_features)
    with torch.no_grad():
        wide.weight.copy_(_spread(layer.weight, blocks))
        wide.bias.copy_(layer.bias)
    return wide


def _spread(weight: Tensor, blocks: list[int]) -> Tensor:
    """[outputs, inputs] with columns of zeros for the pins behind each block of inputs."""
    return torch.cat([functional.pad(block, (0, PINS)) for block in torch.split(weight, blocks, dim=1)], dim=1)
