"""Errors on the wire: RFC 9457 problem documents, and the one table from exception to status and code.

InvalidInput, RequestValidationError    422 invalid_request
Unauthenticated                         401 unauthenticated, WWW-Authenticate
Forbidden                               403 forbidden
BodyTimeout                             408 body_timeout, closes the connection
RequestInFlight                         409 request_in_flight, Retry-After
StreamNotReplayed                       409 stream_not_replayed
BodyTooLarge                            413 body_too_large, closes the connection
UnknownHost                             421 unknown_host
IdempotencyKeyReused                    422 idempotency_key_reused
RateLimited                             429 rate_limited, Retry-After
TooManyHeaders                          431 too_many_headers
KeysUnavailable                         503 keys_unavailable, Retry-After
Overloaded                              503 overloaded, Retry-After
TaskUnavailable                         503 task_unavailable
LogUnavailable                          503 log_unavailable, Retry-After
StatsTooSlow                            503 stats_too_slow
HTTPException of the framework          its status; its code from CODES
anything else                           500 internal_error (caught in the middleware, its detail only in the log)

Under /v2 the same errors have the shape of the Open Inference Protocol, and what is 422 elsewhere is 400 there.
"""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from app.door import TooManyHeaders, UnknownHost
from app.entry import Entry
from app.gate import Overloaded
from app.idempotency import IdempotencyKeyReused, RequestInFlight, StreamNotReplayed
from app.key_ring import KeysUnavailable
from app.keys import Forbidden, Unauthenticated
from app.paths import is_open_inference
from app.rate_limit import RateLimited
from app.registry import TaskUnavailable
from app.stats.samples import StatsTooSlow
from app.tasks.task import InvalidInput
from app.waiting import LogUnavailable

PROBLEM_JSON = "application/problem+json"

CODES = {
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
}
"""Status -> code, of what the framework refuses."""
_MOST_ERRORS = 20
_MOST_SHOWN = 60


class FieldError(BaseModel):
    """One fault in the body."""

    pointer: str = Field(
        description="Where it stands in the body (RFC 6901); in the address, `query/` and its name.", examples=["/texts/0"]
    )
    detail: str = Field(description="What was got and what is allowed.", examples=["Input should be a valid string (got 5)"])


class Problem(BaseModel):
    """An error, as RFC 9457 describes it."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(examples=["urn:gatehouse:problem:invalid_request"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["/texts/0: Input should be a valid string (got 5)"])
    instance: str = Field(
        description="Where the stored record is, if it is of a path that is logged.",
        examples=["/v1/requests/0199f0c2-0000-7000-8000-000000000000"],
    )
    code: str = Field(description="A stable word to switch on.", examples=["invalid_request"])
    request_id: str = Field(examples=["0199f0c2-0000-7000-8000-000000000000"])
    errors: list[FieldError] | None = Field(default=None, description="For a bad body: each fault.")


class InferenceError(BaseModel):
    """An error, as the Open Inference Protocol describes it."""

    error: str = Field(examples=["/inputs/0/shape: got [2, 2], allowed are [n] and [n, 1]"])


class BodyTooLarge(Exception):
    """The body has more bytes than are allowed; the rest of it was not read."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(f"the body has more than {most_bytes} bytes, which is the most allowed")


class BodyTimeout(Exception):
    """The body did not arrive in time; the rest of it was not waited for."""

    def __init__(self, most_s: float) -> None:
        super().__init__(f"the body did not arrive within {most_s:g} s, which is the longest allowed")


@dataclass(frozen=True)
class Refusal:
    """How an exception is answered."""

    status: int
    code: str
    detail: str
    errors: list[FieldError] | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def problem(self, request_id: str) -> Problem:
        return Problem(
            type=f"urn:gatehouse:problem:{self.code}",
            title=HTTPStatus(self.status).phrase,
            status=self.status,
            detail=self.detail,
            instance=f"/v1/requests/{request_id}",
            code=self.code,
            request_id=request_id,
            errors=self.errors,
        )

    def response(self, entry: Entry) -> JSONResponse:
        """In the shape that the protocol of the request's path has for errors."""
        if is_open_inference(entry.path):
            return JSONResponse({"error": self.detail}, 400 if self.status == 422 else self.status, self.headers)
        content = self.problem(entry.request_id).model_dump(exclude_none=True)
        return JSONResponse(content, self.status, self.headers, PROBLEM_JSON)


def refusal(error: Exception) -> Refusal:
    """The table."""
    return _refusal_at_the_door(error) or _refusal_of_a_repeat(error) or _refusal_within(error)


def _refusal_at_the_door(error: Exception) -> Refusal | None:
    """The part of the table for what the head of a request, or the pace of its body, decides."""
    match error:
        case Unauthenticated():
            # RFC 6750: no error is named to a caller who gave no key.
            challenge = 'Bearer realm="gatehouse"' + (', error="invalid_token"' if error.given else "")
            return Refusal(401, "unauthenticated", str(error), headers={"WWW-Authenticate": challenge})
        case Forbidden():
            challenge = f'Bearer realm="gatehouse", error="insufficient_scope", scope="{error.scope}"'
            return Refusal(403, "forbidden", str(error), headers={"WWW-Authenticate": challenge})
        case BodyTimeout():
            return Refusal(408, "body_timeout", str(error), headers={"Connection": "close"})
        case UnknownHost():
            return Refusal(421, "unknown_host", str(error))
        case RateLimited():
            return Refusal(429, "rate_limited", str(error), headers={"Retry-After": str(error.retry_after_s)})
        case TooManyHeaders():
            return Refusal(431, "too_many_headers", str(error))
        case KeysUnavailable():
            detail = "the API keys cannot be read, so none can be checked"
            return Refusal(503, "keys_unavailable", detail, headers={"Retry-After": "1"})
        case _:
            return None


def _refusal_of_a_repeat(error: Exception) -> Refusal | None:
    """The part of the table for what came with the same Idempotency-Key before."""
    match error:
        case RequestInFlight():
            return Refusal(409, "request_in_flight", str(error), headers={"Retry-After": "1"})
        case StreamNotReplayed():
            return Refusal(409, "stream_not_replayed", str(error))
        case IdempotencyKeyReused():
            return Refusal(422, "idempotency_key_reused", str(error))
        case _:
            return None


def _refusal_within(error: Exception) -> Refusal:
    """The part of the table for what happens later."""
    match error:
        case InvalidInput():
            fault = FieldError(pointer=error.pointer, detail=error.detail)
            return Refusal(422, "invalid_request", _sentence(fault), [fault])
        case RequestValidationError():
            faults = [_field_error(fault) for fault in error.errors()[:_MOST_ERRORS]]
            return Refusal(422, "invalid_request", _sentence(faults[0]), faults)
        case BodyTooLarge():
            return Refusal(413, "body_too_large", str(error), headers={"Connection": "close"})
        case Overloaded():
            return Refusal(503, "overloaded", str(error), headers={"Retry-After": str(error.retry_after_s)})
        case TaskUnavailable():
            return Refusal(503, "task_unavailable", str(error))
        case LogUnavailable():
            detail = "the request could not be recorded, so it is not answered"
            return Refusal(503, "log_unavailable", detail, headers={"Retry-After": "1"})
        case StatsTooSlow():
            return Refusal(503, "stats_too_slow", str(error))
        case HTTPException(status_code=400):
            # What the framework says of a body it could not parse: no UTF-8, or nested beyond reason.
            return Refusal(422, "invalid_request", "the body is no JSON")
        case HTTPException():
            code = CODES.get(error.status_code, "http_error")
            return Refusal(error.status_code, code, error.detail, headers=_headers(error))
        case _:
            detail = "the service failed; its log has the reason under this request id"
            return Refusal(500, "internal_error", detail)


def _headers(error: HTTPException) -> dict[str, str]:
    """The framework's; of its routes it names the methods without HEAD, which is answered wherever GET is."""
    headers = dict(error.headers or {})
    methods = headers.get("Allow", "").split(", ")
    if "GET" in methods and "HEAD" not in methods:
        headers["Allow"] = ", ".join([*methods, "HEAD"])
    return headers


def install(app: FastAPI) -> None:
    """Answer every foreseen exception by the table."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        entry, refused = request.state.entry, refusal(error)
        entry.failed(refused.code)
        return refused.response(entry)

    for kind in (
        InvalidInput,
        RequestValidationError,
        BodyTooLarge,
        Overloaded,
        TaskUnavailable,
        LogUnavailable,
        StatsTooSlow,
        HTTPException,
    ):
        app.add_exception_handler(kind, answer)


def _sentence(fault: FieldError) -> str:
    return f"{fault.pointer}: {fault.detail}" if fault.pointer else fault.detail


def _field_error(fault: dict[str, Any]) -> FieldError:
    where, *path = fault["loc"]
    if fault["type"] == "json_invalid":
        return FieldError(pointer="", detail=f"the body is no JSON: {fault['msg'].removeprefix('Invalid JSON: ')}")
    if fault["type"] == "content_type" or isinstance(fault["input"], bytes):
        return FieldError(pointer="", detail="the body must be sent with the content type application/json")
    if fault["type"] == "too_many_faults":
        return FieldError(pointer="", detail=f"the body has {fault['input']} faults, too many to name them")
    pointer = "".join(f"/{_escaped(str(part))}" for part in path)
    name = pointer if where == "body" else f"{where}{pointer}"
    got = "" if fault["type"] == "missing" else f" (got {_shown(fault['input'])})"
    return FieldError(pointer=name, detail=fault["msg"] + got)


def _escaped(part: str) -> str:
    """A name that the caller made up is shown as far as anybody would read it."""
    part = part if len(part) <= _MOST_SHOWN else part[:_MOST_SHOWN] + "..."
    return part.replace("~", "~0").replace("/", "~1")


def _shown(value: Any) -> str:
    """What was got, short enough for a message and safe to encode."""
    text = ascii(value) if not isinstance(value, (dict, list, str)) else _described(value)
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "..."


def _described(value: dict[str, Any] | list[Any] | str) -> str:
    if isinstance(value, str):
        return f"{len(value)} characters" if len(value) > _MOST_SHOWN else ascii(value)
    return f"{'an object' if isinstance(value, dict) else 'an array'} of {len(value)}"
