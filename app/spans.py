"""Spans of each request for OpenTelemetry: one of the server, and within it `encode`, `queue`, `run` and `log`.

They are made when the request is over, from what was measured for its row and the metrics anyway. How long encode, queue and
run took is measured; they are laid one after the other before the commit, although passes and encoding may take turns.
Where spans are sent and which are sampled is told by the standard variables OTEL_...
"""

import threading

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode, format_trace_id, set_span_in_context
from opentelemetry.util.types import AttributeValue
from starlette.types import Scope

from app import __version__
from app.entry import Entry

_S = 1_000_000_000  # times of spans are nanoseconds
_MOST_END_S = 2.0


class Spans:
    """One for each application. Sends from a thread of its own."""

    def __init__(self) -> None:
        own = Resource.create({"service.name": "gatehouse", "service.version": __version__})
        self._provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("gatehouse", __version__)

    def record(self, scope: Scope, entry: Entry) -> str | None:
        """Of a request that is over. Returns the id of its trace, which its caller may have chosen; None without tracing."""
        begun = int(entry.time.timestamp() * _S)
        route = getattr(scope.get("route"), "path", None)
        parent = extract({name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]})
        span = self._tracer.start_span(
            f"{entry.method} {route}" if route else entry.method,
            parent,
            SpanKind.SERVER,
            _attributes(scope, entry, route),
            start_time=begun,
        )
        if span.is_recording():
            for name, start_s, end_s in _phases(entry):
                times = [begun + int((moment_s - entry.started_s) * _S) for moment_s in (start_s, end_s)]
                self._tracer.start_span(name, set_span_in_context(span), start_time=times[0]).end(times[1])
            if entry.status >= 500:
                span.set_status(Status(StatusCode.ERROR))
            span.end(begun + int(entry.elapsed_s * _S))
        context = span.get_span_context()
        return format_trace_id(context.trace_id) if context.is_valid else None

    def close(self) -> None:
        """Sends what waits; for a receiver that does not answer, the process does not wait."""
        # The library would try for up to half a minute. Its own thread ends with the process, and so does this one.
        ending = threading.Thread(target=self._provider.shutdown, name="end of spans", daemon=True)
        ending.start()
        ending.join(_MOST_END_S)


def _attributes(scope: Scope, entry: Entry, route: str | None) -> dict[str, AttributeValue]:
    """By OpenTelemetry's conventions for HTTP servers, where they have a name."""
    timing, key = entry.timing, entry.key
    known: dict[str, AttributeValue | None] = {
        "http.request.method": entry.method,
        "url.path": entry.path,
        "url.scheme": scope.get("scheme"),
        "http.route": route,
        "http.response.status_code": entry.status or None,
        "http.request.body.size": len(entry.request_body),
        "http.response.body.size": entry.response_bytes,
        "client.address": entry.client,
        "network.protocol.version": scope.get("http_version"),
        "error.type": entry.error_code if entry.status else "client_gone",
        "gatehouse.request_id": entry.request_id,
        "gatehouse.client_request_id": entry.client_request_id,
        "gatehouse.key_id": key.key_id if key else None,
        "gatehouse.task": entry.task,
        "gatehouse.model_version": entry.model_version,
        "gatehouse.items": entry.items if timing else None,
        "gatehouse.stream": entry.stream,
    }
    return {name: value for name, value in known.items() if value is not None}


def _phases(entry: Entry) -> list[tuple[str, float, float]]:
    """Name, start and end of each, in seconds as perf_counter counts them."""
    phases = [("log", start_s, end_s) for start_s, end_s in entry.commits]
    if entry.timing and entry.commits:
        end_s = entry.commits[-1][0]
        for name in ("run", "queue", "encode"):
            start_s = max(entry.started_s, end_s - getattr(entry.timing, name) / 1000)
            phases.append((name, start_s, end_s))
            end_s = start_s
    return phases
