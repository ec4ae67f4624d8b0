"""What goes in and out of POST /v1/cells."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from app import examples
from app.schemas import LIMITS, TimingMs

Share = Annotated[float, Field(ge=0, le=1)]
Squashed = Annotated[float, Field(ge=-1, le=1)]
Gate = Annotated[list[list[Share]], Field(description="Of each word, of each unit: in [0, 1].")]


class CellsRequest(BaseModel):
    """A text to read."""

    model_config = ConfigDict(
        strict=True, extra="forbid", allow_inf_nan=False, json_schema_extra={"examples": [examples.CELLS]}
    )

    text: str = Field(
        min_length=1,
        max_length=LIMITS["cells"]["characters_per_text"],
        description="1 to 20,000 characters, in English. Of its words and symbols the first 60 are read.",
    )


class _Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class ShownBundle(_Out):
    """The bundle that holds the three networks."""

    task: str = Field(examples=["cells"])
    version: str = Field(examples=["20260101-all-0a1b2c"])


class WordRead(_Out):
    """A word or symbol that was read."""

    text: str = Field(description="As sent.")
    start: int = Field(ge=0, description="Its place in the text as sent, in characters (code points): from `start` to `end`.")
    end: int
    known: bool = Field(description="Whether the networks know the word; all that they do not know are one word to them.")


class _Inside(_Out):
    probabilities: list[Share] = Field(description="That the text is positive, as it stands after each word.")


class InsideRnn(_Inside):
    """h' = tanh(W x + U h + b)"""

    state: list[list[Squashed]] = Field(description="h', of each word, of each unit: in [-1, 1].")


class InsideLstm(_Inside):
    """c' = f c + i g, h' = o tanh(c'); f, i and o are sigmoid(W x + U h + b), g is tanh(W x + U h + b), with weights of their
    own each."""

    forget: Gate = Field(description="f: how much of each unit's memory stays.")
    input: Gate = Field(description="i: how much of what could be remembered is.")
    candidate: list[list[Squashed]] = Field(description="g: what could be remembered, in [-1, 1].")
    output: Gate = Field(description="o: how much of the memory is shown.")
    cell: list[list[float]] = Field(description="c': the memory, without bounds.")
    state: list[list[Squashed]] = Field(description="h': what is shown of it, in [-1, 1].")


class InsideGru(_Inside):
    """h' = z h + (1 - z) n, n = tanh(W x + b + r (U h + d)); z and r are sigmoid(W x + U h + b), with weights of their own
    each."""

    update: Gate = Field(description="z: how much of the old state stays.")
    reset: Gate = Field(description="r: how much of the old state the candidate may see.")
    candidate: list[list[Squashed]] = Field(description="n: what could be the state, in [-1, 1].")
    state: list[list[Squashed]] = Field(description="h', in [-1, 1].")


class InsideCells(_Out):
    """Rows are words in order, columns the units of a cell; rounded to 4 decimals."""

    rnn: InsideRnn
    lstm: InsideLstm
    gru: InsideGru


class CellsResponse(_Out):
    """What happened inside each cell while it read."""

    request_id: str = Field(description="Key of the stored record, also in the header X-Request-ID.")
    model: ShownBundle
    timing_ms: TimingMs
    words: list[WordRead] = Field(description="Those that were read, in order; HTML tags are left out.")
    truncated: bool = Field(description="Whether the text goes on behind them.")
    cells: InsideCells
