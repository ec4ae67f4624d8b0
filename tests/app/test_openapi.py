"""The document: every example succeeds when sent as it stands, every error has one, and no page needs the internet."""

import re
from typing import Any

import httpx
import pytest


@pytest.fixture
def document(client: httpx.Client) -> dict[str, Any]:
    content: dict[str, Any] = client.get("/openapi.json").json()
    return content


def test_every_example_succeeds_when_posted(client: httpx.Client, document: dict[str, Any]) -> None:
    posted = 0
    for path, operations in document["paths"].items():
        if "post" in operations:
            reference = operations["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
            schema = document["components"]["schemas"][reference.rpartition("/")[2]]
            assert schema["examples"], path
            for example in schema["examples"]:
                answer = client.post(path, json=example)
                assert answer.status_code == 200, (path, answer.text)
                posted += 1
    assert posted == 4


def test_every_operation_says_what_it_is_for_and_shows_its_errors(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert operation["summary"], (method, path)
            assert operation.get("description"), (method, path)
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    example = answer["content"]["application/problem+json"]["example"]
                    assert example["status"] == int(status)


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


def test_the_root_leads_to_the_documentation(client: httpx.Client) -> None:
    answer = client.get("/")
    assert answer.is_redirect
    assert answer.headers["location"] == "/docs"
