"""Closed-loop load with wrk: every connection asks again as soon as it is answered."""

import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.serving.cores import pinned

_SCRIPT = Path(__file__).with_name("cycle.lua")


@dataclass(frozen=True)
class Flood:
    """What wrk counted. Seconds; `refused` answers had a status other than 2xx or 3xx, `lost` never came whole."""

    requests: int
    seconds: float
    refused: int
    lost: int
    median_s: float
    p90_s: float
    p99_s: float

    @property
    def answered_a_second(self) -> float:
        return (self.requests - self.refused) / self.seconds


def require_wrk() -> None:
    """Raises ValueError where wrk is not installed."""
    if not shutil.which("wrk"):
        raise ValueError("wrk is not installed; it is a package of Debian and Ubuntu: apt-get install wrk")


def flood(port: int, path: str, bodies: Path, connections: int, seconds: int, cores: Sequence[int], first: int) -> Flood:
    """Loads the server for `seconds` from the body numbered `first` on, and says what came of it."""
    command = _command(port, path, bodies, connections, seconds, first)
    done = subprocess.run(pinned(command, cores), capture_output=True, text=True, check=False)  # noqa: S603
    figures = [line for line in done.stdout.splitlines() if line.startswith("figures ")]
    if done.returncode or not figures:
        raise RuntimeError(f"wrk ended with {done.returncode}: {done.stderr}{done.stdout}")
    requests, micros, refused, connect, broken, timeouts, *percentiles = map(int, figures[0].split()[1:])
    return Flood(requests, micros / 1e6, refused, connect + broken + timeouts, *(value / 1e6 for value in percentiles))


@contextmanager
def flooding(
    port: int, path: str, bodies: Path, connections: int, seconds: int, cores: Sequence[int]
) -> Iterator[subprocess.Popen[bytes]]:
    """The same load beside the block, ended with it; `seconds` bounds it."""
    command = pinned(_command(port, path, bodies, connections, seconds, 0), cores)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def _command(port: int, path: str, bodies: Path, connections: int, seconds: int, first: int) -> list[str]:
    options = ["--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s", "--timeout", "60s"]
    target = [f"http://127.0.0.1:{port}{path}", "--", path, str(bodies), str(first)]
    return ["wrk", *options, "--script", str(_SCRIPT), *target]
