"""Rows of the request log as earlier days left them."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, insert, select

from app.request_record import RequestRecord


def store(engine: Engine, days_ago: float, count: int = 1, **changes: Any) -> list[str]:
    """Their ids, the oldest first; rows with payloads."""
    time = datetime.now(UTC) - timedelta(days=days_ago)
    rows = [
        {
            "request_id": str(uuid.uuid4()),
            "time": time + timedelta(milliseconds=number),
            "method": "POST",
            "path": "/v1/sentiment",
            "status": 200,
            "task": "sentiment",
            "total_ms": 1.5,
            "request_bytes": 10,
            "response_bytes": 20,
            "inputs": {"texts": ["A quiet film."]},
            "outputs": {"label": "positive"},
            **changes,
        }
        for number in range(count)
    ]
    with engine.begin() as connection:
        connection.execute(insert(RequestRecord), rows)
    return [str(row["request_id"]) for row in rows]


def stored(engine: Engine) -> dict[str, tuple[Any, Any]]:
    """Request id -> inputs and outputs, of all rows."""
    record = RequestRecord
    with engine.connect() as connection:
        return {
            row[0]: (row[1], row[2]) for row in connection.execute(select(record.request_id, record.inputs, record.outputs))
        }
