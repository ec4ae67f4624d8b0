"""A real process at its end: readiness goes first, and everything that was accepted is answered."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from app import examples

TUNES = 100  # as many as httpx holds connections for
NOTICE_S = 0.3

Process = tuple[subprocess.Popen[bytes], httpx.Client]


@pytest.fixture
def process(tiny_models: Path, tmp_path: Path) -> Iterator[Process]:
    """`gatehouse serve`, ready."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "GATEHOUSE_MODELS_DIR": str(tiny_models),
        "GATEHOUSE_DATABASE_URL": f"sqlite:///{tmp_path / 'log.db'}",
        "GATEHOUSE_DRAIN_NOTICE_S": str(NOTICE_S),
    }
    command = [sys.executable, "-m", "app.cli", "serve", "--migrate", "--port", str(port)]
    with (
        subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, limits=httpx.Limits(max_connections=TUNES + 2)) as client,
    ):
        while server.poll() is None:
            try:
                client.get("/readyz").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield server, client
        server.kill()


def inside(client: httpx.Client) -> float:
    found = re.search(r'gatehouse_inside_requests\{task="music"\} (\S+)', client.get("/metrics").text)
    assert found
    return float(found[1])


def test_readiness_goes_first_and_what_was_accepted_is_answered(process: Process) -> None:
    server, client = process

    def write(seed: int) -> tuple[int, float]:
        answer = client.post("/v1/music/generate", json={**examples.MUSIC_GENERATE, "seed": seed, "temperature": 2})
        return answer.status_code, time.monotonic()

    with ThreadPoolExecutor(TUNES) as pool:
        tunes = [pool.submit(write, seed) for seed in range(TUNES)]
        while inside(client) < 10:
            assert not all(tune.done() for tune in tunes), "too quick to be caught"
        server.send_signal(signal.SIGTERM)
        while (ready := client.get("/readyz")).status_code == 200:
            time.sleep(0.01)
        assert "ending" in ready.json()["detail"]
        assert client.post("/v1/sentiment", json=examples.SENTIMENT).status_code == 200  # the notice is not over yet
        over = time.monotonic() + NOTICE_S
        ended = [tune.result() for tune in tunes]
    assert [status for status, _ in ended] == [200] * TUNES
    assert max(when for _, when in ended) > over, "nothing was left to answer when listening ended"
    server.wait(30)
    with pytest.raises(httpx.ConnectError):
        client.get("/livez")
