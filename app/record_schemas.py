"""Rows of the request log as they are shown, and what may be said of them."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema, model_validator
from pydantic.json_schema import SkipJsonSchema

from app import examples
from app.feedback import Feedback

Label = Literal["positive", "negative"]

_MOST_MM = 1000  # thrice what ever fell in an hour


class StoredFeedback(BaseModel):
    """What the answer about an item should have been."""

    label: Label | SkipJsonSchema[None] = Field(default=None, exclude_if=lambda label: label is None)
    rain_mm: float | SkipJsonSchema[None] = Field(default=None, exclude_if=lambda rain_mm: rain_mm is None)
    time: datetime = Field(description="When it was told, UTC.")


class StoredRecord(BaseModel):
    """A row of the request log. Durations in milliseconds, sizes in bytes."""

    model_config = ConfigDict(from_attributes=True)

    request_id: str
    time: datetime = Field(description="When the request arrived, UTC.")
    method: str
    path: str
    status: int
    error_code: str | None
    task: str | None
    model_version: str | None
    items: int | None
    encode_ms: float | None
    queue_ms: float | None
    run_ms: float | None
    total_ms: float
    request_bytes: int
    response_bytes: int
    stream: Literal["started", "finished", "client_gone", "failed"] | None = Field(
        description="Of an answer in pieces: `started` from before the first one, then how it ended."
    )
    client: str | None
    client_request_id: str | None
    api_key_id: str | None = Field(description="The API key it came with, where keys are asked for.")
    replay_of: str | None = Field(description="The request whose answer was sent again, by its Idempotency-Key.")
    inputs: Any | None = Field(
        description="The body as sent, where payloads are logged; bytes of /v2 as the JSON they stand for; "
        "where only hashes are, `sha256` or `hmac_sha256` of the bytes as sent."
    )
    outputs: Any | None = Field(description="The answer as sent, likewise.")
    observed: dict[str, list[float]] | None = Field(
        description="A few numbers of each item, which tell drift: of texts `tokens_read`, `unknown_share`, `probability`, of "
        "hours `scans`, `missing_share` and `rain_mm`, of prompts `prompt_characters` and `bits_per_character`."
    )
    feedback: dict[str, StoredFeedback] | None = Field(description="Item -> what its answer should have been.")


class FeedbackRequest(BaseModel):
    """What the answer about an item should have been: `label` for sentiment, `rain_mm` for rainfall."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        allow_inf_nan=False,
        json_schema_extra={
            "examples": [examples.FEEDBACK],
            "oneOf": [{"required": ["label"]}, {"required": ["rain_mm"]}],
        },
    )

    item: int = Field(default=0, ge=0, le=1_000_000, description="Which text or hour of the request, from 0.")
    label: Annotated[Label | None, WithJsonSchema({"type": "string", "enum": [*get_args(Label)]})] = None
    rain_mm: Annotated[float | None, WithJsonSchema({"type": "number", "minimum": 0, "maximum": _MOST_MM})] = Field(
        default=None, ge=0, le=_MOST_MM, description="What the gauge had in that hour."
    )

    @model_validator(mode="after")
    def _check_one(self) -> Self:
        told = [name for name in ("label", "rain_mm") if name in self.model_fields_set]
        if len(told) != 1 or getattr(self, told[0]) is None:
            raise ValueError("allowed is one of label and rain_mm")
        return self

    @property
    def feedback(self) -> Feedback:
        """What is told."""
        if self.rain_mm is not None:
            return Feedback(self.item, "rain_mm", self.rain_mm)
        return Feedback(self.item, "label", str(self.label))


class FeedbackReceipt(StoredFeedback):
    """What is kept of it."""

    request_id: str = Field(description="The request that it is about.")
    item: int
    replaced: bool = Field(description="Whether something else was said of the item before.")
