"""How the document describes errors: every one with an example."""

from typing import Any

from pydantic import BaseModel

from app.door import TooManyHeaders, UnknownHost
from app.errors import PROBLEM_JSON, BodyTimeout, InferenceError, Problem, Refusal, refusal
from app.idempotency import IdempotencyKeyReused, RequestInFlight, StreamNotReplayed
from app.keys import Forbidden, Unauthenticated
from app.waiting import LogUnavailable

_ID = "0199f0c2-0000-7000-8000-000000000000"
_EXAMPLES = {
    401: refusal(Unauthenticated("an API key is needed, as `Authorization: Bearer KEY` or `X-API-Key: KEY`", given=False)),
    403: refusal(Forbidden("predict")),
    404: Refusal(404, "not_found", "Not Found"),
    408: refusal(BodyTimeout(30)),
    409: refusal(RequestInFlight()),
    413: Refusal(413, "body_too_large", "the body has more than 4194304 bytes, which is the most allowed"),
    422: Refusal(
        422, "invalid_request", "/texts: List should have at least 1 item after validation, not 0 (got an array of 0)"
    ),
    421: refusal(UnknownHost("example.org")),
    429: Refusal(429, "rate_limited", "more requests than the 100 that are allowed in 1 s"),
    431: refusal(TooManyHeaders(101)),
    500: Refusal(500, "internal_error", "the service failed; its log has the reason under this request id"),
    503: Refusal(503, "overloaded", "256 requests for sentiment are being answered or waiting, which is the most allowed"),
}
_WHEN = {
    401: "No API key, or none that is valid.",
    403: "The API key lacks the scope that this needs.",
    404: "No such task, request or page.",
    408: "The body arrived too slowly.",
    409: "A request with this Idempotency-Key is being answered, or was answered with a stream.",
    413: "The body is too large.",
    422: "The body is no JSON, has wrong types or is out of range.",
    421: "The service does not answer for the host that was named.",
    429: "The caller has sent more requests than are allowed.",
    431: "Too many header fields.",
    500: "Unforeseen.",
    503: "Too many requests wait, or something that is needed is unavailable: the task's model, the request log, the API keys.",
}


PREDICTION_EXAMPLES = {
    409: [_EXAMPLES[409], refusal(StreamNotReplayed())],
    422: [_EXAMPLES[422], refusal(IdempotencyKeyReused())],
    503: [_EXAMPLES[503], refusal(LogUnavailable())],
}
"""Status -> the refusals that a prediction may be answered with."""


def shown(refused: Refusal) -> dict[str, Any]:
    """A refusal as it is answered."""
    return refused.problem(_ID).model_dump(exclude_none=True)


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation."""
    return {
        status: {
            "model": Problem,
            "description": _WHEN[status],
            "content": {PROBLEM_JSON: {"example": shown(_EXAMPLES[status])}},
        }
        for status in statuses
    }


_INFERENCE: dict[int | str, tuple[str, str]] = {
    400: (
        "The body is no JSON, does not fit the model or is out of range.",
        "/inputs/0/shape: got [2, 2], allowed are [n] and [n, 1]",
    ),
    404: ("No such model or version.", "no model 'chess'; there are sentiment, rainfall, music"),
    "4XX": ("Whatever else is wrong with a request.", "Method Not Allowed"),
    503: ("Too many requests wait, or the model or the request log is unavailable.", _EXAMPLES[503].detail),
}
"""Status under /v2 -> when, and an example, where they are not those of /v1."""


def inference_errors(*statuses: int | str) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation under /v2."""
    said = {status: _INFERENCE.get(status) or (_WHEN[int(status)], _EXAMPLES[int(status)].detail) for status in statuses}
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
    reason = "sentiment: models/sentiment/CURRENT: not readable: FileNotFoundError"
    example = {**fields, "ready": False, "error": reason}
    return {503: {"model": model, "description": "Not ready.", "content": {"application/json": {"example": example}}}}
