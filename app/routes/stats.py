"""GET /v1/stats."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BeforeValidator, WithJsonSchema

from app.house import HouseDep
from app.routes.problems import problems
from app.stats.samples import Window
from app.stats.schemas import Stats
from app.tasks import TASKS
from app.tasks.task import InvalidInput

router = APIRouter(prefix="/v1", tags=["stats"])

_MOST_HOURS = 366 * 24


def _no_number(given: Any) -> Any:
    """Pydantic would take a number for the seconds since 1970, which nobody means by a date.

    A plus in an address is a space, and most who write 12:00:00+01:00 there mean a plus.
    """
    if isinstance(given, str) and "-" not in given[1:]:
        raise ValueError("allowed is a time such as 2026-01-31T12:00:00Z")
    return re.sub(r"(T.*) (\d\d:?\d\d)$", r"\1+\2", given) if isinstance(given, str) else given


_TIME_SCHEMA = WithJsonSchema({"type": "string", "format": "date-time"})
Time = Annotated[datetime | None, BeforeValidator(_no_number), _TIME_SCHEMA, Query(description="UTC where it has no zone.")]
TaskName = Annotated[
    Literal["sentiment", "rainfall", "music"] | None,
    WithJsonSchema({"type": "string", "enum": [*TASKS]}),
    Query(description="Left out: all of them."),
]


@router.get(
    "/stats",
    summary="What the log tells",
    responses=problems("invalid_request", "internal_error", "stats_too_slow", "log_unavailable"),
)
async def stats(
    house: HouseDep,
    task: TaskName = None,
    hours: Annotated[float, Query(gt=0, le=_MOST_HOURS, description="Before `until`, where `since` is left out.")] = 24,
    since: Time = None,
    until: Time = None,
) -> Stats:
    """How much was asked in a window of time, how fast and how rightly it was answered, and whether what is asked has drifted.

    Latency, scores and drift are told from all answers, or from up to 200 of each of 24 slices. Feedback comes by
    `POST /v1/requests/{request_id}/feedback`. Where API keys are asked for, this needs the scope `read_log`.
    """
    return await house.statistics.of(_window(since, until, hours), task)


def _window(since: datetime | None, until: datetime | None, hours: float) -> Window:
    """Raises InvalidInput."""
    try:
        end = _in_utc(until) if until else datetime.now(UTC)
        begin = _in_utc(since) if since else end - timedelta(hours=hours)
    except OverflowError as error:
        raise InvalidInput("the time lies outside of the years 1 to 9999", "query/since") from error
    if not timedelta() < end - begin <= timedelta(hours=_MOST_HOURS):
        detail = f"from {begin.isoformat()} to {end.isoformat()}, allowed are up to 366 days that end after they begin"
        raise InvalidInput(detail, "query/since")
    return Window(begin, end)


def _in_utc(time: datetime) -> datetime:
    return time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
