"""Who may come in: keys and their scopes, hosts, origins and rates, through a real server."""

import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from app import examples
from app.database import make_engine
from app.door import PROBES
from app.keys import Scope, create_key, revoke_key
from app.paths import is_open_inference
from app.settings import Settings

Serve = Callable[[Settings], httpx.Client]
Make = Callable[..., dict[str, str]]

POSTS = {
    "/v1/sentiment": examples.SENTIMENT,
    "/v1/rainfall": examples.RAINFALL,
    "/v1/music/next": examples.MUSIC_NEXT,
    "/v1/music/generate": examples.MUSIC_GENERATE,
}


@pytest.fixture
def database(settings: Settings) -> Iterator[Engine]:
    engine = make_engine(settings.database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def make(database: Engine) -> Make:
    """Makes a key with these scopes; the header that carries it."""

    def make(*scopes: Scope) -> dict[str, str]:
        return {"Authorization": f"Bearer {create_key(database, 'test', scopes)}"}

    return make


@pytest.fixture
def closed(serve: Serve, settings: Settings) -> httpx.Client:
    """A client of a server that asks for keys; it sends none."""
    return serve(settings.model_copy(update={"auth": "keys"}))


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    body: dict[str, Any] = answer.json()
    assert (answer.status_code, body["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-request-id"] == body["request_id"]
    return body


def test_without_a_key_nothing_of_the_interface_is_open(closed: httpx.Client, make: Make) -> None:
    reader = make("read_log")
    asked = [closed.post(path, json=body) for path, body in POSTS.items()]
    asked += [closed.get(path) for path in ("/v1/models", "/v1/models/music", "/v1/requests/x", "/v1/nothing", "/v1/")]
    for answer in asked:
        problem = refused(answer, 401, "unauthenticated")
        assert "Bearer KEY" in problem["detail"]
        assert answer.headers["www-authenticate"] == 'Bearer realm="gatehouse"'
        record = closed.get(problem["instance"], headers=reader).json()
        assert (record["status"], record["error_code"], record["api_key_id"]) == (401, "unauthenticated", None)
        assert (record["path"], record["request_bytes"]) == (answer.request.url.path, 0)
    refused(closed.get("/nothing"), 401, "unauthenticated")


def test_a_key_beside_a_proxy_s_own_credentials_is_found(closed: httpx.Client, make: Make) -> None:
    basic, (_, _, key) = {"Authorization": "Basic abc"}, make("predict")["Authorization"].partition(" ")
    assert closed.get("/v1/models", headers={**basic, "X-API-Key": key}).status_code == 200
    refused(closed.get("/v1/models", headers=basic), 401, "unauthenticated")


def test_orchestrators_need_no_key(closed: httpx.Client) -> None:
    assert closed.get("/livez").json() == {"status": "alive"}
    assert closed.get("/readyz").json() == {"status": "ready"}


@pytest.mark.parametrize("field", ["Authorization", "authorization", "X-API-Key"])
def test_a_key_is_taken_from_either_field(closed: httpx.Client, make: Make, field: str) -> None:
    bearer = make("predict")["Authorization"]
    value = bearer if field != "X-API-Key" else bearer.removeprefix("Bearer ")
    answer = closed.post("/v1/sentiment", json=examples.SENTIMENT, headers={field: value})
    assert answer.status_code == 200
    record = closed.get(f"/v1/requests/{answer.json()['request_id']}", headers={field: value}).json()
    assert record["api_key_id"] == bearer.split("_")[1]


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer gate_0123456789ab_nothing"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic Z2F0ZTpob3VzZQ=="},
        {"Authorization": "Bearer gate__"},
        {"Authorization": "Bearer caf\u00e9".encode("latin-1")},
        {"X-API-Key": ""},
        {"X-API-Key": "gate_0123456789ab"},
        {"X-API-Key": "' or 1=1 --"},
    ],
)
def test_what_is_no_valid_key_does_not_open(closed: httpx.Client, make: Make, headers: dict[str, Any]) -> None:
    make("admin")
    refused(closed.get("/v1/models", headers=headers), 401, "unauthenticated")


def test_a_key_that_was_given_and_is_bad_is_called_an_invalid_token(closed: httpx.Client) -> None:
    answer = closed.get("/v1/models", headers={"X-API-Key": "gate_0123456789ab_nothing"})
    assert answer.headers["www-authenticate"] == 'Bearer realm="gatehouse", error="invalid_token"'


def test_a_revoked_key_is_told_so(closed: httpx.Client, make: Make, database: Engine) -> None:
    headers = make("predict")
    revoke_key(database, headers["Authorization"].split("_")[1])
    problem = refused(closed.get("/v1/models", headers=headers), 401, "unauthenticated")
    assert problem["detail"].endswith("was revoked")


@pytest.mark.parametrize(
    ("scope", "asks", "reads"), [("predict", True, False), ("read_log", False, True), ("admin", True, True)]
)
def test_each_scope_opens_what_it_says(closed: httpx.Client, make: Make, scope: Scope, asks: bool, reads: bool) -> None:
    other = closed.post("/v1/sentiment", json=examples.SENTIMENT, headers=make("predict"))
    mine = make(scope)
    for path, body in POSTS.items():
        answer = closed.post(path, json=body, headers=mine)
        if asks:
            assert answer.status_code == 200
        else:
            assert "scope predict" in refused(answer, 403, "forbidden")["detail"]
            assert 'error="insufficient_scope", scope="predict"' in answer.headers["www-authenticate"]
        own = closed.get(f"/v1/requests/{answer.headers['x-request-id']}", headers=mine)
        assert own.json()["status"] == answer.status_code
    assert (closed.get("/v1/models", headers=mine).status_code == 200) is asks
    record = closed.get(f"/v1/requests/{other.headers['x-request-id']}", headers=mine)
    if reads:
        assert record.json()["inputs"] == examples.SENTIMENT
    else:
        problem = refused(record, 404, "not_found")
        nothing = refused(closed.get("/v1/requests/0199f0c2-0000-7000-8000-000000000000", headers=mine), 404, "not_found")
        assert problem["detail"].split(" ")[:-1] == nothing["detail"].split(" ")[:-1]


def test_who_may_not_come_in_is_told_so_before_the_body_has_come(closed: httpx.Client) -> None:
    with socket.create_connection((closed.base_url.host, closed.base_url.port or 80), timeout=10) as connection:
        connection.sendall(b"POST /v1/sentiment HTTP/1.1\r\nHost: test\r\nContent-Length: 1000\r\n\r\n{")
        assert connection.recv(65_536).startswith(b"HTTP/1.1 401 ")
    refused(closed.post("/v1/sentiment", content=b"x" * 3_000_000), 401, "unauthenticated")


@pytest.mark.parametrize("access", ["open", "key", "off"])
def test_metrics_and_documentation_are_open_closed_or_gone(serve: Serve, settings: Settings, make: Make, access: str) -> None:
    client = serve(settings.model_copy(update={"auth": "keys", "metrics": access, "docs": access}))
    key = make("read_log")
    for path in ("/metrics", "/docs", "/redoc", "/openapi.json", "/static-offline-docs/swagger-ui.css"):
        without, with_key = client.get(path).status_code, client.get(path, headers=key).status_code
        assert (without, with_key) == {"open": (200, 200), "key": (401, 200), "off": (404, 404)}[access], path


def test_pages_that_are_switched_off_are_gone_without_keys_too(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"metrics": "off", "docs": "off"}))
    for path in ("/metrics", "/docs", "/redoc", "/openapi.json", "/static-offline-docs/swagger-ui.css"):
        refused(client.get(path), 404, "not_found")


def test_when_the_keys_cannot_be_read_nobody_comes_in(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"auth": "keys", "database_url": settings.database_url + ".other"}))
    answer = client.get("/metrics-of-old", headers={"X-API-Key": "gate_0123456789ab_nothing"})
    refused(answer, 503, "keys_unavailable")
    assert answer.headers["retry-after"] == "1"


def test_more_requests_than_allowed_are_refused_with_the_time_to_wait(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"rate_limit": "5/hour"}))
    for left in range(4, -1, -1):
        answer = client.get("/v1/models")
        assert answer.status_code == 200
        assert answer.headers["ratelimit-policy"] == '"default";q=5;w=3600'
        assert answer.headers["ratelimit"].startswith(f'"default";r={left};t=')
    answer = client.post("/v1/sentiment", content=b"{never read")
    assert "more requests than the 5" in refused(answer, 429, "rate_limited")["detail"]
    assert 1 <= int(answer.headers["retry-after"]) <= 3600
    assert answer.headers["ratelimit"] == f'"default";r=0;t={answer.headers["retry-after"]}'
    for path in ("/livez", "/readyz", "/metrics"):
        assert client.get(path).status_code == 200


def test_each_key_has_its_own_rate_and_guesses_share_their_address(serve: Serve, settings: Settings, make: Make) -> None:
    client = serve(settings.model_copy(update={"auth": "keys", "rate_limit": "3/hour"}))
    first, second = make("predict"), make("predict")
    assert [client.get("/v1/models", headers=first).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert client.get("/v1/models", headers=second).status_code == 200
    assert [client.get("/v1/models").status_code for _ in range(4)] == [401, 401, 401, 429]
    assert client.get("/v1/models", headers=second).status_code == 200


def test_who_watches_uses_up_nothing_of_what_a_key_may_ask(serve: Serve, settings: Settings, make: Make) -> None:
    closed = {"auth": "keys", "rate_limit": "3/hour", "metrics": "key", "docs": "key"}
    client, key = serve(settings.model_copy(update=closed)), make("metrics", "predict")
    for path in ("/metrics", "/openapi.json") * 3:
        answer = client.get(path, headers=key)
        assert answer.status_code == 200
        assert "ratelimit" not in answer.headers
    assert [client.get("/v1/models", headers=key).status_code for _ in range(4)] == [200, 200, 200, 429]
    assert client.get("/metrics", headers=key).status_code == 200
    assert [client.get("/metrics").status_code for _ in range(4)] == [401, 401, 401, 429]  # guesses count


def test_after_the_time_to_wait_a_caller_is_answered_again(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"rate_limit": "2/second"}))
    while (answer := client.get("/v1/models")).status_code == 200:
        assert int(answer.headers["ratelimit"].split("r=")[1].split(";")[0]) < 2
    refused(answer, 429, "rate_limited")
    time.sleep(int(answer.headers["retry-after"]))
    assert client.get("/v1/models").status_code == 200


def test_too_many_header_fields_are_refused(client: httpx.Client) -> None:
    many = [(f"X-Field-{number}", "x") for number in range(101)]
    assert "at most 100" in refused(client.get("/v1/models", headers=many), 431, "too_many_headers")["detail"]


def test_answers_are_neither_stored_nor_guessed_at_nor_framed(client: httpx.Client) -> None:
    for path in ("/v1/models", "/v1/nothing", "/livez", "/metrics", "/nothing"):
        headers = client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert ("no-store" in headers.get("cache-control", "")) is (path not in {"/livez", "/metrics"})
    streamed = client.post("/v1/music/generate", json={**examples.MUSIC_GENERATE, "stream": True})
    assert streamed.headers["x-content-type-options"] == "nosniff"


def test_other_origins_are_told_nothing_unless_they_are_named(client: httpx.Client, serve: Serve, settings: Settings) -> None:
    origin = {"Origin": "https://page.example"}
    assert "access-control-allow-origin" not in client.get("/v1/models", headers=origin).headers
    named = serve(settings.model_copy(update={"auth": "keys", "cors_origins": "https://page.example, https://b.example"}))
    answer = named.get("/v1/models", headers=origin)
    refused(answer, 401, "unauthenticated")
    assert answer.headers["access-control-allow-origin"] == "https://page.example"
    assert "X-Request-ID" in answer.headers["access-control-expose-headers"]
    asks = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,traceparent"}
    assert named.options("/v1/sentiment", headers={**origin, **asks}).status_code == 200
    other = {"Origin": "https://other.example"}
    assert named.options("/v1/sentiment", headers={**other, **asks}).status_code == 400
    assert "access-control-allow-origin" not in named.get("/v1/models", headers=other).headers


@pytest.mark.parametrize(
    ("host", "status"),
    [("api.example.com", 200), ("API.example.com:8000", 200), ("a.b.example.org", 200)]
    + [(host, 421) for host in ("example.org", "evil.example", "api.example.com.evil.example", "evilexample.org", "")],
)
def test_only_named_hosts_are_answered_for(serve: Serve, settings: Settings, host: str, status: int) -> None:
    client = serve(settings.model_copy(update={"trusted_hosts": "Api.example.com,*.example.org"}))
    answer = client.get("/v1/models", headers={"Host": host})
    assert answer.status_code == status
    if status == 421:
        refused(answer, 421, "unknown_host")
    assert client.get("/readyz", headers={"Host": host}).status_code == 200


def test_the_document_says_what_the_door_asks_and_refuses(serve: Serve, settings: Settings) -> None:
    plain = serve(settings).get("/openapi.json").json()
    assert "securitySchemes" not in plain["components"]
    assert not {"401", "403", "429"} & set(plain["paths"]["/v1/sentiment"]["post"]["responses"])
    strict = {"auth": "keys", "metrics": "key", "rate_limit": "9/second", "trusted_hosts": "127.0.0.1"}
    document = serve(settings.model_copy(update=strict)).get("/openapi.json", headers={"Host": "127.0.0.1"}).json()
    schemes = document["components"]["securitySchemes"]
    assert schemes["bearer"]["scheme"] == "bearer"
    assert schemes["header"]["name"] == "X-API-Key"
    for path, operations in document["paths"].items():
        for operation in operations.values():
            keyed = path not in PROBES
            assert operation.get("security", []) == ([{"bearer": []}, {"header": []}] if keyed else [])
            documented = set(operation["responses"])
            assert ({"401", "429", "421"} <= documented) is keyed
            assert ("403" in documented) is (path.startswith(("/v1/", "/v2")) and keyed and "requests" not in path)
            for status, answer in operation["responses"].items():
                if status.isdecimal() and int(status) >= 400 and not is_open_inference(path):
                    for example in answer["content"]["application/problem+json"]["examples"].values():
                        assert example["value"]["status"] == int(status)
