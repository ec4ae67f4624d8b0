"""Nodes and weights of an ONNX graph under construction: no tracing, no frozen axes."""

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

OPSET, IR_VERSION = 21, 10  # what onnxruntime 1.20 and later read

Shape = list[int | str]


class Graph:
    """Nodes and weights under construction. Every method that adds a node returns the name of its first output."""

    def __init__(self, prefix: str = "") -> None:
        """`prefix` keeps the names of a branch apart from those of the graph around it, which it may use."""
        self._prefix = prefix
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []

    def input(self, name: str, kind: int, shape: Shape) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, kind, shape))
        return name

    def switch(self, name: str) -> str:
        """An input that may be left out: true or false, false by default."""
        self._weights.append(numpy_helper.from_array(np.array(False), name))
        return self.input(name, TensorProto.BOOL, [])

    def output(self, value: str, name: str, shape: Shape) -> None:
        self._nodes.append(helper.make_node("Identity", [value], [name]))
        self._outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))

    def weight(self, array: npt.NDArray[Any], name: str = "weight") -> str:
        unique = f"{self._prefix}{name}_{len(self._weights)}"
        self._weights.append(numpy_helper.from_array(np.asarray(array, order="C"), unique))
        return unique

    def node(self, kind: str, inputs: list[str], outputs: int = 1, **attributes: Any) -> list[str]:
        names = [f"{self._prefix}{kind.lower()}_{len(self._nodes)}_{position}" for position in range(outputs)]
        self._nodes.append(helper.make_node(kind, inputs, names, name=names[0], **attributes))
        return names

    def one(self, kind: str, *inputs: str, **attributes: Any) -> str:
        return self.node(kind, list(inputs), **attributes)[0]

    def ints(self, *values: int) -> str:
        return self.weight(np.array(values, np.int64), "ints")

    def linear(self, x: str, layer: nn.Linear) -> str:
        weight = self.weight(array_of(layer.weight).T, "head")
        return self.one("Add", self.one("MatMul", x, weight), self.weight(array_of(layer.bias), "bias"))

    def proto(self, name: str) -> onnx.GraphProto:
        return helper.make_graph(self._nodes, name, self._inputs, self._outputs, self._weights)

    def build(self, name: str, metadata: dict[str, str]) -> onnx.ModelProto:
        """Checked, with `metadata` that the session can read back."""
        model = helper.make_model(self.proto(name), opset_imports=[helper.make_opsetid("", OPSET)], producer_name="gatehouse")
        model.ir_version = IR_VERSION
        helper.set_model_props(model, metadata)
        onnx.checker.check_model(model, full_check=True)
        return model


def array_of(tensor: Tensor) -> npt.NDArray[np.float32]:
    return np.asarray(tensor.detach().float().cpu().numpy())
