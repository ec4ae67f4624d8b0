"""The three recurrent cells as they are taught, gate by gate.

For reading, and as the reference that the fused kernels are tested against; training uses the kernels.
Inputs are float32 [batch, time, inputs], outputs [batch, time, hidden]; the state before the first step is zero.
"""

from typing import Any

import torch
from torch import Tensor, nn


class Gate(nn.Module):
    """What every gate computes before its squashing: W x + b + U h + c."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.from_input = nn.Linear(inputs, hidden)
        self.from_state = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return torch.as_tensor(self.from_input(x) + self.from_state(h))


class BookCell(nn.Module):
    """Walks a cell's `step` over time. `gate_order` is the order of the gates in torch's stacked weights, `carried` what goes
    on to the next step."""

    gate_order: tuple[str, ...]
    carried: tuple[str, ...] = ("state",)

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        for name in self.gate_order:
            self.add_module(name, Gate(inputs, hidden))

    def load_fused(self, fused: nn.RNNBase) -> None:
        """Take over the weights of a one-layer torch module of the same kind and size."""
        stacked = {
            ("from_input", "weight"): fused.get_parameter("weight_ih_l0"),
            ("from_state", "weight"): fused.get_parameter("weight_hh_l0"),
            ("from_input", "bias"): fused.get_parameter("bias_ih_l0"),
            ("from_state", "bias"): fused.get_parameter("bias_hh_l0"),
        }
        with torch.no_grad():
            for (side, kind), weights in stacked.items():
                for name, part in zip(self.gate_order, weights.chunk(len(self.gate_order)), strict=True):
                    self.get_parameter(f"{name}.{side}.{kind}").copy_(part)

    def gate_of(self, name: str) -> Gate:
        gate = self.get_submodule(name)
        if not isinstance(gate, Gate):
            raise TypeError(f"{name} is no gate")
        return gate

    def gate(self, name: str, x: Tensor, h: Tensor) -> Tensor:
        return self.gate_of(name).forward(x, h)

    def inside(self, x: Tensor, state: tuple[Tensor, ...]) -> dict[str, Tensor]:
        """One time step, x [batch, inputs] and the state before: all that can be looked at, each [batch, hidden]. `state` is
        the output h."""
        raise NotImplementedError

    def step(self, x: Tensor, state: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The state after the step, its first part the output h [batch, hidden]."""
        inside = self.inside(x, state)
        return tuple(inside[name] for name in self.carried)

    def forward(self, x: Tensor) -> Tensor:
        zero = x.new_zeros(x.shape[0], self.hidden)
        state: tuple[Tensor, ...] = (zero, zero)
        outputs = []
        for t in range(x.shape[1]):
            state = self.step(x[:, t], state)
            outputs.append(state[0])
        return torch.stack(outputs, dim=1)


class BookRNN(BookCell):
    """The plain recurrent network (Elman 1990): the new state is a squashed mixture of input and old state."""

    gate_order = ("mix",)

    def inside(self, x: Tensor, state: tuple[Tensor, ...]) -> dict[str, Tensor]:
        h, *_ = state
        return {"state": torch.tanh(self.gate("mix", x, h))}


class BookLSTM(BookCell):
    """Long short-term memory (Hochreiter, Schmidhuber 1997) with a forget gate (Gers et al. 2000)."""

    gate_order = ("input", "forget", "candidate", "output")
    carried = ("state", "cell")

    def inside(self, x: Tensor, state: tuple[Tensor, ...]) -> dict[str, Tensor]:
        h, c = state
        # Forget: how much of each memory stays.
        forget = torch.sigmoid(self.gate("forget", x, h))
        # Store: what could be remembered, and how much of it is.
        candidate = torch.tanh(self.gate("candidate", x, h))
        store = torch.sigmoid(self.gate("input", x, h))
        # Update the cell state.
        c = forget * c + store * candidate
        # Output: how much of the memory is shown.
        output = torch.sigmoid(self.gate("output", x, h))
        h = output * torch.tanh(c)
        return {"forget": forget, "input": store, "candidate": candidate, "output": output, "cell": c, "state": h}


class BookGRU(BookCell):
    """Gated recurrent unit (Cho et al. 2014), with the reset gate applied after the recurrent product as the kernels do."""

    gate_order = ("reset", "update", "candidate")

    def inside(self, x: Tensor, state: tuple[Tensor, ...]) -> dict[str, Tensor]:
        h, *_ = state
        # Update: how much of the old state stays.
        update = torch.sigmoid(self.gate("update", x, h))
        # Reset: how much of the old state the candidate may see.
        reset = torch.sigmoid(self.gate("reset", x, h))
        candidate_gate = self.gate_of("candidate")
        candidate = torch.tanh(candidate_gate.from_input(x) + reset * candidate_gate.from_state(h))
        h = update * h + (1.0 - update) * candidate
        return {"update": update, "reset": reset, "candidate": candidate, "state": h}


BOOK_CELLS: dict[str, type[BookCell]] = {"rnn": BookRNN, "lstm": BookLSTM, "gru": BookGRU}
FUSED_CELLS: dict[str, Any] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
