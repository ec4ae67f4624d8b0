"""What GET /v1/stats tells of the log, on SQLite and on a real PostgreSQL."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from app.database import make_engine, migrate
from app.keys import SCOPES, Scope, create_key
from app.settings import Settings
from tests.past_requests import store

Serve = Callable[[Settings], httpx.Client]


@pytest.fixture
def log(engine: Engine) -> Engine:
    """A migrated, empty request log."""
    migrate(engine)
    return engine


@pytest.fixture
def told(url: str, log: Engine, serve: Serve, settings: Settings) -> Callable[..., dict[str, Any]]:
    """Asks a server over that log."""
    client = serve(settings.model_copy(update={"database_url": url}))

    def ask(**query: object) -> dict[str, Any]:
        answer = client.get("/v1/stats", params={name: str(value) for name, value in query.items()})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    return ask


def of(stats: dict[str, Any], task: str) -> dict[str, Any]:
    (found,) = (part for part in stats["tasks"] if part["task"] == task)
    assert isinstance(found, dict)
    return found


def test_requests_are_counted_by_task_and_status_with_their_latency(log: Engine, told: Callable[..., dict[str, Any]]) -> None:
    for milliseconds in range(1, 101):
        store(log, 0.1, total_ms=float(milliseconds), items=2, observed={"probability": [0.05, 0.95]})
    store(log, 0.2, count=3, status=422, error_code="invalid_request")
    store(log, 0.2, count=2, task=None, path="/v1/models")
    store(log, 2.0, count=50)
    stats = told(task="sentiment", hours=24)
    assert stats["requests"] == [
        {"task": "sentiment", "status": 200, "requests": 100},
        {"task": "sentiment", "status": 422, "requests": 3},
    ]
    (sentiment,) = stats["tasks"]
    assert (sentiment["requests"], sentiment["errors"], sentiment["items"], sentiment["sampled"]) == (103, 3, 200, 100)
    assert sentiment["latency_ms"] == {"p50": 50.0, "p90": 90.0, "p99": 99.0}
    assert len(sentiment["slices"]) == 24
    assert sum(part["requests"] for part in sentiment["slices"]) == 103
    scores = [sum(part["scores"][place] for part in sentiment["slices"]) for place in range(10)]
    assert scores == [100, 0, 0, 0, 0, 0, 0, 0, 0, 100]
    everything = told(hours=24)["requests"]
    assert {"task": None, "status": 200, "requests": 3} in everything  # and the question before
    assert sum(count["requests"] for count in told(hours=72)["requests"] if count["task"] == "sentiment") == 153


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"task": "chess"}, "query/task"),
        ({"hours": "0"}, "query/hours"),
        ({"hours": "nan"}, "query/hours"),
        ({"since": "12"}, "query/since"),
        ({"until": "yesterday"}, "query/until"),
        ({"since": "2026-01-02", "until": "2026-01-01"}, "query/since"),
        ({"since": "2020-01-01", "until": "2026-01-01"}, "query/since"),
        ({"until": "0001-01-01T00:00:00+01:00"}, "query/since"),
    ],
)
def test_a_window_that_is_none_is_refused(client: httpx.Client, query: dict[str, str], pointer: str) -> None:
    refused = client.get("/v1/stats", params=query)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request"), refused.text
    assert refused.json()["errors"][0]["pointer"] == pointer


def test_what_everybody_asked_is_told_to_those_who_may_read_the_log(serve: Serve, settings: Settings) -> None:
    engine = make_engine(settings.database_url)
    keys: dict[Scope, str] = {scope: create_key(engine, "test", [scope]) for scope in SCOPES}
    engine.dispose()
    client = serve(settings.model_copy(update={"auth": "keys"}))
    statuses = {scope: client.get("/v1/stats", headers={"X-API-Key": key}).status_code for scope, key in keys.items()}
    assert statuses == {"predict": 403, "read_log": 200, "metrics": 403, "admin": 200}
    assert client.get("/v1/stats").status_code == 401
