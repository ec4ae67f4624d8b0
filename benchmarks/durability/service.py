"""`gatehouse serve` as a process of its own that is killed and started again, on one port and one database."""

import os
import signal
import subprocess
import sys
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.serving.contestants import REPOSITORY
from benchmarks.serving.processes import ServerFailed, free_ports

_MOST_START_S = 60.0


class Service:
    """Ready from the beginning of the block to its end, but for the kills."""

    def __init__(self, models: Path, url: str, folder: Path) -> None:
        (self.port,) = free_ports(1)
        self._folder, self._output = folder, folder / "service.log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("GATEHOUSE_")}
        self._environment = inherited | {
            "PYTHONPATH": str(REPOSITORY),
            "TMPDIR": str(folder),
            "GATEHOUSE_MODELS_DIR": str(models.resolve()),
            "GATEHOUSE_DATABASE_URL": url,
            "GATEHOUSE_LOG_PAYLOADS": "on",
        }

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.kill()

    def start(self) -> None:
        """Returns when it is ready. Raises ServerFailed."""
        command = [sys.executable, "-m", "app.cli", "serve", "--migrate", "--port", str(self.port)]
        with self._output.open("ab") as file:
            self._process = subprocess.Popen(  # noqa: S603
                command, cwd=self._folder, env=self._environment, stdout=file, stderr=file, start_new_session=True
            )
        try:
            self.wait()
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL: it gets no chance to finish anything."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def wait(self) -> None:
        """Until /readyz says so. Raises ServerFailed."""
        deadline = time.monotonic() + _MOST_START_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                lines = self._output.read_text("utf-8", "replace").splitlines()[-20:]
                raise ServerFailed("\n".join(["the service is not ready:", *lines]))
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
