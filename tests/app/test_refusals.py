"""Every failure, driven through one error shape; each leaves a row that says what it was."""

import json
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from app import examples
from app.settings import Settings
from app.tasks.sentiment import Sentiment

Serve = Callable[[Settings], httpx.Client]
Hold = Callable[[type, str], Any]

HOUR = examples.RAINFALL["hours"][0]
SCAN = {"minutes_past": 3, "Ref": 12.5}


def hour(**changes: Any) -> dict[str, Any]:
    return {"hours": [{**HOUR, **changes}]}


def scan(**changes: Any) -> dict[str, Any]:
    return hour(scans=[{**SCAN, **changes}])


def tune(**changes: Any) -> dict[str, Any]:
    return {"prompt": "X:1\n", **changes}


BAD_BODIES: list[tuple[str, Any, str, str]] = [
    ("/v1/sentiment", {}, "/texts", "Field required"),
    ("/v1/sentiment", [], "", "be an object"),
    ("/v1/sentiment", {"texts": []}, "/texts", "at least 1 item"),
    ("/v1/sentiment", {"texts": ["a"] * 129}, "/texts", "at most 128 items"),
    ("/v1/sentiment", {"texts": [""]}, "/texts/0", "at least 1 character"),
    ("/v1/sentiment", {"texts": ["a", "b" * 20_001]}, "/texts/1", "at most 20000 characters"),
    ("/v1/sentiment", {"texts": ["a", 5]}, "/texts/1", "got 5"),
    ("/v1/sentiment", {"texts": "a"}, "/texts", "valid array"),
    ("/v1/sentiment", {str(number): 1 for number in range(1000)}, "", "the body has 1001 faults"),
    ("/v1/sentiment", {"texts": ["a"], "explain": "yes"}, "/explain", "got 'yes'"),
    ("/v1/sentiment", {"texts": ["a"], "text": "b"}, "/text", "Extra inputs"),
    ("/v1/rainfall", {"hours": []}, "/hours", "at least 1 item"),
    ("/v1/rainfall", {"hours": [HOUR] * 257}, "/hours", "at most 256 items"),
    ("/v1/rainfall", hour(scans=[]), "/hours/0/scans", "at least 1 item"),
    ("/v1/rainfall", hour(scans=[SCAN] * 61), "/hours/0/scans", "at most 60 items"),
    ("/v1/rainfall", hour(radardist_km=-1), "/hours/0/radardist_km", "greater than or equal to 0"),
    ("/v1/rainfall", hour(radardist_km=None), "/hours/0/radardist_km", "valid number"),
    ("/v1/rainfall", scan(minutes_past=61), "/hours/0/scans/0/minutes_past", "less than or equal to 60"),
    ("/v1/rainfall", scan(minutes_past="3"), "/hours/0/scans/0/minutes_past", "got '3'"),
    ("/v1/rainfall", scan(Ref=1000), "/hours/0/scans/0/Ref", "less than or equal to 100"),
    ("/v1/rainfall", scan(Ref=True), "/hours/0/scans/0/Ref", "valid number"),
    ("/v1/rainfall", scan(Ref_5x5_10=1.0), "/hours/0/scans/0/Ref_5x5_10", "Extra inputs"),
    ("/v1/music/next", tune(prompt=""), "/prompt", "at least 1 character"),
    ("/v1/music/next", tune(prompt="X:1\nT:Café\n"), "/prompt", "'é' at position 9"),
    ("/v1/music/next", tune(prompt="x" * 10_001), "/prompt", "at most 10000 characters"),
    ("/v1/music/next", tune(top_k=0), "/top_k", "greater than or equal to 1"),
    ("/v1/music/generate", tune(prompt="X:1\nT:Café\n"), "/prompt", "'é' at position 9"),
    ("/v1/music/generate", tune(prompt="X:1\nT:Café\n", stream=True), "/prompt", "'é' at position 9"),
    ("/v1/music/generate", tune(temperature=0), "/temperature", "greater than or equal to 0.01"),
    ("/v1/music/generate", tune(top_p=0), "/top_p", "greater than 0"),
    ("/v1/music/generate", tune(top_p=1.5), "/top_p", "less than or equal to 1"),
    ("/v1/music/generate", tune(max_characters=5_001), "/max_characters", "less than or equal to 5000"),
    ("/v1/music/generate", tune(seed=-1), "/seed", "greater than or equal to 0"),
    ("/v1/music/generate", tune(seed=2**53), "/seed", "less than or equal to"),
]

RAW_BODIES: dict[str, tuple[bytes, str]] = {
    "cut short": (b'{"texts": ["a', "no JSON"),
    "empty": (b"", "no JSON"),
    "no UTF-8": (b'{"texts": ["\xff"]}', "no JSON"),
    "nested beyond reason": (b"[" * 100_000, "no JSON"),
    "lone surrogate": (b'{"texts": ["\\ud800"]}', "no JSON"),
    "not a number": (b'{"texts": NaN}', "valid array"),
    "an endless number": (b'{"texts": [' + b"9" * 5_000 + b"]}", ""),
}


def check_problem(answer: httpx.Response, status: int, code: str, client: httpx.Client) -> dict[str, Any]:
    """The one shape of every error, and its row."""
    body: dict[str, Any] = answer.json()
    assert answer.status_code == body["status"] == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["code"] == code
    assert set(body) - {"errors"} == {"type", "title", "status", "detail", "instance", "code", "request_id"}
    assert answer.headers["x-request-id"] == body["request_id"]
    assert body["instance"] == f"/v1/requests/{body['request_id']}"
    if answer.request.url.path.startswith("/v1/"):
        record = stored(body["instance"], client)
        assert (record["status"], record["error_code"]) == (status, code)
        assert record["response_bytes"] == len(answer.content)
    return body


def stored(instance: str, client: httpx.Client) -> dict[str, Any]:
    """The row, which a quick refusal does not wait for."""
    for _ in range(100):
        if (answer := client.get(instance)).status_code == 200:
            break
        time.sleep(0.05)
    record: dict[str, Any] = answer.json()
    return record


@pytest.mark.parametrize(("path", "body", "pointer", "detail"), BAD_BODIES)
def test_a_bad_body_is_refused_with_the_place_and_what_is_allowed(
    standing: httpx.Client, path: str, body: Any, pointer: str, detail: str
) -> None:
    problem = check_problem(standing.post(path, json=body), 422, "invalid_request", standing)
    assert problem["errors"][0]["pointer"] == pointer
    assert detail in problem["errors"][0]["detail"]


@pytest.mark.parametrize("case", RAW_BODIES)
def test_what_is_no_json_is_refused(standing: httpx.Client, case: str) -> None:
    content, detail = RAW_BODIES[case]
    answer = standing.post("/v1/sentiment", content=content, headers={"Content-Type": "application/json"})
    assert detail in check_problem(answer, 422, "invalid_request", standing)["detail"]


def test_json_without_its_content_type_is_told_so(client: httpx.Client) -> None:
    answer = client.post("/v1/sentiment", content=json.dumps(examples.SENTIMENT), headers={"Content-Type": "text/plain"})
    problem = check_problem(answer, 422, "invalid_request", client)
    assert "content type application/json" in problem["detail"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/nothing", 404, "not_found"),
        ("GET", "/v1/models/chess", 404, "not_found"),
        ("GET", "/v1/requests/0199f0c2-0000-7000-8000-000000000000", 404, "not_found"),
        ("GET", "/v1/requests/%00", 404, "not_found"),
        ("GET", "/v1/requests/' or 1=1 --", 404, "not_found"),
        ("GET", "/v1/sentiment", 405, "method_not_allowed"),
        ("POST", "/v1/sentiment/", 404, "not_found"),
        ("GET", "/v1/models/", 404, "not_found"),
        ("DELETE", "/v1/models", 405, "method_not_allowed"),
    ],
)
def test_what_is_not_there_is_said_so(standing: httpx.Client, method: str, path: str, status: int, code: str) -> None:
    answer = standing.request(method, path)
    check_problem(answer, status, code, standing)
    assert answer.headers.get("allow") == {"/v1/sentiment": "POST", "/v1/models": "GET, HEAD"}.get(path)


@pytest.mark.parametrize("given", [b"", b"x" * 129, b"caf\xe9", b"tab\there"])
def test_a_bad_client_id_is_refused(standing: httpx.Client, given: bytes) -> None:
    answer = standing.post("/v1/sentiment", json=examples.SENTIMENT, headers=[(b"X-Client-Request-Id", given)])
    assert re.fullmatch(
        r"X-Client-Request-Id has \d+ characters, allowed are 1 to 128 of printable ASCII",
        check_problem(answer, 422, "invalid_request", standing)["detail"],
    )
    assert "x-standing-request-id" not in answer.headers


def test_two_client_ids_are_refused(standing: httpx.Client) -> None:
    """The record can keep one, and nobody would know which."""
    answer = standing.get("/v1/models", headers=[("X-Client-Request-Id", "one"), ("X-Client-Request-Id", "two")])
    assert answer.status_code == 422
    assert answer.json()["detail"] == "there are 2 fields X-Client-Request-Id, allowed is one"
    assert "x-client-request-id" not in answer.headers


def test_a_body_over_the_limit_is_refused_by_its_declared_length_without_reading_it(
    client: httpx.Client, settings: Settings
) -> None:
    url = client.base_url
    with socket.create_connection((url.host, url.port or 80), timeout=10) as connection:
        most = settings.max_body_bytes
        head = f"POST /v1/sentiment HTTP/1.1\r\nHost: test\r\nContent-Length: {most + 1}\r\n\r\n"
        connection.sendall(head.encode())
        answer = connection.makefile("rb").readline()
    assert b" 413 " in answer


def test_who_sends_all_before_he_reads_is_told_that_it_is_too_much(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"max_body_bytes": 2048}))
    for _ in range(10):
        request = urllib.request.Request(f"{client.base_url}/v1/sentiment", b"x" * 5_000_000)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)
        with refused.value as answer:
            assert (answer.code, json.load(answer)["code"]) == (413, "body_too_large")


def test_a_body_over_the_limit_is_refused_when_it_comes_in_pieces(
    client: httpx.Client, serve: Serve, settings: Settings
) -> None:
    small = serve(settings.model_copy(update={"max_body_bytes": 2048}))
    pieces = (b"x" * 1024 for _ in range(4))
    check_problem(small.post("/v1/sentiment", content=pieces), 413, "body_too_large", client)
    exact = json.dumps({"texts": ["a"]}).encode().ljust(2048)
    answer = small.post("/v1/sentiment", content=exact, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200


def test_a_client_that_leaves_within_its_request_is_not_counted_as_answered(client: httpx.Client) -> None:
    url = client.base_url
    with socket.create_connection((url.host, url.port or 80), timeout=10) as connection:
        connection.sendall(b"POST /v1/sentiment HTTP/1.1\r\nHost: test\r\nContent-Length: 100\r\n\r\n{")
    assert client.get("/v1/models").status_code == 200
    counted = [line for line in client.get("/metrics").text.splitlines() if line.startswith("gatehouse_requests_total{")]
    assert counted == ['gatehouse_requests_total{method="GET",route="/v1/models",status="200"} 1.0']


def test_a_full_line_is_refused_with_a_time_to_come_back(
    client: httpx.Client, serve: Serve, settings: Settings, hold: Hold
) -> None:
    narrow = serve(settings.model_copy(update={"queue_limit_requests": 1}))
    held = hold(Sentiment, "feeds")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(narrow.post, "/v1/sentiment", json=examples.SENTIMENT)
        assert held.busy.wait(30)
        answer = narrow.post("/v1/sentiment", json=examples.SENTIMENT)
        check_problem(answer, 503, "overloaded", client)
        assert int(answer.headers["retry-after"]) >= 1
        assert narrow.post("/v1/music/next", json=examples.MUSIC_NEXT).status_code == 200
        held.free.set()
        assert first.result().status_code == 200
    assert narrow.post("/v1/sentiment", json=examples.SENTIMENT).status_code == 200
    counted = 'gatehouse_requests_total{method="POST",route="/v1/sentiment",status="503"} 1.0'
    assert counted in narrow.get("/metrics").text


def test_the_unforeseen_is_answered_without_inner_detail(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(Sentiment, "feeds", fail)
    answer = client.post("/v1/sentiment", json=examples.SENTIMENT)
    check_problem(answer, 500, "internal_error", client)
    assert "secret" not in answer.text
    assert "Zero" not in answer.text


def test_a_full_line_refuses_before_the_body_is_read(serve: Serve, settings: Settings, hold: Hold) -> None:
    narrow = serve(settings.model_copy(update={"queue_limit_requests": 1}))
    held = hold(Sentiment, "feeds")
    with ThreadPoolExecutor(1) as pool, _connection(narrow) as second:
        first = pool.submit(narrow.post, "/v1/sentiment", json=examples.SENTIMENT)
        assert held.busy.wait(30)
        second.sendall(HEAD)
        assert b" 503 " in second.makefile("rb").readline()
        held.free.set()
        assert first.result().status_code == 200
    until(lambda: 'gatehouse_inside_requests{task="sentiment"} 0.0' in narrow.get("/metrics").text)


def test_bodies_that_come_slowly_take_no_place_in_the_line(serve: Serve, settings: Settings) -> None:
    narrow = serve(settings.model_copy(update={"queue_limit_requests": 1}))
    with _connection(narrow) as first, _connection(narrow) as second:
        for slow in (first, second):
            slow.sendall(HEAD)
        time.sleep(0.2)
        assert narrow.post("/v1/sentiment", json=examples.SENTIMENT).status_code == 200
        for slow in (first, second):
            slow.sendall(json.dumps(examples.SENTIMENT).encode().ljust(200))
            assert b" 200 " in slow.makefile("rb").readline()


HEAD = b"POST /v1/sentiment HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 200\r\n\r\n"


def _connection(client: httpx.Client) -> socket.socket:
    return socket.create_connection((client.base_url.host, client.base_url.port or 80), timeout=10)


def test_who_leaves_while_an_answer_is_made_is_not_waited_for(client: httpx.Client, hold: Hold) -> None:
    held = hold(Sentiment, "feeds")
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{client.base_url}/v1/sentiment", json=examples.SENTIMENT, timeout=1)
    assert held.busy.is_set()
    until(lambda: "gatehouse_abandoned_total 1.0" in client.get("/metrics").text)
    assert 'gatehouse_inside_requests{task="sentiment"} 0.0' in client.get("/metrics").text
    held.free.set()
    assert client.post("/v1/sentiment", json=examples.SENTIMENT).status_code == 200


def until(true: Callable[[], bool]) -> None:
    for _ in range(200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("waited for 10 s")
