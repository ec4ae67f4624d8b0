"""How the document describes errors: each that an operation can give, with an example."""

from typing import Any

from limits import parse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from app.door import TooManyHeaders, UnknownHost
from app.errors import PROBLEM_JSON, BodyTimeout, BodyTooLarge, InferenceError, Problem, Refusal, refusal
from app.gate import Overloaded
from app.idempotency import IdempotencyKeyReused, RequestInFlight, StreamNotReplayed
from app.key_ring import KeysUnavailable
from app.keys import Forbidden, Unauthenticated
from app.rate_limit import RateLimited
from app.registry import TaskUnavailable
from app.stats.samples import StatsTooSlow
from app.tasks.task import InvalidInput
from app.waiting import LogUnavailable

PREDICTION = ("body_too_large", "invalid_request", "internal_error", "overloaded", "task_unavailable", "log_unavailable")
"""What may become of a question to a model, beside what the door and an Idempotency-Key bring."""

_ID = "0199f0c2-0000-7000-8000-000000000000"
_EXAMPLES = {
    example.code: example
    for example in (
        refusal(Unauthenticated("an API key is needed, as `Authorization: Bearer KEY` or `X-API-Key: KEY`", given=False)),
        refusal(Forbidden("predict")),
        refusal(HTTPException(404)),
        refusal(BodyTimeout(30)),
        refusal(RequestInFlight()),
        refusal(StreamNotReplayed()),
        refusal(BodyTooLarge(4 * 1024 * 1024)),
        refusal(HTTPException(415, "the body is compressed with 'gzip', it must be sent as it is")),
        refusal(UnknownHost("example.org")),
        refusal(InvalidInput("List should have at least 1 item after validation, not 0 (got an array of 0)", "/texts")),
        refusal(IdempotencyKeyReused()),
        refusal(RateLimited(parse("100/second"), 1)),
        refusal(TooManyHeaders(101)),
        Refusal(500, "internal_error", "the service failed; its log has the reason under this request id"),
        refusal(Overloaded("256 requests for sentiment are being answered or waiting, which is the most allowed", 2)),
        refusal(TaskUnavailable("sentiment", "")),
        refusal(LogUnavailable()),
        refusal(KeysUnavailable()),
        refusal(StatsTooSlow(5.0)),
        Refusal(503, "not_ready", "sentiment: models/sentiment/CURRENT: not readable: FileNotFoundError"),
    )
}
"""Code -> such a refusal."""
_STATUSES = {code: example.status for code, example in _EXAMPLES.items()}
_WHEN = {
    401: "No API key, or none that is valid.",
    403: "The API key lacks the scope that this needs.",
    404: "No such task, request or page.",
    408: "The body arrived too slowly.",
    409: "A request with this Idempotency-Key is being answered, or was answered with a stream.",
    413: "The body is too large.",
    415: "The body has a form that is not read.",
    421: "The service does not answer for the host that was named.",
    422: "The body or a header is no JSON, has wrong types or is out of range.",
    429: "The caller has sent more requests than are allowed.",
    431: "Too many header fields.",
    500: "Unforeseen.",
    503: "Too many requests wait, or something that is needed is unavailable.",
}
_HEADERS = {
    "Retry-After": "Seconds after which it is worth another try.",
    "WWW-Authenticate": "How to show a key (RFC 6750).",
}


def problems(*codes: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation that may be refused so."""
    responses: dict[int | str, dict[str, Any]] = {}
    for example in (_EXAMPLES[code] for code in codes):
        response = responses.setdefault(example.status, _response(example.status))
        said = {"summary": example.code, "value": example.problem(_ID).model_dump(exclude_none=True)}
        response["content"][PROBLEM_JSON]["examples"][example.code] = said
        for name in _HEADERS.keys() & example.headers.keys():
            response["headers"][name] = {"description": _HEADERS[name], "schema": {"type": "string"}}
    return responses


def _response(status: int) -> dict[str, Any]:
    return {"model": Problem, "description": _WHEN[status], "headers": {}, "content": {PROBLEM_JSON: {"examples": {}}}}


_INFERENCE: dict[int | str, tuple[str, str]] = {
    400: (
        "The body or a header is no JSON, does not fit the model or is out of range.",
        "/inputs/0/shape: got [2, 2], allowed are [n] and [n, 1]",
    ),
    404: ("No such model or version.", "no model 'chess'; there are sentiment, rainfall, music"),
    "4XX": ("Whatever else is wrong with a request.", "Method Not Allowed"),
    503: ("Too many requests wait, or the model or the request log is unavailable.", _EXAMPLES["overloaded"].detail),
}
"""Status under /v2 -> when, and an example, where they are not those of /v1."""


def inference_errors(*refused: int | str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation under /v2, where each is a status or the code of one under /v1."""
    details = {example.status: example.detail for example in reversed(_EXAMPLES.values())}
    statuses = [_STATUSES.get(str(given), given) for given in refused]
    statuses = [400 if status == 422 else status for status in statuses]
    said = {status: _INFERENCE.get(status) or (_WHEN[int(status)], details[int(status)]) for status in statuses}
    return {
        status: {
            "model": InferenceError,
            "description": when,
            "content": {"application/json": {"example": {"error": example}}},
        }
        for status, (when, example) in said.items()
    }


def unready(model: type[BaseModel], **fields: str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a question for readiness under /v2."""
    example = {**fields, "ready": False, "error": _EXAMPLES["not_ready"].detail}
    return {503: {"model": model, "description": "Not ready.", "content": {"application/json": {"example": example}}}}
