"""Commands, run as a person runs them."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from app import cli

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def gatehouse(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `gatehouse ...` in an empty folder; exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GATEHOUSE_DATA", raising=False)

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gatehouse", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return int(ended.value.code or 0), captured.out, captured.err

    return run


@pytest.fixture
def score(gatehouse: Command, monkeypatch: pytest.MonkeyPatch, tiny_models: Path) -> Command:
    """Runs `gatehouse score ...` on the tiny bundles, likewise."""
    monkeypatch.setenv("GATEHOUSE_MODELS_DIR", str(tiny_models))
    return lambda *arguments: gatehouse("score", *arguments)
