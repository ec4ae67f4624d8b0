"""A stream's row is there before its first byte, and says how it ended, even where the process ended first."""

import asyncio
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, select, text

from app import examples, listening
from app.database import make_engine, migrate
from app.idempotency import Claim, IdempotencyKey
from app.main import create_app
from app.request_log import RequestLog
from app.row_store import RowStore, are_alive
from app.settings import Settings
from app.step_worker import StepWorker
from app.waiting import LogUnavailable
from tests.app.outages import Proxy, Served, process, until
from tests.app.test_request_log import row as a_row
from tests.conftest import Hold, serving

Serve = Callable[[Settings], httpx.Client]

LONG = {**examples.MUSIC_GENERATE, "max_characters": 5_000, "temperature": 5, "stream": True}


@pytest.fixture(params=["sqlite", "postgres"])
def migrated(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that no other test uses."""
    if request.param == "postgres":
        yield request.getfixturevalue("own_postgres").get_uri()
        return
    url = f"sqlite:///{tmp_path / 'log.db'}"
    engine = make_engine(url)
    migrate(engine)
    engine.dispose()
    yield url


def row(engine: Engine, request_id: str) -> Any:
    with engine.connect() as connection:
        found = text("SELECT stream, error_code, task, status FROM requests WHERE request_id = :id")
        return connection.execute(found, {"id": request_id}).one_or_none()


def test_the_row_is_there_when_the_first_byte_is(serve: Serve, settings: Settings, migrated: str) -> None:
    client, engine = serve(settings.model_copy(update={"database_url": migrated})), make_engine(migrated)
    with client.stream("POST", "/v1/music/generate", json=LONG) as answer:
        assert answer.headers["x-gatehouse-log"] == "durable"
        assert tuple(row(engine, answer.headers["x-request-id"])) == ("started", None, "music", 200)
        record = client.get(f"/v1/requests/{answer.headers['x-request-id']}").json()
        assert (record["stream"], record["inputs"]) == ("started", LONG)
        answer.read()
    assert row(engine, answer.headers["x-request-id"]).stream == "finished"
    engine.dispose()


def test_a_stream_that_a_killed_process_left_open_is_closed_by_the_next(tiny_models: Path, migrated: str) -> None:
    engine = make_engine(migrated)
    with process(tiny_models, migrated) as served:
        answer = _begin(served)
        served.kill()
    request_id = answer.headers["x-request-id"]
    assert row(engine, request_id).stream == "started"
    with process(tiny_models, migrated):
        until(lambda: row(engine, request_id).stream == "failed")
    assert row(engine, request_id).error_code == "process_ended"
    engine.dispose()


def test_a_living_sibling_s_stream_is_left_alone(own_postgres: Any) -> None:
    engine = make_engine(own_postgres.get_uri())
    living, dead = (RequestLog(make_engine(own_postgres.get_uri())) for _ in range(2))
    rows = [a_row(stream="started", process_id=one.process_id) for one in (living, dead)]
    for one, started in zip((living, dead), rows, strict=True):
        asyncio.run(one.write(started))
    dead.close()
    with pytest.raises(LogUnavailable):
        asyncio.run(living.write(a_row(status=10**30)))  # a commit that fails is no sign of death
    _cut_all_connections(engine)  # nor is a moment without the database
    third = RequestLog(make_engine(own_postgres.get_uri()))
    until(lambda: row(engine, rows[1]["request_id"]).stream == "failed")
    assert row(engine, rows[0]["request_id"]).stream == "started"
    asyncio.run(living.write({"request_id": rows[0]["request_id"], "stream": "finished"}, "end"))
    assert row(engine, rows[0]["request_id"]).stream == "finished"
    for one in (living, third):
        one.close()
    engine.dispose()


def test_a_process_takes_neither_itself_nor_another_that_is_connected_for_dead(own_postgres: Any) -> None:
    engine = make_engine(own_postgres.get_uri())
    stores = [RowStore(engine, 5, process_id) for process_id in (7, 8)]
    for store in stores:
        store.ping()
    assert stores[0].commit([], works=[lambda connection: are_alive(connection, [7, 8, 9], 7)]) == [{7, 8}]
    for store in stores:
        store.close()
    engine.dispose()


def test_of_a_sqlite_file_too_only_what_the_dead_left_is_ended(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    migrate(make_engine(url))
    living, dead = (RequestLog(make_engine(url)) for _ in range(2))
    until(lambda: len([*tmp_path.glob("log.db-*.lock")]) == 2)
    rows = [a_row(stream="started", process_id=one.process_id) for one in (living, dead)]
    for one, started in zip((living, dead), rows, strict=True):
        asyncio.run(one.write(started))
        assert asyncio.run(one.claim(Claim("a", str(one.process_id), "", str(uuid.uuid4()), one.process_id))) is None
    dead.close()
    third = RequestLog(make_engine(url))
    until(lambda: row(make_engine(url), rows[1]["request_id"]).stream == "failed")
    assert row(make_engine(url), rows[0]["request_id"]).stream == "started"
    with make_engine(url).connect() as connection:
        assert connection.scalars(select(IdempotencyKey.process_id)).all() == [living.process_id]
    for one in (living, third):
        one.close()
    assert not [*tmp_path.glob("log.db-*.lock")]


def _cut_all_connections(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"))


def test_a_stream_that_the_end_of_the_service_cuts_is_recorded(settings: Settings, migrated: str, hold: Hold) -> None:
    engine, app = make_engine(migrated), create_app(settings.model_copy(update={"database_url": migrated}))
    with httpx.Client(timeout=20) as caller:
        with serving(app, **listening.OPTIONS, timeout_graceful_shutdown=1) as client:
            held = hold(StepWorker, "_end")  # so that the stream has no end
            asked = caller.build_request("POST", client.base_url.join("/v1/music/generate"), json=LONG)
            answer = caller.send(asked, stream=True)
            pieces = answer.iter_raw()
            next(pieces)
            assert held.busy.wait(20)
            threading.Timer(3, held.free.set).start()  # when nobody waits for it any more
        with pytest.raises(httpx.RemoteProtocolError):
            list(pieces)
    ended = row(engine, answer.headers["x-request-id"])
    assert (ended.stream, ended.error_code) == ("failed", "process_ended")
    engine.dispose()


def test_without_its_row_no_stream_begins(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"database_url": settings.database_url + ".other"}))
    answer = client.post("/v1/music/generate", json=LONG)
    assert (answer.status_code, answer.json()["code"]) == (503, "log_unavailable")
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_stream_whose_end_cannot_be_recorded_says_so_and_is_recorded_later(
    own_postgres: Any, serve: Serve, settings: Settings
) -> None:
    proxy, engine = Proxy(own_postgres.get_uri()), make_engine(own_postgres.get_uri())
    client = serve(settings.model_copy(update={"database_url": proxy.url}))
    with client.stream("POST", "/v1/music/generate", json={**LONG, "max_characters": 300}) as answer:
        proxy.hold()
        answer.read()
    assert "log_unavailable" in answer.text
    assert "event: done" not in answer.text
    proxy.flows.set()
    until(lambda: row(engine, answer.headers["x-request-id"]).stream == "failed")
    assert row(engine, answer.headers["x-request-id"]).error_code == "log_unavailable"
    engine.dispose()
    proxy.close()


def _begin(served: Served) -> httpx.Response:
    """A stream whose caller stays and has read its first bytes."""
    answer = served.client.send(served.client.build_request("POST", "/v1/music/generate", json=LONG), stream=True)
    pieces = answer.iter_raw()
    next(pieces)
    answer.extensions["pieces"] = pieces  # which would close it, were they gone
    return answer
