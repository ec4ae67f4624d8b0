"""Relaxed logging: answers whose rows wait in the spool until the database takes them, each once and in order."""

import errno
import json
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import httpx
import pytest
from sqlalchemy import Engine, select

import app.spool
from app import examples
from app.backlog import Backlog, bring_strays_home
from app.database import make_engine, migrate
from app.request_record import RequestRecord
from app.row_store import RowStore
from app.settings import Settings
from app.spool import Spool, Spooled, SpoolFull, left_behind, read
from tests.app.outages import Proxy, process, until
from tests.app.test_request_log import row as a_row

Serve = Callable[[Settings], httpx.Client]


def post(client: httpx.Client, path: str = "/v1/sentiment", body: Any = examples.SENTIMENT) -> httpx.Response:
    return client.post(path, json=body)


def spooled(client: httpx.Client) -> float:
    lines = client.get("/metrics").text.splitlines()
    return float(next(line for line in lines if line.startswith("gatehouse_log_rows_spooled ")).split()[1])


@contextmanager
def locked(url: str) -> Iterator[None]:
    other = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    yield
    other.execute("ROLLBACK")
    other.close()


@pytest.fixture
def relaxed(settings: Settings, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"log_mode": "relaxed", "spool_dir": tmp_path / "spool"})


def test_answers_leave_while_the_database_is_gone_and_their_rows_follow(serve: Serve, relaxed: Settings) -> None:
    client = serve(relaxed)
    assert client.get("/v1/models").json()["log_mode"] == "relaxed"
    assert post(client).headers["x-gatehouse-log"] == "durable"
    with locked(relaxed.database_url):
        answers = [post(client) for _ in range(20)]
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.headers["x-gatehouse-log"] for answer in answers} == {"spooled"}
        assert spooled(client) == 20
        assert client.get("/readyz").status_code == 200
    until(lambda: spooled(client) == 0)
    for answer in answers:
        record = client.get(f"/v1/requests/{answer.json()['request_id']}").json()
        assert record["outputs"] == answer.json()
    assert post(client).headers["x-gatehouse-log"] == "durable"


def test_a_stream_that_ends_while_the_database_is_gone_is_recorded_as_it_ended(serve: Serve, relaxed: Settings) -> None:
    client = serve(relaxed)
    with locked(relaxed.database_url):
        answer = post(client, "/v1/music/generate", {**examples.MUSIC_GENERATE, "max_characters": 50, "stream": True})
        assert answer.headers["x-gatehouse-log"] == "spooled"
    until(lambda: spooled(client) == 0)
    record = client.get(f"/v1/requests/{answer.headers['x-request-id']}").json()
    assert (record["stream"], record["response_bytes"]) == ("finished", len(answer.content))


def test_a_database_that_does_not_answer_holds_nobody_up(own_postgres: Any, serve: Serve, relaxed: Settings) -> None:
    proxy = Proxy(own_postgres.get_uri())
    client = serve(relaxed.model_copy(update={"database_url": proxy.url}))
    assert post(client).headers["x-gatehouse-log"] == "durable"
    proxy.hold()
    first = post(client)
    assert first.headers["x-gatehouse-log"] == "spooled"
    started = time.monotonic()
    answers = [first, *(post(client) for _ in range(5))]
    assert {answer.headers["x-gatehouse-log"] for answer in answers} == {"spooled"}
    assert time.monotonic() - started < 2, "only the first one waits for a database that may still come"
    proxy.flows.set()
    until(lambda: spooled(client) == 0, 30)
    for answer in answers:
        assert client.get(f"/v1/requests/{answer.json()['request_id']}").status_code == 200
    proxy.close()


def test_a_full_spool_refuses_and_says_so(serve: Serve, relaxed: Settings) -> None:
    client = serve(relaxed.model_copy(update={"spool_max_bytes": 64 * 1024}))
    long = {"texts": ["dull " * 3_000]}
    with locked(relaxed.database_url):
        kept = []
        while (answer := post(client, body=long)).status_code == 200:
            kept.append(answer.json()["request_id"])
        assert (answer.status_code, answer.json()["code"]) == (503, "log_unavailable")
        assert answer.headers["retry-after"]
        assert kept
        refused = client.get("/readyz")
        assert (refused.status_code, "the spool is full" in refused.json()["detail"]) == (503, True)
    until(lambda: post(client).headers.get("x-gatehouse-log") == "durable")
    assert all(client.get(f"/v1/requests/{one}").status_code == 200 for one in kept)


def test_a_spool_on_a_full_disk_is_told_until_there_is_room(
    serve: Serve, relaxed: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    client = serve(relaxed)
    with locked(relaxed.database_url):
        with monkeypatch.context() as full:
            full.setattr(app.spool, "_write", fail)
            assert post(client).json()["code"] == "log_unavailable"
            refused = client.get("/readyz")
            assert (refused.status_code, "the spool is full" in refused.json()["detail"]) == (503, True)
        assert client.get("/readyz").status_code == 200
        assert post(client).headers["x-gatehouse-log"] == "spooled"


def test_rows_of_a_killed_server_are_in_the_database_after_the_next_start_once(
    own_postgres: Any, tiny_models: Path, tmp_path: Path
) -> None:
    url, spool = own_postgres.get_uri(), {"log_mode": "relaxed", "spool_dir": str(tmp_path / "spool")}
    with process(tiny_models, url, **spool) as served:
        before = post(served.client)
        own_postgres.stop()
        answers = [post(served.client) for _ in range(10)]
        assert {answer.headers["x-gatehouse-log"] for answer in answers} == {"spooled"}
        served.kill()
    own_postgres.ensure_postgres_running()
    ids = [answer.json()["request_id"] for answer in (before, *answers)]
    with process(tiny_models, url, log_mode="durable", spool_dir=str(tmp_path / "spool")) as served:
        for one in ids:
            until(lambda one=one: served.client.get(f"/v1/requests/{one}").status_code == 200)  # type: ignore[misc]
    assert not list((tmp_path / "spool").glob("*.jsonl"))


def row(**changes: Any) -> dict[str, Any]:
    return {
        "request_id": str(uuid.uuid4()),
        "time": datetime(2026, 1, 2, 3, 4, 5, 6789, UTC),
        "inputs": {"texts": ["é\x00"]},
        **changes,
    }


def test_what_was_spooled_is_read_as_it_was(tmp_path: Path) -> None:
    spool, rows = Spool(tmp_path, 10_000, 1), [("row", row()), ("end", {"request_id": "x", "stream": "finished"})]
    spool.add(rows)  # type: ignore[arg-type]
    segment = spool.take()
    assert segment
    assert list(read(segment)) == rows
    spool.done(segment)
    assert (spool.rows, spool.size_bytes, spool.take()) == (0, 0, None)
    spool.close()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("cut", [2, 5, 60])
def test_a_torn_line_is_left_out_and_the_others_are_read(tmp_path: Path, cut: int) -> None:
    spool, rows = Spool(tmp_path, 10_000, 1), [("row", row()), ("row", row()), ("row", row())]
    spool.add(rows)  # type: ignore[arg-type]
    segment = spool.take()
    assert segment
    whole = segment.read_bytes()
    segment.write_bytes(whole[:-cut])
    assert list(read(segment)) == rows[:2]
    middle = len(whole) // 2
    segment.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
    assert list(read(segment)) == [rows[0], rows[2]]
    spool.close()


def test_after_a_line_that_stays_torn_a_new_segment_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_half(segment: IO[bytes], text: bytes) -> None:
        segment.write(text[: len(text) // 2])
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def fail(*_: Any) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    spool = Spool(tmp_path, 10_000, 1)
    spool.add([("row", {"request_id": "1"})])
    with monkeypatch.context() as broken:
        broken.setattr(app.spool, "_write", write_half)
        broken.setattr(os, "truncate", fail)
        with pytest.raises(OSError, match="Input/output"):
            spool.add([("row", {"request_id": "2"})])
    spool.add([("row", {"request_id": "3"})])
    found = list[str]()
    while segment := spool.take():
        found += [row["request_id"] for _, row in read(segment)]
        spool.done(segment)
    assert found == ["1", "3"]
    spool.close()


def test_segments_come_in_order_and_nothing_is_added_to_one_that_was_taken(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 10_000, 1)
    first, second = ("row", row()), ("row", row())
    spool.add([first])  # type: ignore[list-item]
    taken = spool.take()
    spool.add([second])  # type: ignore[list-item]
    assert spool.take() == taken
    assert taken
    assert list(read(taken)) == [first]
    spool.done(taken)
    other = spool.take()
    assert other
    assert list(read(other)) == [second]
    spool.close()


def test_no_more_bytes_are_spooled_than_allowed(tmp_path: Path) -> None:
    spool = Spool(tmp_path, 1_000, 1)
    one: list[Spooled] = [("row", row(inputs="x" * 500))]
    spool.add(one)
    with pytest.raises(SpoolFull):
        spool.add(one)
    assert spool.rows == 1
    assert sum(len(json.dumps(kind)) for kind, _ in one) < spool.size_bytes <= 1_000
    spool.close()


def test_only_what_nobody_holds_any_more_was_left_behind(tmp_path: Path) -> None:
    living, dead = Spool(tmp_path, 10_000, 1), Spool(tmp_path, 10_000, 2)
    for spool in (living, dead):
        spool.add([("row", row())])
    dead.close()
    with left_behind(tmp_path) as segments:
        assert [segment.name[:16] for segment in segments] == [f"{2:016x}"]
        with left_behind(tmp_path) as others:
            assert others == []
        for segment in segments:
            segment.unlink()
    assert {path.name[:16] for path in tmp_path.iterdir()} == {f"{1:016x}"}
    living.close()


def test_what_cannot_be_opened_is_named_and_holds_up_nothing_else(
    tmp_path: Path, engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    migrate(engine)
    dead, kept = Spool(tmp_path, 10_000, 2), a_row()
    dead.add([("row", kept)])
    dead.close()
    (tmp_path / f"{1:016x}.lock").mkdir()
    (tmp_path / f"{2:016x}-00000000.jsonl").mkdir()
    store = RowStore(engine, 5)
    assert bring_strays_home(tmp_path, store) == 0
    store.close()
    assert caplog.text.count(": Is a directory") == 2
    with engine.connect() as connection:
        assert connection.scalars(select(RequestRecord.request_id)).all() == [kept["request_id"]]


def test_a_backlog_comes_home_in_commits_of_a_few_mebibytes(tmp_path: Path) -> None:
    spool, groups = Spool(tmp_path, 1_000_000, 1), list[int]()
    spool.add([("row", row(request_bytes=size << 20)) for size in (3, 3, 3, 5, 1)])
    store: Any = SimpleNamespace(commit=lambda rows, ends: groups.append(len(rows)))
    backlog = Backlog(spool)
    backlog.active = True
    backlog.bring_home(store)
    assert groups == [2, 2, 1]
    spool.close()


def test_a_backlog_ends_although_somebody_comes_during_every_commit(tmp_path: Path) -> None:
    spool, comers = Spool(tmp_path, 1_000_000, 1), list[threading.Thread]()
    backlog = Backlog(spool)

    def come() -> None:
        if backlog.is_ahead():
            backlog.add([("row", row())])

    def commit(rows: Any, ends: Any) -> None:
        comers.append(threading.Thread(target=come))
        comers[-1].start()
        comers[-1].join(0.1)
        assert len(comers) < 10, "it does not end"

    backlog.add([("row", row())])
    store: Any = SimpleNamespace(commit=commit)
    assert backlog.bring_home(store) == 0
    for comer in comers:
        comer.join()
    assert (backlog.active, spool.rows) == (False, 0)
    spool.close()


def test_a_backlog_whose_end_does_not_come_holds_nobody_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.backlog._MOST_PAUSE_S", 0.01)
    spool, fails = Spool(tmp_path, 1_000_000, 1), OSError("the database is gone again")
    backlog = Backlog(spool)

    def commit(rows: Any, ends: Any) -> None:
        assert backlog.is_ahead()
        backlog.add([("row", row())])
        raise fails

    backlog.add([("row", row())])
    store: Any = SimpleNamespace(commit=commit)
    with pytest.raises(OSError, match="gone again"):
        backlog.bring_home(store)
    assert (backlog.active, spool.rows) == (True, 2)
    spool.close()


def test_a_folder_that_cannot_be_made_ends_the_start(relaxed: Settings, tmp_path: Path) -> None:
    from app.request_log import RequestLog

    (tmp_path / "file").touch()
    engine = make_engine(relaxed.database_url)
    migrate(engine)
    with pytest.raises(OSError, match="file"):
        RequestLog(engine, tmp_path / "file", 1_000_000)
    engine.dispose()
