"""The example for KServe: its arguments, environment and probes are those of the service."""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import tritonclient.http as triton
import yaml

from app import examples

EXAMPLE = Path(__file__).parents[1] / "docs" / "kserve" / "gatehouse.yaml"
RUNTIME, SERVICE = yaml.safe_load_all(EXAMPLE.read_text())
CONTAINER: dict[str, Any] = RUNTIME["spec"]["containers"][0]


IMAGE = dict(re.findall(r"^ +(GATEHOUSE_\w+)=(\S+)", (EXAMPLE.parents[2] / "Dockerfile").read_text(), re.MULTILINE))


@contextmanager
def running(models: Path, data: Path, environment: dict[str, str]) -> Iterator[httpx.Client]:
    """What the container runs, on another port, with /data elsewhere."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    changed = {"8080": port, "0.0.0.0": "127.0.0.1"}
    arguments = [changed.get(argument, argument) for argument in CONTAINER["args"]]
    environment = {**os.environ, **environment, "GATEHOUSE_MODELS_DIR": str(models)}
    with (
        subprocess.Popen([sys.executable, "-m", "app.cli", *arguments], env=environment, stderr=subprocess.DEVNULL) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        try:
            for _ in range(600):
                try:
                    client.get(CONTAINER["livenessProbe"]["httpGet"]["path"]).raise_for_status()
                    break
                except httpx.HTTPError:
                    assert server.poll() is None
                    time.sleep(0.1)
            yield client
        finally:
            server.kill()
    assert (data / "gatehouse.db").exists()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The image's and the example's."""
    given = {variable["name"]: variable["value"] for variable in CONTAINER["env"]}
    return {name: value.replace("/data", str(tmp_path)) for name, value in {**IMAGE, **given}.items()}


def test_the_container_is_ready_and_answers_a_client_of_the_protocol_with_a_key(
    tiny_models: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    with running(tiny_models, tmp_path, environment) as container:
        assert container.get(CONTAINER["readinessProbe"]["httpGet"]["path"]).status_code == 200
        assert container.get(RUNTIME["spec"]["annotations"]["prometheus.kserve.io/path"]).status_code == 200
        with triton.InferenceServerClient(f"127.0.0.1:{container.base_url.port}") as client:
            assert client.is_server_ready()
        request: dict[str, Any] = {"url": "/v2/models/sentiment/infer", "json": examples.OPEN_INFERENCE["sentiment"]["value"]}
        assert container.post(**request).status_code == 401
        create = [sys.executable, "-m", "app.cli", "keys", "create", "cluster"]
        said = subprocess.run(create, env={**os.environ, **environment}, capture_output=True, text=True, check=True).stdout
        (key,) = re.findall(r"gate_[\w-]+", said)
        assert container.post(**request, headers={"X-API-Key": key}).status_code == 200


def test_ports_and_names_of_the_example_agree() -> None:
    port = CONTAINER["ports"][0]["containerPort"]
    assert CONTAINER["args"][-2:] == ["--port", str(port)]
    assert RUNTIME["spec"]["annotations"]["prometheus.kserve.io/port"] == str(port)
    for probe in ("livenessProbe", "readinessProbe"):
        assert CONTAINER[probe]["httpGet"]["port"] == port
    model = SERVICE["spec"]["predictor"]["model"]
    assert model["runtime"] == RUNTIME["metadata"]["name"]
    assert model["protocolVersion"] in RUNTIME["spec"]["protocolVersions"]
    assert model["modelFormat"]["name"] == RUNTIME["spec"]["supportedModelFormats"][0]["name"]


def test_the_example_of_a_client_in_the_docs_runs(
    tiny_models: Path, tmp_path: Path, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", EXAMPLE.with_name("README.md").read_text(), re.DOTALL)
    assert len(blocks) == 1
    with running(tiny_models, tmp_path, {**environment, "GATEHOUSE_AUTH": "off"}) as container:
        exec(blocks[0].replace("localhost:8000", f"127.0.0.1:{container.base_url.port}"), {})
    assert re.search(r"b'(positive|negative)'", capsys.readouterr().out)
