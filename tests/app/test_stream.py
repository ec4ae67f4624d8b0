"""Server-sent events of a tune: in order, equal to the plain answer, and recorded however they end."""

import json
import time
from typing import Any

import httpx
import pytest

from app import examples
from app.predictor import Predictor

REQUEST = {**examples.MUSIC_GENERATE, "max_characters": 50, "stream": True}


def events(text: str) -> list[tuple[str, Any]]:
    """(event, data) of a whole stream, by the rules of the HTML standard for these two fields."""
    found = []
    for block in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if line and not line.startswith(":"))
        if fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


def test_the_pieces_add_up_to_the_plain_answer(client: httpx.Client) -> None:
    answer = client.post("/v1/music/generate", json=REQUEST)
    assert answer.headers["content-type"].startswith("text/event-stream")
    *pieces, (last, done) = events(answer.text)
    assert {name for name, _ in pieces} == {"characters"}
    assert last == "done"
    plain = client.post("/v1/music/generate", json={**REQUEST, "stream": False}).json()
    assert "".join(data["text"] for _, data in pieces) == done["continuation"] == plain["continuation"]
    for key in ("abc", "finished", "seed", "model"):
        assert done[key] == plain[key]
    assert done["request_id"] == answer.headers["x-request-id"]


def test_a_finished_stream_is_recorded_as_such(client: httpx.Client) -> None:
    answer = client.post("/v1/music/generate", json=REQUEST)
    record = client.get(f"/v1/requests/{answer.headers['x-request-id']}").json()
    assert record["stream"] == "finished"
    assert record["outputs"] == events(answer.text)[-1][1]
    assert record["response_bytes"] == len(answer.content)


def test_a_client_that_leaves_is_recorded_and_its_work_stops(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []

    def draw_slowly(log_p: Any, *_: Any) -> list[int]:
        time.sleep(0.002)
        drawn.append(1)
        return [1] * len(log_p)  # never the end of the tune

    monkeypatch.setattr("app.tasks.tune.draw", draw_slowly)
    with client.stream("POST", "/v1/music/generate", json={**REQUEST, "max_characters": 5_000}) as answer:
        next(answer.iter_lines())
    record = _record(client, answer.headers["x-request-id"])
    assert record["stream"] == "client_gone"
    assert record["status"] == 200
    assert len(drawn) < 5_000


def test_a_failure_on_the_way_ends_the_stream_with_an_error_event(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Predictor.run
    steps = 0

    def fail_later(*args: Any) -> Any:
        nonlocal steps
        steps += 1
        if steps > 5:
            raise ZeroDivisionError("secret")
        return whole(*args)

    monkeypatch.setattr(Predictor, "run", fail_later)
    answer = client.post("/v1/music/generate", json=REQUEST)
    name, problem = events(answer.text)[-1]
    assert name == "error"
    assert (problem["code"], problem["status"]) == ("internal_error", 500)
    assert "secret" not in answer.text
    record = _record(client, answer.headers["x-request-id"])
    assert (record["stream"], record["error_code"]) == ("failed", "internal_error")


def _record(client: httpx.Client, request_id: str) -> dict[str, Any]:
    """The row of a stream that has ended; of a client that left, that is known a moment later."""
    deadline = time.monotonic() + 10
    while (record := client.get(f"/v1/requests/{request_id}").json())["stream"] == "started" and time.monotonic() < deadline:
        time.sleep(0.05)
    return dict(record)
