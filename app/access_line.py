"""The line that each request leaves in the process's log: who asked what, how it ended, how long it took. No contents."""

from app.entry import Entry
from app.process_log import Lines


def say(entry: Entry, trace_id: str | None) -> None:
    """Once for every request, when its answer has left or its client has. Costs a few microseconds, most of them elsewhere."""
    if (lines := Lines.of_this_process) is None:
        return
    lines.tell(
        {
            "level": "info",
            "logger": __name__,
            "message": f"{entry.method} {entry.path} {entry.status or '-'}",
            "request_id": entry.request_id,
            "method": entry.method,
            "path": entry.path,
            "status": entry.status or None,  # none, where the client left before its answer had begun
            "task": entry.task,
            "duration_ms": round(1000 * entry.elapsed_s, 3),
            "bytes_in": len(entry.request_body),
            "bytes_out": entry.response_bytes,
            "key_id": entry.key.key_id if entry.key else None,
            "client": entry.client,
            "client_request_id": entry.client_request_id,
            "error_code": entry.error_code if entry.status else "client_gone",
            "stream": entry.stream,
            "trace_id": trace_id,
        }
    )
