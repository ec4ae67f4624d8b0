"""Thousands of callers, most of them broken, leave the process as it was: memory, threads, files, names of metrics."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from tests.fuzz.callers import BAD, GOOD, one
from tests.fuzz.thoroughness import EXAMPLES

_CALLS = 50 * EXAMPLES
_WARM_UP = 600
_MOST_GROWTH_MIB = 24


class Served:
    """The process of a service, watched from outside."""

    def __init__(self, process: psutil.Process, port: int) -> None:
        self._process, self._port = process, port

    def called(self, first: int, calls: int) -> list[tuple[str, bytes]]:
        """What became of calls with so many seeds, eight at a time."""
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(lambda seed: one(self._port, seed), range(first, first + calls)))

    def settled(self) -> tuple[float, int, int, set[str]]:
        """MiB, threads, open files and the names of metrics with their labels, once nobody is connected any more."""
        for _ in range(200):
            if not [each for each in self._process.net_connections("tcp") if each.status == psutil.CONN_ESTABLISHED]:
                break
            time.sleep(0.1)
        lines = httpx.get(f"http://127.0.0.1:{self._port}/metrics").text.splitlines()
        names = {line.rpartition(" ")[0] for line in lines if not line.startswith("#")}
        memory = self._process.memory_info().rss / (1 << 20)
        return memory, self._process.num_threads(), self._process.num_fds(), names


@pytest.fixture
def served(tiny_models: Path, tmp_path: Path) -> Iterator[Served]:
    """`gatehouse serve` in a process of its own."""
    with httpx.Client() as client:
        port = _free_port()
        environment = {
            **os.environ,
            "GATEHOUSE_MODELS_DIR": str(tiny_models),
            "GATEHOUSE_DATABASE_URL": f"sqlite:///{tmp_path / 'log.db'}",
            "GATEHOUSE_DRAIN_NOTICE_S": "0",
        }
        command = [sys.executable, "-m", "app.cli", "serve", "--migrate", "--port", str(port)]
        with (tmp_path / "log").open("w") as log, subprocess.Popen(command, env=environment, stdout=log, stderr=log) as process:
            try:
                for _ in range(300):
                    try:
                        client.get(f"http://127.0.0.1:{port}/readyz").raise_for_status()
                        break
                    except httpx.HTTPError:
                        time.sleep(0.1)
                yield Served(psutil.Process(process.pid), port)
            finally:
                process.terminate()
        written = (tmp_path / "log").read_text()
        assert "Traceback" not in written, written[:4000]


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_nothing_grows_with_the_callers(served: Served) -> None:
    served.called(0, _WARM_UP)
    memory, threads, files, names = served.settled()
    answers = served.called(_WARM_UP, _CALLS)
    later = served.settled()
    print(f"{_CALLS} calls: {memory:.1f} -> {later[0]:.1f} MiB, {threads} -> {later[1]} threads, {files} -> {later[2]} files")  # noqa: T201
    assert later[0] - memory < _MOST_GROWTH_MIB
    assert later[1] <= threads + 2
    assert later[2] <= files + 4
    assert len(later[3] | names) < 1.2 * len(names)
    statuses = {kind: {answer[9:12] for name, answer in answers if name == kind} for kind in (*GOOD, *BAD)}
    assert {kind: statuses[kind] for kind in GOOD} == {kind: {b"200"} for kind in GOOD}
    assert not [kind for kind in BAD if any(status.startswith(b"5") for status in statuses[kind])]
