"""Short queries along the indices of the log: counts of every slice of a window, and as many of its answers as one can hold."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import Connection, Executable, func, select

from app.request_record import RequestRecord

SLICES = 24
_MOST_REQUESTS = 200
_MOST_ITEMS = 1000
_MOST_FED_BACK = 5000
_NEWEST = 1000
_INSTRUCTIONS = 20_000  # of SQLite between two looks at the clock: well below a millisecond


class StatsTooSlow(Exception):
    """The log is too long for the window that was asked for."""

    def __init__(self, most_s: float) -> None:
        super().__init__(f"the log could not be read within {most_s:g} s; ask for a shorter window")


@dataclass(frozen=True)
class Window:
    """since <= time < until, both with their zone."""

    since: datetime
    until: datetime

    @property
    def slice_length(self) -> timedelta:
        return (self.until - self.since) / SLICES

    def slices(self) -> list["Window"]:
        """Of equal length, the oldest first."""
        edges = [self.since + number * self.slice_length for number in range(SLICES)]
        return [Window(*pair) for pair in zip(edges, [*edges[1:], self.until], strict=True)]


@dataclass(frozen=True)
class Count:
    """Requests with one task and status, and their items."""

    task: str | None
    status: int
    requests: int
    items: int
    answered: int
    """By a model: a replay has no items of its own."""


@dataclass(frozen=True)
class Answered:
    """One answered request; `observed` as in its row."""

    total_ms: float
    version: str | None
    observed: dict[str, list[float]]


class Reader:
    """Reads until its time is over: then a query ends with an error of the database."""

    def __init__(self, connection: Connection, most_s: float) -> None:
        self._connection, self._most_s = connection, most_s
        self._ends_s = time.monotonic() + most_s
        self._raw = cast("Any", connection.connection.dbapi_connection)
        if connection.dialect.name == "sqlite":
            self._raw.set_progress_handler(lambda: self.is_late, _INSTRUCTIONS)
        else:
            # 0 would be no limit.
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(1, int(1000 * most_s))}")

    @property
    def is_late(self) -> bool:
        return time.monotonic() > self._ends_s

    def close(self) -> None:
        """The connection goes back to the others as it was."""
        if self._connection.dialect.name == "sqlite":
            self._raw.set_progress_handler(None, 0)

    def counts(self, window: Window, task: str | None) -> list[Count]:
        """Of one task, or of everything."""
        record = RequestRecord
        items = func.coalesce(func.sum(record.items), 0), func.count(record.items)
        query = select(record.task, record.status, func.count(), *items)
        query = query.where(*_within(window), *([record.task == task] if task else [])).group_by(record.task, record.status)
        return [Count(*row) for row in self._rows(query)]

    def answered(self, window: Window, task: str) -> list[Answered]:
        """The newest answers of a slice, so many at most."""
        return self._observed(window, task, _MOST_REQUESTS, _MOST_ITEMS)

    def newest(self, window: Window, task: str) -> list[Answered]:
        """The newest answers of a whole window, so many at most."""
        return self._observed(window, task, _NEWEST, _NEWEST * 10)

    def fed_back(self, window: Window, task: str) -> list[tuple[dict[str, list[float]], dict[str, dict[str, Any]]]]:
        """`observed` and `feedback` of the newest requests that have any, so many at most."""
        record = RequestRecord
        query = select(record.observed, record.feedback).where(*_within(window), record.task == task)
        query = query.where(record.feedback.is_not(None), record.observed.is_not(None))
        return [(row[0], row[1]) for row in self._rows(query.order_by(record.time.desc()).limit(_MOST_FED_BACK))]

    def _observed(self, window: Window, task: str, most_requests: int, most_items: int) -> list[Answered]:
        record = RequestRecord
        query = select(record.total_ms, record.model_version, record.observed).where(*_within(window), record.task == task)
        query = query.where(record.observed.is_not(None)).order_by(record.time.desc()).limit(most_requests)
        found: list[Answered] = []
        for row in self._rows(query):
            answered = Answered(*row)
            most_items -= len(next(iter(answered.observed.values()), ()))
            if found and most_items < 0:
                break
            found.append(answered)
        return found

    def _rows(self, query: Executable) -> Sequence[Any]:
        """Raises StatsTooSlow, and what the database does when it is told to end."""
        if self.is_late:
            raise StatsTooSlow(self._most_s)
        return self._connection.execute(query).all()


def _within(window: Window) -> tuple[Any, Any]:
    return RequestRecord.time >= window.since, RequestRecord.time < window.until
