"""The request log's database goes away and comes back: nobody is answered without a row, and all are again soon after."""

import asyncio
import resource
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from app import examples
from app.database import make_engine, migrate
from app.request_log import RequestLog
from app.settings import Settings
from tests.app.outages import Proxy, process, until

Serve = Callable[[Settings], httpx.Client]


def post(client: httpx.Client) -> httpx.Response:
    return client.post("/v1/sentiment", json=examples.SENTIMENT)


def check_refused(client: httpx.Client, within_s: float = 6.5) -> None:
    """In time, with a time to come back; and no load balancer sends more."""
    started = time.monotonic()
    answer = post(client)
    assert (answer.status_code, answer.json()["code"]) == (503, "log_unavailable")
    assert int(answer.headers["retry-after"]) >= 1
    assert time.monotonic() - started < within_s
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert "request_log" in ready.json()["detail"]


def answers(client: httpx.Client) -> bool:
    return client.get("/readyz").status_code == 200 and post(client).status_code == 200


@pytest.fixture
def proxy(postgres: str) -> Iterator[Proxy]:
    """Before a migrated, empty PostgreSQL."""
    engine = make_engine(postgres)
    migrate(engine)
    proxy = Proxy(postgres)
    yield proxy
    proxy.close()
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()


def test_while_a_sqlite_database_is_locked_nobody_is_answered(serve: Serve, settings: Settings) -> None:
    client = serve(settings)
    assert answers(client)
    other = sqlite3.connect(settings.database_url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    check_refused(client)
    assert "locked" in client.get("/readyz").json()["detail"]
    other.execute("ROLLBACK")
    other.close()
    until(lambda: answers(client), 10)


def test_while_the_disk_is_full_nobody_is_answered(tiny_models: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    migrate(make_engine(url))
    most_bytes = sum(file.stat().st_size for file in tmp_path.iterdir()) + 200_000
    with process(tiny_models, url, log_payloads="on") as served:
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (most_bytes, resource.RLIM_INFINITY))
        recorded = []
        long = {"texts": ["dull " * 3_000]}
        while (answer := served.client.post("/v1/sentiment", json=long)).status_code == 200:
            recorded.append(answer.json()["request_id"])
            assert len(recorded) < 1_000, "the disk is never full"
        assert recorded
        assert answer.json()["code"] == "log_unavailable"
        assert served.client.get("/readyz").status_code == 503
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        until(lambda: answers(served.client), 10)
        assert all(served.client.get(f"/v1/requests/{one}").status_code == 200 for one in recorded)


def test_a_database_that_does_not_answer_holds_nobody_up_for_long(proxy: Proxy, serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"database_url": proxy.url}))
    known = post(client).json()["request_id"]
    proxy.hold()
    check_refused(client)
    started = time.monotonic()
    record = client.get(f"/v1/requests/{known}")
    assert (record.status_code, record.json()["code"]) == (503, "log_unavailable")
    assert time.monotonic() - started < 12  # five seconds for the record, as many for this request's own row
    proxy.flows.set()
    until(lambda: answers(client), 10)
    assert client.get(f"/v1/requests/{known}").status_code == 200


def test_a_slow_database_is_waited_for(proxy: Proxy, serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"database_url": proxy.url}))
    assert answers(client)
    proxy.hold()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(post, client)
        time.sleep(1)
        assert not slow.done()
        proxy.flows.set()
        assert slow.result().status_code == 200


def test_a_connection_that_was_cut_is_replaced_unnoticed(proxy: Proxy, serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"database_url": proxy.url}))
    for _ in range(3):
        assert post(client).status_code == 200
        proxy.cut()


def test_while_connections_are_cut_every_answer_has_its_row(proxy: Proxy, serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"database_url": proxy.url}))
    with ThreadPoolExecutor(8) as pool:
        posted = [pool.submit(post, client) for _ in range(150)]
        while not all(one.done() for one in posted):
            proxy.cut()
            time.sleep(0.02)
    results = [one.result() for one in posted]
    assert {one.status_code for one in results} <= {200, 503}
    until(lambda: answers(client), 10)
    for one in results:
        if one.status_code == 200:
            assert client.get(f"/v1/requests/{one.json()['request_id']}").status_code == 200


def test_a_postgres_that_is_stopped_and_started_is_used_again(
    own_postgres: Any, tiny_models: Path, serve: Serve, settings: Settings
) -> None:
    client = serve(settings.model_copy(update={"database_url": own_postgres.get_uri()}))
    assert answers(client)
    own_postgres.stop()
    check_refused(client)
    own_postgres.ensure_postgres_running()
    until(lambda: answers(client), 10)


def test_a_standby_that_was_met_while_another_took_over_is_left(
    postgres: str, proxy: Proxy, serve: Serve, settings: Settings
) -> None:
    client = serve(settings.model_copy(update={"database_url": proxy.url}))
    assert answers(client)
    engine = make_engine(postgres)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ALTER ROLE postgres SET default_transaction_read_only = on")
        try:
            proxy.cut()
            check_refused(client)
        finally:
            connection.exec_driver_sql("ALTER ROLE postgres RESET default_transaction_read_only")
    engine.dispose()
    until(lambda: answers(client), 10)


def test_what_a_database_says_of_durability_does_not_matter(url: str) -> None:
    engine = make_engine(url)
    migrate(engine)
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(text("ALTER ROLE postgres SET synchronous_commit = off"))
        engine.dispose()
    log = RequestLog(engine)
    try:
        assert asyncio.run(log._done(_durable, "work"))
    finally:
        log.close()
        if engine.dialect.name == "postgresql":
            with engine.begin() as connection:
                connection.execute(text("ALTER ROLE postgres RESET synchronous_commit"))
            engine.dispose()


def _durable(connection: Any) -> bool:
    if connection.dialect.name == "sqlite":
        return bool(connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2)
    return bool(connection.exec_driver_sql("SHOW synchronous_commit").scalar() == "on")
