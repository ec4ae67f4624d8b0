"""The document: every example succeeds when sent as it stands, every error has one, and no page needs the internet."""

import re
from typing import Any

import httpx
import pytest

from app import examples


@pytest.fixture
def document(client: httpx.Client) -> dict[str, Any]:
    content: dict[str, Any] = client.get("/openapi.json").json()
    return content


def test_every_example_succeeds_when_posted(client: httpx.Client, document: dict[str, Any]) -> None:
    """That of feedback, to the record of the example that it is about."""
    judged = client.post("/v1/sentiment", json=examples.SENTIMENT).json()["request_id"]
    posted = 0
    for path, operations in document["paths"].items():
        if "post" in operations and not path.startswith("/v2"):
            reference = operations["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            schema = document["components"]["schemas"][reference.rpartition("/")[2]]
            assert schema["examples"], path
            for example in schema["examples"]:
                answer = client.post(path.format(request_id=judged), json=example)
                assert answer.status_code == 200, (path, answer.text)
                posted += 1
    assert posted == 5


def test_every_example_of_an_inference_succeeds_when_posted_to_its_model(
    client: httpx.Client, document: dict[str, Any]
) -> None:
    posted = 0
    for path, operations in document["paths"].items():
        if "post" in operations and path.startswith("/v2"):
            for model, example in operations["post"]["requestBody"]["content"]["application/json"]["examples"].items():
                version = client.get(f"/v2/models/{model}").json()["versions"][0]
                answer = client.post(path.format(name=model, version=version), json=example["value"])
                assert answer.status_code == 200, (path, answer.text)
                posted += 1
    assert posted == 6


def test_everything_that_can_be_got_under_v2_is_got_as_it_is_described(client: httpx.Client, document: dict[str, Any]) -> None:
    paths = [path for path, operations in document["paths"].items() if "get" in operations and path.startswith("/v2")]
    for path in paths:
        named = [parameter for parameter in document["paths"][path]["get"].get("parameters", []) if parameter["name"] == "name"]
        model = named[0]["schema"]["examples"][0] if named else ""
        version = client.get(f"/v2/models/{model}").json()["versions"][0] if named else ""
        assert client.get(path.format(name=model, version=version)).status_code == 200, path
    assert len(paths) == 7


def test_every_operation_says_what_it_is_for_and_shows_its_errors(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert operation.get("description"), (method, path)
            for status, answer in operation["responses"].items():
                if status >= "400" and path.startswith("/v2"):
                    assert {"error"} <= set(answer["content"]["application/json"]["example"]) <= {"error", "name", "ready"}
                elif int(status) >= 400:
                    content = answer["content"]["application/problem+json"]
                    for example in (content["example"], *content.get("schema", {}).get("examples", ())):
                        assert example["status"] == int(status)


def test_answers_of_models_say_where_their_rows_are_and_that_they_can_be_sent_again(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        if "post" in operations and not path.endswith("/feedback"):
            assert "Idempotency-Key" in [parameter["name"] for parameter in operations["post"]["parameters"]], path
            assert {"X-Gatehouse-Log", "Idempotent-Replayed"} <= set(operations["post"]["responses"]["200"]["headers"]), path
    posted = document["paths"]["/v1/sentiment"]["post"]["responses"]
    for status, code in (("409", "request_in_flight"), ("422", "idempotency_key_reused"), ("503", "log_unavailable")):
        schema = posted[status]["content"]["application/problem+json"]["schema"]
        assert code in [example["code"] for example in schema["examples"]]


def test_only_known_statuses_are_documented(document: dict[str, Any]) -> None:
    for operations in document["paths"].values():
        for operation in operations.values():
            assert "HTTPValidationError" not in str(operation)


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_pages_load_only_from_the_service(client: httpx.Client, page: str) -> None:
    text = client.get(page).text
    links = re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    assert links
    for link in links:
        assert link.startswith("/"), link
        assert client.get(link).status_code == 200, link
