"""An Entry: what is known of a request while it is being answered; at the end, its row in the log."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter

from starlette.types import Scope
from uuid_utils import uuid7

from app.bundle import Manifest
from app.request_log import Row, as_payload
from app.runner import Timing

_MOST_PATH = 512


@dataclass
class Entry:
    """Made by the middleware, filled in by the route, written by the middleware."""

    request_id: str
    time: datetime
    method: str
    path: str
    client: str | None
    client_request_id: str | None = None
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
            client=client[0] if client else None,
        )

    def answered(self, manifest: Manifest, items: int, timing: Timing | None) -> None:
        """What the route knows: the model asked, how many items, how long each phase took."""
        self.task, self.model_version = manifest.task, manifest.version
        self.items, self.timing = items, timing

    def failed(self, code: str) -> None:
        self.error_code = code

    @property
    def elapsed_s(self) -> float:
        return perf_counter() - self.started_s

    def row(self, outputs: bytes | None) -> Row:
        """For RequestLog.write; `outputs` is the answer to store with its inputs, None where payloads are not logged."""
        timing = self.timing
        return {
            "request_id": self.request_id,
            "time": self.time,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "error_code": self.error_code,
            "task": self.task,
            "model_version": self.model_version,
            "items": self.items,
            "encode_ms": timing.encode if timing else None,
            "queue_ms": timing.queue if timing else None,
            "run_ms": timing.run if timing else None,
            "total_ms": round(1000 * self.elapsed_s, 3),
            "request_bytes": len(self.request_body),
            "response_bytes": self.response_bytes,
            "stream": self.stream,
            "client": self.client,
            "client_request_id": self.client_request_id,
            "inputs": None if outputs is None else as_payload(self.request_body),
            "outputs": None if outputs is None else as_payload(outputs),
        }
