"""The Demonstration: a text read word by word with all gates in view. It has a bundle of its own and serves no task, so the
service is ready without it."""

import asyncio
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from app.bundle import BundleError, current_folder
from app.line import Timing
from app.predictor import Clock, Predictor, Provider, load_placed
from app.registry import TaskUnavailable
from app.tasks.cells import Cells, Reading

log = logging.getLogger(__name__)


class Demonstration:
    """Built once at the start. A bad bundle, or none, leaves it out: asking for it is refused, and nothing else changes."""

    name = Cells.name

    def __init__(self, predictor: Predictor[Cells] | None, fault: str | None = None) -> None:
        self._predictor, self.fault = predictor, fault
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="cells")  # a text takes milliseconds

    @classmethod
    def load(cls, models: Path, provider: Provider) -> "Demonstration":
        """Loads and verifies the current bundle, if there is one."""
        try:
            return cls(load_placed(current_folder(models, cls.name), provider))
        except BundleError as error:
            log.warning("the demonstration of cells is left out: %s", error)
            return cls(None, str(error))

    @property
    def predictor(self) -> Predictor[Cells]:
        """Raises TaskUnavailable."""
        if self._predictor is None:
            raise TaskUnavailable(self.name, self.fault or "", where="the service's own log")
        return self._predictor

    async def read(self, text: str) -> tuple[Reading, Timing]:
        """One text at a time. Raises TaskUnavailable."""
        asked, predictor = time.perf_counter(), self.predictor
        return await asyncio.get_running_loop().run_in_executor(self._thread, _read, predictor, text, asked)

    def close(self) -> None:
        """Answers what was accepted."""
        self._thread.shutdown()


def _read(predictor: Predictor[Cells], text: str, asked: float) -> tuple[Reading, Timing]:
    started, clock = time.perf_counter(), Clock()
    reading = predictor.task.read(predictor.timed(clock), text)
    encode_s = time.perf_counter() - started - clock.run_s
    return reading, Timing(*(round(1000 * seconds, 3) for seconds in (encode_s, started - asked, clock.run_s)))
