"""The request log on SQLite and on a real PostgreSQL."""

import asyncio
import hashlib
import hmac
import threading
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import httpx
import pytest
from alembic import command
from sqlalchemy import Engine, inspect, text

from app import examples, hold
from app.database import make_engine, migrate, migration_config
from app.entry import Entry
from app.idempotency import Claim, RequestInFlight
from app.payloads import as_payload
from app.request_log import RequestLog
from app.request_record import Row
from app.settings import Settings
from app.waiting import LogUnavailable
from tests.app.outages import until

Serve = Callable[[Settings], httpx.Client]


@pytest.fixture
def log(engine: Engine) -> Iterator[RequestLog]:
    migrate(engine)
    log = RequestLog(engine)
    yield log
    log.close()


def row(**changes: Any) -> Row:
    empty = dict.fromkeys(
        [
            "error_code",
            "task",
            "model_version",
            "items",
            "encode_ms",
            "queue_ms",
            "run_ms",
            "stream",
            "client",
            "client_request_id",
            "inputs",
            "outputs",
        ]
    )
    known = {
        "request_id": str(uuid.uuid4()),
        "time": datetime(2026, 1, 2, 3, 4, 5, 6789, UTC),
        "method": "POST",
        "path": "/v1/sentiment",
        "status": 200,
        "total_ms": 1.5,
        "request_bytes": 10,
        "response_bytes": 20,
    }
    return {**empty, **known, **changes}


def test_a_row_is_there_when_write_returns(log: RequestLog) -> None:
    written = row(items=2, inputs={"texts": ["\x00 é", 1e300]}, outputs=[None, True])
    asyncio.run(log.write(written))
    found = log.find(written["request_id"])
    assert found is not None
    assert {name: getattr(found, name) for name in written} == written


def test_times_are_stored_in_utc_whatever_their_zone(log: RequestLog) -> None:
    written = row(time=datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2))))
    asyncio.run(log.write(written))
    found = log.find(written["request_id"])
    assert found is not None
    assert found.time.isoformat() == "2026-01-02T03:04:05+00:00"


def test_a_value_that_no_database_can_carry_fails_alone(log: RequestLog) -> None:
    good, bad = row(), [row(path="\ud800"), row(items=2**70), row(outputs={"a": {1, 2}})]

    async def write_all() -> list[Any]:
        return await asyncio.gather(*(log.write(one) for one in [*bad, good]), return_exceptions=True)

    *failed, fine = asyncio.run(write_all())
    assert [type(one) for one in failed] == [LogUnavailable] * 3
    assert fine == "durable"
    assert log.find(good["request_id"]) is not None


def test_what_is_not_there_is_not_found(log: RequestLog) -> None:
    assert log.find("nothing") is None


def test_rows_that_wait_together_are_all_written(log: RequestLog) -> None:
    rows = [row() for _ in range(300)]

    async def write_all() -> None:
        await asyncio.gather(*(log.write(one) for one in rows))

    asyncio.run(write_all())
    assert all(log.find(one["request_id"]) for one in rows)


def test_few_large_rows_share_a_commit(log: RequestLog, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes, commit = list[int](), log._store.commit

    def counted(rows: Sequence[Row], *others: Any) -> list[Any]:
        sizes.append(len(rows))
        return commit(rows, *others)

    monkeypatch.setattr(log._store, "commit", counted)

    async def write_all() -> None:
        await asyncio.gather(*(log.write(row(request_bytes=3 << 20)) for _ in range(9)))

    asyncio.run(write_all())
    assert sum(sizes) == 9
    assert max(sizes) <= 2


def test_the_same_keys_at_several_processes_are_in_nobody_s_way(own_postgres: Any, caplog: pytest.LogCaptureFixture) -> None:
    logs = [RequestLog(make_engine(own_postgres.get_uri())) for _ in range(2)]

    def claimed(log: RequestLog, number: int, attempt: int) -> Awaitable[Any]:
        return log.claim(Claim("caller", f"key {attempt} {number}", "", str(uuid.uuid4()), log.process_id))

    async def scenario(attempt: int) -> list[Any]:
        forth = [claimed(logs[0], number, attempt) for number in range(40)]
        back = [claimed(logs[1], number, attempt) for number in reversed(range(40))]
        return await asyncio.gather(*forth, *back, *(log.write(row()) for log in logs), return_exceptions=True)

    for attempt in range(10):
        said = asyncio.run(scenario(attempt))
        assert said[80:] == ["durable"] * 2
        assert sum(one is None for one in said) == 40
        assert sum(isinstance(one, RequestInFlight) for one in said) == 40
    assert "could not be committed" not in caplog.text
    for log in logs:
        log.close()


def test_a_bad_row_fails_alone(log: RequestLog) -> None:
    good, bad = [row() for _ in range(20)], row(path=None)

    async def write_all() -> list[Any]:
        return await asyncio.gather(*(log.write(one) for one in [*good, bad]), return_exceptions=True)

    *fine, failed = asyncio.run(write_all())
    assert fine == ["durable"] * 20
    assert isinstance(failed, LogUnavailable)
    assert all(log.find(one["request_id"]) for one in good)


@pytest.mark.parametrize("inside", [1, 64])  # with the writer, and held
def test_closing_writes_what_waits(engine: Engine, monkeypatch: pytest.MonkeyPatch, inside: int) -> None:
    monkeypatch.setattr(hold, "MOST_S", 60.0)
    migrate(engine)
    log, written = RequestLog(engine, inside=lambda: inside), row()

    async def write_and_close() -> None:
        writing = asyncio.create_task(log.write(written))
        await asyncio.sleep(0)
        await asyncio.to_thread(log.close)
        await writing

    asyncio.run(write_and_close())
    assert log.find(written["request_id"]) is not None


def test_while_many_are_inside_half_of_them_are_committed_together(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "MOST_S", 60.0)
    migrate(engine)
    log = RequestLog(engine, inside=lambda: 64)

    async def scenario() -> None:
        writing = [asyncio.create_task(log.write(row())) for _ in range(31)]
        done, _ = await asyncio.wait(writing, timeout=0.3)
        assert not done
        await log.change(lambda _: None, "nothing")  # what is asked for before an answer is not held
        assert not any(each.done() for each in writing)
        await asyncio.wait_for(asyncio.gather(*writing, log.write(row())), 5)

    asyncio.run(scenario())
    log.close()


@pytest.mark.parametrize(("inside", "most_s"), [(64, 0.05), (15, 60.0), (1, 60.0)])
def test_a_few_rows_are_held_for_moments_or_not_at_all(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, inside: int, most_s: float
) -> None:
    monkeypatch.setattr(hold, "MOST_S", most_s)
    migrate(engine)
    log = RequestLog(engine, inside=lambda: inside)

    async def scenario() -> None:
        for _ in range(3):
            await asyncio.wait_for(log.write(row()), 5)

    asyncio.run(scenario())
    log.close()


def test_what_was_held_in_vain_is_not_held_again_at_once(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "PAUSE_S", 60.0)
    migrate(engine)
    log = RequestLog(engine, inside=lambda: 64)

    async def scenario() -> None:
        await log.write(row())
        monkeypatch.setattr(hold, "MOST_S", 60.0)
        await asyncio.wait_for(log.write(row()), 5)

    asyncio.run(scenario())
    log.close()


def test_an_unmigrated_database_is_a_fault_that_says_what_to_do(engine: Engine) -> None:
    log = RequestLog(engine)
    assert "gatehouse migrate" in str(asyncio.run(log.fault()))
    with pytest.raises(LogUnavailable):
        asyncio.run(log.write(row()))
    with pytest.raises(LogUnavailable):
        log.find("anything")
    migrate(engine)
    until(lambda: asyncio.run(log.fault()) is None)
    asyncio.run(log.write(row()))
    log.close()


def test_rows_that_nobody_waits_for_are_counted_when_they_are_lost(engine: Engine) -> None:
    log = RequestLog(engine)
    for _ in range(3):
        log.record(row())
    until(lambda: log.lost == 3)
    migrate(engine)
    written = row()
    log.record(written)
    until(lambda: log.find(written["request_id"]) is not None)
    assert log.lost == 3
    log.close()


def test_migrations_go_up_and_down_and_match_the_model(engine: Engine) -> None:
    migrate(engine)
    command.check(migration_config(engine))
    assert "requests" in inspect(engine).get_table_names()
    migrate(engine, "base")
    assert "requests" not in inspect(engine).get_table_names()
    migrate(engine)
    command.check(migration_config(engine))


def test_sqlite_is_set_up_to_be_durable_on_every_connection(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'log.db'}")
    with engine.connect() as first, engine.connect() as second:
        for connection in (first, second):
            assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
            assert connection.execute(text("PRAGMA synchronous")).scalar() == 2  # FULL
    engine.dispose()


def test_a_database_that_cannot_be_reached_is_a_fault(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/no/such/folder.db", "postgresql://nobody@127.0.0.1:1/nothing"):
        log = RequestLog(make_engine(url))
        assert "cannot be used" in str(asyncio.run(log.fault()))
        log.close()


def test_the_service_answers_on_either_database(url: str, serve: Serve, settings: Settings) -> None:
    engine = make_engine(url)
    migrate(engine)
    engine.dispose()
    client = serve(settings.model_copy(update={"database_url": url}))
    answer = client.post("/v1/sentiment", json=examples.SENTIMENT)
    record = client.get(f"/v1/requests/{answer.json()['request_id']}").json()
    assert record["inputs"] == examples.SENTIMENT
    assert record["outputs"] == answer.json()


def test_payloads_are_stored_only_when_asked_for(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"log_payloads": "off"}))
    answer = client.post("/v1/sentiment", json=examples.SENTIMENT)
    record = client.get(f"/v1/requests/{answer.json()['request_id']}").json()
    assert (record["inputs"], record["outputs"]) == (None, None)
    assert record["items"] == 2


def test_hashes_are_stored_in_place_of_payloads(serve: Serve, settings: Settings) -> None:
    for secret, name in ((None, "sha256"), ("a secret of an operator", "hmac_sha256")):
        client = serve(settings.model_copy(update={"log_payloads": "hashed", "payload_hash_key": secret}))
        answer = client.post("/v1/sentiment", json=examples.SENTIMENT)
        record = client.get(f"/v1/requests/{answer.json()['request_id']}").json()
        for sent, stored in ((answer.request.content, record["inputs"]), (answer.content, record["outputs"])):
            keyed = hmac.new((secret or "").encode(), sent, hashlib.sha256).hexdigest()
            assert stored == {name: keyed if secret else hashlib.sha256(sent).hexdigest()}


def test_an_id_that_no_database_can_hold_is_not_there(log: RequestLog) -> None:
    assert log.find("\0") is None


def test_an_address_that_a_proxy_made_up_is_cut_to_what_a_row_holds() -> None:
    scope = {"type": "http", "method": "POST", "path": "/v1/sentiment", "client": ("9" * 3_000, 0)}
    assert Entry.of(scope).client == "9" * 64


def test_without_its_row_a_request_is_not_answered(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"database_url": settings.database_url + ".other"}))
    answer = client.post("/v1/sentiment", json=examples.SENTIMENT)
    assert (answer.status_code, answer.json()["code"]) == (503, "log_unavailable")
    assert "predictions" not in answer.json()
    assert int(answer.headers["retry-after"]) >= 1
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert "gatehouse migrate" in ready.json()["detail"]
    assert client.get("/livez").status_code == 200


BODIES: list[tuple[bytes, Any]] = [
    (b"", None),
    (b'{"a": 1}', {"a": 1}),
    (b"{a", "{a"),
    (b'["\\ud83d\\ude00", "\\uD800"]', ["😀", "?"]),
    (b"\xff", "\ufffd"),
    (b'{"a": NaN}', '{"a": NaN}'),
    (b"[1e999]", "[1e999]"),
    (b"[" * 300 + b"]" * 300, "[" * 300 + "]" * 300),
]


@pytest.mark.parametrize(("body", "stored"), BODIES)
def test_bodies_are_stored_parsed_where_they_can_be(body: bytes, stored: Any) -> None:
    assert as_payload(body) == stored


def test_a_row_whose_caller_gave_up_is_not_written(log: RequestLog, monkeypatch: pytest.MonkeyPatch) -> None:
    free, whole = threading.Event(), log._store.commit

    def slow(*args: Any) -> list[Any]:
        free.wait(30)
        return whole(*args)

    monkeypatch.setattr(log._store, "commit", slow)
    monkeypatch.setattr("app.request_log._MOST_WAIT_S", 0.2)
    busy, late = row(), row()

    async def scenario() -> None:
        first = asyncio.create_task(log.write(busy))
        await asyncio.sleep(0.05)
        for writing in (asyncio.create_task(log.write(late)), first):
            with pytest.raises(LogUnavailable, match="no commit within"):
                await writing
        free.set()

    asyncio.run(scenario())
    after = row()
    monkeypatch.setattr("app.request_log._MOST_WAIT_S", 30)
    asyncio.run(log.write(after))
    assert log.find(late["request_id"]) is None
    assert log.find(after["request_id"]) is not None
