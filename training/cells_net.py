"""The demonstration: RNN, LSTM and GRU side by side, each reading the same text word by word; and their graph.

The graph is one step, with the equations of training/cells.py in plain operators, so that every gate can be looked at. Who
runs it walks over the words and carries the states: a graph that repeated itself would not be loaded.
"""

import onnx
import torch
from onnx import TensorProto
from torch import Tensor, nn

from app.tasks.cells import INSIDE, STATES, value_name
from training.cells import BOOK_CELLS, FUSED_CELLS, BookCell
from training.model import TaskNet
from training.nodes import Graph, Shape, array_of
from training.recipe import Recipe

_SAID = {
    "forget": "how much of each unit's memory stays",
    "input": "how much of what could be remembered is",
    "candidate": "what could be remembered",
    "output": "how much of the memory is shown",
    "cell": "the memory",
    "update": "how much of the old state stays",
    "reset": "how much of the old state the candidate may see",
    "state": "what the cell puts out and carries on",
}
CELLS_MEANINGS = {
    "ids": ("index in the vocabulary", "one word of each text"),
    **{f"{cell}_logit": ("log-odds", f"of positive after the word, by the {cell.upper()}") for cell in INSIDE},
    **{value_name(cell, name): ("1", f"{cell.upper()}: {_SAID[name]}") for cell in INSIDE for name in INSIDE[cell]},
    **{
        f"{cell}_{name}": ("1", f"{cell.upper()}: {_SAID[name]}, before the word; zeros at the start")
        for cell in INSIDE
        for name in STATES[cell]
    },
}
"""Input or output of the graph -> unit and meaning."""


class Reader(nn.Module):
    """One cell with word vectors and a verdict of its own, which is a line through its state after each word."""

    def __init__(self, cell: str, recipe: Recipe, words: int) -> None:
        super().__init__()
        self.cell, shape = cell, recipe.model
        self.embedding = nn.Embedding(words, shape.embedding)
        nn.init.normal_(self.embedding.weight, std=0.1)
        self.fused = FUSED_CELLS[cell](shape.embedding, shape.hidden, batch_first=True)
        self.head = nn.Linear(shape.hidden, 1)
        self.dropout = nn.Dropout(recipe.regularisation.dropout)

    def forward(self, ids: Tensor) -> Tensor:
        """Word indices [batch, time] -> the logit of *positive* after each word [batch, time]."""
        states, _ = self.fused(self.dropout(self.embedding(ids)))
        return torch.as_tensor(self.head(self.dropout(states))[:, :, 0])

    def book(self) -> BookCell:
        """The cell written out, with the weights of now."""
        book = BOOK_CELLS[self.cell](self.fused.input_size, self.fused.hidden_size)
        book.load_fused(self.fused)
        return book


class CellsNet(TaskNet):
    """Three readers that share nothing but the texts they learn from."""

    def __init__(self, recipe: Recipe, words: int) -> None:
        super().__init__()
        self.words = words
        self.readers: dict[str, Reader] = {}
        for cell in INSIDE:
            self.readers[cell] = Reader(cell, recipe, words)
            self.add_module(cell, self.readers[cell])

    def forward(self, ids: Tensor) -> Tensor:
        """[batch, time] -> logits [cells, batch, time]."""
        return torch.stack([reader(ids) for reader in self.readers.values()])

    def outputs(self, feeds: dict[str, Tensor]) -> dict[str, Tensor]:
        """One step, of words [batch] and states [1, batch, units]: see app/tasks/cells.py."""
        found = {}
        for cell, reader in self.readers.items():
            before = tuple(feeds[f"{cell}_{name}"][0] for name in STATES[cell])
            inside = reader.book().inside(reader.embedding(feeds["ids"]), before)
            found[f"{cell}_logit"] = reader.head(inside["state"])[:, 0]
            for name, value in inside.items():
                found[value_name(cell, name)] = value[None] if name in STATES[cell] else value
        return found


def cells_graph(network: CellsNet) -> onnx.ModelProto:
    """The graph that computes what the network's `outputs` does, for any batch."""
    graph = Graph()
    ids = graph.input("ids", TensorProto.INT64, ["batch"])
    for cell, reader in network.readers.items():
        units = reader.fused.hidden_size
        one_layer: Shape = [1, "batch", units]
        before = {
            name: graph.one("Squeeze", graph.input(f"{cell}_{name}", TensorProto.FLOAT, one_layer), graph.ints(0))
            for name in STATES[cell]
        }
        x = graph.one("Gather", graph.weight(array_of(reader.embedding.weight), "embedding"), ids)
        inside = _EQUATIONS[cell](graph, reader.book(), x, before)
        logit = graph.one("Squeeze", graph.linear(inside["state"], reader.head), graph.ints(1))
        graph.output(logit, f"{cell}_logit", ["batch"])
        for name, value in inside.items():
            if name in before:
                graph.output(graph.one("Unsqueeze", value, graph.ints(0)), value_name(cell, name), one_layer)
            else:
                graph.output(value, value_name(cell, name), ["batch", units])
    return graph.build("cells", {"vocabulary_size": str(network.words)})


def _gate(graph: Graph, book: BookCell, name: str, x: str, h: str, squash: str = "Sigmoid") -> str:
    gate = book.gate_of(name)
    return graph.one(squash, graph.one("Add", graph.linear(x, gate.from_input), graph.linear(h, gate.from_state)))


def _rnn(graph: Graph, book: BookCell, x: str, before: dict[str, str]) -> dict[str, str]:
    return {"state": _gate(graph, book, "mix", x, before["state"], "Tanh")}


def _lstm(graph: Graph, book: BookCell, x: str, before: dict[str, str]) -> dict[str, str]:
    h = before["state"]
    forget, store, output = (_gate(graph, book, name, x, h) for name in ("forget", "input", "output"))
    candidate = _gate(graph, book, "candidate", x, h, "Tanh")
    c = graph.one("Add", graph.one("Mul", forget, before["cell"]), graph.one("Mul", store, candidate))
    shown = graph.one("Mul", output, graph.one("Tanh", c))
    return {"forget": forget, "input": store, "candidate": candidate, "output": output, "cell": c, "state": shown}


def _gru(graph: Graph, book: BookCell, x: str, before: dict[str, str]) -> dict[str, str]:
    h = before["state"]
    update, reset = (_gate(graph, book, name, x, h) for name in ("update", "reset"))
    mix = book.gate_of("candidate")
    seen = graph.one("Mul", reset, graph.linear(h, mix.from_state))
    candidate = graph.one("Tanh", graph.one("Add", graph.linear(x, mix.from_input), seen))
    # u h + (1 - u) n = n + u (h - n)
    after = graph.one("Add", candidate, graph.one("Mul", update, graph.one("Sub", h, candidate)))
    return {"update": update, "reset": reset, "candidate": candidate, "state": after}


_EQUATIONS = {"rnn": _rnn, "lstm": _lstm, "gru": _gru}
