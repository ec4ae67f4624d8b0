"""Settings come from the environment, and a wrong one is named."""

import pytest
from pydantic import ValidationError

from app.database import make_engine
from app.settings import Settings


def settings(monkeypatch: pytest.MonkeyPatch, **environment: str) -> Settings:
    for name, value in environment.items():
        monkeypatch.setenv(f"GATEHOUSE_{name}", value)
    return Settings(_env_file=None)


@pytest.mark.parametrize(
    ("spelling", "means"), [("on", "on"), ("1", "on"), ("TRUE", "on"), ("off", "off"), ("0", "off"), ("hashed", "hashed")]
)
def test_payload_logging_is_switched_by_any_usual_word(monkeypatch: pytest.MonkeyPatch, spelling: str, means: str) -> None:
    assert settings(monkeypatch, LOG_PAYLOADS=spelling).log_payloads == means


@pytest.mark.parametrize(
    ("name", "value"),
    [("LOG_PAYLOADS", "some"), ("PORT", "0"), ("PROVIDER", "tpu"), ("CPU_THREADS", "0"), ("MAX_BODY_BYTES", "many")],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(ValidationError, match=name.lower()):
        settings(monkeypatch, **{name: value})


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("postgres://u@h/d", "psycopg"),
        ("postgresql://u@h/d", "psycopg"),
        ("postgresql+asyncpg://u@h/d", "psycopg"),
        ("sqlite:///x.db", "pysqlite"),
        ("sqlite+aiosqlite:///x.db", "pysqlite"),
    ],
)
def test_a_database_url_may_name_any_driver(url: str, driver: str) -> None:
    assert make_engine(url).driver == driver


def test_another_database_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(ValueError, match="begins with 'mysql', allowed are sqlite:// and postgresql://"):
        make_engine("mysql://u@h/d")
