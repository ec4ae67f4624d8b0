"""`gatehouse keys ...`, and where the service refuses to listen."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.database import make_engine
from app.keys import all_keys

Command = Callable[..., tuple[int, str, str]]


def test_a_key_is_made_listed_and_revoked(gatehouse: Command) -> None:
    gatehouse("migrate")
    code, key, said = gatehouse("keys", "create", "radar", "--scope", "predict", "--scope", "read_log", "--days", 3)
    assert code == 0
    _, key_id, secret = key.strip().split("_", 2)
    assert "not shown again" in said
    assert secret not in said
    _, listed, _ = gatehouse("keys", "list")
    assert listed.split()[:4] == [key_id, "valid", "predict", "read_log"]
    assert listed.rstrip().endswith("radar")
    assert secret not in listed
    (row,) = all_keys(make_engine("sqlite:///gatehouse.db"))
    assert row.expires is not None
    assert abs(row.expires - datetime.now(UTC) - timedelta(days=3)) < timedelta(minutes=1)
    assert "within 5 s" in gatehouse("keys", "revoke", key_id)[1]
    assert gatehouse("keys", "list")[1].split()[1] == "revoked"


def test_a_key_for_nothing_said_may_predict_and_does_not_expire(gatehouse: Command) -> None:
    gatehouse("migrate")
    gatehouse("keys", "create", "laptop")
    (row,) = all_keys(make_engine("sqlite:///gatehouse.db"))
    assert (row.scopes, row.expires) == ("predict", None)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "x", "--scope", "root"), "error: no scope root; there are predict, read_log, metrics, admin"),
        (("create", ""), "error: the name has 0 characters, allowed are 1 to 64 printable ones"),
        (("revoke", "0123456789ab"), "error: no API key '0123456789ab'"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(gatehouse: Command, arguments: tuple[str, ...], said: str) -> None:
    gatehouse("migrate")
    assert gatehouse("keys", *arguments)[::2] == (1, said + "\n")


def test_keys_need_a_migrated_database(gatehouse: Command, tmp_path: Path) -> None:
    for url in ("sqlite:///gatehouse.db", "sqlite:///mistyped.db"):
        said = gatehouse("keys", "list", "--url", url)[::2]
        assert said == (1, "error: the database is not migrated; run `gatehouse migrate`\n")
    assert not [*tmp_path.iterdir()]  # no file that nobody asked for


def test_commands_find_the_database_where_the_service_does(
    gatehouse: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("sqlite:///other.db\n")
    monkeypatch.setenv("GATEHOUSE_DATABASE_URL_FILE", str(tmp_path / "secret"))
    gatehouse("migrate")
    assert gatehouse("keys", "create", "laptop")[0] == 0
    assert len(all_keys(make_engine("sqlite:///other.db"))) == 1


def test_the_service_does_not_open_itself_to_the_network_by_accident(gatehouse: Command, tmp_path: Path) -> None:
    code, _, err = gatehouse("serve", "--migrate", "--host", "0.0.0.0")
    assert code == 1
    assert err.startswith("error: without API keys the service listens on loopback only, not on '0.0.0.0': set GATEHOUSE_AUTH")
    assert not (tmp_path / "gatehouse.db").exists()
