"""Errors on the wire: RFC 9457 problem documents, and the one table from exception to status and code.

InvalidInput, RequestValidationError    422 invalid_request
BodyTooLarge                            413 body_too_large
Overloaded                              503 overloaded, Retry-After
TaskUnavailable                         503 task_unavailable
LogUnavailable                          503 log_unavailable, Retry-After
HTTPException of the framework          its status; its code from _CODES
anything else                           500 internal_error (caught in the middleware, its detail only in the log)
"""

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from app.registry import TaskUnavailable
from app.request_log import LogUnavailable
from app.runner import Overloaded
from app.tasks.task import InvalidInput

PROBLEM_JSON = "application/problem+json"

_CODES = {
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
    422: "invalid_request",
}
_MOST_ERRORS = 20
_MOST_SHOWN = 60


class FieldError(BaseModel):
    """One fault in the body."""

    pointer: str = Field(description="Where it stands (RFC 6901).", examples=["/texts/0"])
    detail: str = Field(description="What was got and what is allowed.", examples=["Input should be a valid string (got 5)"])


class Problem(BaseModel):
    """An error, as RFC 9457 describes it."""

    model_config = ConfigDict(extra="forbid")

    type: str = Field(examples=["urn:gatehouse:problem:invalid_request"])
    title: str = Field(examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["/texts/0: Input should be a valid string (got 5)"])
    instance: str = Field(
        description="Where the stored record is.", examples=["/v1/requests/0199f0c2-0000-7000-8000-000000000000"]
    )
    code: str = Field(description="A stable word to switch on.", examples=["invalid_request"])
    request_id: str = Field(examples=["0199f0c2-0000-7000-8000-000000000000"])
    errors: list[FieldError] | None = Field(default=None, description="For a bad body: each fault.")


class BodyTooLarge(Exception):
    """The body has more bytes than are allowed; the rest of it was not read."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(f"the body has more than {most_bytes} bytes, which is the most allowed")


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

    def response(self, request_id: str) -> JSONResponse:
        content = self.problem(request_id).model_dump(exclude_none=True)
        return JSONResponse(content, self.status, self.headers, PROBLEM_JSON)


def refusal(error: Exception) -> Refusal:
    """The table."""
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
        case HTTPException(status_code=400):
            # What the framework says of a body it could not parse: no UTF-8, or nested beyond reason.
            return Refusal(422, "invalid_request", "the body is no JSON")
        case HTTPException():
            code = _CODES.get(error.status_code, "http_error")
            return Refusal(error.status_code, code, error.detail, headers=dict(error.headers or {}))
        case _:
            detail = "the service failed; its log has the reason under this request id"
            return Refusal(500, "internal_error", detail)


def install(app: FastAPI) -> None:
    """Answer every foreseen exception by the table."""

    async def answer(request: Request, error: Exception) -> JSONResponse:
        entry, refused = request.state.entry, refusal(error)
        entry.failed(refused.code)
        return refused.response(entry.request_id)

    for kind in (
        InvalidInput,
        RequestValidationError,
        BodyTooLarge,
        Overloaded,
        TaskUnavailable,
        LogUnavailable,
        HTTPException,
    ):
        app.add_exception_handler(kind, answer)


def _sentence(fault: FieldError) -> str:
    return f"{fault.pointer}: {fault.detail}" if fault.pointer else fault.detail


def _field_error(fault: dict[str, Any]) -> FieldError:
    where, *path = fault["loc"]
    if fault["type"] == "json_invalid":
        return FieldError(pointer="", detail=f"the body is no JSON: {fault['ctx']['error']} at character {path[0]}")
    if isinstance(fault["input"], bytes):
        return FieldError(pointer="", detail="the body must be sent with the content type application/json")
    pointer = "".join(f"/{_escaped(str(part))}" for part in path)
    name = pointer if where == "body" else f"{where}{pointer}"
    got = "" if fault["type"] == "missing" else f" (got {_shown(fault['input'])})"
    return FieldError(pointer=name, detail=fault["msg"] + got)


def _escaped(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


def _shown(value: Any) -> str:
    """What was got, short enough for a message and safe to encode."""
    text = ascii(value) if not isinstance(value, (dict, list, str)) else _described(value)
    return text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "..."


def _described(value: dict[str, Any] | list[Any] | str) -> str:
    if isinstance(value, str):
        return f"{len(value)} characters" if len(value) > _MOST_SHOWN else ascii(value)
    return f"{'an object' if isinstance(value, dict) else 'an array'} of {len(value)}"
