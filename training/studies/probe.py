"""A small network for problems made by rule: one recurrent layer of fused kernels under a linear head."""

from bisect import bisect_left
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor, nn

from training.cells import FUSED_CELLS

Start = Literal["plain", "remembering"]

# Adam's. The plain network needs the smaller one: at 0.01 it jumps about.
RATES = {"rnn": 0.003, "lstm": 0.01, "gru": 0.01}


class Probe(nn.Module):
    """[batch, time, inputs] -> [batch, time, outputs]."""

    def __init__(self, cell: str, inputs: int, hidden: int, outputs: int) -> None:
        super().__init__()
        self.cell, self.hidden = cell, hidden
        self.recurrent: nn.RNNBase = FUSED_CELLS[cell](inputs, hidden, batch_first=True)
        self.head = nn.Linear(hidden, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return torch.as_tensor(self.head(self.recurrent(x)[0]))


def remember(probe: Probe, steps: int) -> None:
    """Start with gates that keep what they hold for 2 to `steps` steps (chrono initialisation: Tallec, Ollivier 2018).

    The plain network has no gate: its recurrent weights become orthogonal, which keep a state's norm (Saxe et al. 2014).
    """
    hidden = probe.hidden
    with torch.no_grad():
        if probe.cell == "rnn":
            nn.init.orthogonal_(probe.recurrent.get_parameter("weight_hh_l0"))
            return
        of_input, of_state = (probe.recurrent.get_parameter(f"bias_{side}_l0") for side in ("ih", "hh"))
        spans = torch.log(torch.empty(hidden).uniform_(1, max(2, steps - 1)))
        # torch stacks the LSTM's gates input, forget, ... and the GRU's reset, update, ...: the second keeps.
        of_input[hidden : 2 * hidden], of_state[hidden : 2 * hidden] = spans, 0
        if probe.cell == "lstm":
            of_input[:hidden], of_state[:hidden] = -spans, 0


def make_probe(cell: str, inputs: int, outputs: int, parameters: int, seed: int) -> Probe:
    """A probe of nearest to so many parameters, its weights drawn from the seed."""
    hidden = matched_width(lambda width: Probe(cell, inputs, width, outputs), parameters)
    torch.manual_seed(seed)
    return Probe(cell, inputs, hidden, outputs)


def matched_width(make: Callable[[int], nn.Module], parameters: int) -> int:
    """The width at which the network that `make` builds has nearest to so many parameters."""

    def size(width: int) -> int:
        # On the meta device weights have a shape and no content.
        with torch.device("meta"):
            return sum(weights.numel() for weights in make(width).parameters())

    above = 1 + bisect_left(range(1, parameters), parameters, key=size)
    return min((max(1, above - 1), above), key=lambda width: abs(size(width) - parameters))


def step(probe: Probe, optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step with the gradient's norm held to 1, without which the plain network's explodes (Pascanu et al. 2013)."""
    optimizer.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(probe.parameters(), 1.0)
    optimizer.step()
