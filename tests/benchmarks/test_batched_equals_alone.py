"""The comparison of served answers with those of the model alone, against real servers."""

from pathlib import Path
from typing import Any

import httpx
import typer
from fastapi import FastAPI
from typer.testing import CliRunner

from benchmarks.batched_equals_alone import main
from tests.conftest import serving

command = typer.Typer()
command.command()(main)


def run(task: str, source: Path, url: httpx.URL, models: Path) -> Any:
    return CliRunner().invoke(command, [task, str(source), "--url", str(url), "--models", str(models)])


def test_a_server_of_the_same_bundles_agrees(
    client: httpx.Client, tiny_sources: dict[str, Path], plausible_hours: Path, tiny_models: Path
) -> None:
    for task, source, items in (("sentiment", tiny_sources["sentiment"], 60), ("rainfall", plausible_hours, 46)):
        done = run(task, source, client.base_url, tiny_models)
        assert done.exit_code == 0, done.output
        assert f"{items} items, 64 at a time, 0 refusals retried, 0 without an answer" in done.output


def test_a_server_that_says_otherwise_is_found_out(tiny_sources: dict[str, Path], tiny_models: Path) -> None:
    app = FastAPI()

    @app.post("/v1/sentiment")
    def wrong() -> dict[str, list[dict[str, float]]]:
        return {"predictions": [{"probability": 2.0}]}

    with serving(app) as client:
        done = run("sentiment", tiny_sources["sentiment"], client.base_url, tiny_models)
    assert done.exit_code == 1
    assert "labels differ" in done.output
