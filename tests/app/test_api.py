"""The public interface, through a real server with tiny bundles and a migrated database."""

import math
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from app import examples

OPERATIONS = {
    "/v1/sentiment": examples.SENTIMENT,
    "/v1/rainfall": examples.RAINFALL,
    "/v1/music/next": examples.MUSIC_NEXT,
    "/v1/music/generate": examples.MUSIC_GENERATE,
}
PROMPT = examples.MUSIC_NEXT["prompt"]


def post(client: httpx.Client, path: str, body: Any) -> dict[str, Any]:
    answer = client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    content: dict[str, Any] = answer.json()
    return content


@pytest.mark.parametrize("path", OPERATIONS)
def test_every_answer_names_its_request_model_and_time(client: httpx.Client, path: str) -> None:
    answer = client.post(path, json=OPERATIONS[path])
    body = answer.json()
    assert answer.headers["x-request-id"] == body["request_id"]
    assert uuid.UUID(body["request_id"]).version == 7
    assert set(body["model"]) == {"task", "version", "cell"}
    assert set(body["timing_ms"]) == {"encode", "queue", "run"}
    assert body["timing_ms"]["run"] > 0


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/livez", 200),
        ("/readyz", 200),
        ("/v1/models", 200),
        ("/openapi.json", 200),
        ("/v2/health/live", 200),
        ("/v1/sentiment", 405),
    ],
)
def test_head_is_answered_as_get_without_the_body(client: httpx.Client, path: str, status: int) -> None:
    whole, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.status_code == status
    for name in ("content-type", "content-length"):
        assert head.headers.get(name) == whole.headers.get(name)
    assert client.get("/livez").json() == {"status": "alive"}  # on the same connection


def test_a_head_is_recorded_as_such(client: httpx.Client) -> None:
    request_id = client.head("/v1/models").headers["x-request-id"]
    assert client.get(f"/v1/requests/{request_id}").json()["method"] == "HEAD"


def test_one_prediction_a_text_in_order(client: httpx.Client) -> None:
    texts = ["good " * length for length in (9, 1, 30, 4)]
    predictions = post(client, "/v1/sentiment", {"texts": texts})["predictions"]
    assert [prediction["tokens_read"] for prediction in predictions] == [9, 1, 16, 4]
    assert [prediction["truncated"] for prediction in predictions] == [False, False, True, False]
    for prediction in predictions:
        assert set(prediction) == {"label", "probability", "tokens_read", "truncated"}
        assert prediction["label"] == ("positive" if prediction["probability"] >= 0.5 else "negative")


@pytest.mark.parametrize("text", [" ", "<br />", "😀", "\x00", "x" * 20_000, "日本語", "'"])
def test_any_text_is_answered(standing: httpx.Client, text: str) -> None:
    probability = post(standing, "/v1/sentiment", {"texts": [text]})["predictions"][0]["probability"]
    assert 0 <= probability <= 1


def test_the_largest_request_allowed_is_answered(client: httpx.Client) -> None:
    assert len(post(client, "/v1/sentiment", {"texts": ["word " * 4000] * 128})["predictions"]) == 128
    scans = [{"minutes_past": minute, "Ref": 20.0} for minute in range(60)]
    hours = [{"radardist_km": 5.0, "scans": scans}] * 256
    assert len(post(client, "/v1/rainfall", {"hours": hours})["predictions"]) == 256


def test_rain_has_an_interval_around_it_and_the_physics_beside_it(client: httpx.Client) -> None:
    prediction = post(client, "/v1/rainfall", examples.RAINFALL)["predictions"][0]
    low, high = prediction["interval_90_mm"]
    assert 0 <= low <= prediction["rain_mm"] <= high
    assert prediction["scans_used"] == 3
    expected = sum((10 ** (dbz / 10) / 200) ** 0.625 * minutes / 60 for dbz, minutes in ((12.5, 3), (28.0, 20), (33.5, 37)))
    assert math.isclose(prediction["baselines_mm"]["marshall_palmer"], expected, rel_tol=1e-6)


def test_the_order_of_scans_does_not_matter(client: httpx.Client) -> None:
    hour = examples.RAINFALL["hours"][0]
    hour = {**hour, "scans": [*hour["scans"], {"minutes_past": 47, "Ref": 10.0}, {"minutes_past": 47, "Zdr": 1.0}]}
    turned = {**hour, "scans": hour["scans"][::-1]}
    first, second = post(client, "/v1/rainfall", {"hours": [hour, turned]})["predictions"]
    assert first == second


def test_an_hour_without_reflectivity_is_answered(client: httpx.Client) -> None:
    hours = [{"radardist_km": 5, "scans": [{"minutes_past": 30}, {"minutes_past": 40, "Ref": None}]}]
    prediction = post(client, "/v1/rainfall", {"hours": hours})["predictions"][0]
    assert prediction["scans_used"] == 0
    assert prediction["baselines_mm"]["marshall_palmer"] == 0


def test_next_characters_are_sorted_and_at_most_as_many_as_asked_for(client: httpx.Client) -> None:
    body = post(client, "/v1/music/next", {"prompt": PROMPT, "top_k": 200})
    probabilities = [character["probability"] for character in body["characters"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert math.isclose(sum(probabilities), 1, rel_tol=1e-4)
    assert body["bits_per_character"] > 0
    assert len(post(client, "/v1/music/next", {"prompt": PROMPT, "top_k": 3})["characters"]) == 3


def test_the_same_seed_gives_the_same_tune(client: httpx.Client) -> None:
    request = {"prompt": PROMPT, "max_characters": 40, "seed": 3}
    first, second = (post(client, "/v1/music/generate", request) for _ in range(2))
    other = post(client, "/v1/music/generate", {**request, "seed": 4})
    assert first["abc"] == second["abc"] == PROMPT + first["continuation"]
    assert other["continuation"] != first["continuation"]
    assert first["seed"] == 3


def test_a_seed_drawn_by_the_service_can_be_used_again(client: httpx.Client) -> None:
    request = {"prompt": PROMPT, "max_characters": 40}
    drawn = post(client, "/v1/music/generate", request)
    assert post(client, "/v1/music/generate", {**request, "seed": drawn["seed"]})["abc"] == drawn["abc"]


def test_windows_line_ends_count_as_plain_ones(client: httpx.Client) -> None:
    request = {"prompt": PROMPT.replace("\n", "\r\n"), "max_characters": 5, "seed": 1}
    assert post(client, "/v1/music/generate", request)["abc"].startswith(PROMPT)


def test_typographic_characters_count_as_those_of_a_typewriter(client: httpx.Client) -> None:
    request = {"prompt": "X:1\nT:Kitty\u2019s\tJig\nK:G\n", "max_characters": 5, "seed": 1}
    assert post(client, "/v1/music/generate", request)["abc"].startswith("X:1\nT:Kitty's Jig\nK:G\n")


def test_the_callers_own_id_is_stored_and_echoed(client: httpx.Client) -> None:
    answer = client.post("/v1/sentiment", json=examples.SENTIMENT, headers={"X-Client-Request-Id": "order 66"})
    assert answer.headers["x-client-request-id"] == "order 66"
    record = client.get(f"/v1/requests/{answer.json()['request_id']}").json()
    assert record["client_request_id"] == "order 66"


@pytest.mark.parametrize("path", OPERATIONS)
def test_the_record_is_there_as_soon_as_the_answer_is(client: httpx.Client, path: str) -> None:
    answer = client.post(path, json=OPERATIONS[path])
    record = client.get(f"/v1/requests/{answer.headers['x-request-id']}").json()
    assert record["path"] == path
    assert record["status"] == 200
    assert record["task"] == answer.json()["model"]["task"]
    assert record["model_version"] == answer.json()["model"]["version"]
    assert record["items"] == len(answer.json().get("predictions", [0]))
    assert record["run_ms"] == answer.json()["timing_ms"]["run"]
    assert record["total_ms"] >= record["run_ms"]
    assert record["inputs"] == OPERATIONS[path]
    assert record["outputs"] == answer.json()
    assert record["response_bytes"] == len(answer.content)
    assert record["time"].endswith("Z")


def test_models_describe_what_answers(client: httpx.Client) -> None:
    listed = client.get("/v1/models").json()
    assert listed["unavailable"] == []
    assert [model["task"] for model in listed["models"]] == ["sentiment", "rainfall", "music"]
    for model in listed["models"]:
        assert model == client.get(f"/v1/models/{model['task']}").json()
        assert model["provider"] == "cpu"
        assert model["limits"]
        assert model["inputs"]
        assert model["card"].startswith(f"# {model['task']} {model['version']}")


def test_health_and_metrics(client: httpx.Client) -> None:
    assert client.get("/livez").json() == {"status": "alive"}
    assert client.get("/readyz").json() == {"status": "ready"}
    post(client, "/v1/sentiment", examples.SENTIMENT)
    client.get("/v1/requests/none")
    text = client.get("/metrics").text
    assert 'gatehouse_requests_total{method="POST",route="/v1/sentiment",status="200"} 1.0' in text
    assert 'gatehouse_items_total{task="sentiment"} 2.0' in text
    assert 'gatehouse_refusals_total{code="not_found"} 1.0' in text
    assert 'gatehouse_phase_seconds_count{phase="run",task="sentiment"} 1.0' in text


def test_concurrent_callers_get_their_own_answers(client: httpx.Client) -> None:
    texts = [f"{'good ' * (number % 7)}{'dull ' * (number % 5)}." for number in range(48)]

    def ask(text: str) -> dict[str, Any]:
        return post(client, "/v1/sentiment", {"texts": [text]})

    alone = [ask(text)["predictions"] for text in texts]
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(ask, texts))
    assert [body["predictions"] for body in together] == alone
    assert len({body["request_id"] for body in together}) == 48
