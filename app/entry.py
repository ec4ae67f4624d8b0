"""An Entry: what is known of a request while it is being answered; at the end, its row in the log."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

from starlette.types import Scope
from uuid_utils import uuid7

from app.bundle import Manifest
from app.idempotency import Claim
from app.keys import Key
from app.line import Timing
from app.request_record import Row
from app.tasks.task import Observed

_MOST_PATH = 512
_MOST_CLIENT = 64  # an address; what a proxy says may be anything


@dataclass
class Entry:
    """Made by the middleware, filled in by the route, written by the middleware.

    `inputs` and `outputs` are what is stored in place of bodies that are not all JSON. `claim`: its Idempotency-Key, if it
    is the request that uses it; `keeps_claim`: whether it has used it up. `commits`: when its row was waited for, from and to,
    as perf_counter counts.
    """

    request_id: str
    time: datetime
    method: str
    path: str
    client: str | None
    client_request_id: str | None = None
    key: Key | None = None
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    started_s: float = field(default_factory=perf_counter)
    status: int = 0
    error_code: str | None = None
    task: str | None = None
    model_version: str | None = None
    items: int | None = None
    timing: Timing | None = None
    request_body: bytes = b""
    stream_summary: bytes = b""
    response_bytes: int = 0
    stream: str | None = None
    inputs: Any = None
    outputs: Any = None
    observed: Observed | None = None
    claim: Claim | None = None
    keeps_claim: bool = False
    commits: list[tuple[float, float]] = field(default_factory=list)
    process_id: int | None = None
    replay_of: str | None = None

    @classmethod
    def of(cls, scope: Scope) -> "Entry":
        """The path is kept as it came, percent-encoded, so that it is printable ASCII whatever it says."""
        path = scope.get("raw_path") or scope["path"].encode("utf-8", "replace")
        client = scope.get("client")
        return cls(
            request_id=str(uuid7()),
            time=datetime.now(UTC),
            method=scope["method"][:16],
            path=ascii(path[:_MOST_PATH].decode("latin-1"))[1:-1][:_MOST_PATH],
            client=client[0][:_MOST_CLIENT] if client else None,
        )

    def answered(self, manifest: Manifest, items: int, timing: Timing | None, observed: Observed) -> None:
        """What the route knows: the model asked, how many items, how long each phase took, what is to be remembered of them."""
        self.task, self.model_version = manifest.task, manifest.version
        self.items, self.timing, self.observed = items, timing, observed

    def failed(self, code: str) -> None:
        self.error_code = code

    @property
    def elapsed_s(self) -> float:
        return perf_counter() - self.started_s

    def row(self, inputs: Any, outputs: Any, answer: Any = None) -> Row:
        """For RequestLog.write. `inputs` and `outputs` as they are stored; `answer`: kept for the same request again."""
        return {
            "request_id": self.request_id,
            "time": self.time,
            "method": self.method,
            "path": self.path,
            "request_bytes": len(self.request_body),
            "client": self.client,
            "client_request_id": self.client_request_id,
            "api_key_id": self.key.key_id if self.key else None,
            "inputs": inputs,
            "process_id": self.process_id,
            "replay_of": self.replay_of,
            "answer": answer,
            "observed": self.observed,
            **self.end(outputs),
        }

    def end(self, outputs: Any) -> Row:
        """Of the row, what is known when the answer ends."""
        timing = self.timing
        return {
            "request_id": self.request_id,
            "status": self.status,
            "error_code": self.error_code,
            "task": self.task,
            "model_version": self.model_version,
            "items": self.items,
            "encode_ms": timing.encode if timing else None,
            "queue_ms": timing.queue if timing else None,
            "run_ms": timing.run if timing else None,
            "total_ms": round(1000 * self.elapsed_s, 3),
            "response_bytes": self.response_bytes,
            "stream": self.stream,
            "outputs": outputs,
        }
