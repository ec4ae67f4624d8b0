"""Every failure under /v2, in the one shape that its protocol has for them; each of an inference leaves a row."""

import json
import shutil
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from app import examples
from app.database import migrate
from app.settings import Settings
from app.tasks.sentiment import Sentiment

Serve = Callable[[Settings], httpx.Client]
Hold = Callable[[type, str], Any]

LENGTH = "Inference-Header-Content-Length"
SENTIMENT = examples.OPEN_INFERENCE["sentiment"]["value"]


def ask(data: Any, name: str = "text", shape: list[Any] | None = None, datatype: str = "BYTES", **rest: Any) -> dict[str, Any]:
    shape = [len(data)] if shape is None else shape
    return {"inputs": [{"name": name, "shape": shape, "datatype": datatype, "data": data}], **rest}


def hour(**fields: Any) -> dict[str, Any]:
    return ask([json.dumps({"radardist_km": 1.0, "scans": [{"minutes_past": 3, "Ref": 20.0}], **fields})], "hour")


def tune(**parameters: Any) -> dict[str, Any]:
    return ask(["X:1\n"], "prompt", parameters=parameters)


@pytest.mark.parametrize("data", ["[NaN]", "[1e999]", '[{"a": -Infinity}]'])
def test_what_no_database_can_carry_is_refused_and_kept_as_text(
    url: str, engine: Engine, serve: Serve, settings: Settings, data: str
) -> None:
    migrate(engine)
    client = serve(settings.model_copy(update={"database_url": url}))
    body = json.dumps(ask(["x"])).replace('["x"]', data)
    answer = client.post("/v2/models/sentiment/infer", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    record = client.get(f"/v1/requests/{answer.headers['x-request-id']}").json()
    assert (record["status"], record["inputs"]) == (400, body)


WRONG: list[tuple[str, Any, str]] = [
    ("sentiment", [], "object"),
    ("sentiment", {}, "/inputs: Field required"),
    ("sentiment", {"inputs": []}, "/inputs: got none, the one input is 'text'"),
    ("sentiment", ask(["a"], "texts"), "/inputs: got 'texts', the one input is 'text'"),
    ("sentiment", {"inputs": ask(["a"])["inputs"] * 2}, "/inputs: got 'text', 'text'"),
    ("sentiment", {"inputs": [1] * 500_000}, "/inputs: List should have at most 16 items"),
    ("sentiment", ask(["a"], outputs=[1] * 500_000), "/outputs: List should have at most 16 items"),
    ("sentiment", ask([1.0], datatype="FP32"), "/inputs/0/datatype: got 'FP32', every input is BYTES"),
    ("sentiment", ask(["a"], shape=[2]), "/inputs/0/data: got 1 elements, the shape [2] has 2"),
    ("sentiment", ask(["a"], shape=[]), "/inputs/0/shape: got [], allowed are [n] and [n, 1]"),
    ("sentiment", ask(["a", "b"], shape=[1, 2]), "/inputs/0/shape: got [1, 2]"),
    ("sentiment", ask(["a"], shape=[-1]), "/inputs/0/shape/0: Input should be greater than or equal to 0"),
    ("sentiment", ask(["a"], shape=[-1] * 500_000), "/inputs/0/shape: List should have at most 16 items"),
    ("sentiment", ask(["a"], shape=["1"]), "/inputs/0/shape/0: Input should be a valid integer (got '1')"),
    ("sentiment", ask(["a", 5]), "/inputs/0/data/1: an element of BYTES should be a string (got 5)"),
    ("sentiment", ask([[["a"], [{}]]], shape=[2]), "/inputs/0/data/1: an element of BYTES should be a string (got dict)"),
    ("sentiment", ask([]), "/inputs/0/data: List should have at least 1 item"),
    ("sentiment", ask(["a"] * 129), "/inputs/0/data: List should have at most 128 items"),
    ("sentiment", ask(["a", "b" * 20_001]), "/inputs/0/data/1: String should have at most 20000 characters"),
    ("sentiment", ask(["a"], outputs=[{"name": "mood"}]), "/outputs/0/name: got 'mood', allowed are label, probability"),
    ("sentiment", ask(["a"], outputs=[{"name": "label"}] * 2), "/outputs/1/name: 'label' is asked for twice"),
    ("sentiment", ask(["a"], outputs=[{"name": "label", "parameters": {"classification": 2}}]), "'classification'"),
    ("sentiment", ask(["a"], outputs=[{"name": "label", "parameters": {"binary_data": 1}}]), "allowed are true and false"),
    ("sentiment", ask(["a"], parameters={"seed": 1}), "/parameters: no parameter 'seed' is known here"),
    ("sentiment", ask(["a"], parameters={"binary_data_output": "yes"}), "/parameters/binary_data_output: got 'yes'"),
    (
        "sentiment",
        ask(["a"], parameters={"seed": []}),
        "/parameters/seed: Input should be a string, a boolean or",
    ),
    ("sentiment", ask(["a"], parameters={str(k): [] for k in range(65)}), "/parameters: 65 parameters, which is more than 64"),
    ("sentiment", {"inputs": [{"name": "text", "shape": [1], "datatype": "BYTES"}]}, "/inputs/0: an input has either data or"),
    (
        "sentiment",
        {"inputs": [{**ask(["a"])["inputs"][0], "parameters": {"shared_memory_region": "r"}}]},
        "/inputs/0/parameters: no parameter 'shared_memory_region'",
    ),
    ("rainfall", ask(["{"], "hour"), "/inputs/0/data/0: the element is no JSON"),
    ("rainfall", ask(["3"], "hour"), "/inputs/0/data/0: Input should be"),
    ("rainfall", hour(radardist_km=-1), "/inputs/0/data/0/radardist_km: Input should be greater than or equal to 0"),
    ("rainfall", hour(scans=[]), "/inputs/0/data/0/scans: List should have at least 1 item"),
    ("rainfall", hour(gauge=1), "/inputs/0/data/0/gauge: Extra inputs"),
    ("rainfall", ask([hour()["inputs"][0]["data"][0]] * 257, "hour"), "/inputs/0/data: List should have at most 256 items"),
    ("rainfall", hour(radardist_km=10**400), "/inputs/0/data/0"),
    ("rainfall", ask(["9" * 5000], "hour"), "/inputs/0/data/0: "),
    ("rainfall", ask(["[" * 5000], "hour"), "/inputs/0/data/0: the element is no JSON"),
    ("rainfall", ask(['{"radardist_km": NaN, "scans": []}'], "hour"), "/inputs/0/data/0: the element is no JSON"),
    ("music", tune(temperature=10**400), "/parameters/temperature"),
    ("music", ask(["X:1\n", "X:2\n"], "prompt"), "/inputs/0/shape: got 2 prompts, a request has one"),
    ("music", ask(["X:1\nT:Café\n"], "prompt"), "/inputs/0/data/0: character 'é' at position 9"),
    ("music", ask([""], "prompt"), "/inputs/0/data/0: String should have at least 1 character"),
    ("music", tune(temperature=0), "/parameters/temperature: Input should be greater than or equal to 0.01"),
    ("music", tune(max_characters=1.5), "/parameters/max_characters: Input should be a valid integer"),
    ("music", tune(stream=True), "/parameters: no parameter 'stream' is known here, allowed are binary_data_output, max_ch"),
]


def check(answer: httpx.Response, status: int, client: httpx.Client, code: str) -> str:
    """The one shape; the sentence in it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"error"}
    record = stored(client, answer.headers["x-request-id"])
    if answer.request.url.path.endswith("/infer"):
        assert (record["status"], record["error_code"]) == (status, code)
    else:
        assert "record" in record["detail"]
    sentence: str = body["error"]
    return sentence


def stored(client: httpx.Client, request_id: str) -> dict[str, Any]:
    """The row, which a quick refusal does not wait for."""
    for _ in range(10):
        answer = client.get(f"/v1/requests/{request_id}")
        if answer.status_code == 200:
            break
        time.sleep(0.02)
    record: dict[str, Any] = answer.json()
    return record


@pytest.mark.parametrize(("model", "body", "sentence"), WRONG, ids=[sentence[:50] for *_, sentence in WRONG])
def test_a_request_that_does_not_fit_is_refused_with_the_place(
    standing: httpx.Client, model: str, body: Any, sentence: str
) -> None:
    assert sentence in check(standing.post(f"/v2/models/{model}/infer", json=body), 400, standing, "invalid_request")


def with_bytes(client: httpx.Client, content: bytes, size: Any, length: str | None = None) -> httpx.Response:
    """One text sent in binary; `length` is that of the JSON unless given."""
    tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": size}}
    header = json.dumps({"inputs": [tensor]}).encode()
    fields = {LENGTH.encode(): str(len(header)).encode() if length is None else length.encode()}
    return client.post("/v2/models/sentiment/infer", content=header + content, headers=fields)


@pytest.mark.parametrize(
    ("content", "size", "sentence"),
    [
        (b"\x04\x00\x00\x00good", 9, "/inputs/0/parameters/binary_data_size: got 9, 8 bytes are left"),
        (b"\x04\x00\x00\x00good", -1, "got -1, 8 bytes are left"),
        (b"\x04\x00\x00\x00good", True, "got True, 8 bytes are left"),
        (b"\x04\x00\x00\x00goodness", 8, "4 bytes more follow the JSON"),
        (b"\x05\x00\x00\x00good", 8, "/inputs/0: element 0 should have 5 bytes, 4 are left"),
        (b"\xff\xff\xff\xff", 4, "element 0 should have 4294967295 bytes, 0 are left"),
        (b"\x04\x00", 2, "element 0 has 2 bytes of the 4 that give its length"),
        (b"\x02\x00\x00\x00\xff\xff", 6, "element 0 is no UTF-8"),
        (struct.pack("<I", 1) + b"a" + struct.pack("<I", 1) + b"b", 10, "got 2 elements, the shape [1] has 1"),
        (b"", 0, "got 0 elements, the shape [1] has 1"),
    ],
)
def test_bytes_that_are_no_strings_are_refused(standing: httpx.Client, content: bytes, size: Any, sentence: str) -> None:
    assert sentence in check(with_bytes(standing, content, size), 400, standing, "invalid_request")


@pytest.mark.parametrize("length", ["-1", "x", "100000", "9" * 5000, "", "١"])
def test_a_length_of_the_json_that_cannot_be_is_refused(standing: httpx.Client, length: str) -> None:
    answer = with_bytes(standing, b"\x04\x00\x00\x00good", 8, length)
    assert f"{LENGTH} is " in check(answer, 400, standing, "invalid_request")


@pytest.mark.parametrize("content", [b"", b'{"inputs": [', b"[" * 100_000, b'{"inputs": "\xff"}', b'{"id": "\\ud800"}'])
def test_what_is_no_json_is_refused(standing: httpx.Client, content: bytes) -> None:
    assert "no JSON" in check(standing.post("/v2/models/music/infer", content=content), 400, standing, "invalid_request")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_a_web_form_cannot_ask(client: httpx.Client, kind: str) -> None:
    content, fields = json.dumps(SENTIMENT), {"Content-Type": kind}
    answer = client.post("/v2/models/sentiment/infer", content=content, headers=fields)
    assert "allowed are application/json" in check(answer, 415, client, "unsupported_media_type")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v2/models/chess", 404, "not_found"),
        ("GET", "/v2/models/chess/ready", 404, "not_found"),
        ("GET", "/v2/models/music/versions/1/ready", 404, "not_found"),
        ("GET", "/v2/models/music/config", 404, "not_found"),
        ("GET", "/v2/repository/index", 404, "not_found"),
        ("GET", "/v2/models/music/infer", 405, "method_not_allowed"),
        ("DELETE", "/v2", 405, "method_not_allowed"),
    ],
)
def test_what_is_not_there_is_said_so(standing: httpx.Client, method: str, path: str, status: int, code: str) -> None:
    check(standing.request(method, path), status, standing, code)


def test_a_body_that_is_too_large_is_refused(serve: Serve, settings: Settings) -> None:
    client = serve(settings.model_copy(update={"max_body_bytes": 2000}))
    answer = client.post("/v2/models/sentiment/infer", json=ask(["word " * 1000]))
    assert "more than 2000 bytes" in check(answer, 413, client, "body_too_large")


def test_beyond_the_limit_a_request_is_refused_before_its_body_is_read(serve: Serve, settings: Settings, hold: Hold) -> None:
    client = serve(settings.model_copy(update={"queue_limit_requests": 1, "max_body_bytes": 2000}))
    version = client.get("/v2/models/sentiment").json()["versions"][0]
    held = hold(Sentiment, "feeds")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(client.post, "/v2/models/sentiment/infer", json=SENTIMENT)
        assert held.busy.wait(30)
        answer = client.post(f"/v2/models/sentiment/versions/{version}/infer", json=ask(["x" * 3000]))
        assert "1 requests for sentiment are being answered or waiting" in check(answer, 503, client, "overloaded")
        assert int(answer.headers["retry-after"]) >= 1
        assert client.post("/v2/models/music/infer", json=tune(max_characters=5)).status_code == 200
        held.free.set()
        assert first.result().status_code == 200


def test_a_lost_log_refuses_the_answer(serve: Serve, settings: Settings) -> None:
    client = serve(settings)
    Path(settings.database_url.removeprefix("sqlite:///")).write_bytes(b"no database " * 1000)
    answer = client.post("/v2/models/sentiment/infer", json=SENTIMENT)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json() == {"error": "the request could not be recorded, so it is not answered"}
    unready = client.get("/v2/health/ready")
    assert unready.status_code == 503
    assert unready.json()["ready"] is False


def test_the_unforeseen_is_answered_without_inner_detail(
    serve: Serve, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.tasks.music import Music

    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("secret")

    monkeypatch.setattr(Music, "encode", broken)
    monkeypatch.setattr("app.predictor._check_golden", lambda *_: None)
    client = serve(settings)
    answer = client.post("/v2/models/music/infer", json=tune())
    assert "secret" not in check(answer, 500, client, "internal_error")


def test_a_bad_bundle_makes_its_own_model_unready(serve: Serve, settings: Settings, tmp_path: Path) -> None:
    models = tmp_path / "models"
    shutil.copytree(settings.models_dir, models)
    (models / "rainfall" / "CURRENT").write_text("none\n")
    client = serve(settings.model_copy(update={"models_dir": models}))
    for path in ("/v2/health/ready", "/v2/models/rainfall/ready", "/v2/models/rainfall/versions/none/ready"):
        answer = client.get(path)
        assert answer.status_code == 503
        assert answer.json()["ready"] is False
        assert answer.json()["error"].startswith("rainfall: ")
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/models/sentiment/ready").json() == {"name": "sentiment", "ready": True}
    assert client.post("/v2/models/sentiment/infer", json=SENTIMENT).status_code == 200
    check(client.get("/v2/models/rainfall"), 503, client, "task_unavailable")
    check(client.post("/v2/models/rainfall/infer", json=hour()), 503, client, "task_unavailable")
