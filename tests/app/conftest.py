"""A StepBatcher over the tiny music bundle, and what it tells of its passes; a bundle to be damaged."""

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from app.bundle import current_folder
from app.database import make_engine, migrate
from app.predictor import Predictor, load_predictor
from app.steps import StepBatcher
from tests.app.callers import Passes
from tests.app.said import Start, serving


@pytest.fixture(scope="session")
def music_predictor(tiny_models: Path) -> Predictor[Any]:
    return load_predictor(current_folder(tiny_models, "music"), "cpu", 1)


@pytest.fixture
def passes() -> Passes:
    return Passes()


@pytest.fixture
def batcher(music_predictor: Predictor[Any], passes: Passes) -> Iterator[StepBatcher]:
    batcher = StepBatcher(music_predictor, 1, passes)
    yield batcher
    batcher.close()


@pytest.fixture
def folder(tiny_models: Path, tmp_path: Path) -> Path:
    """A copy of the sentiment bundle, to be damaged."""
    return Path(shutil.copytree(current_folder(tiny_models, "sentiment"), tmp_path / "bundle"))


@pytest.fixture
def database(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path / 'log.db'}"
    engine = make_engine(url)
    migrate(engine)
    engine.dispose()
    return url


@pytest.fixture
def start(tiny_models: Path, database: str, tmp_path: Path) -> Iterator[Start]:
    """Starts a process with given settings and its log in a file."""
    log = tmp_path / "stderr"
    with ExitStack() as stack:
        file = stack.enter_context(log.open("wb"))
        yield lambda **settings: stack.enter_context(serving(tiny_models, database, file, log, settings))
