"""create_app: the application, from its settings; the lifespan builds and closes everything it owns."""

import asyncio
import gc
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from app import __version__, errors
from app.cpus import available_cpus
from app.database import make_engine
from app.demonstration import Demonstration
from app.draining import announce_end
from app.gate import Gate
from app.house import House
from app.key_ring import KeyRing
from app.listening import Idle
from app.metrics import SHARED, Metrics
from app.middleware import Ledger
from app.processes import end_with_supervisor
from app.registry import Registry
from app.request_log import RequestLog
from app.retention import Retention
from app.routes import cells, docs, health, models, music, open_inference, page, rainfall, requests, sentiment, stats
from app.routes.json_route import JsonRoute
from app.settings import Settings
from app.stats.samples import StatsTooSlow
from app.stats.statistics import Statistics
from app.tasks import BUNDLED
from app.tracing import make_spans
from app.waiting import LogUnavailable

if TYPE_CHECKING:
    from app.spans import Spans

_DRIFT_EVERY_S = 60.0

_DESCRIPTION = """Recurrent networks behind a REST interface: sentiment of a text, rain in an hour of radar scans, the next
character of a tune; the same under /v2 by the Open Inference Protocol. Errors are `application/problem+json` (RFC 9457), and
under /v2 what its protocol says. Every answer carries `X-Request-ID`, the key of its
stored record."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """An application that serves the bundles of `settings.models_dir`; settings from the environment if none are given.

    Raises TracesUnavailable.
    """
    settings = settings or Settings()
    app = Application(settings, Metrics(), make_spans(settings))
    errors.install(app)
    for routes in (sentiment, rainfall, music, cells, models, requests, stats, health):
        app.include_router(routes.router)
    app.include_router(open_inference.router)
    app.include_router(open_inference.inference)
    page.install(app)
    if settings.docs != "off":
        docs.install(app, settings)
    return app


class Application(FastAPI):
    """FastAPI with the Ledger around its own layers: an operation that the Ledger calls itself passes none of them."""

    def __init__(self, settings: Settings, metrics: Metrics, spans: "Spans | None") -> None:
        super().__init__(
            title="Gatehouse",
            version=__version__,
            description=_DESCRIPTION,
            lifespan=_lifespan(settings, metrics, spans),
            docs_url=None,
            redoc_url=None,
            redirect_slashes=False,  # it would send callers on to whatever host they name
            openapi_url=None if settings.docs == "off" else "/openapi.json",
            # FastAPI's own would tell of inputs that it refuses, and not of the operations that the Ledger calls itself.
            telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False, "auto_configure": False},
        )
        self._settings = settings
        self._spans = spans
        self.state.metrics, self.state.draining = metrics, False

    def build_middleware_stack(self) -> ASGIApp:
        predictions = [route for part in (sentiment, rainfall, music, cells) for route in part.router.routes]
        direct = {route.path: route for route in predictions if isinstance(route, JsonRoute)}
        ledger = Ledger(super().build_middleware_stack(), self._settings, self.state.metrics, self._spans, direct)
        if not self._settings.cors_origins:
            return ledger
        # Outermost, so that a page can read refusals, too. It answers the preflights of browsers itself: they ask for nothing.
        return CORSMiddleware(
            ledger,
            allow_origins=self._settings.cors_origin_names,
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "Idempotency-Key",
                "Inference-Header-Content-Length",
                "traceparent",
                "tracestate",
                "X-API-Key",
                "X-Client-Request-Id",
            ],
            expose_headers=[
                "Idempotent-Replayed",
                "Inference-Header-Content-Length",
                "RateLimit",
                "RateLimit-Policy",
                "Retry-After",
                "X-Client-Request-Id",
                "X-Gatehouse-Log",
                "X-Request-ID",
            ],
        )


def _lifespan(
    settings: Settings, metrics: Metrics, spans: "Spans | None"
) -> Callable[[FastAPI], AbstractAsyncContextManager[dict[str, Idle]]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Idle]]:
        cpus = settings.cpu_threads or available_cpus()
        registry = await asyncio.to_thread(Registry.load, settings.models_dir, settings.provider, cpus, metrics.passed)
        gates = {task: Gate(task, settings.queue_limit_requests) for task in BUNDLED}
        demonstration = await asyncio.to_thread(Demonstration.load, settings.models_dir, settings.provider)
        engine = make_engine(settings.database_url, writes=True)
        most_spool_bytes = settings.spool_max_bytes if settings.log_mode == "relaxed" else None
        keep = timedelta(hours=settings.idempotency_hours)
        passes = [gates[task] for task in ("sentiment", "rainfall")]  # a tune takes as long as it takes
        request_log = RequestLog(
            engine, settings.spool_dir, most_spool_bytes, keep, lambda: sum(gate.inside for gate in passes)
        )
        house = House(registry, demonstration, request_log, KeyRing(engine), gates, Statistics(engine, registry))
        retention = Retention(engine, settings.log_retention_days, settings.log_payload_retention_days)
        if app.openapi_url:
            docs.describe_served(app.openapi(), registry)
        metrics.watch(house)
        app.state.house = house
        # What is there now stays; the collector need not look at it again and again under load.
        gc.collect()
        gc.freeze()
        announce_end(app, settings.drain_notice_s)
        end_with_supervisor()
        gauges = [asyncio.create_task(_refresh(metrics)), asyncio.create_task(_look_for_drift(house, metrics))]
        try:
            yield {"idle": Idle(settings)}  # the server hands it to its connections
        finally:
            for gauge in gauges:
                gauge.cancel()
            metrics.close()
            await asyncio.to_thread(house.registry.close)
            await asyncio.to_thread(house.demonstration.close)
            house.statistics.close()
            await house.key_ring.close()
            await asyncio.to_thread(retention.close)
            await asyncio.to_thread(house.request_log.close)
            if spans:
                await asyncio.to_thread(spans.close)

    return lifespan


async def _refresh(metrics: Metrics) -> None:
    """Of several processes, one is asked for the metrics of all."""
    while SHARED in os.environ:
        metrics.refresh()
        await asyncio.sleep(1)


async def _look_for_drift(house: House, metrics: Metrics) -> None:
    """Without a database, gauges keep what they say."""
    while True:
        with suppress(LogUnavailable, StatsTooSlow):
            for recent in await house.statistics.recent():
                metrics.tell(recent)
        await asyncio.sleep(_DRIFT_EVERY_S)
