"""Idempotency keys through real servers: the same request gets the same answer, whoever answers it, however it went before."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import insert, text, update

from app import examples
from app.database import make_engine, migrate
from app.idempotency import IdempotencyKey
from app.keys import create_key
from app.log_rows import Selection
from app.request_record import RequestRecord
from app.retention import delete_rows
from app.settings import Settings
from app.tasks.sentiment import Sentiment
from tests.app.outages import process, until

Serve = Callable[[Settings], httpx.Client]
Hold = Callable[[type, str], Any]

OTHER = {"texts": ["Another one."]}


def post(
    client: httpx.Client, key: str | bytes, body: Any = examples.SENTIMENT, path: str = "/v1/sentiment", **more: str
) -> httpx.Response:
    field = key if isinstance(key, bytes) else key.encode()
    fields = {name.encode(): value.encode() for name, value in more.items()}
    return client.post(path, json=body, headers={b"Idempotency-Key": field, **fields})


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.fixture
def off(settings: Settings) -> Settings:
    """Without payloads, so that what is sent again was kept for that alone."""
    return settings.model_copy(update={"log_payloads": "off"})


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, off: Settings) -> Iterator[Settings]:
    if request.param == "sqlite":
        yield off
        return
    url = request.getfixturevalue("postgres")
    engine = make_engine(url)
    migrate(engine)
    yield off.model_copy(update={"database_url": url})
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()


def check_replayed(again: httpx.Response, first: httpx.Response) -> None:
    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    assert "idempotent-replayed" not in first.headers


def test_the_same_request_gets_the_same_answer_again(serve: Serve, database: Settings) -> None:
    client = serve(database)
    first, again = post(client, '"k-1"'), post(client, '"k-1"')
    check_replayed(again, first)
    record = client.get(f"/v1/requests/{again.headers['x-request-id']}").json()
    assert record["replay_of"] == first.json()["request_id"]
    assert (record["inputs"], record["outputs"]) == (None, None)
    assert post(client, '"k-2"').json()["request_id"] != first.json()["request_id"]


def test_another_process_knows_the_answer_too(serve: Serve, database: Settings) -> None:
    one = serve(database)
    first = post(one, "k")
    check_replayed(post(serve(database), "k"), first)


def test_a_refused_body_is_an_answer_that_is_sent_again(serve: Serve, off: Settings) -> None:
    client = serve(off)
    first, again = post(client, "k", {"texts": []}), post(client, "k", {"texts": []})
    assert code(first) == (422, "invalid_request")
    check_replayed(again, first)
    assert client.get(f"/v1/requests/{again.headers['x-request-id']}").json()["error_code"] == "invalid_request"


def test_bytes_of_the_open_inference_protocol_are_sent_again_as_they_were(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"log_payloads": "on"}))
    body = {
        **examples.OPEN_INFERENCE["sentiment"]["value"],
        "outputs": [{"name": "probability", "parameters": {"binary_data": True}}],
    }
    first, again = (post(client, "k", body, "/v2/models/sentiment/infer") for _ in range(2))
    assert first.status_code == 200
    check_replayed(again, first)
    assert again.headers["inference-header-content-length"] == first.headers["inference-header-content-length"]
    records = [client.get(f"/v1/requests/{answer.headers['x-request-id']}").json() for answer in (first, again)]
    assert records[0]["outputs"]["outputs"][0]["name"] == "probability"
    assert (records[1]["inputs"], records[1]["outputs"]) == (records[0]["inputs"], None)


def test_a_key_is_for_one_request(serve: Serve, database: Settings) -> None:
    client = serve(database)
    post(client, "k")
    assert code(post(client, "k", OTHER)) == (422, "idempotency_key_reused")
    assert code(post(client, "k", examples.MUSIC_NEXT, "/v1/music/next")) == (422, "idempotency_key_reused")
    assert post(client, "k", OTHER, "/v2/models/sentiment/infer").status_code == 400


def test_while_a_request_is_answered_its_like_is_told_so(serve: Serve, database: Settings, hold: Hold) -> None:
    client = serve(database)
    held = hold(Sentiment, "feeds")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, client, "k")
        assert held.busy.wait(30)
        again = post(client, "k")
        assert code(again) == (409, "request_in_flight")
        assert int(again.headers["retry-after"]) >= 1
        held.free.set()
        check_replayed(post(client, "k"), first.result()) if first.result() else None


def test_of_many_at_once_one_is_answered_anew(serve: Serve, database: Settings) -> None:
    one, two = serve(database), serve(database)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda number: post((one, two)[number % 2], "k"), range(24)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    answered = [answer for answer in answers if answer.status_code == 200]
    assert len({answer.json()["request_id"] for answer in answered}) == 1
    assert sum("idempotent-replayed" not in answer.headers for answer in answered) == 1


def test_what_the_service_could_not_do_does_not_use_up_the_key(
    serve: Serve, off: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = serve(off)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(Sentiment, "feeds", fail)
        assert code(post(client, "k")) == (500, "internal_error")
    until(lambda: post(client, "k", OTHER).status_code == 200)


def test_a_full_line_does_not_use_up_the_key(serve: Serve, off: Settings, hold: Hold) -> None:
    client = serve(off.model_copy(update={"queue_limit_requests": 1}))
    held = hold(Sentiment, "feeds")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(post, client, "other")
        assert held.busy.wait(30)
        assert code(post(client, "k")) == (503, "overloaded")
        held.free.set()
        assert first.result().status_code == 200
    until(lambda: post(client, "k").status_code == 200)


def test_a_stream_is_not_sent_twice(serve: Serve, off: Settings) -> None:
    client, body = serve(off), {**examples.MUSIC_GENERATE, "max_characters": 50, "stream": True}
    assert post(client, "k", body, "/v1/music/generate").status_code == 200
    assert code(post(client, "k", body, "/v1/music/generate")) == (409, "stream_not_replayed")


BAD_KEYS = [
    b"",
    b'""',
    b'"open',
    b'a"b',
    b"two words",
    b'"a\\b"',
    b"caf\xe9",
    b'"caf\xe9"',
    b"x" * 256,
    b'"' + b"x" * 256 + b'"',
    b"a,b",
]


@pytest.mark.parametrize("key", BAD_KEYS)
def test_a_malformed_key_is_refused(standing: httpx.Client, key: bytes) -> None:
    answer = post(standing, key)
    assert code(answer) == (422, "invalid_request")
    assert re.search(r"Idempotency-Key .*allowed", answer.json()["detail"])


@pytest.mark.parametrize("key", [b"x" * 255, b'"a \\"b\\" \\\\"', b"8e03978e-40d5-43e8-bc93-6894a57f9324", b"sha256:Zm9v+/="])
def test_a_key_may_be_any_string_of_the_draft_or_come_without_quotes(client: httpx.Client, key: bytes) -> None:
    first = post(client, key)
    check_replayed(post(client, key), first)


def test_two_keys_are_refused(client: httpx.Client) -> None:
    answer = client.post("/v1/sentiment", json=OTHER, headers=[("Idempotency-Key", "a"), ("Idempotency-Key", "b")])
    assert code(answer) == (422, "invalid_request")


def test_a_key_is_its_callers_own(serve: Serve, off: Settings) -> None:
    engine = make_engine(off.database_url)
    callers = [{"X-API-Key": create_key(engine, name, ["predict"])} for name in ("one", "two")]
    engine.dispose()
    client = serve(off.model_copy(update={"auth": "keys"}))
    first, other = (post(client, "k", **caller) for caller in callers)
    assert "idempotent-replayed" not in other.headers
    assert first.json()["request_id"] != other.json()["request_id"]
    check_replayed(post(client, "k", **callers[0]), first)


def test_an_old_key_is_as_if_it_had_never_come_and_its_answer_is_gone(serve: Serve, database: Settings) -> None:
    client = serve(database.model_copy(update={"idempotency_hours": 1 / 3600}))
    first = post(client, "k")
    time.sleep(1.1)
    assert "idempotent-replayed" not in post(client, "k", OTHER).headers
    engine = make_engine(database.database_url)
    with engine.connect() as connection:
        kept = text("SELECT answer FROM requests WHERE request_id = :id")
        assert connection.execute(kept, {"id": first.json()["request_id"]}).scalar_one() is None
    engine.dispose()


def test_a_key_whose_row_is_removed_may_come_again(serve: Serve, database: Settings) -> None:
    client, engine = serve(database), make_engine(database.database_url)
    first, other = post(client, "removed"), post(client, "kept")
    for _ in delete_rows(engine, Selection(until=datetime.fromisoformat(_record(client, other)["time"]))):
        pass
    again = post(client, "removed", OTHER)
    assert (again.status_code, "idempotent-replayed" in again.headers) == (200, False)
    assert client.get(f"/v1/requests/{first.json()['request_id']}").status_code == 404
    check_replayed(post(client, "kept"), other)
    engine.dispose()


def test_of_a_request_whose_row_is_removed_no_key_stays(serve: Serve, database: Settings) -> None:
    client, engine = serve(database), make_engine(database.database_url)
    post(client, "removed")
    earlier = datetime.now(UTC) - timedelta(hours=2)
    with engine.begin() as connection:
        connection.execute(update(IdempotencyKey).values(time=earlier))
        connection.execute(update(RequestRecord).values(time=earlier))
    for _ in delete_rows(engine, Selection(until=datetime.now(UTC) - timedelta(hours=1))):
        pass
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM idempotency_keys")) == 0
    engine.dispose()


def _record(client: httpx.Client, answer: httpx.Response) -> dict[str, Any]:
    record: dict[str, Any] = client.get(f"/v1/requests/{answer.json()['request_id']}").json()
    return record


def test_all_old_keys_are_forgotten_however_many(serve: Serve, database: Settings) -> None:
    engine = make_engine(database.database_url)
    old = {"caller": "somebody", "request_sha256": "0", "process_id": 0, "time": datetime(2026, 1, 1, tzinfo=UTC)}
    with engine.begin() as connection:
        rows = [{**old, "key": str(number), "request_id": str(number)} for number in range(2_500)]
        connection.execute(insert(IdempotencyKey), rows)
    serve(database)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        until(lambda: connection.scalar(text("SELECT count(*) FROM idempotency_keys")) == 0)
    engine.dispose()


def test_answers_outlive_the_process_and_what_was_in_flight_may_come_again(own_postgres: Any, tiny_models: Path) -> None:
    url = own_postgres.get_uri()
    endless = {**examples.MUSIC_GENERATE, "max_characters": 5_000, "temperature": 5}
    with process(tiny_models, url) as served:
        first = post(served.client, "k")
        with process(tiny_models, url) as sibling:
            check_replayed(post(sibling.client, "k"), first)
        with ThreadPoolExecutor(1) as pool:
            lost = pool.submit(post, served.client, "lost", endless, "/v1/music/generate")
            engine = make_engine(url)
            with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                known = text("SELECT count(*) FROM idempotency_keys WHERE key = 'lost'")
                until(lambda: connection.execute(known).scalar() == 1)
            engine.dispose()
            served.kill()
            assert isinstance(lost.exception(), httpx.HTTPError)
    with process(tiny_models, url) as served:
        check_replayed(post(served.client, "k"), first)
        until(lambda: post(served.client, "lost", endless, "/v1/music/generate").status_code == 200)
