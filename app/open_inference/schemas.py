"""What goes in and out under /v2. Names are the protocol's; fields beyond them, which clients add, are ignored."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Datatype = Literal["BYTES", "BOOL", "INT32", "INT64", "FP64"]

Parameters = dict[str, bool | int | float | str]

_MOST_TENSORS = 16
_MOST_DIMENSIONS = 16


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
