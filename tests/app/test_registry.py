"""A bad bundle leaves its task unavailable and the others unharmed."""

import shutil
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from app import examples
from app.registry import Registry, TaskUnavailable
from app.settings import Settings

Serve = Callable[[Settings], httpx.Client]


@pytest.fixture
def damaged(tiny_models: Path, tmp_path: Path) -> Path:
    """Models of which music's vocabulary was changed after sealing."""
    models = Path(shutil.copytree(tiny_models, tmp_path / "models"))
    next(models.glob("music/*/vocab.json")).write_text("[]")
    return models


def test_each_task_is_served_or_has_a_reason(damaged: Path) -> None:
    registry = Registry.load(damaged, "auto", cpus=1, observe=lambda _task, _pass: None)
    assert [task for task, _ in registry] == ["sentiment", "rainfall"]
    assert "vocab.json: SHA-256" in registry.faults["music"]
    with pytest.raises(TaskUnavailable):
        registry.served("music")
    with pytest.raises(KeyError):
        registry.served("chess")
    registry.close()


def test_the_others_answer_and_readiness_names_the_fault(damaged: Path, settings: Settings, serve: Serve) -> None:
    client = serve(settings.model_copy(update={"models_dir": damaged}))
    ready = client.get("/readyz")
    assert ready.status_code == 503
    assert "music" in ready.json()["detail"]
    assert "vocab.json" in ready.json()["detail"]
    assert client.post("/v1/sentiment", json=examples.SENTIMENT).status_code == 200
    refused = client.post("/v1/music/next", json=examples.MUSIC_NEXT)
    assert (refused.status_code, refused.json()["code"]) == (503, "task_unavailable")
    assert client.get("/v1/models/music").status_code == 503
    listed = client.get("/v1/models").json()
    assert [model["task"] for model in listed["models"]] == ["sentiment", "rainfall"]
    assert listed["unavailable"][0]["task"] == "music"
    assert 'gatehouse_task_ready{task="music"} 0.0' in client.get("/metrics").text


@pytest.mark.parametrize("place", ["sentiment", "rainfall", "cells"])
def test_a_bundle_in_a_place_of_another_is_not_served(
    tiny_models: Path, tmp_path: Path, settings: Settings, serve: Serve, place: str
) -> None:
    models = Path(shutil.copytree(tiny_models, tmp_path / "models"))
    found = next(models.glob("rainfall/*/bundle.json")).parent
    other = "20200101-gru-000000"
    shutil.copytree(found, models / place / other)
    (models / place / "CURRENT").write_text(other)
    said = f"is of rainfall/{found.name}, but lies in {place}/{other}"
    client = serve(settings.model_copy(update={"models_dir": models}))
    if place != "cells":
        assert said in client.get("/readyz").json()["detail"]
    asked = "/v1/rainfall" if place == "rainfall" else f"/v1/{place}"
    body = {"sentiment": examples.SENTIMENT, "rainfall": examples.RAINFALL, "cells": examples.CELLS}[place]
    assert client.post(asked, json=body).json()["code"] == "task_unavailable"


def test_cuda_asked_for_where_there_is_none_is_a_fault_that_says_so(tiny_models: Path) -> None:
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this machine has CUDA")
    registry = Registry.load(tiny_models, "cuda", cpus=1, observe=lambda _task, _pass: None)
    assert set(registry.faults) == {"sentiment", "rainfall", "music"}
    assert "provider 'cuda' is asked for" in registry.faults["music"]
