"""What GET /v1/stats answers. A distribution has inner `edges` and one number more: below the first, ..., above the last."""

from datetime import datetime

from pydantic import BaseModel, Field

from app.tasks.reference import Verdict


class StatusCount(BaseModel):
    """How many requests were answered with one status."""

    task: str | None = Field(description="Null: no model was asked.", examples=["sentiment"])
    status: int = Field(examples=[200])
    requests: int


class Latency(BaseModel):
    """Milliseconds from the first byte to the answer: so many percent took no longer."""

    p50: float
    p90: float
    p99: float


class Slice(BaseModel):
    """A part of the window, from `since` to the next one's."""

    since: datetime
    requests: int
    errors: int = Field(description="Answered with 400 or more.")
    items: int = Field(description="Texts, hours or tunes answered.")
    p50_ms: float | None = Field(description="Median latency of what was sampled.")
    scores: list[int] = Field(description="Of the sampled items, how many have a score in each bin of `score_edges`.")


class FeedbackFigures(BaseModel):
    """How right the answers were that came back with the truth."""

    items: int = Field(description="Items with feedback; the newest 5,000 requests of the window that have any are read.")
    accuracy: float | None = Field(default=None, description="Of sentiment: the share of labels that were right.")
    mean_absolute_error_mm: float | None = Field(default=None, description="Of rainfall.")


class FeatureDrift(BaseModel):
    """One number of the items asked about, beside what it was in the validation data."""

    feature: str = Field(examples=["unknown_share"])
    items: int = Field(description="Items compared.")
    psi: float | None = Field(description="Population stability index: 0 where the two are alike.")
    verdict: Verdict = Field(
        description="`stable` below 0.1, `shifted` below 0.25, else `drifted`; `too_few`: below 300 items; `no_reference`: the "
        "bundle has none."
    )
    edges: list[float]
    reference: list[float] = Field(description="Share of the validation data in each bin.")
    recent: list[float] = Field(description="Share of the items compared in each bin.")


class Drift(BaseModel):
    """The items that one version answered, beside its validation data."""

    version: str | None = Field(description="The bundle that is served and compared; null where none is.")
    features: list[FeatureDrift]


class TaskStats(BaseModel):
    """One task's part."""

    task: str
    requests: int
    errors: int = Field(description="Answered with 400 or more.")
    items: int = Field(description="Texts, hours or tunes answered.")
    sampled: int = Field(description="Answers that latency, scores and drift are told from: all, or some of every slice.")
    latency_ms: Latency | None
    feedback: FeedbackFigures
    score: str = Field(description="Which number of an answer the scores are.", examples=["probability"])
    score_edges: list[float]
    slices: list[Slice] = Field(description="Of equal length, the oldest first.")
    drift: Drift


class Stats(BaseModel):
    """A window of the request log."""

    since: datetime
    until: datetime
    slice_s: float = Field(description="Seconds of each slice.")
    requests: list[StatusCount] = Field(description="All requests of the window by task and status.")
    tasks: list[TaskStats]
