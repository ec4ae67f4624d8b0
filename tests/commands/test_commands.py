"""The command line, as a person uses it."""

import json
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import kagglehub
import pytest

from app import examples

Command = Callable[..., tuple[int, str, str]]


def test_help_names_every_command(gatehouse: Command) -> None:
    code, out, _ = gatehouse("--help")
    assert code == 0
    for command in ("serve", "predict", "models", "migrate", "train", "evaluate", "data"):
        assert command in out


def test_the_version_is_printed(gatehouse: Command) -> None:
    assert gatehouse("--version")[1].startswith("gatehouse 0.")


def test_models_are_listed_and_the_served_ones_marked(gatehouse: Command, tiny_models: Path) -> None:
    code, out, _ = gatehouse("models", "list", "--models", tiny_models)
    assert code == 0
    assert sorted(line.split()[1] for line in out.splitlines() if line.startswith("*")) == [
        "cells",
        "music",
        "rainfall",
        "sentiment",
    ]


def test_a_folder_without_bundles_is_told_from_one_that_is_not_there(gatehouse: Command, tmp_path: Path) -> None:
    assert gatehouse("models", "list", "--models", "none")[::2] == (1, "error: none: no such folder\n")
    (tmp_path / "none").mkdir()
    assert gatehouse("models", "list", "--models", "none")[::2] == (1, "error: none: no bundle in it\n")


def test_verifying_says_which_bundle_is_bad_and_fails(gatehouse: Command, tiny_models: Path, tmp_path: Path) -> None:
    assert gatehouse("models", "verify", "--models", tiny_models)[0] == 0
    (tmp_path / "models" / "music" / "20200101-rnn-000000").mkdir(parents=True)
    (tmp_path / "models" / "music" / "20200101-rnn-000000" / "bundle.json").write_text("{}")
    code, _, err = gatehouse("models", "verify")
    assert code == 1
    assert "20200101-rnn-000000/bundle.json: format None is unknown" in err
    assert gatehouse("models", "verify", "--models", "none")[::2] == (1, "error: none: no such folder\n")


def test_verifying_fails_where_what_is_to_be_served_is_not_there(gatehouse: Command, tiny_models: Path, tmp_path: Path) -> None:
    models = Path(shutil.copytree(tiny_models, tmp_path / "models"))
    (bundle,) = models.glob("rainfall/*/bundle.json")
    bundle.unlink()  # as where a copy broke off
    (models / "music" / "CURRENT").write_text("20200101-rnn-000000\n")
    code, _, err = gatehouse("models", "verify")
    assert code == 1
    assert f"FAILED {Path('models', 'rainfall', bundle.parent.name, 'bundle.json')}" in err
    assert "CURRENT: names '20200101-rnn-000000', which is no folder beside it" in err
    assert "2 of 5 bundles in models failed" in err
    listed = gatehouse("models", "list")[1].splitlines()
    assert [line[0] for line in listed if "rainfall" in line] == ["*"]
    assert any("damaged" in line for line in listed)


def test_a_bundle_in_the_place_of_another_is_bad(gatehouse: Command, tiny_models: Path, tmp_path: Path) -> None:
    models = Path(shutil.copytree(tiny_models, tmp_path / "models"))
    found = next(models.glob("rainfall/*/bundle.json")).parent
    found.rename(models / "rainfall" / "20200101-gru-000000")
    said = f"is of rainfall/{found.name}, but lies in rainfall/20200101-gru-000000"
    (models / "rainfall" / "CURRENT").write_text("20200101-gru-000000")
    (tmp_path / "hours.json").write_text(json.dumps(examples.RAINFALL))
    commands = "models verify", "models use rainfall 20200101-gru-000000", "predict rainfall hours.json"
    for command in commands:
        code, _, err = gatehouse(*command.split())
        assert code == 1
        assert said in err


@pytest.mark.parametrize("manifest", ["[]", "{}", "xx", '{"task": null, "precision": "fp32"}'])
def test_one_damaged_bundle_hides_no_other_and_is_not_taken(
    gatehouse: Command, tiny_models: Path, tmp_path: Path, manifest: str
) -> None:
    models = Path(shutil.copytree(tiny_models, tmp_path / "models"))
    for name in ("20200101-rnn-000000", ".20200101-rnn-000001.part"):
        (models / "cells" / name).mkdir()
        (models / "cells" / name / "bundle.json").write_text(manifest)
    (models / "music" / "CURRENT").write_bytes(b"\xff")
    code, out, _ = gatehouse("models", "list")
    assert code == 0
    assert len(out.splitlines()) == 5
    assert sum(line.startswith("  cells      20200101-rnn-000000      damaged: ") for line in out.splitlines()) == 1
    assert sum(line.startswith("*") for line in out.splitlines()) == 3  # of music it is not known
    assert gatehouse("models", "use", "cells", "20200101-rnn-000000")[0] == 1
    assert gatehouse("models", "use", "../models/cells", "20200101-rnn-000000")[2].startswith("error: no task ")


def test_a_version_can_be_chosen_and_one_that_is_not_there_cannot(gatehouse: Command, tiny_models: Path) -> None:
    version = (tiny_models / "music" / "CURRENT").read_text().strip()
    assert gatehouse("models", "use", "music", version, "--models", tiny_models)[0] == 0
    code, _, err = gatehouse("models", "use", "music", "other", "--models", tiny_models)
    assert code == 1
    assert err == f"error: {tiny_models / 'music'}: no version 'other'\n"


def test_predictions_without_a_server(gatehouse: Command, tiny_models: Path, tmp_path: Path) -> None:
    code, out, _ = gatehouse("predict", "sentiment", "good", "bad", "--models", tiny_models)
    assert code == 0
    assert [set(json.loads(line)) for line in out.splitlines()] == [{"label", "probability", "tokens_read", "truncated"}] * 2
    explained = gatehouse("predict", "sentiment", "good", "bad", "--explain", "--models", tiny_models)[1].splitlines()
    assert [json.loads(line).pop("words")[0]["text"] for line in explained] == ["good", "bad"]
    (tmp_path / "hours.json").write_text(json.dumps(examples.RAINFALL))
    _, out, _ = gatehouse("predict", "rainfall", "hours.json", "--models", tiny_models)
    assert json.loads(out)["scans_used"] == 3
    _, out, _ = gatehouse("predict", "music", "X:1\\nK:G\\n", "--max-characters", 5, "--models", tiny_models)
    assert out.startswith("X:1\nK:G\n")
    assert len(out) <= len("X:1\nK:G\n") + 6
    code, out, err = gatehouse("predict", "music", "é", "--models", tiny_models)
    assert (code, out) == (1, "")
    assert "'é'" in err


def test_a_bad_file_and_a_missing_model_end_with_one_line(gatehouse: Command, tiny_models: Path, tmp_path: Path) -> None:
    for body, fault in (
        ('{"hours": []}', "/hours: List should have at least 1 item after validation, not 0"),
        ('{"hours": [{"radardist_km": 1, "scans": [{"minutes_past": -1}]}]}', "/hours/0/scans/0/minutes_past: Input should be"),
        ("{", "Invalid JSON: EOF"),
    ):
        (tmp_path / "hours.json").write_text(body)
        code, _, err = gatehouse("predict", "rainfall", "hours.json", "--models", tiny_models)
        assert code == 1
        assert err.startswith(f"error: {fault}")
        assert len(err.splitlines()) == 1
    for task in (("sentiment", "good", ""), ("music", "")):
        code, out, err = gatehouse("predict", *task, "--models", tiny_models)
        assert (code, out) == (1, "")
        assert err.endswith("String should have at least 1 character\n")
    code, _, err = gatehouse("predict", "sentiment", "good")
    assert code == 1
    assert err.startswith("error: models/sentiment/CURRENT: not readable")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PORT", "0", "GATEHOUSE_PORT: Input should be greater than or equal to 1"),
        ("RATE_LIMIT", "se cret", "GATEHOUSE_RATE_LIMIT: is no rate, allowed are such as 100/second and 5000/hour"),
        ("DATABASE_URL_FILE", "se cret", "database_url_file: it cannot be read: FileNotFoundError"),
        ("WORKERS", "2", "GATEHOUSE_WORKERS above 1 needs PostgreSQL: of a SQLite file only one process is the writer"),
    ],
)
def test_a_wrong_setting_ends_the_start_with_one_line_that_names_it_and_not_its_value(
    gatehouse: Command, monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"GATEHOUSE_{name}", value)
    assert gatehouse("serve") == (1, "", f"error: {said}\n")


def test_a_database_ahead_of_the_code_is_told_from_one_behind(gatehouse: Command, tmp_path: Path) -> None:
    gatehouse("migrate")
    with sqlite3.connect(tmp_path / "gatehouse.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    code, _, err = gatehouse("keys", "list")
    assert code == 1
    assert err.startswith("error: the database is ahead: this version does not know its revision 9999, only up to ")


def test_the_database_is_migrated_up_and_down(gatehouse: Command, tmp_path: Path) -> None:
    assert re.fullmatch(r"the database is at 0\d{3}\n", gatehouse("migrate")[1])
    assert (tmp_path / "gatehouse.db").exists()
    assert re.fullmatch(r"the database is at 0\d{3}\n", gatehouse("migrate", "-1", "--url", "sqlite:///gatehouse.db")[1])
    assert gatehouse("migrate", "base")[1] == "the database is at base\n"
    assert "no revision 'nonsense' from here; allowed are base, " in gatehouse("migrate", "nonsense")[2]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://u:secret@127.0.0.1:1/z", "the database cannot be used: OperationalError"),
        ("sqlite:////nowhere/x.db", "the database cannot be used: unable to open database file"),
        ("sqlite://x.db", "the database URL cannot be read; sqlite:///FILE has three slashes, and a password needs"),
    ],
)
def test_a_database_that_cannot_be_used_is_told_in_a_line(
    gatehouse: Command, monkeypatch: pytest.MonkeyPatch, url: str, said: str
) -> None:
    monkeypatch.setenv("GATEHOUSE_DATABASE_URL", url)
    for command in (["migrate"], ["serve", "--migrate"], ["keys", "list"]):
        code, out, err = gatehouse(*command)
        assert (code, out) == (1, "")
        assert err.startswith(f"error: {said}")
        assert len(err.splitlines()) == 1


def test_train_evaluate_and_serve_from_the_command_line(
    gatehouse: Command, tiny_sources: dict[str, Path], tiny_recipe: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "tiny.toml").write_text(tiny_recipe("rainfall"))
    source = tiny_sources["rainfall"]
    code, out, _ = gatehouse("train", "rainfall", "--recipe", "tiny.toml", "--data", source)
    assert code == 0
    assert "sealed models/rainfall/" in out
    code, out, _ = gatehouse("evaluate", "rainfall", "--data", source, "--part", "test")
    assert code == 0
    assert "mae_mm" in out
    code, _, err = gatehouse("train", "music", "--recipe", "tiny.toml", "--data", source)
    assert code == 1
    assert "is a recipe for rainfall, not for music" in err


def test_reading_data_says_what_is_kept(gatehouse: Command, tiny_sources: dict[str, Path]) -> None:
    for task, source in tiny_sources.items():
        code, out, _ = gatehouse("data", "check", task, "--data", source)
        assert code == 0
        assert "kept; none rejected" in out
    code, _, err = gatehouse("data", "check", "music")
    assert code == 1
    assert "data/music: no such file or folder" in err


def test_a_download_that_fails_says_which_file_to_put_where(gatehouse: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise ConnectionError

    monkeypatch.setattr(kagglehub, "competition_download", refuse)
    monkeypatch.setattr(kagglehub, "dataset_download", refuse)
    for name, file in (("rainfall", "data/rain/train.csv"), ("imdb", "data/imdb/IMDB Dataset.csv")):
        code, _, err = gatehouse("data", "fetch", name)
        assert code == 1
        assert file in err


def test_what_is_downloaded_is_put_where_training_looks(
    gatehouse: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_sources: dict[str, Path]
) -> None:
    monkeypatch.setattr(kagglehub, "dataset_download", lambda *_, **__: str(tiny_sources["sentiment"]))
    assert gatehouse("data", "fetch", "imdb")[0] == 0
    assert (tmp_path / "data" / "imdb" / "IMDB Dataset.csv").exists()


def test_the_server_starts_answers_and_ends_on_sigterm(tiny_models: Path, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [str(Path(sys.executable).parent / "gatehouse"), "serve", "--migrate", "--port", str(port)]
    environment = {"GATEHOUSE_MODELS_DIR": str(tiny_models), "PATH": "/usr/bin:/bin"}
    server = subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        _wait_until_ready(port, server)
        answer = httpx.post(f"http://127.0.0.1:{port}/v1/sentiment", json=examples.SENTIMENT)
        assert answer.status_code == 200
    finally:
        server.send_signal(signal.SIGTERM)
        _, err = server.communicate(timeout=30)
    assert server.returncode in {0, -signal.SIGTERM}
    assert "Traceback" not in err
    assert (tmp_path / "gatehouse.db").exists()


def _wait_until_ready(port: int, server: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server did not become ready")
