"""What a durable write costs where the database stands: the bare flush, and one row of the request log."""

import asyncio
import os
import statistics
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from uuid_utils import uuid7

from app.database import make_engine, migrate
from app.request_log import RequestLog

_PAGE = bytes(1) * 4096


def flush_ms(folder: Path, times: int) -> float:
    """Median of writing a page at the end of a file and fdatasync."""
    taken = []
    with (folder / "flush").open("wb", buffering=0) as file:
        for _ in range(times):
            started = time.perf_counter()
            file.write(_PAGE)
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - started)
    return 1000 * statistics.median(taken)


def commit_ms(folder: Path, times: int) -> float:
    """Median of one row written to the request log in SQLite, from the call to the return."""
    engine = make_engine(f"sqlite:///{folder / 'commit.db'}")
    migrate(engine)
    log = RequestLog(engine)
    try:
        return 1000 * asyncio.run(_write(log, times))
    finally:
        log.close()


async def _write(log: RequestLog, times: int) -> float:
    taken = []
    for _ in range(times):
        row: dict[str, Any] = {"request_id": str(uuid7()), "time": datetime.now(UTC), "method": "POST", "path": "/v1/sentiment"}
        row |= {"status": 200, "total_ms": 1.0, "request_bytes": 150, "response_bytes": 300}
        started = time.perf_counter()
        await log.write(row)
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)
