"""Prometheus metrics of one application; of all its processes, where there are several."""

import math
import os
from functools import cache
from pathlib import Path
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from starlette.types import Scope

from app.batcher import Pass
from app.entry import Entry
from app.house import House
from app.stats.statistics import Recent

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable of prometheus_client: the folder in which several processes add up what they count."""

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody asks for

_ITEMS = (1, 2, 4, 8, 16, 32, 64, 128)
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_Mode = Literal["livesum", "livemostrecent"]
_SAME: _Mode = "livemostrecent"
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


class Metrics:
    """Counters live in their own registry, so that two applications in one process do not mix.

    Children are looked up through `cache`: prometheus_client's own lookup costs more than the counting.
    """

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        if SHARED not in os.environ:
            ProcessCollector(registry=self._registry)  # of one process among several it would say little
        self._house: House | None = None
        self._requests = cache(self._counter("requests", "Answered requests.", "method", "route", "status").labels)
        self._refusals = cache(self._counter("refusals", "Requests answered with a problem document.", "code").labels)
        self._items = cache(self._counter("items", "Texts, hours or tunes answered.", "task").labels)
        self.abandoned = self._counter("abandoned", "Requests whose caller left before the answer.")
        self._steps = cache(
            self._counter(
                "pass_steps",
                "Steps computed: useful ones, and the padding beside them. The fill is useful over both.",
                "task",
                "kind",
            ).labels
        )
        self._duration = cache(
            self._histogram("request_seconds", "From the first byte to the answer.", _SECONDS, "route").labels
        )
        phases = "Time of a request by phase: encode, queue, run, log."
        self._phases = cache(self._histogram("phase_seconds", phases, _SECONDS, "task", "phase").labels)
        self._pass_seconds = cache(self._histogram("pass_seconds", "One pass of the graph.", _SECONDS, "task").labels)
        self._pass_items = cache(self._histogram("pass_items", "Items that share a pass.", _ITEMS, "task").labels)
        self._waiting = self._gauge("queue_items", "Items waiting for a pass.", "task")
        self._inside = self._gauge("inside_requests", "Requests waiting and being answered.", "task")
        self._ready = self._gauge("task_ready", "Processes that serve the task's model.", "task")
        self._whole = Gauge(
            "gatehouse_ready", "1 while /readyz says so.", registry=self._registry, multiprocess_mode="livemostrecent"
        )
        self._lost = self._gauge("log_rows_lost", "Rows of refusals, and of the spool, that could not be written.")
        self._spooled = self._gauge("log_rows_spooled", "Rows that wait in the spool for the database.")
        # Every process tells the same of the one log.
        self._drift = self._gauge("drift_psi", "What is asked beside the validation data.", "task", "feature", mode=_SAME)
        self._accuracy = self._gauge("feedback_accuracy", "Of labels with feedback, those that were right.", "task", mode=_SAME)
        self._error = self._gauge("feedback_mae_mm", "Mean error of estimates with feedback.", "task", mode=_SAME)
        self._told = dict[tuple[Gauge, tuple[str, ...]], float]()

    def count(self, scope: Scope, entry: Entry) -> None:
        """Once for every request, when its answer is about to leave."""
        route = getattr(scope.get("route"), "path", "unmatched")
        # A caller may send any method; only the known ones may become labels.
        self._requests(entry.method if entry.method in _METHODS else "OTHER", route, entry.status).inc()
        self._duration(route).observe(entry.elapsed_s)
        if entry.error_code:
            self._refusals(entry.error_code).inc()
        if entry.task and entry.items:
            self._items(entry.task).inc(entry.items)
        if entry.task and entry.timing:
            self._phases(entry.task, "encode").observe(entry.timing.encode / 1000)
            self._phases(entry.task, "queue").observe(entry.timing.queue / 1000)
            self._phases(entry.task, "run").observe(entry.timing.run / 1000)

    def passed(self, task: str, done: Pass) -> None:
        """Once for every pass of a graph, from the thread that ran it."""
        self._pass_seconds(task).observe(done.seconds)
        self._pass_items(task).observe(done.items)
        self._steps(task, "useful").inc(done.steps)
        self._steps(task, "padding").inc(done.padded_steps - done.steps)

    def committed(self, task: str | None, seconds: float) -> None:
        """Once for every row that was waited for."""
        self._phases(task or "none", "log").observe(seconds)

    def watch(self, house: House) -> None:
        """From now on the gauges tell of this house."""
        self._house = house

    def refresh(self) -> None:
        """Bring the gauges up to date."""
        if self._house is None:
            return
        for task, gate in self._house.gates.items():
            self._inside.labels(task).set(gate.inside)
            self._ready.labels(task).set(self._house.serves(task))
        for task, served in self._house.registry:
            self._waiting.labels(task).set(served.queue_depth)
        self._lost.set(self._house.request_log.lost)
        self._spooled.set(self._house.request_log.spooled)

    def tell(self, recent: Recent) -> None:
        """What the log told of a task lately. What it tells no longer is NaN, which no alert takes for a number."""
        for feature in recent.drift.features:
            self._say(self._drift, feature.psi, recent.task, feature.feature)
        self._say(self._accuracy, recent.feedback.accuracy, recent.task)
        self._say(self._error, recent.feedback.mean_absolute_error_mm, recent.task)

    def _say(self, gauge: Gauge, value: float | None, *labels: str) -> None:
        if value is not None or (gauge, labels) in self._told:
            self._told[gauge, labels] = math.nan if value is None else value
            gauge.labels(*labels).set(self._told[gauge, labels])

    def text(self, ready: bool) -> bytes:
        """The exposition format. `ready`: as /readyz would say now."""
        self.refresh()
        self._whole.set(ready)
        if SHARED not in os.environ:
            return generate_latest(self._registry)
        _mark_the_killed(Path(os.environ[SHARED]))
        whole = CollectorRegistry()
        MultiProcessCollector(whole)  # type: ignore[no-untyped-call]
        return generate_latest(whole)

    def close(self) -> None:
        """The gauges of this process end with it."""
        if SHARED in os.environ:
            mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(f"gatehouse_{name}", help_text, labels, registry=self._registry)

    def _histogram(self, name: str, help_text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(f"gatehouse_{name}", help_text, labels, buckets=buckets, registry=self._registry)

    def _gauge(self, name: str, help_text: str, *labels: str, mode: _Mode = "livesum") -> Gauge:
        """`mode`: what becomes of it where several processes have one."""
        return Gauge(f"gatehouse_{name}", help_text, labels, registry=self._registry, multiprocess_mode=mode)


def _mark_the_killed(folder: Path) -> None:
    """A process that could not say its end leaves its gauges behind, which would count on."""
    for path in folder.glob("gauge_live*_*.db"):
        process_id = int(path.stem.rpartition("_")[2])
        try:
            os.kill(process_id, 0)
        except ProcessLookupError:
            mark_process_dead(process_id)  # type: ignore[no-untyped-call]
        except PermissionError:
            pass  # it lives, and is not ours
