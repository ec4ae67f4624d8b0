"""What GET /v1/stats tells of the log, on SQLite and on a real PostgreSQL."""

import asyncio
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from app import examples
from app.bundle import current_folder, read_bundle, refer
from app.database import make_engine, migrate
from app.errors import refusal
from app.keys import SCOPES, Scope, create_key
from app.registry import Registry
from app.settings import Settings
from app.stats.samples import StatsTooSlow, Window
from app.stats.statistics import Statistics
from app.tasks.reference import Reference
from app.waiting import LogUnavailable
from tests.app.outages import until
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


def test_a_plus_that_is_not_escaped_is_no_space(standing: httpx.Client) -> None:
    answer = standing.get("/v1/stats?since=2026-01-31T12:00:00+01:00&until=2026-01-31T13:00:00%2B01:00").json()
    assert (answer["since"], answer["until"]) == ("2026-01-31T11:00:00Z", "2026-01-31T12:00:00Z")
    assert standing.get("/v1/stats?since=2026-01-31 12:00&until=2026-02-01").json()["since"] == "2026-01-31T12:00:00Z"


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"task": "chess"}, "query/task"),
        ({"hours": "0"}, "query/hours"),
        ({"hours": "nan"}, "query/hours"),
        ({"since": "12"}, "query/since"),
        ({"since": "-5"}, "query/since"),
        ({"until": "yesterday"}, "query/until"),
        ({"since": "2026-01-02", "until": "2026-01-01"}, "query/since"),
        ({"since": "2020-01-01", "until": "2026-01-01"}, "query/since"),
        ({"until": "0001-01-01T00:00:00+01:00"}, "query/since"),
    ],
)
def test_a_window_that_is_none_is_refused(standing: httpx.Client, query: dict[str, str], pointer: str) -> None:
    refused = standing.get("/v1/stats", params=query)
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


REFERENCE = Reference(items=5000, edges=[0.25, 0.5, 0.75], shares=[0.25, 0.25, 0.25, 0.25])


@pytest.fixture
def referring(tiny_models: Path, tmp_path: Path) -> tuple[Path, str]:
    """Bundles of which that for sentiment has a reference for one feature; and its version."""
    models = Path(shutil.copytree(tiny_models, tmp_path / "models"))
    bundle = read_bundle(current_folder(models, "sentiment"))
    refer(bundle, {"probability": REFERENCE})
    return models, bundle.manifest.version


def test_drift_is_told_of_what_the_served_version_answered(
    url: str, log: Engine, serve: Serve, settings: Settings, referring: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.main._DRIFT_EVERY_S", 0.1)
    models, version = referring
    client = serve(settings.model_copy(update={"database_url": url, "models_dir": models}))

    def drift() -> dict[str, Any]:
        (sentiment,) = client.get("/v1/stats", params={"task": "sentiment", "hours": 2}).json()["tasks"]
        assert sentiment["drift"]["version"] == version
        return {feature.pop("feature"): feature for feature in sentiment["drift"]["features"]}

    observed = {"probability": [0.1, 0.3, 0.6, 0.9], "tokens_read": [1, 2, 3, 4]}
    store(log, 0.01, count=20, model_version="20200101-lstm-000000", observed={**observed, "probability": [0.9] * 4})
    store(log, 0.01, count=70, model_version=version, observed=observed)
    found = drift()
    assert (found["probability"]["items"], found["probability"]["verdict"], found["probability"]["psi"]) == (
        280,
        "too_few",
        None,
    )
    assert found["tokens_read"] == {
        **found["tokens_read"],
        **{"items": 280, "verdict": "no_reference", "psi": None},
    }
    store(log, 0.02, count=10, model_version=version, observed=observed)
    assert (drift()["probability"]["verdict"], drift()["probability"]["recent"]) == ("stable", REFERENCE.shares)
    store(log, 0.02, count=80, model_version=version, observed={"probability": [0.9] * 4})
    found = drift()
    assert (found["probability"]["verdict"], found["probability"]["recent"]) == ("drifted", [0.125, 0.125, 0.125, 0.625])
    gauge = 'gatehouse_drift_psi{feature="probability",task="sentiment"} '
    until(lambda: f"{gauge}{found['probability']['psi']}" in client.get("/metrics").text)
    assert 'feature="tokens_read"' not in client.get("/metrics").text


def test_feedback_is_told_as_accuracy_and_as_error(log: Engine, told: Callable[..., dict[str, Any]]) -> None:
    labels = {str(item): {"label": label} for item, label in enumerate(("positive", "negative", "positive"))}
    store(log, 0.1, observed={"probability": [0.9, 0.5, 0.4, 0.1]}, feedback=labels)
    store(log, 0.1, observed={"probability": [0.2]}, feedback={"0": {"label": "negative"}})
    store(log, 0.1, observed={"probability": [0.2]})
    store(log, 3.0, observed={"probability": [0.2]}, feedback={"0": {"label": "positive"}})
    store(log, 0.1, task="rainfall", observed={"rain_mm": [1.0, 4.0]}, feedback={"0": {"rain_mm": 3}, "1": {"rain_mm": 3.5}})
    stats = told()
    assert of(stats, "sentiment")["feedback"] == {"items": 4, "accuracy": 0.5, "mean_absolute_error_mm": None}
    assert of(stats, "rainfall")["feedback"] == {"items": 2, "accuracy": None, "mean_absolute_error_mm": 1.25}
    assert of(stats, "music")["feedback"]["items"] == 0


def test_of_a_long_log_some_answers_of_every_slice_are_read(log: Engine, told: Callable[..., dict[str, Any]]) -> None:
    store(log, 0.9, count=20, total_ms=50.0, observed={"probability": [0.1] * 128})
    store(log, 0.1, count=500, total_ms=10.0, observed={"probability": [0.9]})
    (sentiment,) = told(task="sentiment", hours=24)["tasks"]
    assert sentiment["requests"] == 520
    assert 200 < sentiment["sampled"] < 520
    assert (sentiment["latency_ms"]["p50"], sentiment["latency_ms"]["p99"]) == (10.0, 50.0)


def test_answers_sent_again_weigh_nothing(log: Engine, told: Callable[..., dict[str, Any]]) -> None:
    store(log, 0.9, count=100, total_ms=50.0, items=1, observed={"probability": [0.1]})
    store(log, 0.1, count=100, total_ms=10.0, items=1, observed={"probability": [0.9]})
    store(log, 0.1, count=900, total_ms=1.0, replay_of="0199f0c2-0000-7000-8000-000000000000")
    (sentiment,) = told(task="sentiment", hours=24)["tasks"]
    assert sentiment["sampled"] == 200
    assert (sentiment["latency_ms"]["p50"], sentiment["latency_ms"]["p90"]) == (10.0, 50.0)


def test_a_log_too_long_for_its_time_is_given_up_and_the_connection_is_as_before(log: Engine) -> None:
    store(log, 0.1, request_id="a")
    columns = "time, method, path, status, total_ms, request_bytes, response_bytes, task"
    with log.begin() as connection:
        for doubling in range(16):
            connection.execute(
                text(
                    f"INSERT INTO requests (request_id, {columns}) SELECT request_id || '{doubling:x}', {columns} FROM requests"
                )
            )
    now = datetime.now(UTC)
    window, registry = Window(now - timedelta(days=1), now), Registry({}, {})

    async def read(most_s: float) -> int:
        statistics = Statistics(log, registry, most_s)
        try:
            return sum(count.requests for count in (await statistics.of(window)).requests)
        finally:
            statistics.close()

    with pytest.raises(StatsTooSlow, match="shorter window"):
        asyncio.run(read(0.005))
    assert asyncio.run(read(60)) == 2**16
    assert (refusal(StatsTooSlow(5)).status, refusal(StatsTooSlow(5)).code) == (503, "stats_too_slow")


def test_without_its_table_the_log_is_unavailable(engine: Engine) -> None:
    statistics = Statistics(engine, Registry({}, {}))
    now = datetime.now(UTC)
    with pytest.raises(LogUnavailable):
        asyncio.run(statistics.of(Window(now - timedelta(days=1), now)))
    statistics.close()


def test_numbers_of_every_item_are_kept_where_payloads_are_not(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"log_payloads": "off"}))

    def observed(path: str, body: object) -> Any:
        answer = client.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return client.get(f"/v1/requests/{answer.headers['x-request-id']}").json()["observed"]

    words = observed("/v1/sentiment", {"texts": ["good zyxwv qwert best", "good"]})
    assert (words["tokens_read"], words["unknown_share"]) == ([4, 1], [0.5, 0])
    assert len(words["probability"]) == 2
    asked = examples.OPEN_INFERENCE["sentiment"]["value"]
    assert len(observed("/v2/models/sentiment/infer", asked)["probability"]) == asked["inputs"][0]["shape"][0]
    scans = [{"minutes_past": 3, "Ref": 20}, {"minutes_past": 9}]
    rain = observed("/v1/rainfall", {"hours": [{"radardist_km": 1, "scans": scans}]})
    assert (rain["scans"], rain["missing_share"], len(rain["rain_mm"])) == ([2], [0.975], 1)
    prompt = examples.MUSIC_NEXT["prompt"]
    tune = observed("/v1/music/next", examples.MUSIC_NEXT)
    assert tune["prompt_characters"] == [len(prompt)]
    assert tune["bits_per_character"][0] > 0
    assert observed("/v1/music/generate", {"prompt": prompt, "max_characters": 3}) == {"prompt_characters": [len(prompt)]}
    streamed = {"prompt": prompt, "max_characters": 3, "stream": True}
    assert observed("/v1/music/generate", streamed) == {"prompt_characters": [len(prompt)]}
