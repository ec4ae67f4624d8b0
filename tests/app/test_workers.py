"""Several real processes on one PostgreSQL; and on SQLite, which takes one writer, the refusal."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from app import examples
from app.database import make_engine, migrate
from tests.app.outages import until

Process = subprocess.Popen[str]


@contextmanager
def serving(models: Path, url: str, port: int, **settings: str) -> Iterator[Process]:
    engine = make_engine(url)
    migrate(engine)
    engine.dispose()
    environment = {
        **os.environ,
        "GATEHOUSE_MODELS_DIR": str(models),
        "GATEHOUSE_DATABASE_URL": url,
        "GATEHOUSE_WORKERS": "2",
        "GATEHOUSE_DRAIN_NOTICE_S": "0",
        **{f"GATEHOUSE_{name.upper()}": value for name, value in settings.items()},
    }
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
    with subprocess.Popen(command, env=environment, text=True, stderr=subprocess.PIPE, start_new_session=True) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
    return number


def ask(port: int, path: str, **body: object) -> httpx.Response:
    """Over a connection of its own, which any of the processes may take."""
    while True:
        try:
            return httpx.request("POST" if body else "GET", f"http://127.0.0.1:{port}{path}", json=body or None, timeout=30)
        except httpx.ConnectError:
            time.sleep(0.1)


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_processes_share_one_log_and_add_up_their_metrics(tiny_models: Path, url: str, port: int) -> None:
    with serving(tiny_models, url, port) as process:
        while ask(port, "/readyz").status_code != 200:
            time.sleep(0.1)
        answers = [ask(port, "/v1/sentiment", **examples.SENTIMENT) for _ in range(40)]
        for answer in answers:
            assert answer.status_code == 200
            assert ask(port, f"/v1/requests/{answer.json()['request_id']}").json()["status"] == 200
        text = ask(port, "/metrics").text
        counted = re.search(r'gatehouse_requests_total\{method="POST",route="/v1/sentiment",status="200"\} (\S+)', text)
        assert counted
        assert float(counted[1]) == len(answers)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_the_gauges_of_a_killed_process_end_with_it(tiny_models: Path, url: str, port: int) -> None:
    with serving(tiny_models, url, port) as process:
        until(lambda: _serving_music(port) == 2, 60)  # each process tells of itself when it is asked
        os.kill(_workers(process)[0], signal.SIGKILL)
        until(lambda: _serving_music(port) == 1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_while_the_last_requests_are_answered_new_callers_are_refused_at_once(tiny_models: Path, url: str, port: int) -> None:
    body = json.dumps(examples.SENTIMENT).encode()
    head = f"POST /v1/sentiment HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    with serving(tiny_models, url, port) as process:
        until(lambda: _serving_music(port) == 2, 60)
        with socket.create_connection(("127.0.0.1", port), 30) as slow:
            slow.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
            assert slow.recv(100).startswith(b"HTTP/1.1 100 ")  # one of them has accepted it, and waits for its body
            process.send_signal(signal.SIGTERM)
            until(lambda: _is_refused(port), 10)
            slow.sendall(body)
            assert slow.recv(1000).startswith(b"HTTP/1.1 200 ")
        assert process.wait(30) == 0


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_a_signal_to_all_processes_at_once_leaves_callers_the_time_of_the_notice(
    tiny_models: Path, url: str, port: int
) -> None:
    with serving(tiny_models, url, port, drain_notice_s="60") as process:
        until(lambda: _serving_music(port) == 2, 60)
        os.killpg(process.pid, signal.SIGTERM)  # as systemd does
        assert process.stderr
        told = (line for line in process.stderr if "Terminated child process" in line)
        assert len([next(told), next(told)]) == 2
        for _ in range(20):
            assert httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=30).status_code == 503
            time.sleep(0.05)


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_processes_end_when_the_one_that_started_them_is_killed(tiny_models: Path, url: str, port: int) -> None:
    with serving(tiny_models, url, port) as process:
        until(lambda: _serving_music(port) == 2, 60)
        process.kill()
        until(lambda: _is_refused(port), 10)


def _is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return True
    return False


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_processes_that_cannot_start_end_with_an_exit_code_that_says_so(
    tiny_models: Path, url: str, port: int, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with serving(tiny_models, url, port, log_mode="relaxed", spool_dir=str(tmp_path / "file")) as process:
        _, said = process.communicate(timeout=60)
        assert process.returncode == 3  # as of a single process
        assert "FileExistsError" in said


def _workers(process: Process) -> list[int]:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(child) for child in children if "spawn_main" in Path(f"/proc/{child}/cmdline").read_text()]


def _serving_music(port: int) -> float:
    found = re.search(r'gatehouse_task_ready\{task="music"\} (\S+)', ask(port, "/metrics").text)
    return float(found[1]) if found else 0


def test_several_processes_on_sqlite_are_refused_with_the_reason(tiny_models: Path, tmp_path: Path, port: int) -> None:
    with serving(tiny_models, f"sqlite:///{tmp_path / 'log.db'}", port) as process:
        assert process.wait(30) != 0
        assert process.stderr
        assert "needs PostgreSQL" in " ".join(process.stderr.read().split())
