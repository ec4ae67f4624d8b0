"""Spans that a real process sends to a real receiver, and what it says without the packages that they need."""

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent
from opentelemetry.sdk.trace.export import SpanExportResult

from app import examples, spans
from app.entry import Entry
from app.settings import Settings
from app.tracing import check_traces
from tests.app.outages import until
from tests.app.said import Start, requests_in

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Receiver(BaseHTTPRequestHandler):
    """Takes spans by OTLP over HTTP, as a collector does."""

    services: ClassVar[set[str]] = set()
    spans: ClassVar[list[Sent]] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        for one in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.services.add(str(values(one.resource.attributes)["service.name"]))
            self.spans.extend(span for scope in one.scope_spans for span in scope.spans)
        self.send_response(200 if self.path == "/v1/traces" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@pytest.fixture
def receiver() -> Iterator[str]:
    """Its address. `Receiver.spans` are those it got."""
    Receiver.spans.clear()
    Receiver.services.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def of_server(path: str) -> Sent:
    (span,) = (span for span in Receiver.spans if values(span.attributes).get("url.path") == path)
    return span


def within(parent: Sent) -> dict[str, Sent]:
    return {span.name: span for span in Receiver.spans if span.parent_span_id == parent.span_id}


def test_a_request_is_a_span_of_its_callers_trace_with_its_phases_within(start: Start, receiver: str) -> None:
    process = start(GATEHOUSE_TRACES="on", OTEL_EXPORTER_OTLP_ENDPOINT=receiver)
    answer = process.client.post(
        "/v1/sentiment",
        json={"texts": examples.SENTIMENT["texts"][:1]},  # of several, one may be encoded while another runs
        headers={"traceparent": f"00-{TRACE}-{CALLER}-01", "X-Client-Request-Id": "7"},
    )
    refused = process.client.post("/v1/rainfall", json={})
    said = requests_in(process.ended())  # what waits is sent before the end
    span = of_server("/v1/sentiment")
    assert (span.name, span.kind) == ("POST /v1/sentiment", Sent.SpanKind.SPAN_KIND_SERVER)
    assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, CALLER)
    told = values(span.attributes)
    assert told["gatehouse.request_id"] == answer.headers["X-Request-ID"]
    assert told["gatehouse.client_request_id"] == "7"
    assert (told["http.response.status_code"], told["gatehouse.task"], told["gatehouse.items"]) == (200, "sentiment", 1)
    phases = within(span)
    assert set(phases) == {"encode", "queue", "run", "log"}
    for name, ms in answer.json()["timing_ms"].items():
        took_ms = (phases[name].end_time_unix_nano - phases[name].start_time_unix_nano) / 1e6
        assert took_ms == pytest.approx(ms, abs=0.01)
    for phase in phases.values():
        assert span.start_time_unix_nano <= phase.start_time_unix_nano <= phase.end_time_unix_nano <= span.end_time_unix_nano
        assert phase.trace_id == span.trace_id
    assert [line["trace_id"] for line in said] == [TRACE, of_server("/v1/rainfall").trace_id.hex()]
    refusal = values(of_server("/v1/rainfall").attributes)
    assert refusal["error.type"] == refused.json()["code"] == "invalid_request"
    assert Receiver.services == {"gatehouse"}
    for text in (str(span), str(phases)):
        assert examples.SENTIMENT["texts"][0] not in text


def test_the_standard_variables_name_the_service_and_choose_what_is_sampled(start: Start, receiver: str) -> None:
    process = start(
        GATEHOUSE_TRACES="on",
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver,
        OTEL_SERVICE_NAME="weather",
        OTEL_TRACES_SAMPLER="parentbased_always_off",
    )
    process.client.get("/v1/models", headers={"traceparent": f"00-{TRACE}-{CALLER}-01"})
    process.client.get("/v1/models/music", headers={"traceparent": f"00-{TRACE}-{CALLER}-00"})
    process.client.get("/v1/models/sentiment")
    said = requests_in(process.ended())
    assert [values(span.attributes)["url.path"] for span in Receiver.spans if span.kind == Sent.SpanKind.SPAN_KIND_SERVER] == [
        "/v1/models"
    ]
    assert Receiver.services == {"weather"}
    assert [line["trace_id"] for line in said][:2] == [TRACE, TRACE]


def test_a_stream_is_recorded_twice_within_its_span(start: Start, receiver: str) -> None:
    process = start(GATEHOUSE_TRACES="on", OTEL_EXPORTER_OTLP_ENDPOINT=receiver, OTEL_BSP_SCHEDULE_DELAY="100")
    process.client.post("/v1/music/generate", json={**examples.MUSIC_GENERATE, "stream": True})
    until(lambda: any(span.name == "POST /v1/music/generate" for span in Receiver.spans))
    span = of_server("/v1/music/generate")
    until(lambda: set(within(span)) == {"encode", "queue", "run", "log"})
    commits = [phase for phase in Receiver.spans if phase.name == "log" and phase.parent_span_id == span.span_id]
    assert len(commits) == 2
    assert values(span.attributes)["gatehouse.stream"] == "finished"


def test_without_a_receiver_requests_are_answered_and_the_end_is_not_held_up(start: Start) -> None:
    process = start(GATEHOUSE_TRACES="on", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1")
    assert process.client.post("/v1/sentiment", json=examples.SENTIMENT).status_code == 200
    assert "Finished server process" in process.ended()


def test_without_the_extra_the_start_says_what_is_missing(tmp_path: Path) -> None:
    program = "import sys; sys.modules['opentelemetry.sdk'] = None; from app.cli import main; main()"
    environment = {**os.environ, "GATEHOUSE_DATABASE_URL": f"sqlite:///{tmp_path / 'log.db'}", "GATEHOUSE_TRACES": "on"}
    done = subprocess.run(
        [sys.executable, "-c", program, "serve", "--port", "1"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "pip install '.[otel]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_end_does_not_wait_for_a_receiver_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    sending, answered = threading.Event(), threading.Event()

    def export(*_: object) -> SpanExportResult:
        sending.set()
        assert answered.wait(60)
        return SpanExportResult.FAILURE

    monkeypatch.setattr(OTLPSpanExporter, "export", export)
    monkeypatch.setattr(spans, "_MOST_END_S", 0.1, raising=False)
    made = spans.Spans()
    scope = {"method": "GET", "path": "/v1/models", "headers": []}
    made.record(scope, Entry.of(scope))
    ended = threading.Thread(target=made.close, daemon=True)
    ended.start()
    assert sending.wait(60)
    ended.join(10)
    assert not ended.is_alive()
    answered.set()


@pytest.mark.parametrize("name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"])
@pytest.mark.parametrize("value", ["nonsense", "collector:4318", "http://", "http://collector:port", "grpc://collector:4317"])
def test_an_address_that_is_none_ends_the_start(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    check_traces(Settings(traces="off"))
    with pytest.raises(ValueError, match=f"{name} is no address of a collector, allowed is such as http://collector:4318"):
        check_traces(Settings(traces="on"))
    monkeypatch.setenv(name, "https://collector.example:4318/v1/traces")
    check_traces(Settings(traces="on"))


def test_nothing_of_it_is_loaded_where_it_is_off() -> None:
    program = "import app.main, app.cli, sys; app.main.create_app(); sys.exit('opentelemetry.sdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
