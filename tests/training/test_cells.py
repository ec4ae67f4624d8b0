"""The book's cells against torch's kernels and against ONNX's operators."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from app.tasks.task import Run
from training.cells import BOOK_CELLS, FUSED_CELLS, BookCell

KERNELS: Mapping[str, Callable[..., nn.RNNBase]] = FUSED_CELLS

CELLS = ["rnn", "lstm", "gru"]
INPUTS, HIDDEN = 3, 5
CLOSE = 1e-5

# The order of gates and the operator's own settings as ONNX's specification gives them.
ONNX_GATES = {
    "rnn": ["mix"],
    "lstm": ["input", "output", "forget", "candidate"],
    "gru": ["update", "reset", "candidate"],
}
ONNX_SETTINGS: dict[str, dict[str, Any]] = {"rnn": {}, "lstm": {}, "gru": {"linear_before_reset": 1}}


def twins(cell: str, scale: float = 1.0) -> tuple[BookCell, nn.RNNBase]:
    """A book cell and torch's module with the same weights."""
    torch.manual_seed(7)
    fused = KERNELS[cell](INPUTS, HIDDEN, batch_first=True)
    with torch.no_grad():
        for parameter in fused.parameters():
            parameter.mul_(scale)
    book = BOOK_CELLS[cell](INPUTS, HIDDEN)
    book.load_fused(fused)
    return book, fused


def sequences(batch: int = 4, time: int = 9) -> Tensor:
    return torch.randn(batch, time, INPUTS, generator=torch.Generator().manual_seed(1))


def gradients(module: nn.Module, x: Tensor, weigh: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
    """Gradients of a weighted sum of the outputs, so that every step and unit counts differently."""
    leaf = x.clone().requires_grad_()
    outputs = module(leaf)
    outputs = outputs[0] if isinstance(outputs, tuple) else outputs
    parameters = dict(module.named_parameters())
    of_input, *of_weights = torch.autograd.grad((outputs * weigh).sum(), [leaf, *parameters.values()])
    return of_input, dict(zip(parameters, of_weights, strict=True))


def by_gate(book: BookCell, gradient: dict[str, Tensor], side: str, kind: str) -> Tensor:
    """The book's gradients of one kind of weight, stacked as torch stacks its gates."""
    return torch.cat([gradient[f"{gate}.{side}.{kind}"] for gate in book.gate_order])


def weights(book: BookCell, gates: list[str], side: str, kind: str) -> npt.NDArray[np.float32]:
    """The book's weights of one kind, stacked in the order of `gates`."""
    return np.concatenate([book.get_parameter(f"{gate}.{side}.{kind}").detach().numpy() for gate in gates])


def onnx_operator(book: BookCell, cell: str) -> onnx.ModelProto:
    """One RNN, LSTM or GRU node with the book's weights: x [time, batch, inputs] -> y [time, 1, batch, hidden]."""
    gates = ONNX_GATES[cell]
    biases = np.concatenate([weights(book, gates, "from_input", "bias"), weights(book, gates, "from_state", "bias")])
    constants = {
        "w": weights(book, gates, "from_input", "weight"),
        "r": weights(book, gates, "from_state", "weight"),
        "b": biases,
    }
    node = helper.make_node(cell.upper(), ["x", *constants], ["y"], hidden_size=HIDDEN, **ONNX_SETTINGS[cell])
    graph = helper.make_graph(
        [node],
        cell,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["time", "batch", INPUTS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["time", 1, "batch", HIDDEN])],
        [numpy_helper.from_array(array[None], name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)])
    model.ir_version = 10
    return model


@pytest.mark.parametrize("scale", [1.0, 6.0], ids=["weights as drawn", "weights that saturate the gates"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_book_cell_answers_what_the_fused_kernel_does(cell: str, scale: float) -> None:
    book, fused = twins(cell, scale)
    torch.testing.assert_close(book(sequences()), fused(sequences())[0], atol=CLOSE, rtol=0)


@pytest.mark.parametrize("cell", CELLS)
def test_a_book_cell_has_the_fused_kernels_gradient_of_the_input(cell: str) -> None:
    book, fused = twins(cell)
    x, weigh = sequences(), torch.linspace(-1, 1, 4 * 9 * HIDDEN).reshape(4, 9, HIDDEN)
    of_book, _ = gradients(book, x, weigh)
    of_fused, _ = gradients(fused, x, weigh)
    assert of_fused.abs().max() > 0.01
    torch.testing.assert_close(of_book, of_fused, atol=CLOSE, rtol=0)


@pytest.mark.parametrize("cell", CELLS)
def test_a_book_cell_has_the_fused_kernels_gradient_of_every_weight(cell: str) -> None:
    book, fused = twins(cell)
    x, weigh = sequences(), torch.linspace(-1, 1, 4 * 9 * HIDDEN).reshape(4, 9, HIDDEN)
    _, of_book = gradients(book, x, weigh)
    _, of_fused = gradients(fused, x, weigh)
    stacked = {
        "weight_ih_l0": by_gate(book, of_book, "from_input", "weight"),
        "weight_hh_l0": by_gate(book, of_book, "from_state", "weight"),
        "bias_ih_l0": by_gate(book, of_book, "from_input", "bias"),
        "bias_hh_l0": by_gate(book, of_book, "from_state", "bias"),
    }
    assert sum(gradient.numel() for gradient in of_book.values()) == sum(g.numel() for g in of_fused.values())
    torch.testing.assert_close(stacked, of_fused, atol=CLOSE, rtol=1e-5)


@pytest.mark.parametrize("cell", CELLS)
def test_a_book_cell_answers_what_the_onnx_operator_does(cell: str, load_graph: Callable[[onnx.ModelProto], Run]) -> None:
    book, _ = twins(cell)
    x = sequences()
    y = load_graph(onnx_operator(book, cell))({"x": x.transpose(0, 1).numpy()})["y"]
    np.testing.assert_allclose(book(x).detach().numpy(), y[:, 0].transpose(1, 0, 2), atol=CLOSE, rtol=0)


@pytest.mark.parametrize("cell", CELLS)
def test_a_step_does_not_depend_on_what_follows(cell: str) -> None:
    book, _ = twins(cell)
    x = sequences()
    torch.testing.assert_close(book(x)[:, :4], book(x[:, :4]))


def test_a_plain_cell_by_hand() -> None:
    book = BOOK_CELLS["rnn"](1, 1)
    with torch.no_grad():
        for name, value in {"from_input": 0.5, "from_state": -1.0}.items():
            book.get_parameter(f"mix.{name}.weight").fill_(value)
            book.get_parameter(f"mix.{name}.bias").fill_(0.1)
    first = np.tanh(0.5 * 1.0 + 0.2)
    second = np.tanh(0.5 * 2.0 - first + 0.2)
    outputs = book(torch.tensor([[[1.0], [2.0]]]))[0, :, 0].tolist()
    assert outputs == pytest.approx([first, second], abs=1e-6)


@pytest.mark.parametrize("cell", CELLS)
def test_cells_of_other_sizes_cannot_take_over_weights(cell: str) -> None:
    with pytest.raises(RuntimeError, match="size"):
        BOOK_CELLS[cell](INPUTS, HIDDEN).load_fused(KERNELS[cell](INPUTS, HIDDEN + 1))
