"""The Registry: task name -> Runner, or the reason why there is none."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from app.bundle import BundleError, current_folder
from app.predictor import Provider, load_predictor
from app.runner import Runner
from app.tasks import TASKS

log = logging.getLogger(__name__)


class TaskUnavailable(Exception):
    """The task's bundle failed its checks; `reason` is for operators."""

    def __init__(self, task: str, reason: str) -> None:
        super().__init__(f"no model is being served for {task}; /readyz says why")
        self.reason = reason


class Registry:
    """Built once at the start; a bad bundle leaves its task without a Runner and the others unharmed."""

    def __init__(self, runners: dict[str, Runner[Any]], faults: dict[str, str]) -> None:
        self._runners, self.faults = runners, faults

    @classmethod
    def load(cls, models: Path, provider: Provider, cpus: int, most_requests: int) -> "Registry":
        """Loads, verifies and warms the current bundle of every task."""
        runners: dict[str, Runner[Any]] = {}
        faults: dict[str, str] = {}
        for task in TASKS:
            # A tune is thousands of tiny passes: threads within one cost more than they bring, so many tunes run at once.
            passes, threads = (cpus, 1) if task == "music" else (1, cpus)
            try:
                predictor = load_predictor(current_folder(models, task), provider, threads)
            except BundleError as error:
                log.error("%s is not served: %s", task, error)
                faults[task] = str(error)
            else:
                log.info("%s is served by %s on %s", task, predictor.manifest.version, predictor.provider)
                runners[task] = Runner(predictor, passes, most_requests)
        return cls(runners, faults)

    def __iter__(self) -> Iterator[tuple[str, Runner[Any]]]:
        return iter(self._runners.items())

    def runner(self, task: str) -> Runner[Any]:
        """Raises KeyError for no such task, TaskUnavailable for one whose bundle is bad."""
        if task in self.faults:
            raise TaskUnavailable(task, self.faults[task])
        return self._runners[task]

    def close(self) -> None:
        for runner in self._runners.values():
            runner.close()
