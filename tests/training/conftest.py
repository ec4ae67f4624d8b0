"""What the tests of networks and graphs share."""

from collections.abc import Callable

import onnx
import onnxruntime as ort
import pytest
import torch

from app.tasks.task import Run, Tensors


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """The nets of these tests are too small to share out, and a second thread only waits for the first."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def load_graph() -> Callable[[onnx.ModelProto], Run]:
    """A graph, made callable by onnxruntime."""

    def load(model: onnx.ModelProto) -> Run:
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]

        def run(feeds: Tensors) -> Tensors:
            return dict(zip(names, session.run(names, feeds), strict=True))

        return run

    return load
