"""What databases go through: a proxy before PostgreSQL that holds or cuts its connections, and servers that are killed."""

import os
import selectors
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, urlsplit

import httpx


class Proxy:
    """A TCP address for a PostgreSQL server that listens on a socket file."""

    def __init__(self, url: str) -> None:
        folder = parse_qs(urlsplit(url).query)["host"][0]
        self._target = f"{folder}/.s.PGSQL.5432"
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.flows = threading.Event()
        self.flows.set()
        port = self._listener.getsockname()[1]
        self.url = f"postgresql://postgres@127.0.0.1:{port}/postgres?sslmode=disable&gssencmode=disable"
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self) -> None:
        """Connections stay, and nothing comes through."""
        self.flows.clear()

    def cut(self) -> None:
        """Ends all connections; new ones are let through."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.flows.set()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(near,), daemon=True).start()

    def _carry(self, near: socket.socket) -> None:
        with near, socket.socket(socket.AF_UNIX) as far, suppress(OSError):
            self.flows.wait()
            far.connect(self._target)
            self._pairs.append((near, far))
            with selectors.DefaultSelector() as ready:
                ready.register(near, selectors.EVENT_READ, far)
                ready.register(far, selectors.EVENT_READ, near)
                while True:
                    for key, _ in ready.select():
                        assert isinstance(key.fileobj, socket.socket)
                        piece = key.fileobj.recv(65536)
                        if not piece:
                            return
                        self.flows.wait()
                        key.data.sendall(piece)


@contextmanager
def process(models: Path, url: str, **settings: str) -> Iterator["Served"]:
    """`gatehouse serve`, ready."""
    with launched(models, url, {f"GATEHOUSE_{name.upper()}": value for name, value in settings.items()}) as served:
        until(lambda: served.process.poll() is not None or answers(served.client, "/livez"), 60)
        assert served.process.poll() is None, "the server has ended"
        yield served


@contextmanager
def launched(
    models: Path, url: str, variables: dict[str, str], stderr: IO[bytes] | int = subprocess.DEVNULL
) -> Iterator["Served"]:
    """`gatehouse serve` on a free port, with a client; killed in the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "GATEHOUSE_MODELS_DIR": str(models),
        "GATEHOUSE_DATABASE_URL": url,
        "GATEHOUSE_DRAIN_NOTICE_S": "0",
        **variables,
    }
    command = [sys.executable, "-m", "app.cli", "serve", "--port", str(port)]
    with (
        subprocess.Popen(command, env=environment, stderr=stderr, start_new_session=True) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60) as client,
    ):
        try:
            yield Served(server, client)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)


class Served:
    """A server in a process of its own, and a client of it."""

    def __init__(self, process: subprocess.Popen[bytes], client: httpx.Client) -> None:
        self.process, self.client = process, client

    def kill(self) -> None:
        """At once, with all that it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(10)


def answers(client: httpx.Client, path: str) -> bool:
    try:
        return client.get(path).status_code == 200
    except httpx.HTTPError:
        return False


def until(true: Callable[[], object], most_s: float = 15) -> None:
    deadline = time.monotonic() + most_s
    while not true():
        assert time.monotonic() < deadline, f"waited for {most_s} s"
        time.sleep(0.05)
