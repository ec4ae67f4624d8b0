"""What the tests of networks and graphs share."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
import pytest
import torch

from app.tasks.task import Run, Tensors
from training.reference.rain_winner import COLUMNS


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
        options.log_severity_level = 3
        session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]

        def run(feeds: Tensors) -> Tensors:
            return dict(zip(names, session.run(names, feeds), strict=True))

        return run

    return load


WinnerArrays = Callable[[int, list[int]], list[npt.NDArray[np.float32]]]


def _winner_arrays(linear: int, widths: list[int]) -> list[npt.NDArray[np.float32]]:
    chance = np.random.default_rng(0)
    shapes: list[tuple[int, ...]] = [(COLUMNS, linear), (linear,)] if linear else []
    inputs = linear or COLUMNS
    for width in widths:
        block: list[tuple[int, ...]] = [(1, width), (inputs, width), (width,), (width, width), (width, width), (width,)]
        shapes += block * 2
        inputs = width
    return [(chance.normal(size=shape) * 0.3).astype(np.float32) for shape in [*shapes, (inputs, 1), (1,)]]


@pytest.fixture(scope="session")
def winner_arrays() -> WinnerArrays:
    """Random weights of networks like the rain competition's winner's, in the published order: a first layer of so many units,
    none for 0, blocks of these widths, the last layer."""
    return _winner_arrays


@pytest.fixture(scope="session")
def teacher_folder(tiny_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The generated radar hours, and beside them in `winner` weights of two small networks."""
    folder = tmp_path_factory.mktemp("taught")
    shutil.copy(tiny_data / "rainfall" / "train.csv", folder)
    (folder / "winner").mkdir()
    for name, arrays in (("weights_v1", _winner_arrays(5, [4, 6])), ("weights_v2", _winner_arrays(0, [4]))):
        np.savez(folder / "winner" / f"{name}.npz", allow_pickle=False, **{f"p{k:02}": array for k, array in enumerate(arrays)})
    return folder
