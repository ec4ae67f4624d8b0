"""JsonRoute: from the body's bytes to its model and from the answer to bytes in one step each, both in pydantic's Rust core.

FastAPI's own way makes Python objects of the JSON first, and resolves dependencies that these operations do not have; on one
core that costs more than a short text's pass through the network. The document is FastAPI's: nothing changes for callers.
"""

from collections.abc import Awaitable, Callable, Coroutine
from email.message import Message
from typing import Any, TypeVar, cast, get_type_hints

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from app.entry import Entry

BodyT = TypeVar("BodyT", bound=BaseModel)
Endpoint = Callable[[BaseModel, Request], Awaitable[BaseModel | Response]]

_JSON = "application/json"
_MOST_FAULTS = 1000  # each takes microseconds to be told, and a large body has room for a million


class JsonRoute(APIRoute):
    """For operations `async def f(body: A, request: Request) -> B`, where A and B are models, or B a whole Response."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        self.answer = self.get_route_handler()

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        endpoint: Endpoint = self.endpoint
        model = cast("type[BaseModel]", get_type_hints(endpoint)["body"])

        async def handle(request: Request) -> Response:
            answer = await endpoint(_body(model, request), request)
            if isinstance(answer, Response):
                return answer
            return Response(answer.__pydantic_serializer__.to_json(answer), media_type=_JSON)

        return handle


def _body(model: type[BaseModel], request: Request) -> BaseModel:
    """What the middleware has read. Raises RequestValidationError as FastAPI does."""
    entry: Entry = request.state.entry
    content_type = request.headers.get("content-type", "")
    if content_type != _JSON and not is_json(content_type):
        raise RequestValidationError([{"type": "content_type", "loc": ("body",), "input": entry.request_body}])
    return validated(model, entry.request_body)


def validated(model: type[BodyT], content: bytes) -> BodyT:
    """JSON that fits the model. Raises RequestValidationError as FastAPI does."""
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        if error.error_count() > _MOST_FAULTS:
            raise RequestValidationError(
                [{"type": "too_many_faults", "loc": ("body",), "input": error.error_count()}]
            ) from None
        faults = error.errors(include_url=False, include_context=False)
        raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in faults]) from error


def is_json(content_type: str) -> bool:
    """`application/json` with parameters, or `application/...+json` (RFC 6839)."""
    message = Message()
    message["content-type"] = content_type
    kind, _, name = message.get_content_type().partition("/")
    return kind == "application" and (name == "json" or name.endswith("+json"))
