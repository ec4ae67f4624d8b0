"""A Predictor: one bundle made runnable. Thread-safe: a session may run in many threads at once."""

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

import onnxruntime as ort

from app.bundle import MANIFEST, BundleError, Manifest, ModelBundle, check_place, read_bundle
from app.graph_file import check_graph
from app.tasks import BUNDLED
from app.tasks.task import Run, Task, Tensors

Provider = Literal["auto", "cpu", "cuda"]
TaskT = TypeVar("TaskT", bound=Task)

_DTYPES = {"tensor(float)": "float32", "tensor(int32)": "int32", "tensor(int64)": "int64", "tensor(bool)": "bool"}


@dataclass
class Clock:
    """Seconds that the graph ran, over all passes of one request."""

    run_s: float = field(default=0.0)


class Predictor(Generic[TaskT]):
    """`task` turns raw input into tensors and back; `timed` gives it the session to run."""

    def __init__(self, bundle: ModelBundle, provider: Provider = "auto", threads: int = 1) -> None:
        """Loads the graph, checks it against the manifest, then against its golden cases (which also warms it up).

        `threads` are those of one pass. Raises BundleError.
        """
        self.bundle = bundle
        self._session = _session(bundle, provider, threads)
        _check_contract(bundle, self._session)
        _check_state(bundle)
        self._outputs = list(bundle.manifest.outputs)
        self.task: TaskT = _task(bundle)
        _check_golden(bundle, self.task, self.run)

    @property
    def manifest(self) -> Manifest:
        return self.bundle.manifest

    @property
    def provider(self) -> str:
        """The execution provider that runs: `cpu` or `cuda`."""
        return {"CUDAExecutionProvider": "cuda"}.get(self._session.get_providers()[0], "cpu")

    def run(self, feeds: Tensors) -> Tensors:
        """One pass of the graph."""
        return dict(zip(self._outputs, self._session.run(self._outputs, feeds), strict=True))

    def timed(self, clock: Clock) -> Run:
        """`run`, adding its time to the clock."""

        def run(feeds: Tensors) -> Tensors:
            started = time.perf_counter()
            try:
                return self.run(feeds)
            finally:
                clock.run_s += time.perf_counter() - started

        return run


def load_predictor(folder: Path, provider: Provider = "auto", threads: int = 1) -> Predictor[Any]:
    """Everything from the folder to a verified, warm Predictor. Raises BundleError."""
    return Predictor(read_bundle(folder), provider, threads)


def load_placed(folder: Path, provider: Provider = "auto", threads: int = 1) -> Predictor[Any]:
    """Likewise, of a bundle that is to be at models/<task>/<version> under its own names. Raises BundleError."""
    bundle = read_bundle(folder)
    check_place(bundle)
    return Predictor(bundle, provider, threads)


def _session(bundle: ModelBundle, provider: Provider, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1  # these graphs are chains: nothing to run side by side
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    # Spinning threads save microseconds a pass and cost a whole core to everything else in the container.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    providers = _providers(provider)
    # What was checked is an ONNX file; by itself onnxruntime would look whether it might be one in its own format instead.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    graph, path = bundle.graph, bundle.folder / "model.onnx"
    check_graph(graph, path)
    try:
        session = ort.InferenceSession(graph, options, providers=providers)
    except Exception as error:
        raise BundleError(f"{path}: onnxruntime cannot load it: {type(error).__name__}") from error
    if provider == "cuda" and session.get_providers()[0] != "CUDAExecutionProvider":
        raise BundleError("provider 'cuda' is asked for, but its libraries or a GPU could not be found")
    return session


def _providers(provider: Provider) -> list[str]:
    available = ort.get_available_providers()
    if provider == "cuda" and "CUDAExecutionProvider" not in available:
        raise BundleError(f"provider 'cuda' is asked for, this onnxruntime has {', '.join(available)}")
    if provider != "cpu" and "CUDAExecutionProvider" in available:
        ort.preload_dlls()  # finds CUDA and cuDNN where pip put them
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]
    return ["CPUExecutionProvider"]


def _check_contract(bundle: ModelBundle, session: ort.InferenceSession) -> None:
    """Names, dtypes and shapes of the manifest equal the session's, and so does the vocabulary's size."""
    manifest, path = bundle.manifest, bundle.folder / "model.onnx"
    try:
        # Inputs with a default, which may be left out, are listed apart by onnxruntime.
        inputs = _described([*session.get_inputs(), *session.get_overridable_initializers()])
        outputs = _described(session.get_outputs())
        size = session.get_modelmeta().custom_metadata_map.get("vocabulary_size")
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}: its names or its metadata are no UTF-8") from error
    for kind, declared, got in (("input", manifest.inputs, inputs), ("output", manifest.outputs, outputs)):
        said = {name: (tensor.dtype, tensor.shape) for name, tensor in declared.items()}
        if got != said:
            raise BundleError(f"{path}: its {kind}s are {got}, the manifest says {said}")
    if size != str(manifest.vocabulary_size):
        raise BundleError(f"{path}: made for a vocabulary of {size}, the manifest says {manifest.vocabulary_size}")
    _check_sizes(manifest, path)


def _described(nodes: Iterable[Any]) -> dict[str, tuple[str, list[Any]]]:
    return {node.name: (_DTYPES.get(node.type, node.type), list(node.shape)) for node in nodes}


def _check_sizes(manifest: Manifest, path: Path) -> None:
    """An input of fixed size is made for every item, and comes from weights that are no fewer than its elements."""
    most = path.stat().st_size
    for name, tensor in manifest.inputs.items():
        if math.prod(size for size in tensor.shape if isinstance(size, int)) > most:
            raise BundleError(f"{path}: its input {name[:40]!a} is {tensor.shape}, the whole file has {most} bytes")


def _check_state(bundle: ModelBundle) -> None:
    """The setting `state`, [layers, hidden] of each recurrent input, is what the graph takes."""
    inputs, outputs = bundle.manifest.inputs, bundle.manifest.outputs
    takes = {name: tensor.shape[::2] for name, tensor in inputs.items() if f"next_{name}" in outputs}
    said = bundle.manifest.settings.get("state", {})
    if said != takes:
        raise BundleError(f"{bundle.folder / MANIFEST}: settings.state is {said}, the graph's is {takes}")


def _task(bundle: ModelBundle) -> Any:
    try:
        return BUNDLED[bundle.manifest.task].from_bundle(bundle.manifest.settings, bundle.asset)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise BundleError(f"{bundle.folder}: settings or vocabulary do not fit the task: {error!r}") from error


def _check_golden(bundle: ModelBundle, task: Task, run: Callable[[Tensors], Tensors]) -> None:
    golden, path = bundle.golden, bundle.folder / "golden.json"
    for position, case in enumerate(golden.cases):
        try:
            got = task.numbers(run, case.input)
        except Exception as error:
            raise BundleError(f"{path}: case {position} fails: {type(error).__name__}") from error
        pairs = list(zip(got, case.numbers, strict=False))
        close = (math.isclose(a, b, rel_tol=golden.tolerance, abs_tol=golden.tolerance) for a, b in pairs)
        if len(got) != len(case.numbers) or not all(close):
            raise BundleError(f"{path}: case {position} gives {got}, expected {case.numbers} within {golden.tolerance}")
