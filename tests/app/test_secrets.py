"""What is secret stays so: in logs, in answers, in errors."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from app import examples
from app.database import make_engine, migrate
from app.keys import create_key
from app.settings import Settings

Serve = Callable[[Settings], httpx.Client]

PASSWORD = "hunter2-hunter2"
UNREACHABLE = f"postgresql://gate:{PASSWORD}@127.0.0.1:1/log"


def settings_of(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(f"GATEHOUSE_{name}", value)
    return Settings(_env_file=None)


def test_the_databases_password_is_in_no_log_and_no_answer(
    serve: Serve, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    client = serve(settings.model_copy(update={"database_url": UNREACHABLE, "auth": "keys"}))
    answers = [
        client.get("/readyz"),
        client.get("/v1/models", headers={"X-API-Key": "gate_0123456789ab_x"}),
        client.get("/metrics"),
    ]
    assert [answer.status_code for answer in answers] == [503, 503, 200]
    assert "the request log's database cannot be used" in caplog.text
    for text in (caplog.text, *(answer.text for answer in answers)):
        assert PASSWORD not in text


@pytest.mark.parametrize(
    "url",
    [
        UNREACHABLE,
        f"postgresql://gate:{PASSWORD}/x@127.0.0.1:1/log",
        f"postgresql://gate:a:{PASSWORD}@127.0.0.1:{PASSWORD}/log",
        f"mysql://gate:{PASSWORD}@127.0.0.1/log",
        f"{PASSWORD}",
        f"{PASSWORD}@127.0.0.1/log",
    ],
)
@pytest.mark.parametrize("command", [["migrate"], ["keys", "list"], ["serve", "--migrate"]])
def test_no_command_shows_the_password_however_it_fails(tmp_path: Path, url: str, command: list[str]) -> None:
    environment = {**os.environ, "GATEHOUSE_DATABASE_URL": url, "GATEHOUSE_MODELS_DIR": "none", "PGCONNECT_TIMEOUT": "5"}
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *command], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "error" in done.stderr.lower()
    assert PASSWORD not in done.stdout + done.stderr


def test_neither_keys_nor_what_was_asked_are_logged(serve: Serve, settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    engine = make_engine(settings.database_url)
    key = create_key(engine, "laptop", ["predict"])
    client = serve(settings.model_copy(update={"auth": "keys"}))
    for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key + "x"}):
        client.post("/v1/sentiment", json=examples.SENTIMENT, headers=headers)
    migrate(engine, "base")  # rows can no longer be written
    engine.dispose()
    assert client.post("/v1/sentiment", json=examples.SENTIMENT, headers={"X-API-Key": key}).status_code == 503
    assert "could not be committed" in caplog.text
    said = "\n".join(
        record.getMessage() for record in caplog.records if not record.name.startswith(("httpx", "httpcore", "asyncio"))
    )
    assert key.split("_", 2)[2] not in said
    assert examples.SENTIMENT["texts"][0] not in said


def test_settings_do_not_show_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    assert PASSWORD not in repr(settings_of(monkeypatch, DATABASE_URL=UNREACHABLE))
    with pytest.raises(ValidationError) as caught:
        settings_of(monkeypatch, PORT="0", DATABASE_URL_FILE="/nowhere")
    assert PASSWORD not in str(caught.value)


def test_the_databases_url_may_lie_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "url").write_text(f"{UNREACHABLE}\n")
    assert settings_of(monkeypatch, DATABASE_URL_FILE=str(tmp_path / "url")).database_url == UNREACHABLE
    assert settings_of(monkeypatch, DATABASE_URL="sqlite:///other.db").database_url == UNREACHABLE
    with pytest.raises(ValidationError, match="cannot be read: FileNotFoundError"):
        settings_of(monkeypatch, DATABASE_URL_FILE=str(tmp_path / "none"))


@pytest.mark.parametrize("rate", ["many", "5", "0/second", "5/fortnight", "", "9/second; 5/minute", "9/second,1/day"])
def test_a_rate_that_cannot_be_read_ends_the_start(monkeypatch: pytest.MonkeyPatch, rate: str) -> None:
    with pytest.raises(ValidationError, match="rate_limit"):
        settings_of(monkeypatch, RATE_LIMIT=rate)
