"""create_app: the application, from its settings; the lifespan builds and closes everything it owns."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from starlette.responses import RedirectResponse

from app import __version__, errors
from app.cpus import available_cpus
from app.database import make_engine
from app.house import House
from app.metrics import Metrics
from app.middleware import Ledger
from app.registry import Registry
from app.request_log import RequestLog
from app.routes import health, models, music, rainfall, requests, sentiment
from app.settings import Settings
from app.tasks import TASKS

_DESCRIPTION = """Recurrent networks behind a REST interface: sentiment of a text, rain in an hour of radar scans, the next
character of a tune. Errors are `application/problem+json` (RFC 9457). Every answer carries `X-Request-ID`, the key of its
stored record."""


def create_app(settings: Settings | None = None) -> FastAPI:
    """An application that serves the bundles of `settings.models_dir`; settings from the environment if none are given."""
    settings = settings or Settings()
    metrics = Metrics()
    app = FastAPIOffline(
        title="Gatehouse", version=__version__, description=_DESCRIPTION, lifespan=_lifespan(settings, metrics)
    )
    app.state.metrics = metrics
    app.add_middleware(Ledger, settings=settings, metrics=metrics)
    errors.install(app)
    for routes in (sentiment, rainfall, music, models, requests, health):
        app.include_router(routes.router)
    app.add_api_route("/", _to_docs, include_in_schema=False)
    return app


def _lifespan(settings: Settings, metrics: Metrics) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        cpus = settings.cpu_threads or available_cpus()
        registry = await asyncio.to_thread(
            Registry.load, settings.models_dir, settings.provider, cpus, settings.queue_limit_requests
        )
        for task in TASKS:
            metrics.ready.labels(task).set(task not in registry.faults)
        house = House(registry, RequestLog(make_engine(settings.database_url)))
        app.state.house = house
        try:
            yield
        finally:
            await asyncio.to_thread(house.registry.close)
            await asyncio.to_thread(house.request_log.close)

    return lifespan


async def _to_docs() -> RedirectResponse:
    return RedirectResponse("/docs")
