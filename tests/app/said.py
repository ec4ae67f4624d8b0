"""Real processes, and what they say on standard error."""

import json
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx

from tests.app.outages import answers, launched, until

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
    with launched(models, url, settings, stderr) as served:
        until(lambda: served.process.poll() is not None or answers(served.client, "/readyz"), 60)
        yield Process(served.process, served.client, log)


def requests_in(text: str) -> list[dict[str, Any]]:
    """Every line is an object; those of requests that are no probes."""
    lines = [json.loads(line) for line in text.splitlines()]
    assert {"time", "level", "logger", "message", "pid"} <= set.intersection(*(set(line) for line in lines))
    return [line for line in lines if "request_id" in line and line["path"] != "/readyz"]
