"""`gatehouse data from-log`: what is written; and the whole loop, from an answer to the model that learned from it."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine

from app import examples
from app.bundle import current_folder
from app.database import make_engine, migrate
from app.settings import Settings
from app.tasks.rainfall import MEASUREMENTS
from tests.commands.conftest import Command
from tests.commands.records import read_records
from tests.past_requests import store

Serve = Callable[[Settings], httpx.Client]

HOUR = examples.RAINFALL["hours"][0]
GOOD, BAD = {"0": {"label": "positive"}}, {"0": {"label": "negative"}}


@pytest.fixture
def log(settings: Settings) -> Engine:
    return make_engine(settings.database_url)


def written(gatehouse: Command, settings: Settings, output: str, task: str, *options: str) -> tuple[str, list[dict[str, Any]]]:
    code, said, wrong = gatehouse("data", "from-log", output, "--task", task, "--url", settings.database_url, *options)
    assert code == 0, wrong
    return said, read_records(Path(output))


@pytest.mark.parametrize("output", ["taught.csv", "taught.parquet"])
def test_texts_with_feedback_are_written_with_their_labels(
    gatehouse: Command, settings: Settings, log: Engine, output: str
) -> None:
    two = {"texts": ['A film,\n"so" to\rsay.', "Dull\r."]}
    under_v2 = {"inputs": [{"name": "text", "shape": [2, 1], "datatype": "BYTES", "data": [["First."], ["Second."]]}]}
    store(log, 9, inputs=two, feedback={"1": {"label": "negative"}, "0": {"label": "positive"}})
    store(log, 8, inputs=under_v2, path="/v2/models/sentiment/infer", feedback={"1": {"label": "positive"}})
    store(log, 7, inputs={"texts": ["Without feedback."]})
    store(log, 6, inputs=None, feedback=GOOD)
    store(log, 5, inputs={"sha256": "00"}, feedback=GOOD)
    store(log, 4, task="rainfall", inputs=examples.RAINFALL, feedback={"0": {"rain_mm": 1.0}})
    said, rows = written(gatehouse, settings, output, "sentiment")
    assert rows == [
        {"text": two["texts"][0], "label": "positive"},
        {"text": "Dull\r.", "label": "negative"},
        {"text": "Second.", "label": "positive"},
    ]
    assert said.splitlines() == [
        f"3 items of 2 requests written to {output}",
        "2 requests have feedback, but their payload is not stored",
    ]
    assert [path.name for path in Path().iterdir() if "taught" in path.name] == [output]


def test_hours_with_a_gauge_are_written_scan_by_scan(gatehouse: Command, settings: Settings, log: Engine) -> None:
    store(log, 9, task="rainfall", inputs={"hours": [HOUR, HOUR]}, feedback={"0": {"rain_mm": 0}, "1": {"rain_mm": 2.5}})
    asked = examples.OPEN_INFERENCE["rainfall"]["value"]
    store(log, 8, task="rainfall", inputs=asked, path="/v2/models/rainfall/infer", feedback={"0": {"rain_mm": 1}})
    _, rows = written(gatehouse, settings, "hours.parquet", "rainfall")
    assert [row["Expected"] for row in rows] == [0.0] * 3 + [2.5] * 3 + [1.0] * 3
    numbers = [row["Id"] for row in rows]
    assert numbers == [number for number in dict.fromkeys(numbers) for _ in range(3)]
    assert all(1_000_000 < number < 2**53 for number in numbers)  # behind another file they meet no number of its own
    assert list(rows[0]) == ["Id", "minutes_past", "radardist_km", *MEASUREMENTS, "Expected"]
    for row, scan in zip(rows, [*HOUR["scans"]] * 3, strict=True):
        assert {name: row[name] for name in scan} == scan
        assert row["radardist_km"] == HOUR["radardist_km"]
        assert row["Ref_5x5_90th"] == scan.get("Ref_5x5_90th")


def test_only_what_was_asked_in_a_window_is_written(gatehouse: Command, settings: Settings, log: Engine) -> None:
    for days_ago, text in ((9, "Old."), (5, "Then."), (1, "New.")):
        store(log, days_ago, inputs={"texts": [text]}, feedback=BAD)
    since, until = ((datetime.now(UTC) - timedelta(days=days_ago)).isoformat() for days_ago in (7, 3))
    _, rows = written(gatehouse, settings, "then.csv", "sentiment", "--since", since, "--until", until)
    assert rows == [{"text": "Then.", "label": "negative"}]


def test_without_anything_to_write_there_is_no_file(gatehouse: Command, settings: Settings, log: Engine) -> None:
    store(log, 1, inputs=None, feedback=GOOD)
    for output, said in (("none.csv", "1 have feedback alone"), ("none.jsonl", "allowed are .csv, .parquet")):
        code, _, wrong = gatehouse("data", "from-log", output, "--task", "sentiment", "--url", settings.database_url)
        assert code == 1
        assert said in wrong
        assert not Path(output).exists()
    code, _, wrong = gatehouse("data", "from-log", "no/x.csv", "--task", "sentiment", "--url", settings.database_url)
    assert (code, wrong) == (1, "error: no/x.csv: its folder is not there, allowed is a file's name\n")


def reviews(number: int) -> tuple[str, str]:
    """A text that nobody else sends, and its label."""
    words, label = (("good", "moving"), "positive") if number % 2 else (("bad", "dull"), "negative")
    return f"Film {number} was {words[0]} and {words[1]}.", label


def hours(number: int) -> tuple[dict[str, Any], float]:
    """An hour, and what its gauge had."""
    scans = [{"minutes_past": minute, "Ref": 5.0 + number, "RhoHV": 0.99} for minute in (5, 25, 45)]
    return {"radardist_km": 3.0, "scans": scans}, number / 10


@pytest.mark.parametrize(
    ("task", "plural", "made", "output", "figure"),
    [
        ("sentiment", "texts", reviews, "taught.csv", "accuracy"),
        ("rainfall", "hours", hours, "taught.parquet", "mean_absolute_error_mm"),
    ],
)
def test_what_callers_tell_is_learned_from_and_served(
    url: str,
    gatehouse: Command,
    serve: Serve,
    settings: Settings,
    tiny_models: Path,
    tiny_recipe: Callable[..., str],
    task: str,
    plural: str,
    made: Callable[[int], tuple[Any, Any]],
    output: str,
    figure: str,
) -> None:
    engine = make_engine(url)
    migrate(engine)
    engine.dispose()
    models = Path(shutil.copytree(tiny_models, "models"))
    settings = settings.model_copy(update={"database_url": url, "models_dir": models})
    client, kind = serve(settings), {"sentiment": "label", "rainfall": "rain_mm"}[task]
    for start in range(0, 40, 4):
        items = [made(number) for number in range(start, start + 4)]
        answer = client.post(f"/v1/{task}", json={plural: [item for item, _ in items]})
        for place, (_, truth) in enumerate(items):
            told = {"item": place, kind: truth}
            assert client.post(f"/v1/requests/{answer.json()['request_id']}/feedback", json=told).status_code == 200
    (stats,) = client.get("/v1/stats", params={"task": task, "hours": 1}).json()["tasks"]
    assert (stats["requests"], stats["items"], stats["feedback"]["items"]) == (10, 40, 40)
    assert stats["feedback"][figure] >= 0
    code, said, wrong = gatehouse("data", "from-log", output, "--task", task, "--url", url)
    assert code == 0, wrong
    assert said.startswith("40 items of 10 requests")
    Path("tiny.toml").write_text(tiny_recipe(task))
    old = current_folder(models, task).name
    code, said, wrong = gatehouse("train", task, "--recipe", "tiny.toml", "--data", output, "--models", models)
    assert code == 0, wrong
    new = current_folder(models, task)
    assert said.endswith(f"sealed {new}\n")
    assert new.name != old
    later = serve(settings)
    assert later.get(f"/v1/models/{task}").json()["data"]["kept"] == 40
    answer = later.post(f"/v1/{task}", json={plural: [made(1)[0]]})
    assert answer.json()["model"]["version"] == new.name
