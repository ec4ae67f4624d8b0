"""What goes in and out over HTTP. Field names and limits are the public contract."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from app import examples
from app.tasks.rainfall import MOST_SCANS

LIMITS: dict[str, dict[str, int]] = {
    "sentiment": {"texts": 128, "characters_per_text": 20_000},
    "rainfall": {"hours": 256, "scans_per_hour": MOST_SCANS},
    "music": {"prompt_characters": 10_000, "max_characters": 5_000, "top_k": 200},
    "cells": {"characters_per_text": 20_000},
}
"""What one request may hold, by task."""


class _In(BaseModel):
    """Strict: a misspelt column is an error, not a missing measurement; a number is not a string."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ServedModel(_Out):
    """The bundle that answered."""

    task: str
    version: str = Field(examples=["20260101-lstm-0a1b2c"])
    cell: Literal["rnn", "lstm", "gru"]


class TimingMs(_Out):
    """Milliseconds: `queue` waiting for the first pass, `run` in passes of the graph, shared ones whole, `encode` all else."""

    encode: float
    queue: float
    run: float


class _Answer(_Out):
    request_id: str = Field(description="Key of the stored record, also in the header X-Request-ID.")
    model: ServedModel
    timing_ms: TimingMs


class SentimentRequest(_In):
    """Texts to judge."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SENTIMENT]})

    texts: list[Annotated[str, Field(min_length=1, max_length=LIMITS["sentiment"]["characters_per_text"])]] = Field(
        min_length=1,
        max_length=LIMITS["sentiment"]["texts"],
        description="1 to 128 texts of 1 to 20,000 characters, in English.",
    )
    explain: bool = Field(
        default=False,
        description="Say what each word read adds to the verdict. The network then reads each text many times over: "
        "that takes 30 to 130 times as long.",
    )


class WordWeight(_Out):
    """What one word adds to the verdict, in its place in this text."""

    text: str = Field(description="The word or symbol as sent.")
    start: int = Field(ge=0, description="Its place in the text as sent, in characters (code points): from `start` to `end`.")
    end: int
    weight: float = Field(
        description="Log-odds, positive ones speak for *positive*. All of a text add up to its log-odds less those of a text "
        'without a word, such as `" "`.',
    )


class SentimentPrediction(_Out):
    """One text's verdict."""

    label: Literal["positive", "negative"] = Field(description="`positive` from a probability of 0.5 up.")
    probability: float = Field(ge=0, le=1, description="That of *positive*.")
    tokens_read: int = Field(description="Words and symbols the model saw.")
    truncated: bool = Field(description="Whether the middle of a long text was left out.")
    words: list[WordWeight] | SkipJsonSchema[None] = Field(
        default=None,
        exclude_if=lambda words: words is None,
        description="Only with `explain`: every word read, in order. Those left out of a long text are not listed.",
    )


class SentimentResponse(_Answer):
    """One prediction a text, in order."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SENTIMENT_ANSWER]})

    predictions: list[SentimentPrediction]


Dbz = Annotated[float | None, Field(ge=-100, le=100, description="dBZ")]
Correlation = Annotated[float | None, Field(ge=0, le=2, description="no unit")]
Decibel = Annotated[float | None, Field(ge=-50, le=50, description="dB")]
DegreesPerKm = Annotated[float | None, Field(ge=-500, le=500, description="degrees/km")]


class Scan(_In):
    """One radar scan: a row of the public data set. A missing measurement is null or left out."""

    minutes_past: float = Field(ge=0, le=60, description="Minutes past the hour.")
    Ref: Dbz = None
    Ref_5x5_10th: Dbz = None
    Ref_5x5_50th: Dbz = None
    Ref_5x5_90th: Dbz = None
    RefComposite: Dbz = None
    RefComposite_5x5_10th: Dbz = None
    RefComposite_5x5_50th: Dbz = None
    RefComposite_5x5_90th: Dbz = None
    RhoHV: Correlation = None
    RhoHV_5x5_10th: Correlation = None
    RhoHV_5x5_50th: Correlation = None
    RhoHV_5x5_90th: Correlation = None
    Zdr: Decibel = None
    Zdr_5x5_10th: Decibel = None
    Zdr_5x5_50th: Decibel = None
    Zdr_5x5_90th: Decibel = None
    Kdp: DegreesPerKm = None
    Kdp_5x5_10th: DegreesPerKm = None
    Kdp_5x5_50th: DegreesPerKm = None
    Kdp_5x5_90th: DegreesPerKm = None


class RadarHour(_In):
    """All scans of one hour over one gauge."""

    radardist_km: float = Field(ge=0, le=1000, description="Distance from gauge to radar, km.")
    scans: list[Scan] = Field(
        min_length=1, max_length=LIMITS["rainfall"]["scans_per_hour"], description="1 to 60 scans in any order."
    )


class RainfallRequest(_In):
    """Hours to estimate."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.RAINFALL]})

    hours: list[RadarHour] = Field(min_length=1, max_length=LIMITS["rainfall"]["hours"], description="1 to 256 hours.")


class RainfallPrediction(_Out):
    """One hour's rain."""

    rain_mm: float = Field(ge=0, description="The median, mm.")
    interval_90_mm: tuple[float, float] = Field(description="The central 90 %, mm.")
    scans_used: int = Field(description="Scans that carry `Ref`.")
    baselines_mm: dict[str, float] = Field(description="What the physics in use today says, mm.")


class RainfallResponse(_Answer):
    """One prediction an hour, in order."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.RAINFALL_ANSWER]})

    predictions: list[RainfallPrediction]


Prompt = Annotated[
    str,
    Field(
        min_length=1,
        max_length=LIMITS["music"]["prompt_characters"],
        description="A tune in ABC notation, or its beginning: 1 to 10,000 characters.",
    ),
]


class NextRequest(_In):
    """A tune so far."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.MUSIC_NEXT]})

    prompt: Prompt
    top_k: int = Field(default=10, ge=1, le=LIMITS["music"]["top_k"], description="How many to list, the likeliest first.")


class NextCharacter(_Out):
    """A character that may follow."""

    character: str = Field(description="Empty: the tune ends here.")
    probability: float = Field(ge=0, le=1)


class NextResponse(_Answer):
    """The distribution of the next character."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.MUSIC_NEXT_ANSWER]})

    characters: list[NextCharacter]
    bits_per_character: float = Field(description="Mean cost of the prompt's own characters under the model.")


class GenerateRequest(_In):
    """A tune to continue."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.MUSIC_GENERATE]})

    prompt: Prompt
    max_characters: int = Field(default=600, ge=1, le=LIMITS["music"]["max_characters"], description="Added at most.")
    temperature: float = Field(default=0.9, ge=0.01, le=5, description="Below 1 safer, above 1 wilder.")
    top_p: float = Field(default=0.95, gt=0, le=1, description="Draw from the smallest set with this probability.")
    seed: int | None = Field(default=None, ge=0, le=2**53 - 1, description="Same seed, same tune; drawn if left out.")
    stream: bool = Field(default=False, description="Send the tune as it grows, as server-sent events.")


class GenerateResponse(_Answer):
    """The tune."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.MUSIC_GENERATE_ANSWER]})

    abc: str = Field(description="Prompt, with plain line ends, spaces, quotes and dashes, and continuation.")
    continuation: str
    finished: bool = Field(description="Whether the model ended the tune itself.")
    seed: int


class ModelDescription(_Out):
    """A served bundle."""

    task: str
    version: str
    cell: str
    precision: str = Field(description="Of the graph's weights: fp32 or int8.")
    provider: str = Field(description="Where it runs: cpu or cuda.")
    created: str
    metrics: dict[str, float | str]
    inputs: dict[str, Any] = Field(description="The graph's inputs: dtype, shape, unit, meaning.")
    outputs: dict[str, Any]
    limits: dict[str, int] = Field(description="What one request may hold.")
    data: dict[str, Any] = Field(description="What it was trained on and how that was split.")
    card: str = Field(description="The model card, Markdown.")


class UnavailableModel(_Out):
    """A task whose bundle failed its checks."""

    task: str
    reason: str


class ModelList(_Out):
    """All tasks."""

    models: list[ModelDescription]
    unavailable: list[UnavailableModel]
    log_mode: Literal["durable", "relaxed"] = Field(
        description="While the request log's database is gone: `durable` gives no answers, `relaxed` some whose rows wait."
    )


class Health(_Out):
    """What works."""

    status: Literal["alive", "ready"]
