"""Bodies under /v2: JSON, and behind it the bytes of tensors that were sent or are wanted in binary.

How long the JSON is says the field Inference-Header-Content-Length, how long each tensor its parameter `binary_data_size`.
Inside, the way in which data came makes no difference: it is all read into `data`.
"""

import re
from collections.abc import Sequence
from typing import Any

from pydantic_core import to_json
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response

from app.open_inference.schemas import InferenceRequest, InferenceResponse, RequestInput
from app.open_inference.tensors import strings_of_bytes, to_bytes
from app.routes.json_route import is_json, validated
from app.tasks.task import InvalidInput

BINARY_EXTENSION = "binary_tensor_data"
HEADER_LENGTH = "Inference-Header-Content-Length"

_NUMBER = re.compile("[0-9]{1,18}")
_OCTETS = "application/octet-stream"
_SIZE = "binary_data_size"
_INPUT_PARAMETERS = {_SIZE, "content_type"}  # MLServer's clients send the second: a hint that BYTES are strings
_OUTPUT_PARAMETERS = {"binary_data"}


def read(headers: Headers, body: bytes) -> InferenceRequest:
    """The request with all data in its JSON. Raises InvalidInput, RequestValidationError, HTTPException."""
    _check_encoding(headers)
    content, rest = _split(body, headers.get(HEADER_LENGTH))
    asked = validated(InferenceRequest, content)
    for position, tensor in enumerate(asked.inputs):
        rest = _fill(tensor, rest, f"/inputs/{position}")
    if rest:
        raise InvalidInput(f"{len(rest)} bytes more follow the JSON than the inputs' binary_data_size say")
    for position, output in enumerate(asked.outputs):
        check_parameters(output.parameters, _OUTPUT_PARAMETERS, f"/outputs/{position}/parameters")
    return asked


def reply(answer: InferenceResponse, binary: set[str]) -> Response:
    """The answer; the outputs named in `binary` as bytes after the JSON."""
    chunks: list[bytes] = []
    content = answer.model_dump(exclude_none=True)
    for tensor, output in zip(content["outputs"], answer.outputs, strict=True):
        if output.name in binary:
            chunk = to_bytes(output.datatype, tensor.pop("data"))
            tensor["parameters"] = {_SIZE: len(chunk)}
            chunks.append(chunk)
    header = to_json(content)
    if not chunks:
        return Response(header, media_type="application/json")
    return Response(b"".join([header, *chunks]), headers={HEADER_LENGTH: str(len(header))}, media_type=_OCTETS)


def check_parameters(given: dict[str, Any], known: set[str], place: str) -> None:
    """Raises InvalidInput for one that is not known: the answer would not be what was asked for."""
    if unknown := sorted(given.keys() - known):
        allowed = ", ".join(sorted(known))
        raise InvalidInput(f"no parameter {unknown[0][:40]!r} is known here, allowed are {allowed}", place)


def _check_encoding(headers: Headers) -> None:
    """Clients of the protocol send no content type or one of two; a web form's is a mistake or worse."""
    kind = headers.get("content-type")
    if kind and kind.partition(";")[0].strip().lower() != _OCTETS and not is_json(kind):
        raise HTTPException(415, f"the body is sent as {kind[:60]!r}, allowed are application/json and {_OCTETS}")
    if (encoding := headers.get("content-encoding", "identity").lower()) != "identity":
        raise HTTPException(415, f"the body is compressed with {encoding[:20]!r}, it must be sent as it is")


def _split(body: bytes, length: str | None) -> tuple[bytes, bytes]:
    """The JSON, and what follows it."""
    if length is None:
        return body, b""
    end = int(length) if _NUMBER.fullmatch(length) else -1
    if not 0 <= end <= len(body):
        raise InvalidInput(f"{HEADER_LENGTH} is {length[:20]!r}, allowed are 0 to the {len(body)} bytes of the body")
    return body[:end], body[end:]


def _fill(tensor: RequestInput, rest: bytes, place: str) -> bytes:
    """Reads the tensor's own bytes, if it has any, into its `data`; what is left."""
    if tensor.datatype != "BYTES":
        raise InvalidInput(f"got {tensor.datatype[:20]!r}, every input is BYTES", f"{place}/datatype")
    check_parameters(tensor.parameters, _INPUT_PARAMETERS, f"{place}/parameters")
    size = tensor.parameters.pop(_SIZE, None)
    if (size is None) == (tensor.data is None):
        raise InvalidInput("an input has either data or the parameter binary_data_size", place)
    if size is None:
        return rest
    if type(size) is not int or not 0 <= size <= len(rest):
        raise InvalidInput(f"got {ascii(size)[:20]}, {len(rest)} bytes are left after the JSON", f"{place}/parameters/{_SIZE}")
    tensor.data = [*strings_of_bytes(rest[:size], place)]
    return rest[size:]


def wanted_in_binary(asked: InferenceRequest, names: Sequence[str]) -> set[str]:
    """Of the outputs `names`, those that the request wants as bytes. Raises InvalidInput for a wish that is no boolean."""
    everything = _switch(asked.parameters.get("binary_data_output", False), "/parameters/binary_data_output")
    own = {
        output.name: _switch(output.parameters["binary_data"], f"/outputs/{position}/parameters/binary_data")
        for position, output in enumerate(asked.outputs)
        if "binary_data" in output.parameters
    }
    return {name for name in names if own.get(name, everything)}


def _switch(value: Any, place: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidInput(f"got {ascii(value)[:20]}, allowed are true and false", place)
    return value
