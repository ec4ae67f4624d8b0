"""`gatehouse log ...` on SQLite and on a real PostgreSQL."""

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from app.database import make_engine, migrate
from tests.commands.records import read_records
from tests.past_requests import store, stored

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def log(engine: Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """A migrated, empty request log, and the one that commands work on."""
    migrate(engine)
    monkeypatch.setenv("GATEHOUSE_DATABASE_URL", url)
    return engine


def exported(gatehouse: Command, *options: object) -> list[str]:
    """The request ids of the rows on standard output."""
    code, out, _ = gatehouse("log", "export", *options)
    assert code == 0
    return [json.loads(line)["request_id"] for line in out.splitlines()]


def test_an_export_has_every_row_the_oldest_first_in_either_format(gatehouse: Command, log: Engine) -> None:
    ids = store(log, 3, count=1200) + store(log, 2, count=2, inputs={"texts": ["日本\x00\n"]}, outputs=None, task=None)
    for name in ("log.jsonl", "log.parquet"):
        code, out, _ = gatehouse("log", "export", name)
        assert (code, out) == (0, f"1202 rows written to {name}\n")
        rows = read_records(Path(name))
        assert [row["request_id"] for row in rows] == ids
        last = rows[-1]
        assert (last["status"], last["total_ms"], last["outputs"], last["task"]) == (200, 1.5, None, None)
    assert json.loads(last["inputs"]) == {"texts": ["日本\x00\n"]}
    assert abs(last["time"] - datetime.now(UTC) + timedelta(days=2)) < timedelta(minutes=5)
    first = json.loads(Path("log.jsonl").read_text("utf-8").splitlines()[0])
    assert first["outputs"] == {"label": "positive"}
    assert datetime.fromisoformat(first["time"]).utcoffset() == timedelta(0)
    assert not list(Path().glob("*.new"))


def test_rows_are_chosen_by_time_task_status_and_key(gatehouse: Command, log: Engine) -> None:
    (old,) = store(log, 9, task="rainfall")
    (bad,) = store(log, 5, status=422)
    (gone,) = store(log, 4, status=404, api_key_id="0a1b2c3d4e5f")
    (new,) = store(log, 1)
    day = datetime.now(UTC).date()
    assert exported(gatehouse) == [old, bad, gone, new]
    assert exported(gatehouse, "--since", day - timedelta(days=7)) == [bad, gone, new]
    assert exported(gatehouse, "--until", day - timedelta(days=7)) == [old]
    assert exported(gatehouse, "--since", day - timedelta(days=7), "--until", day - timedelta(days=2)) == [bad, gone]
    assert exported(gatehouse, "--task", "rainfall") == [old]
    assert exported(gatehouse, "--status", "4xx") == [bad, gone]
    assert exported(gatehouse, "--status", "422", "--status", "200") == [old, bad, new]
    assert exported(gatehouse, "--key", "0a1b2c3d4e5f") == [gone]
    assert exported(gatehouse, "--key", "0a1b2c3d4e5f", "--status", "2xx") == []


def test_an_empty_export_is_a_file_that_can_be_read(gatehouse: Command, log: Engine) -> None:
    for name in ("none.jsonl", "none.parquet"):
        assert gatehouse("log", "export", name)[0] == 0
        assert read_records(Path(name)) == []


def test_an_export_that_fails_leaves_what_was_there(gatehouse: Command, log: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("log.jsonl").write_text("before")
    store(log, 1, count=3)

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("app.log_export.os.fsync", full)
    code, _, err = gatehouse("log", "export", "log.jsonl")
    assert code == 1
    assert "No space left" in err
    assert Path("log.jsonl").read_text() == "before"
    assert [path.name for path in Path().iterdir() if "log.jsonl" in path.name] == ["log.jsonl"]


def test_old_rows_are_counted_then_removed(gatehouse: Command, log: Engine) -> None:
    store(log, 40, count=250)
    kept = store(log, 20, count=2)
    day = (datetime.now(UTC) - timedelta(days=30)).date()
    _, said, _ = gatehouse("log", "purge", "--before", day, "--dry-run")
    assert said == f"250 rows before {day} 00:00:00 UTC would be removed\n"
    assert len(stored(log)) == 252
    code, said, _ = gatehouse("log", "purge", "--older-than", 30)
    assert code == 0
    assert said.startswith("250 rows before ")
    assert set(stored(log)) == set(kept)


def test_payloads_are_removed_from_rows_that_stay(gatehouse: Command, log: Engine) -> None:
    (old,), (new,) = store(log, 40), store(log, 20)
    assert "1 rows before" in gatehouse("log", "purge", "--older-than", 30, "--payloads-only", "--dry-run")[1]
    assert gatehouse("log", "purge", "--older-than", 30, "--payloads-only")[0] == 0
    found = stored(log)
    assert found[old] == (None, None)
    assert found[new] == ({"texts": ["A quiet film."]}, {"label": "positive"})


def test_a_caller_is_forgotten_by_key_or_by_its_own_id(gatehouse: Command, log: Engine) -> None:
    store(log, 3, count=250, api_key_id="0a1b2c3d4e5f")
    (mine,) = store(log, 2, client_request_id="mine", api_key_id="ffffffffffff")
    (other,) = store(log, 1)
    assert gatehouse("log", "delete", "--key", "0a1b2c3d4e5f", "--dry-run")[1] == "250 rows would be removed\n"
    assert gatehouse("log", "delete", "--key", "0a1b2c3d4e5f")[1] == "250 rows removed\n"
    assert set(stored(log)) == {mine, other}
    assert gatehouse("log", "delete", "--key", "0a1b2c3d4e5f", "--client-request-id", "mine")[1] == "0 rows removed\n"
    assert gatehouse("log", "delete", "--client-request-id", "mine")[1] == "1 rows removed\n"
    assert set(stored(log)) == {other}


def test_vacuum_gives_space_back_to_the_system(gatehouse: Command, tmp_path: Path) -> None:
    file = tmp_path / "gatehouse.db"
    gatehouse("migrate")
    engine = make_engine(f"sqlite:///{file}")
    store(engine, 40, count=500, inputs={"texts": ["word " * 1000]})
    engine.dispose()
    gatehouse("log", "purge", "--older-than", 30)
    full = file.stat().st_size
    assert full > 500 * 5000  # new rows will take the space
    gatehouse("log", "purge", "--older-than", 30, "--vacuum")
    assert file.stat().st_size < full / 10


def test_vacuum_works_beside_others_on_either_database(gatehouse: Command, log: Engine) -> None:
    store(log, 40, count=3)
    assert gatehouse("log", "purge", "--older-than", 30, "--vacuum")[0] == 0
    assert stored(log) == {}


@pytest.mark.parametrize("what", [("delete", "--key", "0a1b2c3d4e5f"), ("purge", "--older-than", "1", "--payloads-only")])
def test_what_was_removed_stands_in_no_file_of_sqlite(gatehouse: Command, tmp_path: Path, what: tuple[str, ...]) -> None:
    gatehouse("migrate")
    engine = make_engine(f"sqlite:///{tmp_path / 'gatehouse.db'}")
    secret = {"texts": ["a name that nobody is to read " * 500]}
    store(engine, 2, count=20, api_key_id="0a1b2c3d4e5f", inputs=secret)
    assert b"nobody is to read" in _bytes_of(tmp_path)
    assert gatehouse("log", *what)[0] == 0
    assert b"nobody is to read" not in _bytes_of(tmp_path)  # while this process still holds the database open
    engine.dispose()


def _bytes_of(folder: Path) -> bytes:
    """The database's own file and those beside it."""
    return b"".join(path.read_bytes() for path in folder.glob("gatehouse.db*"))


REFUSED: list[tuple[tuple[Any, ...], str]] = [
    (("export", "log.csv"), "log.csv: the name ends with '.csv', allowed are .jsonl, .parquet"),
    (("export", "no/log.jsonl"), "no/log.jsonl: its folder is not there, allowed is a file's name"),
    (
        ("export", "--since", "yesterday"),
        "--since 'yesterday' is no time, allowed are 2026-01-31 and 2026-01-31T12:00:00+01:00",
    ),
    (
        ("export", "--since", "0001-01-01T00:00+14:00"),
        "--since '0001-01-01T00:00+14:00' is no time, allowed are 2026-01-31 and 2026-01-31T12:00:00+01:00",
    ),
    (("export", "--status", "600"), "--status '600', allowed are a status such as 422 and a class such as 4xx"),
    (("purge",), "say either --before TIME or --older-than DAYS"),
    (("purge", "--before", "2026-01-31", "--older-than", "3"), "say either --before TIME or --older-than DAYS"),
    (("delete",), "say whose rows: --key ID or --client-request-id ID"),
]


@pytest.mark.parametrize(("arguments", "said"), REFUSED)
def test_what_cannot_be_done_is_said_in_one_line(gatehouse: Command, arguments: tuple[Any, ...], said: str) -> None:
    gatehouse("migrate")
    assert gatehouse("log", *arguments)[::2] == (1, f"error: {said}\n")


def test_the_log_needs_a_migrated_database(gatehouse: Command) -> None:
    assert gatehouse("log", "export")[::2] == (1, "error: the database is not migrated; run `gatehouse migrate`\n")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's /proc")
def test_an_export_takes_no_more_memory_for_a_longer_log(tmp_path: Path) -> None:
    engine = make_engine(f"sqlite:///{tmp_path / 'gatehouse.db'}")
    migrate(engine)
    peaks = []
    for count in (100, 900):
        store(engine, 1, count=count, inputs={"texts": ["x" * 100_000]}, request_bytes=100_000)
        peaks.append(_peak_mib(tmp_path, "log.jsonl"))
    assert (tmp_path / "log.jsonl").stat().st_size > 95e6
    assert peaks[1] - peaks[0] < 40
    engine.dispose()


def _peak_mib(folder: Path, output: str) -> float:
    """The most memory that an export in a process of its own has held."""
    program = (
        "import sys; from app import cli;"
        "cli.app(['log', 'export', sys.argv[1]], standalone_mode=False);"
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run([sys.executable, "-c", program, output], cwd=folder, capture_output=True, text=True, check=True)
    return float(done.stdout.splitlines()[-1]) / 1024
