"""Prometheus metrics of one application."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import Scope

from app.entry import Entry

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """Counters live in their own registry, so that two applications in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "gatehouse_requests", "Answered requests.", ["method", "route", "status"], registry=self.registry
        )
        self._refusals = Counter(
            "gatehouse_refusals", "Requests answered with a problem document.", ["code"], registry=self.registry
        )
        self._duration = Histogram(
            "gatehouse_request_seconds",
            "From the first byte to the answer.",
            ["route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._phases = Histogram(
            "gatehouse_phase_seconds",
            "Time of a prediction by phase: encode, queue, run.",
            ["task", "phase"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._items = Counter("gatehouse_items", "Texts, hours or tunes answered.", ["task"], registry=self.registry)
        self.ready = Gauge("gatehouse_task_ready", "1 if the task's model is served.", ["task"], registry=self.registry)

    def count(self, scope: Scope, entry: Entry) -> None:
        """Once for every request, when its answer is about to leave."""
        route = getattr(scope.get("route"), "path", "unmatched")
        # A caller may send any method; only the known ones may become labels.
        method = entry.method if entry.method in {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} else "OTHER"
        self._requests.labels(method, route, entry.status).inc()
        self._duration.labels(route).observe(entry.elapsed_s)
        if entry.error_code:
            self._refusals.labels(entry.error_code).inc()
        if entry.task and entry.items:
            self._items.labels(entry.task).inc(entry.items)
        if entry.task and entry.timing:
            for phase in ("encode", "queue", "run"):
                self._phases.labels(entry.task, phase).observe(getattr(entry.timing, phase) / 1000)

    def text(self) -> bytes:
        """The exposition format."""
        return generate_latest(self.registry)
