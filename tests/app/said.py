"""Real processes, and what they say on standard error."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx

from tests.app.outages import until

Start = Callable[..., "Process"]


class Process:
    """`gatehouse serve`, ready; its standard error goes to a file."""

    def __init__(self, server: subprocess.Popen[bytes], client: httpx.Client, log: Path) -> None:
        self.server, self.client, self._log = server, client, log

    def ended(self) -> str:
        """All that it has said, once it has ended."""
        self.server.send_signal(signal.SIGTERM)
        self.server.wait(30)
        return self._log.read_text()


@contextmanager
def serving(models: Path, url: str, stderr: IO[bytes] | int, log: Path, settings: dict[str, str]) -> Iterator[Process]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "GATEHOUSE_MODELS_DIR": str(models),
        "GATEHOUSE_DATABASE_URL": url,
        "GATEHOUSE_DRAIN_NOTICE_S": "0",
        **settings,
    }
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
    with (
        subprocess.Popen(command, env=environment, stderr=stderr) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client,
    ):
        try:
            until(lambda: server.poll() is not None or _is_ready(client), 60)
            yield Process(server, client, log)
        finally:
            server.kill()


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").status_code == 200
    except httpx.HTTPError:
        return False


def requests_in(text: str) -> list[dict[str, Any]]:
    """Every line is an object; those of requests that are no probes."""
    lines = [json.loads(line) for line in text.splitlines()]
    assert {"time", "level", "logger", "message", "pid"} <= set.intersection(*(set(line) for line in lines))
    return [line for line in lines if "request_id" in line and line["path"] != "/readyz"]
