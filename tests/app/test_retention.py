"""What is older than it may be goes by itself, in small batches, on SQLite and on a real PostgreSQL."""

import asyncio
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, insert, select, text

from app.database import make_engine, migrate
from app.idempotency import Claim, IdempotencyKey
from app.log_rows import Selection, count
from app.request_log import RequestLog
from app.retention import Retention, delete_rows, empty_payloads
from app.settings import Settings
from tests.past_requests import store, stored

Serve = Callable[[Settings], httpx.Client]


@pytest.fixture
def log(engine: Engine) -> Engine:
    """A migrated, empty request log."""
    migrate(engine)
    return engine


@contextmanager
def retention(engine: Engine, rows_days: int | None = None, payloads_days: int | None = None) -> Iterator[None]:
    """At work every few milliseconds."""
    working = Retention(engine, rows_days, payloads_days, every_s=0.02)
    try:
        yield
    finally:
        working.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def before(days: float, **wanted: Any) -> Selection:
    return Selection(until=datetime.now(UTC) - timedelta(days=days), **wanted)


def test_only_rows_before_the_limit_are_removed_a_bounded_number_at_a_time(log: Engine) -> None:
    store(log, 40, count=450)
    kept = store(log, 20, count=3)
    assert [batch.rows for batch in delete_rows(log, before(30))] == [200, 200, 50]
    assert list(stored(log)) == kept or set(stored(log)) == set(kept)


def test_large_rows_are_removed_fewer_at_a_time(log: Engine) -> None:
    store(log, 40, count=4, request_bytes=400_000)
    store(log, 39, count=1, request_bytes=5_000_000)
    store(log, 38, count=3, request_bytes=5_000_000, inputs=None, outputs=None)  # nothing of it was kept
    assert [batch.rows for batch in delete_rows(log, before(30))] == [2, 2, 1, 3]


def test_rows_of_one_instant_are_all_found(log: Engine) -> None:
    instant = datetime.now(UTC) - timedelta(days=40)
    store(log, 40, count=450, time=instant)
    assert sum(batch.rows for batch in empty_payloads(log, before(30, with_payloads=True))) == 450
    assert sum(batch.rows for batch in delete_rows(log, before(30))) == 450


def test_an_answer_kept_to_be_sent_again_is_a_payload(log: Engine) -> None:
    store(log, 10, count=3, request_bytes=5_000_000, inputs=None, outputs=None, answer={"body": "A quiet film."})
    assert [batch.rows for batch in empty_payloads(log, before(7, with_payloads=True))] == [1, 1, 1]
    assert count(log, before(7, with_payloads=True)) == 0


def test_emptied_payloads_leave_their_rows(log: Engine) -> None:
    old, new = store(log, 10, count=250), store(log, 1, count=2)
    bare = store(log, 10, inputs=None, outputs=None)
    assert [batch.rows for batch in empty_payloads(log, before(7, with_payloads=True))] == [200, 50]
    found = stored(log)
    assert {found[request_id] for request_id in [*old, *bare]} == {(None, None)}
    assert all(found[request_id][0] == {"texts": ["A quiet film."]} for request_id in new)
    assert count(log, before(7, with_payloads=True)) == 0


def test_the_service_removes_old_rows_and_payloads_by_itself(url: str, serve: Serve, settings: Settings) -> None:
    engine = make_engine(url)
    migrate(engine)
    store(engine, 31, count=5)
    emptied, kept = store(engine, 8, count=5), store(engine, 6, count=5)
    limits = {"log_retention_days": 30, "log_payload_retention_days": 7}
    client = serve(settings.model_copy(update={"database_url": url, **limits}))
    until(lambda: len(stored(engine)) == 10 and not count(engine, before(7, with_payloads=True)))
    assert {request_id for request_id, payloads in stored(engine).items() if payloads == (None, None)} == set(emptied)
    assert client.get(f"/v1/requests/{kept[0]}").json()["outputs"] == {"label": "positive"}
    engine.dispose()


def test_nothing_of_what_went_is_left_in_the_file(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path}/log.db")
    migrate(engine)
    store(engine, 10, count=3, inputs={"texts": ["Zanzibar is a word."]})
    held = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    assert b"Zanzibar" in held
    with retention(engine, payloads_days=7), engine.connect():  # somebody keeps the file open, as a service does
        until(lambda: not any(b"Zanzibar" in file.read_bytes() for file in tmp_path.iterdir()))
    engine.dispose()


def test_without_a_limit_everything_is_kept(serve: Serve, settings: Settings) -> None:
    engine = make_engine(settings.database_url)
    kept = store(engine, 3650, count=3)
    client = serve(settings)
    assert client.get("/readyz").status_code == 200
    time.sleep(0.3)
    assert set(stored(engine)) == set(kept)
    engine.dispose()


def test_what_grows_old_later_goes_later(log: Engine) -> None:
    store(log, 10, count=3)
    with retention(log, payloads_days=7):
        until(lambda: count(log, before(7, with_payloads=True)) == 0)
        late = store(log, 7.5, count=3)
        until(lambda: count(log, before(7, with_payloads=True)) == 0)
    assert {stored(log)[request_id] for request_id in late} == {(None, None)}


def test_rows_that_come_late_are_emptied_too(log: Engine) -> None:
    store(log, 10, count=3)
    working = Retention(log, None, 7, every_s=0.02, anew_s=0.1)
    try:
        until(lambda: count(log, before(7, with_payloads=True)) == 0)
        store(log, 12, count=3)  # from a spool
        until(lambda: count(log, before(7, with_payloads=True)) == 0)
    finally:
        working.close()


def test_a_purge_under_way_keeps_no_request_waiting(log: Engine) -> None:
    store(log, 40, count=8000, inputs={"texts": ["word " * 400]}, request_bytes=2000)
    writer = RequestLog(log)
    row = {"method": "POST", "path": "/v1/sentiment", "status": 200, "total_ms": 1.0, "request_bytes": 1, "response_bytes": 1}

    async def longest_s() -> float:
        taken = []
        for _ in range(60):
            started_s = time.perf_counter()
            await writer.write({**row, "request_id": str(uuid.uuid4()), "time": datetime.now(UTC)})
            taken.append(time.perf_counter() - started_s)
        return max(taken)

    with retention(log, rows_days=30):
        longest = asyncio.run(longest_s())
        assert count(log, before(30)) > 0, "the purge was over before the writes were"
    assert longest < 1.0
    writer.close()


def test_one_process_at_a_time_removes_rows_from_a_postgresql(postgres: str) -> None:
    engine = make_engine(postgres)
    migrate(engine)
    store(engine, 40, count=3)
    with engine.connect() as other:
        other.execute(text("SELECT pg_advisory_lock(1734440037)"))
        with retention(engine, rows_days=30):
            time.sleep(0.3)
            assert count(engine, before(30)) == 3
            other.execute(text("SELECT pg_advisory_unlock(1734440037)"))
            until(lambda: count(engine, before(30)) == 0)
    with engine.connect() as other:
        assert other.scalar(text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")) == 0
        other.execute(text("DROP SCHEMA public CASCADE"))
        other.execute(text("CREATE SCHEMA public"))
        other.commit()
    engine.dispose()


def test_a_purge_and_a_request_that_takes_over_a_key_do_not_wait_for_each_other(own_postgres: Any) -> None:
    engine = make_engine(own_postgres.get_uri())
    (old,) = store(engine, 40)
    claim = Claim("", "key", "0" * 64, str(uuid.uuid4()), 1)
    key = {"caller": "", "key": "key", **claim.values(), "request_id": old, "time": datetime.now(UTC) - timedelta(days=40)}

    def take_over() -> object:
        with engine.begin() as connection:
            return claim.made(timedelta(days=1))(connection)

    def waiting() -> int:
        with engine.connect() as connection:
            return int(connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")) or 0)

    with engine.begin() as connection:
        connection.execute(insert(IdempotencyKey).values(key))
    with ThreadPoolExecutor(2) as threads, engine.connect() as earlier:
        earlier.execute(select(IdempotencyKey).with_for_update())
        taken = threads.submit(take_over)
        until(lambda: waiting() == 1)
        purged = threads.submit(lambda: list(delete_rows(engine, before(30))))
        until(lambda: waiting() == 2)
        earlier.rollback()
        assert taken.result() is None
        assert [batch.rows for batch in purged.result()] == [1]
    with engine.connect() as connection:
        assert connection.scalar(select(IdempotencyKey.request_id)) == claim.request_id
    engine.dispose()


def test_a_database_that_fails_is_looked_at_again(engine: Engine, caplog: pytest.LogCaptureFixture) -> None:
    with retention(engine, rows_days=30):
        until(lambda: "old rows could not be removed" in caplog.text)
        migrate(engine)
        store(engine, 40)
        until(lambda: count(engine, before(30)) == 0)
