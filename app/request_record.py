"""The table of requests: RequestRecord, one row for every request answered under /v1 and every inference under /v2."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, DateTime, Dialect, Index, Integer, String, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

Row = dict[str, Any]
"""Column -> value; what is left out is empty."""


def size_bytes(row: Row) -> int:
    """About what its payloads take, if they are stored."""
    return int(row.get("request_bytes") or 0) + int(row.get("response_bytes") or 0)


_IS_OPEN = text("stream = 'started'")
_IS_OBSERVED = text("observed IS NOT NULL")
_HAS_FEEDBACK = text("feedback IS NOT NULL")


class UtcDateTime(TypeDecorator[datetime]):
    """An instant in UTC; SQLite would hand it back without its zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """The one schema."""


class RequestRecord(Base):
    """One answered request. Durations are milliseconds, sizes bytes; `None` where it does not apply.

    `stream`: `started` from before its first byte, then `finished`, `client_gone` or `failed`. `process_id`: the process that
    sends it. `answer`: what a request with an Idempotency-Key is answered with when it comes again. `replay_of`: the request
    whose answer this one got. `observed`: feature -> its number for each item, see app/tasks. `feedback`: item -> what was
    said of its answer later.
    """

    __tablename__ = "requests"

    request_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    time: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    method: Mapped[str] = mapped_column(String(16))
    path: Mapped[str] = mapped_column(String(512))
    status: Mapped[int] = mapped_column(Integer)
    error_code: Mapped[str | None] = mapped_column(String(64))
    task: Mapped[str | None] = mapped_column(String(32))
    model_version: Mapped[str | None] = mapped_column(String(64))
    items: Mapped[int | None] = mapped_column(Integer)
    encode_ms: Mapped[float | None]
    queue_ms: Mapped[float | None]
    run_ms: Mapped[float | None]
    total_ms: Mapped[float]
    request_bytes: Mapped[int] = mapped_column(Integer)
    response_bytes: Mapped[int] = mapped_column(Integer)
    stream: Mapped[str | None] = mapped_column(String(16))
    client: Mapped[str | None] = mapped_column(String(64))
    client_request_id: Mapped[str | None] = mapped_column(String(128))
    # No foreign key: keys are never deleted, and the check would cost every row a look-up.
    api_key_id: Mapped[str | None] = mapped_column(String(12))
    inputs: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    outputs: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    process_id: Mapped[int | None] = mapped_column(BigInteger)
    replay_of: Mapped[str | None] = mapped_column(String(36))
    answer: Mapped[Any | None] = mapped_column(JSON(none_as_null=True))
    observed: Mapped[dict[str, list[float]] | None] = mapped_column(JSON(none_as_null=True))
    feedback: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))

    __table_args__ = (
        # Of streams that are open: a handful, found at once, and nothing to keep up to date for all other rows.
        Index("ix_requests_open", "process_id", sqlite_where=_IS_OPEN, postgresql_where=_IS_OPEN),
        # So that a look at some of a task's answers costs the same however many others there are.
        Index("ix_requests_observed", "task", "time", sqlite_where=_IS_OBSERVED, postgresql_where=_IS_OBSERVED),
        Index("ix_requests_feedback", "time", sqlite_where=_HAS_FEEDBACK, postgresql_where=_HAS_FEEDBACK),
    )
