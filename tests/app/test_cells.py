"""POST /v1/cells, and a service whose demonstration is bad or missing."""

import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import numpy as np
import pytest

from app import examples
from app.bundle import current_folder
from app.predictor import load_predictor
from app.settings import Settings
from app.tasks.cells import INSIDE

Serve = Callable[[Settings], httpx.Client]


def test_every_cell_shows_its_gates_word_by_word(client: httpx.Client) -> None:
    text = "Good film: moving, <br /> best 😀!"
    answer = client.post("/v1/cells", json={"text": text}).json()
    assert [word["text"] for word in answer["words"]] == ["Good", "film", ":", "moving", ",", "best", "😀", "!"]
    assert all(text[word["start"] : word["end"]] == word["text"] for word in answer["words"])
    assert [word["known"] for word in answer["words"]][-2:] == [False, False]
    assert answer["truncated"] is False
    for cell, names in INSIDE.items():
        inside = answer["cells"][cell]
        assert set(inside) == {"probabilities", *names}
        assert len(inside["probabilities"]) == 8
        assert {np.shape(inside[name]) for name in names} == {(8, 8)}
        assert all(0 <= value <= 1 for value in inside["probabilities"])
    assert np.any(np.diff(answer["cells"]["lstm"]["forget"], axis=0))


def test_what_is_shown_is_what_the_bundle_reads(client: httpx.Client, tiny_models: Path) -> None:
    predictor = load_predictor(current_folder(tiny_models, "cells"))
    reading = predictor.task.read(predictor.run, examples.CELLS["text"])
    answer = client.post("/v1/cells", json=examples.CELLS).json()
    assert answer["model"] == {"task": "cells", "version": predictor.manifest.version}
    for cell, inside in answer["cells"].items():
        assert inside["state"] == reading.cells[cell].inside["state"].astype(float).round(4).tolist()


def test_of_a_long_text_sixty_words_are_read(client: httpx.Client) -> None:
    answer = client.post("/v1/cells", json={"text": "good " * 61}).json()
    assert len(answer["words"]) == 60
    assert answer["truncated"] is True
    assert len(client.post("/v1/cells", json={"text": " "}).json()["words"]) == 0


def test_it_is_a_row_like_any_other_and_can_be_asked_again(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "look-inside"}
    first = client.post("/v1/cells", json=examples.CELLS, headers=headers)
    again = client.post("/v1/cells", json=examples.CELLS, headers=headers)
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.content == first.content
    record = client.get(f"/v1/requests/{first.json()['request_id']}").json()
    assert (record["task"], record["items"], record["status"]) == ("cells", 1, 200)
    assert record["model_version"] == first.json()["model"]["version"]
    assert record["inputs"] == examples.CELLS
    assert record["outputs"]["cells"] == first.json()["cells"]
    assert client.get("/v1/models/cells").json()["cell"] == "all"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"text": ""}, "/text"),
        ({"text": "x" * 20_001}, "/text"),
        ({"text": 5}, "/text"),
        ({}, "/text"),
        ({"text": "x", "n": 1}, "/n"),
    ],
)
def test_what_it_does_not_take_is_refused_with_its_place(standing: httpx.Client, body: object, pointer: str) -> None:
    refused = standing.post("/v1/cells", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")
    assert refused.json()["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("missing", [True, False])
def test_without_its_bundle_it_alone_is_refused_and_the_service_is_ready(
    tiny_models: Path, tmp_path: Path, settings: Settings, serve: Serve, missing: bool
) -> None:
    models = Path(shutil.copytree(tiny_models, tmp_path / "models"))
    if missing:
        shutil.rmtree(models / "cells")
    else:
        next(models.glob("cells/*/golden.json")).write_text("{}")
    client = serve(settings.model_copy(update={"models_dir": models}))
    assert client.get("/readyz").status_code == 200
    refused = client.post("/v1/cells", json=examples.CELLS)
    assert (refused.status_code, refused.json()["code"]) == (503, "task_unavailable")
    assert "the service's own log says why" in refused.json()["detail"]
    assert client.get("/v1/models/cells").status_code == 503
    assert client.post("/v1/sentiment", json=examples.SENTIMENT).status_code == 200
    listed = client.get("/v1/models").json()
    assert [model["task"] for model in listed["models"]] == ["sentiment", "rainfall", "music"]
    assert listed["unavailable"] == []
    assert 'gatehouse_task_ready{task="cells"} 0.0' in client.get("/metrics").text
