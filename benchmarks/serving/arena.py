"""The Arena: what every part of the benchmark needs, and the contestants brought into it one at a time."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.serving.answers import Alone, Compared
from benchmarks.serving.closed_loop import Flood, flood, flooding
from benchmarks.serving.connection import Connection, request_bytes
from benchmarks.serving.contestants import REPOSITORY, Batching, Contestant, Place
from benchmarks.serving.cores import Cores, pinned, split_cores
from benchmarks.serving.measurements import Measurements
from benchmarks.serving.postgres import postgresql
from benchmarks.serving.processes import free_ports, running, wait_until_at_rest
from benchmarks.serving.texts import Workload

_PORTS = 3
_OURS = ("GATEHOUSE_", "BENCHMARK_", "BENTOML_", "MLSERVER_", "OMP_")


@dataclass(frozen=True)
class Plan:
    """What is measured and for how long. `connections`: those of the headline, and those of the sweep."""

    rounds: int
    seconds: int
    warm_up_s: float
    headline_connections: int
    connections: tuple[int, ...]
    shares: tuple[float, ...]
    loop_seconds: float
    transformer_texts: int
    single_requests: int


@dataclass
class Arena:
    """`contestants` are those chosen; `batching` what tuning found for each, `scratch` a folder that goes
    with the run, `available` the cores there are."""

    plan: Plan
    contestants: tuple[Contestant, ...]
    workloads: dict[str, Workload]
    models: Path
    scratch: Path
    alone: Alone
    available: tuple[int, ...]
    measurements: Measurements = field(default_factory=Measurements)
    batching: dict[str, Batching] = field(default_factory=dict)

    def split(self, cores: int) -> Cores:
        """That many for the server."""
        return split_cores(self.available, cores)

    def in_turn(self, turn: int, contestants: Sequence[Contestant]) -> list[Contestant]:
        """Every other round backwards, so that none always follows the same one."""
        return list(contestants) if turn % 2 == 0 else list(reversed(contestants))

    def on_sqlite(self) -> list[Contestant]:
        """All but those on another database, which the long parts leave out."""
        return [contestant for contestant in self.contestants if not contestant.name.endswith("postgresql")]

    def bodies(self, contestant: Contestant, workload: Workload) -> Path:
        """A file of request bodies, one a line, in the form this contestant takes."""
        path = self.scratch / f"{contestant.name}-{workload.name}.jsonl"
        if not path.exists():
            path.write_text("\n".join(json.dumps(contestant.body(text)) for text in workload.texts) + "\n", "utf-8")
        return path

    @contextmanager
    def serving(self, contestant: Contestant, cores: int = 1) -> "Iterator[Served]":
        """The contestant in a fresh process with a fresh database, ended with the block. Raises ServerFailed."""
        split = self.split(cores)
        folder = Path(tempfile.mkdtemp(prefix=f"{contestant.name}-", dir=self.scratch))
        ports = free_ports(_PORTS)
        place = Place(ports, folder, self.models, cores, self._batching(contestant))
        served = Served(self, contestant, ports[0], split)
        with self._database(contestant, folder) as database:
            environment = self._environment(contestant, place) | database
            with running(contestant.command(place), split.server, environment, folder, served.answers) as process:
                yield replace(served, process_id=process.pid)

    def _batching(self, contestant: Contestant) -> Batching | None:
        first = contestant.batchings[0] if contestant.batchings else None
        return self.batching.get(contestant.name, first)

    def _database(self, contestant: Contestant, folder: Path) -> AbstractContextManager[dict[str, str]]:
        return _postgresql(folder) if contestant.name.endswith("postgresql") else nullcontext({})

    def _environment(self, contestant: Contestant, place: Place) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
        inherited |= {"PYTHONPATH": str(REPOSITORY), "BENCHMARK_MODELS": str(self.models), "DO_NOT_TRACK": "1"}
        inherited |= {"BENTOML_DO_NOT_TRACK": "true", "BENTOML_HOME": str(place.folder), "BENCHMARK_WORKERS": str(place.cores)}
        if place.batching:
            inherited["BENCHMARK_BATCH"] = str(place.batching.most)
            inherited["BENCHMARK_WAIT_MS"] = str(place.batching.wait_ms)
        return {**inherited, **contestant.environment(place)}

    def bare_loop(self, texts: Sequence[str], core: int, batches: Sequence[int], onnx: Path | None = None) -> Any:
        """A process of benchmarks.bare_loop on a core, started; `loop_figures` waits for it."""
        file = Path(tempfile.mkdtemp(dir=self.scratch)) / "texts.json"
        file.write_text(json.dumps(texts), "utf-8")
        seconds = str(self.plan.loop_seconds if onnx is None else 0.0)
        command = [sys.executable, "-m", "benchmarks.bare_loop", str(file), "--models", str(self.models)]
        command += ["--batches", ",".join(map(str, batches)), "--seconds", seconds]
        command += ["--onnx", str(onnx)] if onnx else []
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        return subprocess.Popen(pinned(command, [core]), cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE)  # noqa: S603


@contextmanager
def _postgresql(folder: Path) -> Iterator[dict[str, str]]:
    with postgresql(folder) as url:
        yield {"GATEHOUSE_DATABASE_URL": url}


def loop_figures(process: subprocess.Popen[bytes]) -> tuple[dict[str, float], float]:
    """Texts a second by batch size, and milliseconds of a text alone."""
    with process:
        try:
            output, _ = process.communicate()
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise RuntimeError(f"the bare loop ended with {process.returncode}")
    figures = json.loads(output.splitlines()[-1])
    return figures["texts_a_second"], figures["alone_ms"]


@dataclass(frozen=True)
class Served:
    """A contestant that answers."""

    arena: Arena
    contestant: Contestant
    port: int
    cores: Cores
    process_id: int = 0

    def answers(self) -> bool:
        """Whether it answers a request with 200 by now."""
        try:
            connection = Connection(self.port, timeout_s=5.0)
        except OSError:
            return False
        try:
            return connection.ask(self._request("A quiet, moving film.")).status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def requests(self, workload: Workload) -> list[bytes]:
        """One a text, ready to send."""
        return [self._request(text) for text in workload.texts]

    def _request(self, text: str) -> bytes:
        return request_bytes(self.contestant.path, json.dumps(self.contestant.body(text)).encode())

    def flood(self, workload: Workload, connections: int, seconds: int, first: int = 0) -> Flood:
        """wrk's figures of this workload. Returns at rest."""
        bodies = self.arena.bodies(self.contestant, workload)
        found = flood(self.port, self.contestant.path, bodies, connections, seconds, self.cores.client, first)
        self.rest()
        return found

    def rest(self) -> None:
        """Returns when it has done what earlier load left to do."""
        wait_until_at_rest(self.process_id)

    def flooding(self, workload: Workload, connections: int, seconds: int) -> AbstractContextManager[Any]:
        """The same load beside the block."""
        bodies = self.arena.bodies(self.contestant, workload)
        return flooding(self.port, self.contestant.path, bodies, connections, seconds, self.cores.client)

    def warm_up(self, workload: Workload, connections: int) -> Compared:
        """Load for the plan's warm-up, one connection of it asked from here and compared with the model alone.

        Returns at rest.
        """
        seconds, compared = self.arena.plan.warm_up_s, Compared()
        with self.flooding(workload, max(1, connections - 1), round(seconds) + 60):
            deadline = time.monotonic() + seconds
            connection = Connection(self.port)
            try:
                for text in cycle(workload.texts):
                    answer = connection.ask(self._request(text))
                    self.check(text, answer.status, answer.body, compared)
                    if time.monotonic() > deadline:
                        break
            except TimeoutError:
                compared.late += 1  # some servers let one wait while they answer all others
            finally:
                connection.close()
        self.rest()
        return compared

    def check(self, text: str, status: int, body: bytes, compared: Compared) -> None:
        """One more answer compared; an echo says nothing to compare, and neither does a refusal."""
        if self.contestant.probability is not None and status == 200:
            compared.add(float(self.contestant.probability(json.loads(body))), self.arena.alone.probability(text))

    def single(self, workload: Workload, times: int, pause_s: float = 0.0) -> float:
        """Median seconds of requests one after another on one connection."""
        requests, taken = self.requests(workload), []
        connection = Connection(self.port)
        try:
            for number in range(times):
                started = time.perf_counter()
                answer = connection.ask(requests[number % len(requests)])
                taken.append(time.perf_counter() - started)
                if answer.status != 200:
                    raise RuntimeError(f"{self.contestant.name} answered a single caller with {answer.status}")
                time.sleep(pause_s)
        finally:
            connection.close()
        return median(taken)
