"""The Registry: task name -> what answers for it, or the reason why there is none."""

import logging
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from app.batcher import Batcher, Pass
from app.bundle import BundleError, current_folder
from app.predictor import Predictor, Provider, load_placed
from app.steps import StepBatcher
from app.tasks import TASKS

log = logging.getLogger(__name__)


class TaskUnavailable(Exception):
    """The task's bundle failed its checks; `reason` is for operators."""

    def __init__(self, task: str, reason: str, where: str = "/readyz") -> None:
        super().__init__(f"no model is being served for {task}; {where} says why")
        self.reason = reason


Served = Batcher[Any, Any] | StepBatcher
Observe = Callable[[str, Pass], None]


class Registry:
    """Built once at the start; a bad bundle leaves its task unserved and the others unharmed."""

    def __init__(self, served: dict[str, Served], faults: dict[str, str]) -> None:
        self._served, self.faults = served, faults

    @classmethod
    def load(cls, models: Path, provider: Provider, cpus: int, observe: Observe) -> "Registry":
        """Loads, verifies and warms the current bundle of every task; each may run `cpus` passes at a time.

        A pass has one thread: two passes side by side do more than one pass on two cores.
        """
        served: dict[str, Served] = {}
        faults: dict[str, str] = {}
        for task in TASKS:
            try:
                predictor = load_placed(current_folder(models, task), provider, threads=1)
            except BundleError as error:
                log.error("%s is not served: %s", task, error)
                faults[task] = str(error)
            else:
                log.info("%s is served by %s on %s", task, predictor.manifest.version, predictor.provider)
                served[task] = _serve(predictor, cpus, observe)
        return cls(served, faults)

    def __iter__(self) -> Iterator[tuple[str, Served]]:
        return iter(self._served.items())

    def served(self, task: str) -> Any:
        """Raises KeyError for no such task, TaskUnavailable for one whose bundle is bad."""
        if task in self.faults:
            raise TaskUnavailable(task, self.faults[task])
        return self._served[task]

    def close(self) -> None:
        """Answers what was accepted."""
        for served in self._served.values():
            served.close()


def _serve(predictor: Predictor[Any], cpus: int, observe: Observe) -> Served:
    task = predictor.manifest.task
    if task == "music":
        return StepBatcher(predictor, cpus, partial(observe, task))
    return Batcher(predictor, cpus, observe=partial(observe, task))
