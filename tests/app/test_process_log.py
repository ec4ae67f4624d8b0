"""What a real process says on standard error: a line for each request, in the form that was asked for, and nothing secret."""

import json
import logging
import os
import pty
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from app import examples
from app.database import make_engine, migrate
from app.keys import create_key
from app.process_log import JsonLine
from tests.app.said import Start, requests_in, serving


def test_each_request_leaves_one_line_without_its_contents(start: Start, database: str) -> None:
    engine = make_engine(database)
    key = create_key(engine, "laptop", ["predict"])
    engine.dispose()
    process = start(GATEHOUSE_AUTH="keys", GATEHOUSE_LOG_PAYLOADS="on")
    headers = {"Authorization": f"Bearer {key}", "X-Client-Request-Id": 'say "42"', "X-API-Key": "none"}
    answers = [
        process.client.post("/v1/sentiment?secret=value", json=examples.SENTIMENT, headers=headers),
        process.client.post("/v1/sentiment", json={"texts": []}, headers=headers),
        process.client.post("/v1/sentiment", json=examples.SENTIMENT, headers={"X-API-Key": f"{key}x"}),
        process.client.get("/nowhere/%0a%22", headers=headers),
    ]
    said = process.ended()
    lines = requests_in(said)
    assert [line["request_id"] for line in lines] == [answer.headers["X-Request-ID"] for answer in answers]
    assert [line["status"] for line in lines] == [200, 422, 401, 404]
    assert [line.get("error_code") for line in lines] == [None, "invalid_request", "unauthenticated", "not_found"]
    assert [line.get("key_id") for line in lines] == [key.split("_")[1]] * 2 + [None, key.split("_")[1]]
    first = lines[0]
    assert (first["method"], first["path"], first["task"]) == ("POST", "/v1/sentiment", "sentiment")
    assert (first["bytes_in"], first["bytes_out"]) == (len(answers[0].request.content), len(answers[0].content))
    assert 0 < first["duration_ms"] < 30_000
    assert (first["client"], first["client_request_id"]) == ("127.0.0.1", 'say "42"')
    for secret in (key.split("_", 2)[2], examples.SENTIMENT["texts"][0], "value"):
        assert secret not in said


def test_the_last_line_is_that_of_the_end(start: Start) -> None:
    process = start()
    process.client.get("/v1/models")
    lines = [json.loads(line) for line in process.ended().splitlines()]
    assert "Finished server process" in lines[-1]["message"]
    assert not [line for line in lines if line["logger"] == "uvicorn.access"]


def test_a_request_whose_client_goes_away_leaves_its_line(start: Start) -> None:
    process = start()
    body = b'{"texts": ["half'
    with socket.create_connection(("127.0.0.1", process.client.base_url.port)) as connection:
        connection.sendall(b"POST /v1/sentiment HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n" + body)
        time.sleep(0.3)
    time.sleep(0.3)
    (line,) = requests_in(process.ended())
    assert line["error_code"] == "client_gone"
    assert "status" not in line


def test_a_stream_leaves_its_line_when_it_ends(start: Start) -> None:
    process = start()
    answer = process.client.post("/v1/music/generate", json={**examples.MUSIC_GENERATE, "stream": True})
    (line,) = requests_in(process.ended())
    assert (line["stream"], line["task"], line["bytes_out"]) == ("finished", "music", len(answer.content))


def test_lines_of_requests_can_be_switched_off(start: Start) -> None:
    process = start(GATEHOUSE_ACCESS_LOG="off")
    assert process.client.post("/v1/sentiment", json=examples.SENTIMENT).status_code == 200
    said = process.ended()
    assert requests_in(said) == []
    assert "is served by" in said


def test_at_a_terminal_lines_are_for_people(tiny_models: Path, database: str, tmp_path: Path) -> None:
    ours, its = pty.openpty()
    with serving(tiny_models, database, its, tmp_path / "none", {}) as process:
        process.client.post("/v1/sentiment", json=examples.SENTIMENT)
        process.server.send_signal(signal.SIGTERM)
        os.close(its)
        said = b""
        while b"Finished server process" not in said:
            said += os.read(ours, 65536)
    os.close(ours)
    assert b"INFO    POST /v1/sentiment 200 request_id=" in said
    assert b"{" not in said


@pytest.mark.parametrize("url", ["postgres"], indirect=True)
def test_processes_that_share_standard_error_leave_each_others_lines_whole(tiny_models: Path, url: str, tmp_path: Path) -> None:
    engine = make_engine(url)
    migrate(engine)
    engine.dispose()
    log = tmp_path / "stderr"

    def ask(number: int) -> int:
        address = f"http://127.0.0.1:{process.client.base_url.port}/v1/models"
        return httpx.get(address, headers={"X-Client-Request-Id": f"{number}-{'x' * 100}"}, timeout=30).status_code

    # As a container's log driver does, `cat` reads a pipe.
    with (
        log.open("wb") as file,
        subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=file) as cat,
    ):
        assert cat.stdin
        with serving(tiny_models, url, cat.stdin, log, {"GATEHOUSE_WORKERS": "2"}) as process:
            with ThreadPoolExecutor(8) as pool:
                assert set(pool.map(ask, range(200))) == {200}
            process.ended()
    lines = requests_in(log.read_text())
    assert sorted(int(line["client_request_id"].split("-")[0]) for line in lines) == list(range(200))
    assert len({line["pid"] for line in lines}) == 2


def test_who_does_not_read_holds_up_nobody_and_is_told_what_was_left_out() -> None:
    program = """
import logging.config, time
from app.process_log import Lines, log_config
logging.config.dictConfig(log_config("json"))
for number in range(30_000):
    Lines.of_this_process.tell({"level": "info", "logger": "x", "message": str(number)})
begun = time.monotonic()
logging.getLogger().warning("the last")
print(time.monotonic() - begun, flush=True)
input()
"""
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        assert float(process.stdout.readline()) < 1
        process.stdin.write("\n")
        process.stdin.flush()
        lines = [json.loads(line) for line in process.stderr]
    told = [line["message"] for line in lines if line["level"] == "info"]
    left_out = [int(line["message"].split()[0]) for line in lines if "left out" in line["message"]]
    assert left_out
    assert 0 < len(told) < 30_000
    assert len(told) + sum(left_out) + sum(line["message"] == "the last" for line in lines) == 30_001
    assert [int(message) for message in told] == sorted(int(message) for message in told)


def test_a_failure_is_one_line_with_its_request_and_traceback() -> None:
    failure = RuntimeError("two\nlines \udcff")
    record = logging.LogRecord("app", logging.ERROR, "", 0, "request %s failed", ("7",), (type(failure), failure, None))
    record.request_id = "7"
    text = JsonLine().format(record)
    assert "\n" not in text
    line = json.loads(text)
    assert (line["level"], line["message"], line["request_id"]) == ("error", "request 7 failed", "7")
    assert line["traceback"].endswith("RuntimeError: two\nlines \\udcff")
