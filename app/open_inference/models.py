"""What each task looks like from outside: one tensor of strings in, and tensors of its shape out, one value for each string."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from app.line import Timing
from app.open_inference.schemas import Datatype, Parameters, TensorMetadata
from app.schemas import GenerateRequest, RainfallRequest, SentimentRequest
from app.tasks.music import plain
from app.tasks.rainfall import Hour
from app.tasks.sampling import Sampling
from app.tasks.task import InvalidInput, Observed

Columns = dict[str, list[Any]]
"""Output -> its values, one for each string."""

Answered = tuple[Columns, Timing, Observed]

BodyT = TypeVar("BodyT", bound=BaseModel)

_PLACE = "/inputs/0/data"  # every model has one input
_PARAMETERS = ("max_characters", "temperature", "top_p", "seed")


@dataclass(frozen=True)
class Model:
    """`predict(served, strings, parameters)` has the limits of /v1 and raises InvalidInput, RequestValidationError.

    items: how many strings it takes, -1 for any number that the limits allow.
    """

    input: str
    outputs: dict[str, Datatype]
    predict: Callable[[Any, list[str], Parameters], Awaitable[Answered]]
    parameters: frozenset[str] = frozenset()
    items: int = -1

    @property
    def input_metadata(self) -> list[TensorMetadata]:
        return [TensorMetadata(name=self.input, datatype="BYTES", shape=[self.items])]

    @property
    def output_metadata(self) -> list[TensorMetadata]:
        return [TensorMetadata(name=name, datatype=datatype, shape=[self.items]) for name, datatype in self.outputs.items()]


async def _sentiment(batcher: Any, texts: list[str], _: Parameters) -> Answered:
    body = _limited(SentimentRequest, {"texts": texts})
    predictions, timing = await batcher.predict(body.texts)
    columns = {name: [getattr(prediction, name) for prediction in predictions] for name in _SENTIMENT}
    return columns, timing, batcher.task.observed(predictions)


async def _rainfall(batcher: Any, hours: list[str], _: Parameters) -> Answered:
    """Each string is the JSON of an hour as /v1 takes it."""
    body = _limited(RainfallRequest, {"hours": [_parsed(hour, position) for position, hour in enumerate(hours)]})
    raws = [Hour.from_scans(hour.radardist_km, [scan.model_dump() for scan in hour.scans]) for hour in body.hours]
    predictions, timing = await batcher.predict(raws)
    columns: Columns = {
        "rain_mm": [prediction.rain_mm for prediction in predictions],
        "interval_90_low_mm": [prediction.interval_90_mm[0] for prediction in predictions],
        "interval_90_high_mm": [prediction.interval_90_mm[1] for prediction in predictions],
        "scans_used": [prediction.scans_used for prediction in predictions],
    }
    for name in _BASELINES:
        columns[f"{name}_mm"] = [prediction.baselines_mm[name] for prediction in predictions]
    return columns, timing, batcher.task.observed(predictions)


async def _music(batcher: Any, prompts: list[str], parameters: Parameters) -> Answered:
    """One tune, written to its end."""
    if len(prompts) != 1:
        raise InvalidInput(f"got {len(prompts)} prompts, a request has one", "/inputs/0/shape")
    body = _limited(GenerateRequest, {"prompt": prompts[0], **parameters})
    seed = secrets.randbits(32) if body.seed is None else body.seed
    sampling = Sampling(body.max_characters, body.temperature, body.top_p, seed)
    try:
        pieces, timing = await batcher.write(body.prompt, sampling)
    except InvalidInput as error:
        raise InvalidInput(error.detail, f"{_PLACE}/0") from error
    continuation = "".join(pieces)
    columns: Columns = {
        "abc": [plain(body.prompt) + continuation],
        "continuation": [continuation],
        "finished": [pieces[-1] == ""],
        "seed": [seed],
    }
    return columns, timing, batcher.task.observed(body.prompt)


def _limited(schema: type[BodyT], fields: dict[str, Any]) -> BodyT:
    """Fields held to the limits of /v1. Raises RequestValidationError, each fault at its place in a body of /v2."""
    try:
        return schema.model_validate(fields)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
        raise RequestValidationError([{**fault, "loc": ("body", *_place(*fault["loc"]))} for fault in faults]) from error


def _place(field: int | str, *path: int | str) -> tuple[int | str, ...]:
    if field in _PARAMETERS:
        return ("parameters", field, *path)
    return ("inputs", 0, "data", *([0] if field == "prompt" else path))


def _parsed(content: str, position: int) -> Any:
    try:
        return from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidInput(f"the element is no JSON: {error}", f"{_PLACE}/{position}") from error


_SENTIMENT: dict[str, Datatype] = {"label": "BYTES", "probability": "FP64", "tokens_read": "INT32", "truncated": "BOOL"}
_BASELINES = ("marshall_palmer", "z_zdr", "kdp", "csu_blend")
_RAINFALL: dict[str, Datatype] = {
    "rain_mm": "FP64",
    "interval_90_low_mm": "FP64",
    "interval_90_high_mm": "FP64",
    "scans_used": "INT32",
    **{f"{name}_mm": "FP64" for name in _BASELINES},
}
_MUSIC: dict[str, Datatype] = {"abc": "BYTES", "continuation": "BYTES", "finished": "BOOL", "seed": "INT64"}

MODELS = {
    "sentiment": Model("text", _SENTIMENT, _sentiment),
    "rainfall": Model("hour", _RAINFALL, _rainfall),
    "music": Model("prompt", _MUSIC, _music, frozenset(_PARAMETERS), items=1),
}
"""Name -> how it is asked; the names are those of the tasks."""
