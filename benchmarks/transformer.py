"""A transformer of DistilBERT's size with random weights: what people use for sentiment today, as fast as onnxruntime runs it.

6 layers, 768 wide, 12 heads, 3072 in the feed-forward part, 30,522 word pieces (Sanh et al. 2019), on onnxruntime's own fused
operators (the ones its transformer optimiser makes), quantised to int8 as its documentation says. Speed does not depend on the
weights' values.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

LAYERS, WIDTH, HEADS, INNER, PIECES, LONGEST = 6, 768, 12, 3072, 30_522, 512
FUSED = "com.microsoft"

PIECES_A_WORD = 1.28
"""Word pieces of BERT's vocabulary for each word of an English review."""


class _Builder:
    def __init__(self) -> None:
        self._chance = np.random.default_rng(0)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, *shape: int) -> str:
        name = f"w{len(self.weights)}"
        array = self._chance.normal(0.0, 0.02, shape).astype(np.float32)
        self.weights.append(numpy_helper.from_array(array, name))
        return name

    def one(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:
        name = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, domain=domain, **attributes))
        return name


def transformer_int8() -> bytes:
    """An ONNX model: ids int64 [batch, time], mask int32 [batch, time] -> logits float32 [batch, 2]."""
    build = _Builder()
    x = build.one("Add", build.one("Gather", build.weight(PIECES, WIDTH), "ids"), _positions(build))
    x = build.one("LayerNormalization", x, build.weight(WIDTH), build.weight(WIDTH), axis=-1)
    for _ in range(LAYERS):
        x = _layer(build, x)
    first = build.one("Gather", x, _constant(build, np.array(0)), axis=1)
    hidden = build.one("Relu", build.one("MatMul", first, build.weight(WIDTH, WIDTH)))
    build.nodes.append(helper.make_node("MatMul", [hidden, build.weight(WIDTH, 2)], ["logits"]))
    graph = helper.make_graph(
        build.nodes,
        "transformer",
        [
            helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", "time"]),
            helper.make_tensor_value_info("mask", TensorProto.INT32, ["batch", "time"]),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 2])],
        build.weights,
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid(FUSED, 1)]
    return _quantised(helper.make_model(graph, opset_imports=opsets, ir_version=10))


def _layer(build: _Builder, x: str) -> str:
    attended = build.one(
        "Attention", x, build.weight(WIDTH, 3 * WIDTH), build.weight(3 * WIDTH), "mask", domain=FUSED, num_heads=HEADS
    )
    projected = build.one("MatMul", attended, build.weight(WIDTH, WIDTH))
    x = _skip_norm(build, projected, x)
    inner = build.one("BiasGelu", build.one("MatMul", x, build.weight(WIDTH, INNER)), build.weight(INNER), domain=FUSED)
    return _skip_norm(build, build.one("MatMul", inner, build.weight(INNER, WIDTH)), x)


def _skip_norm(build: _Builder, x: str, skip: str) -> str:
    scale, shift, bias = (build.weight(WIDTH) for _ in range(3))
    return build.one("SkipLayerNormalization", x, skip, scale, shift, bias, domain=FUSED)


def _positions(build: _Builder) -> str:
    """The position vectors of as many steps as there are ids, [time, width]."""
    time = build.one("Slice", build.one("Shape", "ids"), *(_constant(build, np.array([k])) for k in (1, 2)))
    return build.one("Slice", build.weight(LONGEST, WIDTH), _constant(build, np.array([0])), time)


def _constant(build: _Builder, array: npt.NDArray[np.int64]) -> str:
    name = f"w{len(build.weights)}"
    build.weights.append(numpy_helper.from_array(array.astype(np.int64), name))
    return name


def _quantised(model: onnx.ModelProto) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        extra = {"DefaultTensorType": TensorProto.FLOAT}
        quantize_dynamic(model, path, weight_type=QuantType.QInt8, extra_options=extra)
        return path.read_bytes()
