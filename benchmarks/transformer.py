"""A transformer of DistilBERT's size with random weights: what people use for sentiment today, quantised to int8.

6 layers, 768 wide, 12 heads, 3072 in the feed-forward part, 30,522 word pieces (Sanh et al. 2019). Two forms: on onnxruntime's
own fused operators, the ones its transformer optimiser makes; and as an exporter leaves it, in plain operators, of which
onnxruntime fuses what it can when it loads them. Speed does not depend on the weights' values.
"""

import math
import sys
from collections.abc import Callable
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


def fused_int8() -> bytes:
    """An ONNX model: ids int64 [batch, time], mask int32 [batch, time] -> logits float32 [batch, 2]."""
    return _transformer(_fused_layer)


def unfused_int8() -> bytes:
    """The same network in ONNX's plain operators."""
    return _transformer(_plain_layer)


def _transformer(layer: Callable[[_Builder, str], str]) -> bytes:
    build = _Builder()
    x = build.one("Add", build.one("Gather", build.weight(PIECES, WIDTH), "ids"), _positions(build))
    x = build.one("LayerNormalization", x, build.weight(WIDTH), build.weight(WIDTH), axis=-1)
    for _ in range(LAYERS):
        x = layer(build, x)
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


def _fused_layer(build: _Builder, x: str) -> str:
    attended = build.one(
        "Attention", x, build.weight(WIDTH, 3 * WIDTH), build.weight(3 * WIDTH), "mask", domain=FUSED, num_heads=HEADS
    )
    projected = build.one("MatMul", attended, build.weight(WIDTH, WIDTH))
    x = _skip_norm(build, projected, x)
    inner = build.one("BiasGelu", build.one("MatMul", x, build.weight(WIDTH, INNER)), build.weight(INNER), domain=FUSED)
    return _skip_norm(build, build.one("MatMul", inner, build.weight(INNER, WIDTH)), x)


def _plain_layer(build: _Builder, x: str) -> str:
    x = _norm(build, build.one("Add", _linear(build, _attention(build, x), WIDTH, WIDTH), x))
    inner = _gelu(build, _linear(build, x, WIDTH, INNER))
    return _norm(build, build.one("Add", _linear(build, inner, INNER, WIDTH), x))


def _attention(build: _Builder, x: str) -> str:
    """[batch, time, width] -> the same, each head its own matrix products."""
    query, key, value = (_heads(build, _linear(build, x, WIDTH, WIDTH)) for _ in range(3))
    query = build.one("Div", query, _number(build, math.sqrt(WIDTH / HEADS)))
    scores = build.one("MatMul", query, build.one("Transpose", key, perm=[0, 1, 3, 2]))
    hidden = build.one("Equal", build.one("Cast", "mask", to=TensorProto.INT64), _constant(build, np.array(0)))
    hidden = build.one("Unsqueeze", hidden, _constant(build, np.array([1, 2])))
    scores = build.one("Where", hidden, _number(build, float(np.finfo(np.float32).min)), scores)
    mixed = build.one("MatMul", build.one("Softmax", scores, axis=-1), value)
    joined = build.one("Transpose", mixed, perm=[0, 2, 1, 3])
    return build.one("Reshape", joined, _constant(build, np.array([0, 0, WIDTH])))


def _heads(build: _Builder, x: str) -> str:
    """[batch, time, width] -> [batch, head, time, width of a head]."""
    split = build.one("Reshape", x, _constant(build, np.array([0, 0, HEADS, WIDTH // HEADS])))
    return build.one("Transpose", split, perm=[0, 2, 1, 3])


def _linear(build: _Builder, x: str, wide: int, out: int) -> str:
    return build.one("Add", build.one("MatMul", x, build.weight(wide, out)), build.weight(out))


def _gelu(build: _Builder, x: str) -> str:
    """By the error function (Hendrycks, Gimpel 2016)."""
    erf = build.one("Erf", build.one("Div", x, _number(build, math.sqrt(2))))
    product = build.one("Mul", x, build.one("Add", erf, _number(build, 1.0)))
    return build.one("Mul", product, _number(build, 0.5))


def _norm(build: _Builder, x: str) -> str:
    return build.one("LayerNormalization", x, build.weight(WIDTH), build.weight(WIDTH), axis=-1)


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


def _number(build: _Builder, value: float) -> str:
    name = f"w{len(build.weights)}"
    build.weights.append(numpy_helper.from_array(np.array(value, dtype=np.float32), name))
    return name


def _quantised(model: onnx.ModelProto) -> bytes:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "int8.onnx"
        extra = {"DefaultTensorType": TensorProto.FLOAT}
        quantize_dynamic(model, path, weight_type=QuantType.QInt8, extra_options=extra)
        return path.read_bytes()


def main() -> None:
    """`fused FILE` or `unfused FILE`: writes the model there."""
    form, file = sys.argv[1:]
    Path(file).write_bytes({"fused": fused_int8, "unfused": unfused_int8}[form]())


if __name__ == "__main__":
    main()
