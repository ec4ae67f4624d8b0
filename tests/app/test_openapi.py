"""The document: every example succeeds when sent as it stands, every error has one, and no page needs the internet."""

import re
from typing import Any

import httpx
import pytest

from app import errors, examples
from app.settings import Settings
from tests.conftest import Serve


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
    assert posted == 6


def test_every_example_of_an_answer_looks_as_answers_do(client: httpx.Client, document: dict[str, Any]) -> None:
    """Names and types; of the first of each list, since there may be more or fewer."""
    schemas, shown = document["components"]["schemas"], 0
    for path, operations in document["paths"].items():
        if "post" in operations and path.startswith(("/v1/sentiment", "/v1/rainfall", "/v1/music")):
            asked, told = operations["post"]["requestBody"], operations["post"]["responses"]["200"]
            question, answer = (
                schemas[part["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]]["examples"][0]
                for part in (asked, told)
            )
            assert shape(answer) == shape(client.post(path, json=question).json()), path
            shown += 1
    assert shown == 4


def shape(value: Any) -> Any:
    """Of JSON: its names and types."""
    if isinstance(value, dict):
        return {name: shape(content) for name, content in value.items()}
    return [shape(value[0])] if isinstance(value, list) else type(value)


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


def test_an_example_that_is_not_found_says_so(client: httpx.Client, document: dict[str, Any]) -> None:
    for path, method in (("/v1/requests/{request_id}", "get"), ("/v1/requests/{request_id}/feedback", "post")):
        (parameter,) = (each for each in document["paths"][path][method]["parameters"] if each["in"] == "path")
        (example,) = parameter["schema"]["examples"]
        body = {"item": 0, "label": "positive"} if method == "post" else None
        assert client.request(method, path.format(request_id=example), json=body).status_code == 404
        assert "The example is that of no request" in parameter["description"]


def test_everything_that_can_be_got_under_v2_is_got_as_it_is_described(client: httpx.Client, document: dict[str, Any]) -> None:
    paths = [path for path, operations in document["paths"].items() if "get" in operations and path.startswith("/v2")]
    for path in paths:
        parameters = document["paths"][path]["get"].get("parameters", [])
        examples = {each["name"]: each["schema"].get("examples", [""])[0] for each in parameters}
        assert client.get(path.format(**examples)).status_code == 200, path
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
                    assert list(answer["content"]) == ["application/problem+json"], (method, path, status)
                    examples = answer["content"]["application/problem+json"]["examples"]
                    assert examples, (method, path, status)
                    for code, example in examples.items():
                        assert example["value"] == {**example["value"], "status": int(status), "code": code}


def test_answers_of_models_say_where_their_rows_are_and_that_they_can_be_sent_again(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        if "post" in operations and not path.endswith("/feedback"):
            assert "Idempotency-Key" in [parameter["name"] for parameter in operations["post"]["parameters"]], path
            assert {"X-Gatehouse-Log", "Idempotent-Replayed"} <= set(operations["post"]["responses"]["200"]["headers"]), path
    posted = document["paths"]["/v1/sentiment"]["post"]["responses"]
    for status, code in (("409", "request_in_flight"), ("422", "idempotency_key_reused"), ("503", "log_unavailable")):
        assert code in posted[status]["content"]["application/problem+json"]["examples"]


def test_every_code_that_is_answered_is_shown_where_it_may_be_met(serve: Serve, settings: Settings) -> None:
    strict = settings.model_copy(update={"auth": "keys", "rate_limit": "100/second", "trusted_hosts": "127.0.0.1"})
    shown = codes(serve(strict).get("/openapi.json").json())
    assert shown["/readyz"] == {"not_ready", "invalid_request", "too_many_headers"}
    assert shown["/v1/stats"] > {"stats_too_slow", "log_unavailable", "keys_unavailable", "unknown_host", "rate_limited"}
    assert "overloaded" not in shown["/v1/models"] | shown["/v1/requests/{request_id}"]
    assert {"overloaded", "task_unavailable", "body_timeout", "forbidden"} < shown["/v1/rainfall"]
    answered = {refused[1] for refused in re.findall(r"^\w.*?  +(\d{3}) (\w+)", errors.__doc__ or "", re.MULTILINE)}
    assert answered | {"not_found", "not_ready"} == set().union(*shown.values())


def codes(document: dict[str, Any]) -> dict[str, set[str]]:
    """Path under /v1 or beside it -> the codes of all errors that it is said to give."""
    return {
        path: {
            code
            for operation in operations.values()
            for response in operation["responses"].values()
            for code in response.get("content", {}).get("application/problem+json", {}).get("examples", {})
        }
        for path, operations in document["paths"].items()
        if not path.startswith("/v2")
    }


def test_what_is_waited_for_is_said_to_be_told(document: dict[str, Any]) -> None:
    posted = document["paths"]["/v1/sentiment"]["post"]["responses"]
    assert "Retry-After" in posted["503"]["headers"]
    assert "Retry-After" in posted["409"]["headers"]
    assert "Retry-After" not in posted["422"]["headers"]


def test_a_bad_id_of_the_caller_is_refused_as_every_operation_says(client: httpx.Client, document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        if "get" in operations and "{" not in path:
            answer = client.get(path, headers={"X-Client-Request-Id": "x" * 129})
            assert str(answer.status_code) in operations["get"]["responses"], path
            assert answer.status_code in {400, 422}, path


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
