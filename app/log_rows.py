"""Which rows of the request log are meant, and a walk over them: the oldest first, in batches of bounded number and size.

Each step is a query of its own along the index of `time`. So no transaction stays open while a long log is worked through, and
neither SQLite's checkpoints nor PostgreSQL's vacuum wait for it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Engine, and_, case, func, or_, select

from app.request_record import RequestRecord

_WITHOUT_PAYLOADS = and_(*(column.is_(None) for column in (RequestRecord.inputs, RequestRecord.outputs, RequestRecord.answer)))
_BYTES = case((_WITHOUT_PAYLOADS, 0), else_=RequestRecord.request_bytes + RequestRecord.response_bytes)


@dataclass(frozen=True, slots=True)
class Place:
    """A row's place in the order of the walk."""

    time: datetime
    request_id: str


@dataclass(frozen=True)
class Selection:
    """Rows of `since` <= time < `until`; of `statuses`, ranges with both ends, any will do. None and () leave all in."""

    since: datetime | None = None
    until: datetime | None = None
    task: str | None = None
    statuses: tuple[tuple[int, int], ...] = ()
    api_key_id: str | None = None
    client_request_id: str | None = None
    with_payloads: bool = False
    with_feedback: bool = False

    def conditions(self) -> list[ColumnElement[bool]]:
        record = RequestRecord
        found: list[ColumnElement[bool]] = []
        if self.since is not None:
            found.append(record.time >= self.since)
        if self.until is not None:
            found.append(record.time < self.until)
        if self.statuses:
            found.append(or_(*(record.status.between(first, last) for first, last in self.statuses)))
        for column, wanted in (
            (record.task, self.task),
            (record.api_key_id, self.api_key_id),
            (record.client_request_id, self.client_request_id),
        ):
            if wanted is not None:
                found.append(column == wanted)
        if self.with_payloads:
            found.append(~_WITHOUT_PAYLOADS)
        if self.with_feedback:
            found.append(record.feedback.is_not(None))
        return found


def count(engine: Engine, selection: Selection) -> int:
    """How many rows. Reads all of them, or the index."""
    with engine.connect() as connection:
        return connection.scalar(select(func.count()).select_from(RequestRecord).where(*selection.conditions())) or 0


def walk(
    engine: Engine, selection: Selection, most_rows: int, most_bytes: int, after: Place | None = None
) -> Iterator[list[Place]]:
    """Batches of the rows behind `after`. A batch has at least one row, however large it is."""
    while batch := _next(engine, selection, most_rows, most_bytes, after):
        yield batch
        after = batch[-1]


def _next(engine: Engine, selection: Selection, most_rows: int, most_bytes: int, after: Place | None) -> list[Place]:
    record, conditions = RequestRecord, selection.conditions()
    if after:
        conditions += [record.time >= after.time, or_(record.time > after.time, record.request_id > after.request_id)]
    query = select(record.time, record.request_id, _BYTES).where(*conditions)
    batch: list[Place] = []
    with engine.connect() as connection:
        for time, request_id, size in connection.execute(query.order_by(record.time, record.request_id).limit(most_rows)):
            most_bytes -= size
            if batch and most_bytes < 0:
                break
            batch.append(Place(time, request_id))
    return batch
