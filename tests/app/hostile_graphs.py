"""Graphs that ask for more than a pass: other files, endless time, memory without end."""

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TERABYTE = 1 << 40


def claims(*dims: int) -> Any:
    """A weight of that shape, with four bytes of data."""

    def change(model: onnx.ModelProto) -> None:
        model.graph.initializer.append(TensorProto(name="claim", dims=dims, data_type=TensorProto.FLOAT, raw_data=bytes(4)))

    return change


def lies_elsewhere(model: onnx.ModelProto, location: str = "/etc/passwd") -> None:
    tensor = TensorProto(name="stranger", dims=[1], data_type=TensorProto.FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    model.graph.initializer.append(tensor)


def lies_elsewhere_within_a_node(model: onnx.ModelProto) -> None:
    lies_elsewhere(model)
    hidden = helper.make_node("Constant", [], ["hidden"], value=model.graph.initializer.pop())
    model.graph.node.insert(0, hidden)


def is_sparse(model: onnx.ModelProto) -> None:
    values = numpy_helper.from_array(np.ones(1, np.float32), "sparse")
    places = numpy_helper.from_array(np.zeros(1, np.int64), "places")
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [TERABYTE]))


def never_ends(model: onnx.ModelProto) -> None:
    """Loop while true."""
    inputs = [
        helper.make_tensor_value_info("turn", TensorProto.INT64, []),
        helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
    ]
    body = helper.make_graph(
        [helper.make_node("Identity", ["go_on"], ["again"])],
        "body",
        inputs,
        [helper.make_tensor_value_info("again", TensorProto.BOOL, [])],
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(True), "forever"))
    model.graph.node.insert(0, helper.make_node("Loop", ["", "forever"], [], body=body))


def never_ends_within_a_branch(model: onnx.ModelProto) -> None:
    branch = next(node for node in model.graph.node if node.op_type == "If").attribute[0].g
    inner = onnx.ModelProto(graph=branch)
    never_ends(inner)
    branch.CopyFrom(inner.graph)


def has_an_operator_of_its_own(model: onnx.ModelProto) -> None:
    model.opset_import.append(helper.make_opsetid("my.company", 1))
    model.graph.node.insert(0, helper.make_node("Magic", ["lengths"], ["wonder"], domain="my.company"))


def defines_functions(model: onnx.ModelProto) -> None:
    """Each calls the next ten times over: 10 ** 12 nodes when they are written out."""
    model.opset_import.append(helper.make_opsetid("bomb", 1))
    opsets = [*model.opset_import]
    for level in range(12):
        nodes = [helper.make_node(f"f{level + 1}", ["x"], [f"y{i}"], domain="bomb") for i in range(10)]
        model.functions.append(helper.make_function("bomb", f"f{level}", ["x"], ["y0"], nodes, opsets))
    last = [helper.make_node("Identity", ["x"], ["y0"])]
    model.functions.append(helper.make_function("bomb", "f12", ["x"], ["y0"], last, opsets))
    model.graph.node.insert(0, helper.make_node("f0", ["lengths"], ["boom"], domain="bomb"))


def makes_terabytes(model: onnx.ModelProto) -> None:
    """The answer is added to a sum over zeros that it makes first."""
    output = model.graph.output[0].name
    maker = next(node for node in model.graph.node if output in node.output)
    maker.output[0] = "answer"
    model.graph.initializer.append(numpy_helper.from_array(np.array([TERABYTE // 4], np.int64), "much"))
    model.graph.node.append(helper.make_node("ConstantOfShape", ["much"], ["zeros"]))
    model.graph.node.append(helper.make_node("ReduceSum", ["zeros"], ["nothing"], keepdims=0))
    model.graph.node.append(helper.make_node("Add", ["answer", "nothing"], [output]))
