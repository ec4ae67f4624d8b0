"""How the document describes errors: every one with an example."""

from typing import Any

from app.errors import PROBLEM_JSON, Problem, Refusal

_ID = "0199f0c2-0000-7000-8000-000000000000"
_EXAMPLES = {
    404: Refusal(404, "not_found", "Not Found"),
    413: Refusal(413, "body_too_large", "the body has more than 4194304 bytes, which is the most allowed"),
    422: Refusal(
        422, "invalid_request", "/texts: List should have at least 1 item after validation, not 0 (got an array of 0)"
    ),
    500: Refusal(500, "internal_error", "the service failed; its log has the reason under this request id"),
    503: Refusal(503, "overloaded", "256 requests for sentiment are being answered or waiting, which is the most allowed"),
}
_WHEN = {
    404: "No such task, request or page.",
    413: "The body is too large.",
    422: "The body is no JSON, has wrong types or is out of range.",
    500: "Unforeseen.",
    503: "Too many requests wait, the task's model or the request log is unavailable, or the service is not ready.",
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an operation."""
    return {
        status: {
            "model": Problem,
            "description": _WHEN[status],
            "content": {PROBLEM_JSON: {"example": _EXAMPLES[status].problem(_ID).model_dump(exclude_none=True)}},
        }
        for status in statuses
    }
