"""What the answer about an item should have been: who may tell it, what is refused, and where it is found again."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from app import examples
from app.database import make_engine, migrate
from app.feedback import Feedback
from app.keys import Scope, create_key
from app.request_log import RequestLog
from app.settings import Settings
from tests.past_requests import store

Serve = Callable[[Settings], httpx.Client]


def asked(client: httpx.Client, path: str = "/v1/sentiment", body: Any = examples.SENTIMENT, **headers: str) -> str:
    """The id of a request that was answered."""
    answer = client.post(path, json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return answer.headers["x-request-id"]


def tell(client: httpx.Client, request_id: str, **headers: str) -> Callable[..., httpx.Response]:
    return lambda **told: client.post(f"/v1/requests/{request_id}/feedback", json=told, headers=headers)


def test_feedback_is_found_with_its_record_on_either_database(url: str, serve: Serve, settings: Settings) -> None:
    engine = make_engine(url)
    migrate(engine)
    engine.dispose()
    client = serve(settings.model_copy(update={"database_url": url}))
    request_id = asked(client)
    kept = tell(client, request_id)(label="negative", item=1)
    assert kept.status_code == 200, kept.text
    assert {**kept.json(), "time": ""} == {
        "request_id": request_id,
        "item": 1,
        "label": "negative",
        "replaced": False,
        "time": "",
    }
    assert tell(client, request_id.upper())(label="positive").json()["item"] == 0
    assert tell(client, request_id)(label="positive", item=1).json()["replaced"] is True
    feedback = client.get(f"/v1/requests/{request_id}").json()["feedback"]
    assert {item: said["label"] for item, said in feedback.items()} == {"0": "positive", "1": "positive"}
    rain = asked(client, "/v1/rainfall", examples.RAINFALL)
    assert tell(client, rain)(rain_mm=0).json()["rain_mm"] == 0
    assert client.get(f"/v1/requests/{rain}").json()["feedback"]["0"]["rain_mm"] == 0


def test_answers_under_v2_are_judged_likewise(client: httpx.Client) -> None:
    request_id = asked(client, "/v2/models/sentiment/infer", examples.OPEN_INFERENCE["sentiment"]["value"])
    assert tell(client, request_id)(label="positive", item=1).status_code == 200


@pytest.mark.parametrize(
    ("told", "pointer", "said"),
    [
        ({"label": "good"}, "/label", "'positive' or 'negative'"),
        ({"rain_mm": 1}, "/rain_mm", "its feedback is label"),
        ({"label": "positive", "item": 2}, "/item", "items 0 to 1"),
        ({"label": "positive", "item": -1}, "/item", "greater than or equal to 0"),
        ({"label": "positive", "rain_mm": 1}, "", "one of label and rain_mm"),
        ({"label": None}, "", "one of label and rain_mm"),
        ({}, "", "one of label and rain_mm"),
    ],
)
def test_what_cannot_be_said_of_a_request_is_refused(
    standing: httpx.Client, told: dict[str, Any], pointer: str, said: str
) -> None:
    request_id = asked(standing)
    refused = tell(standing, request_id)(**told)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request"), refused.text
    assert refused.json()["errors"][0]["pointer"] == pointer
    assert said in refused.json()["detail"]
    assert standing.get(f"/v1/requests/{request_id}").json()["feedback"] is None


def test_of_a_tune_a_refusal_a_list_and_a_replay_nothing_can_be_said(client: httpx.Client) -> None:
    tune = asked(client, "/v1/music/next", examples.MUSIC_NEXT)
    refusal = client.post("/v1/sentiment", json={"texts": []}).headers["x-request-id"]
    listed = client.get("/v1/models").headers["x-request-id"]
    first, again = (asked(client, **{"Idempotency-Key": "one"}) for _ in range(2))
    for request_id, said in (
        (tune, "sentiment and rainfall"),
        (refusal, "answered with 422"),
        (listed, "no answer of a model"),
        (again, f"tell it of {first}"),
    ):
        refused = tell(client, request_id)(label="positive")
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
        assert said in refused.json()["detail"]
    unknown = tell(client, "0199f0c2-0000-7000-8000-000000000000")(label="positive")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")


def test_feedback_in_another_format_is_told_which_it_must_have(client: httpx.Client) -> None:
    refused = client.post(f"/v1/requests/{asked(client)}/feedback", content=b'{"label": "positive"}')
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert refused.json()["detail"] == "the body must be sent with the content type application/json"


def test_more_than_feedback_can_be_is_refused_unread(client: httpx.Client) -> None:
    body = {"label": "positive", **{f"field {number}": 0 for number in range(2_000)}}
    refused = client.post(f"/v1/requests/{asked(client)}/feedback", json=body)
    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")
    assert "16384 bytes, which is the most allowed" in refused.json()["detail"]


def test_whoever_may_read_a_record_may_judge_it(serve: Serve, settings: Settings) -> None:
    engine = make_engine(settings.database_url)
    scopes: tuple[Scope, ...] = ("predict", "predict", "read_log", "admin")
    own, other, reader, admin = ({"Authorization": f"Bearer {create_key(engine, 'test', [scope])}"} for scope in scopes)
    engine.dispose()
    client = serve(settings.model_copy(update={"auth": "keys"}))
    request_id = asked(client, **own)
    assert tell(client, request_id, **other)(label="positive").status_code == 404
    assert tell(client, request_id)(label="positive").status_code == 401
    for key in (own, reader, admin):
        assert tell(client, request_id, **key)(label="positive").status_code == 200


def test_what_is_said_at_once_of_several_items_is_all_kept(url: str) -> None:
    engine = make_engine(url)
    migrate(engine)
    (request_id,) = store(engine, 0, items=40)
    logs = [RequestLog(engine) for _ in range(1 if url.startswith("sqlite") else 3)]

    async def tell_all() -> list[Any]:
        told = [Feedback(item, "label", "positive").keeping(request_id) for item in range(40)]
        return await asyncio.gather(*(logs[item % len(logs)].change(work, request_id) for item, work in enumerate(told)))

    assert all(kept["replaced"] is False for kept in asyncio.run(tell_all()))
    found = logs[0].find(request_id)
    assert found is not None
    assert set(found.feedback or ()) == {str(item) for item in range(40)}
    assert asyncio.run(logs[0].change(Feedback(0, "label", "positive").keeping("gone"), "gone")) is None
    for log in logs:
        log.close()
