"""GET /docs and /redoc: the documentation, without internet; and what its document says of the door and of the log."""

import base64
import hashlib
import re
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from starlette.responses import HTMLResponse
from starlette.staticfiles import StaticFiles

from app.door import DOCUMENTATION_FILES, PROBES, RECORDS
from app.errors import PROBLEM_JSON
from app.idempotency import KEY_PATTERN
from app.paths import is_open_inference
from app.registry import Registry
from app.routes.problems import inference_errors, problems
from app.settings import Settings

_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, `gate_ID_SECRET`."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "The same, in a field of its own."},
}

_PROBLEM = {"$ref": "#/components/schemas/Problem"}
_INFERENCE_ERROR = {"$ref": "#/components/schemas/InferenceError"}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": (
        "A string of 1 to 255 printable ASCII characters, a UUID for one, with or without quotes. The same request with the "
        "same key gets the same answer again. Refusals (429, 5xx) do not use it up; a stream is not sent twice."
    ),
    "schema": {"type": "string", "pattern": KEY_PATTERN},
}
_CLIENT_REQUEST_ID = {
    "name": "X-Client-Request-Id",
    "in": "header",
    "required": False,
    "description": "Yours to choose: 1 to 128 printable ASCII characters, which are stored with the record and sent back.",
    "schema": {"type": "string", "pattern": "^[!-~]([ -~]{0,126}[!-~])?$"},
}
_HEADERS = {
    "X-Request-ID": "The key of the stored record.",
    "X-Gatehouse-Log": "Where that is: `durable` committed in the database, `spooled` on the service's disk until it is.",
    "Idempotent-Replayed": "`true` where this is the answer that the same request got before.",
}


def install(app: FastAPI, settings: Settings) -> None:
    """After all other routes: the document describes those that there are."""
    app.mount(DOCUMENTATION_FILES.rstrip("/"), StaticFiles(directory=str(files("fastapi_offline") / "static")))
    title, document_url, icon = app.title, str(app.openapi_url), f"{DOCUMENTATION_FILES}favicon.png"
    swagger = get_swagger_ui_html(
        openapi_url=document_url,
        title=f"{title} - Swagger UI",
        swagger_js_url=f"{DOCUMENTATION_FILES}swagger-ui-bundle.js",
        swagger_css_url=f"{DOCUMENTATION_FILES}swagger-ui.css",
        swagger_favicon_url=icon,
    )
    redoc = get_redoc_html(
        openapi_url=document_url,
        title=f"{title} - ReDoc",
        redoc_js_url=f"{DOCUMENTATION_FILES}redoc.standalone.js",
        redoc_favicon_url=icon,
        with_google_fonts=False,
    )
    for path, page in (("/docs", swagger), ("/redoc", redoc)):
        _add_page(app, path, page)
    _describe_door(app.openapi(), settings)
    _describe_log(app.openapi())
    _describe_problems(app.openapi())


def describe_served(document: dict[str, Any], registry: Registry) -> None:
    """Once it is known what is served: where a version is asked for, the example is that of the model named beside it."""
    served = {task: predictor.predictor.manifest.version for task, predictor in registry}
    for operations in document["paths"].values():
        for operation in operations.values():
            parameters = {each["name"]: each["schema"] for each in operation.get("parameters", [])}
            if "version" in parameters and (version := served.get(parameters["name"]["examples"][0])):
                parameters["version"]["examples"] = [version]


def _add_page(app: FastAPI, path: str, page: HTMLResponse) -> None:
    """A page whose scripts are those of the service, and the one written in the page itself, known by its hash."""
    inline = " ".join(_hash(script) for script in _INLINE_SCRIPT.findall(bytes(page.body).decode()))
    # Both pages make styles as they run; ReDoc searches in a worker that it makes of a blob.
    page.headers["Content-Security-Policy"] = (
        f"default-src 'self'; script-src 'self' {inline}; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data:; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )

    async def answer() -> HTMLResponse:
        return page

    app.add_api_route(path, answer, include_in_schema=False)


def _hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _describe_door(document: dict[str, Any], settings: Settings) -> None:
    """What the door asks and refuses, which no route knows. The document is FastAPI's own, which it keeps."""
    if settings.auth == "keys":
        document["components"]["securitySchemes"] = _SCHEMES
    for path, operations in document["paths"].items():
        api = path not in {*PROBES, "/metrics"}
        keyed = settings.auth == "keys" and (api or (path == "/metrics" and settings.metrics == "key"))
        for method, operation in operations.items():
            # Whatever is asked, a bad X-Client-Request-Id is refused.
            refusals = ["invalid_request", "too_many_headers"]
            refusals += ["body_timeout"] if method == "post" else []
            refusals += ["unauthenticated", "keys_unavailable"] if keyed else []
            refusals += ["forbidden"] if keyed and api and not path.startswith(RECORDS) else []
            hosted = api or (path == "/metrics" and settings.metrics == "key")
            refusals += ["unknown_host"] if settings.trusted_hosts and hosted else []
            refusals += ["rate_limited"] if settings.rate_limit and (api or keyed) else []
            _add_refusals(operation["responses"], path, refusals)
            if api:
                operation["parameters"] = [*operation.get("parameters", []), _CLIENT_REQUEST_ID]
            if keyed:
                operation["security"] = [{scheme: []} for scheme in _SCHEMES]


def _describe_log(document: dict[str, Any]) -> None:
    """What answers of models have in common: their rows, and that they may be asked for twice. Feedback says the same twice
    without a key."""
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in _HEADERS.items()}
    for path, operations in document["paths"].items():
        if "post" not in operations or path.startswith(RECORDS):
            continue
        operation = operations["post"]
        operation["parameters"] = [*operation.get("parameters", []), _IDEMPOTENCY_KEY]
        operation["responses"]["200"]["headers"] = headers
        streams = [] if is_open_inference(path) else ["stream_not_replayed"]
        _add_refusals(operation["responses"], path, ["request_in_flight", *streams, "idempotency_key_reused"])


def _describe_problems(document: dict[str, Any]) -> None:
    """They come as what they are: FastAPI says `application/json` of every model."""
    for operations in document["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                content = response.get("content", {})
                if PROBLEM_JSON in content:
                    content.pop("application/json", None)
                    content[PROBLEM_JSON]["schema"] = _PROBLEM


def _add_refusals(responses: dict[str, Any], path: str, codes: list[str]) -> None:
    """Beside those that the operation has by itself."""
    if is_open_inference(path):
        for status, response in inference_errors(*codes).items():
            content = {kind: {"schema": _INFERENCE_ERROR, **example} for kind, example in response["content"].items()}
            responses.setdefault(str(status), {"description": response["description"], "content": content})
        return
    for status, response in problems(*codes).items():
        known = responses.setdefault(str(status), {key: response[key] for key in ("description", "headers", "content")})
        known["content"][PROBLEM_JSON]["examples"] |= response["content"][PROBLEM_JSON]["examples"]
        known["headers"] |= response["headers"]
