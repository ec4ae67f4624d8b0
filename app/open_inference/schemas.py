"""What goes in and out under /v2. Names are the protocol's; fields beyond them, which clients add, are ignored."""

import math
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

Datatype = Literal["BYTES", "BOOL", "INT32", "INT64", "FP64"]

_MOST_TENSORS = 16
_MOST_DIMENSIONS = 16
_MOST_PARAMETERS = 64


def _scalar(value: object) -> object:
    """Before the union sees it, which would tell a fault for each of its members."""
    if isinstance(value, bool | int | float | str) and not (isinstance(value, float) and not math.isfinite(value)):
        return value
    raise PydanticCustomError("scalar", "Input should be a string, a boolean or a finite number")


def _few(value: object) -> object:
    """Before its members are looked at: to tell what is wrong with a million would take seconds."""
    if isinstance(value, dict) and len(value) > _MOST_PARAMETERS:
        told = {"count": len(value), "most": _MOST_PARAMETERS}
        raise PydanticCustomError("too_many", "{count} parameters, which is more than {most}", told)
    return value


Parameters = Annotated[
    dict[str, Annotated[bool | int | float | str, BeforeValidator(_scalar)]],
    BeforeValidator(_few),
    Field(json_schema_extra={"maxProperties": _MOST_PARAMETERS}),
]


class _In(BaseModel):
    model_config = ConfigDict(strict=True, extra="ignore", allow_inf_nan=False)


class RequestInput(_In):
    """A tensor to ask with. All models take strings: the datatype BYTES."""

    name: str
    shape: list[Annotated[int, Field(ge=0)]] = Field(
        max_length=_MOST_DIMENSIONS, description="[n] or [n, 1]; of music, n is 1."
    )
    datatype: str
    parameters: Parameters = Field(default={}, description="`binary_data_size`: its bytes after the JSON, in place of `data`.")
    data: list[Any] | None = Field(default=None, description="The elements, flat or nested like the shape.")


class RequestOutput(_In):
    """A tensor that is wanted."""

    name: str
    parameters: Parameters = Field(default={}, description="`binary_data`: whether it comes as bytes after the JSON.")


class InferenceRequest(_In):
    """A question to one model."""

    id: str | None = Field(default=None, description="Yours to choose; comes back with the answer.")
    parameters: Parameters = Field(
        default={},
        description="`binary_data_output`: whether all outputs come as bytes after the JSON. For music also "
        "`max_characters`, `temperature`, `top_p` and `seed`.",
    )
    # No model has near as many; what is wrong with a million would take a minute to tell.
    inputs: list[RequestInput] = Field(max_length=_MOST_TENSORS)
    outputs: list[RequestOutput] = Field(
        default=[], max_length=_MOST_TENSORS, description="What is wanted, in this order; left out, everything is."
    )


class ResponseOutput(BaseModel):
    """A tensor of an answer."""

    name: str
    shape: list[int]
    datatype: Datatype
    parameters: Parameters | None = None
    data: list[Any] | None = None


class InferenceResponse(BaseModel):
    """An answer."""

    model_name: str
    model_version: str
    id: str | None = None
    outputs: list[ResponseOutput]


class TensorMetadata(BaseModel):
    """A tensor that a model takes or gives. -1 is any size."""

    name: str
    datatype: Datatype
    shape: list[int]


class ModelMetadata(BaseModel):
    """What a model takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerMetadata(BaseModel):
    """What answers, and which extensions of the protocol it knows."""

    name: str
    version: str
    extensions: list[str]


class ServerLive(BaseModel):
    """The process answers."""

    live: bool


class ServerReady(BaseModel):
    """Whether every model can be asked; if not, why."""

    ready: bool
    error: str | None = None


class ModelReady(BaseModel):
    """Whether one model can be asked; if not, why."""

    name: str
    ready: bool
    error: str | None = None
