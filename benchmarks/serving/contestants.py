"""The contestants: how each is started, asked, and understood."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[2]
PRODUCT = Path(sys.executable)
RIVALS = REPOSITORY / ".venv-rivals/bin/python"
MLSERVER = REPOSITORY / ".venv-mlserver/bin/python"


@dataclass(frozen=True)
class Batching:
    """At most `most` requests in a batch, which waits at most `wait_ms` to fill."""

    most: int
    wait_ms: float

    def __str__(self) -> str:
        return f"{self.most} at most, {self.wait_ms:g} ms"


@dataclass(frozen=True)
class Place:
    """Where a server is to run: `ports` are free ones, `folder` is fresh, `cores` is how many it has."""

    ports: list[int]
    folder: Path
    models: Path
    cores: int
    batching: Batching | None


@dataclass(frozen=True)
class Contestant:
    """`body` makes a request of one text, `probability` reads its answer (None: it judges nothing)."""

    name: str
    python: Path
    path: str
    command: Callable[[Place], list[str]]
    body: Callable[[str], Any]
    probability: Callable[[Any], float] | None
    environment: Callable[[Place], Mapping[str, str]] = field(default=lambda _: {})
    batchings: tuple[Batching, ...] = ()

    @property
    def is_rival(self) -> bool:
        return self.probability is not None and not self.name.startswith("gatehouse")

    @property
    def missing(self) -> bool:
        """Whether its environment is not there."""
        return not self.python.exists()


def _uvicorn(app: str) -> Callable[[Place], list[str]]:
    def command(place: Place) -> list[str]:
        options = ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--workers", str(place.cores)]
        return [str(PRODUCT), "-m", "uvicorn", app, "--port", str(place.ports[0]), *options]

    return command


def _gatehouse(place: Place) -> list[str]:
    return [str(PRODUCT), "-m", "app.cli", "serve", "--migrate", "--port", str(place.ports[0])]


def _with_sqlite(place: Place) -> dict[str, str]:
    return {"GATEHOUSE_MODELS_DIR": str(place.models), "GATEHOUSE_DATABASE_URL": f"sqlite:///{place.folder / 'gatehouse.db'}"}


def _bentoml(place: Place) -> list[str]:
    app = "benchmarks.serving.rivals.bentoml_app:Sentiment"
    return [str(RIVALS), "-m", "bentoml", "serve", app, "--port", str(place.ports[0]), "--working-dir", str(REPOSITORY)]


def _litserve(place: Place) -> list[str]:
    return [str(RIVALS), "-m", "benchmarks.serving.rivals.litserve_app", str(place.ports[0])]


def _mlserver(place: Place) -> list[str]:
    """Its settings are files in the folder it serves. One core: the model runs in the server's own process."""
    if place.batching is None:
        raise ValueError("MLServer batches nothing unless it is told how")
    http, grpc, metrics = place.ports[:3]
    server = {"debug": False, "host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics}
    server |= {"parallel_workers": 0 if place.cores == 1 else place.cores}
    model = {
        "name": "sentiment",
        "implementation": "benchmarks.serving.rivals.mlserver_runtime.Sentiment",
        "max_batch_size": place.batching.most,
        "max_batch_time": place.batching.wait_ms / 1000,
    }
    (place.folder / "settings.json").write_text(json.dumps(server))
    (place.folder / "model-settings.json").write_text(json.dumps(model))
    return [str(MLSERVER), "-m", "mlserver.cli.main", "start", str(place.folder)]


def _text(text: str) -> Any:
    return {"text": text}


def _texts(text: str) -> Any:
    return {"texts": [text]}


def _tensor(text: str) -> Any:
    """The Open Inference Protocol's form."""
    return {"inputs": [{"name": "texts", "shape": [1, 1], "datatype": "BYTES", "data": [text]}]}


# What the rivals' documents call for: a batch size found by experiment, and a short wait. BentoML finds the wait by itself; its
# time is the latency it promises, and it refuses what it could not answer within that.
_BATCHINGS = tuple(Batching(most, wait_ms) for most in (16, 4, 64) for wait_ms in (1, 5))
_PROMISES = tuple(Batching(most, wait_ms) for most in (16, 4, 64) for wait_ms in (60_000, 1_000))

GATEHOUSE = Contestant(
    "gatehouse",
    PRODUCT,
    "/v1/sentiment",
    _gatehouse,
    _texts,
    lambda answer: answer["predictions"][0]["probability"],
    _with_sqlite,
)


def _constant(place: Place) -> list[str]:
    return [str(PRODUCT), "-m", "benchmarks.serving.constant_server", str(place.ports[0])]


CONSTANT = Contestant("constant", PRODUCT, "/", _constant, _texts, None)
ECHO = Contestant("echo", PRODUCT, "/echo", _uvicorn("benchmarks.serving.rivals.echo_app:app"), _texts, None)
CONTESTANTS = (
    GATEHOUSE,
    replace(GATEHOUSE, name="gatehouse-postgresql"),
    Contestant(
        "fastapi",
        PRODUCT,
        "/sentiment",
        _uvicorn("benchmarks.serving.rivals.fastapi_app:app"),
        _texts,
        lambda answer: answer["probabilities"][0],
    ),
    Contestant("litserve", RIVALS, "/sentiment", _litserve, _text, lambda answer: answer["probability"], batchings=_BATCHINGS),
    Contestant("bentoml", RIVALS, "/sentiment", _bentoml, _texts, lambda answer: answer[0], batchings=_PROMISES),
    Contestant(
        "mlserver",
        MLSERVER,
        "/v2/models/sentiment/infer",
        _mlserver,
        _tensor,
        lambda answer: answer["outputs"][0]["data"][0],
        batchings=_BATCHINGS,
    ),
)
