"""The file of a graph, looked at before onnxruntime takes it in.

onnxruntime believes what a file says of itself: it opens the files that tensors are said to lie in, makes room for sizes that
are only claimed, and runs a loop for as long as the loop wants. What a served graph needs is told here by its shape alone.

    https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from app.bundle_files import BundleError

# The part of onnx.proto that is looked at: message -> field -> number and kind, `*` where there may be several. Sparse tensors
# and functions are never read, so they stay bytes.
_FORMAT: dict[str, dict[str, tuple[int, str]]] = {
    "Model": {"graph": (7, "Graph"), "functions": (25, "bytes*")},
    "Graph": {"node": (1, "Node*"), "initializer": (5, "Tensor*"), "sparse_initializer": (15, "bytes*")},
    "Node": {"op_type": (4, "bytes"), "attribute": (5, "Attribute*"), "domain": (7, "bytes")},
    "Attribute": {
        "t": (5, "Tensor"),
        "g": (6, "Graph"),
        "tensors": (10, "Tensor*"),
        "graphs": (11, "Graph*"),
        "sparse_tensor": (22, "bytes*"),
        "sparse_tensors": (23, "bytes*"),
    },
    "Tensor": {
        "dims": (1, "int64*"),
        "name": (8, "bytes"),
        "external_data": (13, "bytes*"),
        "data_location": (14, "int64"),
    },
}
_IF = (b"If", {b"", b"ai.onnx"})
_MOST_ELEMENTS_A_BYTE = 2  # of the smallest type, with 4 bits


def check_graph(content: bytes, path: Path) -> None:
    """Raises BundleError, which names `path`, for a graph that could need other files, endless time or unlimited memory."""
    try:
        model = _MODEL.FromString(content)
    except DecodeError as error:
        raise BundleError(f"{path}: no ONNX file") from error
    if model.functions:
        raise BundleError(f"{path}: it defines {len(model.functions)} functions, allowed are the operators of onnxruntime")
    graphs = [model.graph]
    while graphs:
        graph = graphs.pop()
        if graph.sparse_initializer:
            raise BundleError(f"{path}: it holds sparse tensors, allowed are dense ones")
        for tensor in graph.initializer:
            _check_tensor(tensor, path)
        for node in graph.node:
            graphs += _branches(node, path)


def _branches(node: Any, path: Path) -> Iterator[Any]:
    """The graphs within a node, which only a choice between two may have: all others that there are repeat theirs."""
    for attribute in node.attribute:
        if attribute.sparse_tensor or attribute.sparse_tensors:
            raise BundleError(f"{path}: the operator {_shown(node.op_type)} holds sparse tensors, allowed are dense ones")
        for tensor in [*_single(attribute, "t"), *attribute.tensors]:
            _check_tensor(tensor, path)
        branches = [*_single(attribute, "g"), *attribute.graphs]
        if branches and not (node.op_type == _IF[0] and node.domain in _IF[1]):
            raise BundleError(f"{path}: the operator {_shown(node.op_type)} runs a graph of its own, which only If may")
        yield from branches


def _single(attribute: Any, field: str) -> list[Any]:
    return [getattr(attribute, field)] if attribute.HasField(field) else []


def _check_tensor(tensor: Any, path: Path) -> None:
    if tensor.external_data or tensor.data_location:
        raise BundleError(f"{path}: the tensor {_shown(tensor.name)} lies in another file, allowed is within this one")
    elements, most = math.prod(tensor.dims), _MOST_ELEMENTS_A_BYTE * tensor.ByteSize()
    if elements > most or any(size < 0 for size in tensor.dims):
        raise BundleError(f"{path}: the tensor {_shown(tensor.name)} claims to be {list(tensor.dims)}, and has no such data")


def _shown(name: bytes) -> str:
    return ascii(name[:60])[1:]


def _model() -> Any:
    """The class of the message Model, in a pool of its own, where it meets no other package's idea of ONNX."""
    field_of = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(name="graph_file.proto", package="gatehouse", syntax="proto2")
    for name, fields in _FORMAT.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            single = kind.removesuffix("*")
            message.field.add(
                name=field,
                number=number,
                label=field_of.LABEL_REPEATED if kind.endswith("*") else field_of.LABEL_OPTIONAL,
                type={"bytes": field_of.TYPE_BYTES, "int64": field_of.TYPE_INT64}.get(single, field_of.TYPE_MESSAGE),
                type_name=f".gatehouse.{single}" if single in _FORMAT else None,
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("gatehouse.Model"))


_MODEL = _model()
