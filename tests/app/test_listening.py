"""Where the service listens, and callers that are slow, silent or many."""

import json
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import httpx
import pytest

from app import examples
from app.listening import OpenAddress, check_address
from app.settings import Settings
from tests.app.outages import answers, until

REPOSITORY = Path(__file__).parents[2]
Serve = Callable[[Settings], httpx.Client]

HEAD = b"POST /v1/sentiment HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n"
CELLS_HEAD = b"POST /v1/cells HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


@contextmanager
def connected(client: httpx.Client) -> Iterator[socket.socket]:
    with socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=20) as connection:
        yield connection


def until_closed(connection: socket.socket, send: bytes = b"") -> tuple[bytes, float]:
    """What came before the other side closed, and after how many seconds; sends a byte at a time meanwhile."""
    started, got, rest = time.monotonic(), b"", list(send)
    connection.settimeout(0.05)
    while time.monotonic() - started < 20:
        try:
            if rest:
                connection.sendall(bytes([rest.pop(0)]))
            piece = connection.recv(65_536)
        except TimeoutError:
            continue
        except ConnectionError:
            return got, time.monotonic() - started
        if not piece:
            return got, time.monotonic() - started
        got += piece
    raise AssertionError("the connection was left open")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_keys(host: str) -> None:
    check_address(host, Settings(_env_file=None))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_another_address_needs_keys_or_a_word_that_it_is_meant(host: str) -> None:
    with pytest.raises(OpenAddress, match=r"GATEHOUSE_AUTH=keys .* or GATEHOUSE_ALLOW_OPEN=on"):
        check_address(host, Settings(_env_file=None))
    check_address(host, Settings(_env_file=None, auth="keys"))
    check_address(host, Settings(_env_file=None, allow_open="on"))


@pytest.mark.parametrize("sent", [b"", b"GET /livez HTTP/1.1\r\nHo", HEAD])
def test_a_head_that_does_not_come_in_time_ends_the_connection(serve: Serve, settings: Settings, sent: bytes) -> None:
    client = serve(settings.model_copy(update={"header_timeout_s": 0.5}))
    with connected(client) as connection:
        connection.sendall(sent)
        got, took_s = until_closed(connection)
    assert got == b""
    assert 0.4 < took_s < 5


def test_a_byte_now_and_then_gains_no_time(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"header_timeout_s": 0.5}))
    with connected(client) as connection:
        got, took_s = until_closed(connection, HEAD)
    assert got == b""
    assert took_s < 5


def test_a_connection_that_asks_in_time_is_kept(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"header_timeout_s": 0.5}))
    with connected(client) as connection:
        for _ in range(4):
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n")
            assert connection.recv(65_536).startswith(b"HTTP/1.1 200")
            time.sleep(0.3)


def test_a_head_beyond_reason_is_refused(client: httpx.Client) -> None:
    with connected(client) as connection:
        connection.sendall(b"GET /livez HTTP/1.1\r\nX: " + b"x" * 100_000)
        got, _ = until_closed(connection)
    assert got == b"" or got.startswith(b"HTTP/1.1 400")


@pytest.mark.parametrize("rest", [b"", b'{"texts": ["' + b"a" * 900])
def test_a_body_that_does_not_come_in_time_is_refused(serve: Serve, settings: Settings, rest: bytes) -> None:
    client = serve(settings.model_copy(update={"body_timeout_s": 0.5}))
    with connected(client) as connection:
        connection.sendall(HEAD + b"\r\n")
        got, took_s = until_closed(connection, rest)
    assert got.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"body_timeout"' in got
    assert b"connection: close" in got.lower()
    assert 0.4 < took_s < 5
    record_id = got.lower().split(b"x-request-id: ")[1].split(b"\r\n")[0].decode()
    assert client.get(f"/v1/requests/{record_id}").json()["error_code"] == "body_timeout"


def test_hundreds_of_silent_and_slow_connections_stop_nobody(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"max_connections": 100, "header_timeout_s": 60}))
    connections = []
    with ExitStack() as stack:
        for number in range(400):
            connection = stack.enter_context(connected(client))
            connections.append(connection)
            connection.sendall(b"GET /livez HTTP/1.1\r\n"[: number % 20])
            if number % 50 == 0:
                assert client.post("/v1/sentiment", json=examples.SENTIMENT).status_code == 200
        with httpx.Client(base_url=client.base_url, timeout=10) as newcomer:
            assert newcomer.post("/v1/sentiment", json=examples.SENTIMENT).status_code == 200
        assert sum(_is_closed(connection) for connection in connections) >= 300


def _is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0.01)
    try:
        return connection.recv(1) == b""
    except TimeoutError:
        return False
    except ConnectionError:
        return True


def test_a_request_under_way_is_not_given_up_for_new_connections(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"max_connections": 20}))
    with ExitStack() as stack:
        slow = stack.enter_context(connected(client))
        slow.sendall(HEAD + b"\r\n" + b'{"texts": ["a"]}')
        time.sleep(0.2)
        for _ in range(60):
            stack.enter_context(connected(client))
        slow.sendall(b" " * (1000 - len(b'{"texts": ["a"]}')))
        assert slow.recv(65_536).startswith(b"HTTP/1.1 200")


def test_who_does_not_read_his_answers_keeps_nobody_out(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"queue_limit_requests": 1}))
    with does_not_read(client):
        until(lambda: client.post("/v1/cells", json=examples.CELLS).status_code == 200)


def test_who_does_not_read_his_answers_is_left(serve: Serve, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    client = serve(settings.model_copy(update={"send_timeout_s": 0.5}))
    with does_not_read(client) as silent:
        until(lambda: _is_reset(silent), 8)
    assert client.get("/livez").status_code == 200
    assert not [record for record in caplog.records if record.name.startswith("uvicorn")]


def test_who_does_not_read_his_answers_gives_way_to_new_connections(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"max_connections": 2, "header_timeout_s": 60, "send_timeout_s": 60}))
    with does_not_read(client, 100), does_not_read(client, 100):
        until(lambda: answers(client, "/livez"))


def test_who_reads_slowly_is_not_left(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"send_timeout_s": 2}))
    with does_not_read(client, 100) as slow:
        started, got = time.monotonic(), 0
        while time.monotonic() - started < 4:
            piece = slow.recv(65_536)  # it takes little at a time, and the system shows progress only after some hundred kB
            assert piece, f"the connection was ended after {got} bytes"
            got += len(piece)
            time.sleep(0.001)


@contextmanager
def silent_to(client: httpx.Client) -> Iterator[socket.socket]:
    """A connection that takes next to nothing unless it is read."""
    with socket.socket() as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        silent.connect((client.base_url.host, client.base_url.port or 80))
        yield silent


@contextmanager
def does_not_read(client: httpx.Client, times: int = 10_000) -> Iterator[socket.socket]:
    """One that asks so many times, or until the service takes no more, as its answers are stuck."""
    body = json.dumps({"text": "a quiet moving film that " * 12}).encode()
    with silent_to(client) as silent:
        silent.settimeout(0.5)
        with suppress(TimeoutError):
            for _ in range(times):
                silent.sendall(CELLS_HEAD % len(body) + body)
        yield silent


def _is_reset(connection: socket.socket) -> bool:
    """Whether the other side knows nothing of it any more, which is found out without reading or sending."""
    poll = select.poll()
    poll.register(connection, 0)
    return bool(poll.poll(0))


def test_the_rest_of_a_body_that_was_refused_unread_is_let_by(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"auth": "keys"}))
    with connected(client) as connection:
        head = b"POST /v1/sentiment HTTP/1.1\r\nHost: test\r\nContent-Length: 1000000\r\n\r\n"
        connection.sendall(head)
        assert connection.recv(65_536).startswith(b"HTTP/1.1 401")
        connection.sendall(b"x" * 1_000_000 + b"GET /livez HTTP/1.1\r\nHost: test\r\n\r\n")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 200")


def test_where_files_are_few_silent_connections_still_stop_nobody(tiny_models: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    gatehouse = Path(sys.executable).parent / "gatehouse"
    command = f"ulimit -n 256; exec {gatehouse} serve --migrate --port {port}"
    environment = {"GATEHOUSE_MODELS_DIR": str(tiny_models), "PATH": "/usr/bin:/bin", "PYTHONPATH": str(REPOSITORY)}
    server = subprocess.Popen(["bash", "-c", command], cwd=tmp_path, env=environment)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client, ExitStack() as stack:
            _wait_until_ready(client)
            for _ in range(500):
                stack.enter_context(connected(client))
            with httpx.Client(base_url=client.base_url, timeout=10) as newcomer:
                assert newcomer.post("/v1/sentiment", json=examples.SENTIMENT).status_code == 200
    finally:
        server.terminate()
        server.wait(30)


def _wait_until_ready(client: httpx.Client) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server did not become ready")
