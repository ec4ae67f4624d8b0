"""What a bundle says of its validation data is what the service would observe of requests about them."""

from pathlib import Path
from typing import Any

import pytest

from app.bundle import current_folder
from app.predictor import load_predictor
from training.data.imdb import read_reviews
from training.data.rain import read_hours
from training.data.tunes import read_tunes
from training.recipe import read_recipe
from training.train import LEARNERS


def held_out(task: str, source: Path, rows: list[int], work: Path) -> list[Any]:
    """As callers would send them."""
    if task == "sentiment":
        texts = read_reviews(source)[0]["text"].to_list()
        return [texts[row] for row in rows]
    if task == "rainfall":
        table, _ = read_hours(source, work)
        return [table.hour(row) for row in rows]
    tunes = read_tunes(source)[0]["abc"].to_list()
    return [tunes[row] for row in rows]


@pytest.mark.parametrize("task", ["sentiment", "rainfall", "music"])
def test_learners_observe_what_the_service_does(
    task: str, tiny_models: Path, tiny_sources: dict[str, Path], tmp_path: Path
) -> None:
    predictor = load_predictor(current_folder(tiny_models, task), "cpu")
    recipe = read_recipe(predictor.bundle.folder / "recipe.toml")
    learner = LEARNERS[task](recipe, tiny_sources[task], tmp_path / "run", predictor.bundle.asset)
    learner.settings.update(predictor.manifest.settings)
    observed = learner.observed(predictor.run)
    items = held_out(task, tiny_sources[task], learner.sets.splits.validation, tmp_path / "hours")
    assert list(observed) == list(predictor.task.features)
    if task == "music":
        lengths = observed["prompt_characters"]
        assert all(1 <= length <= len(tune) for length, tune in zip(lengths, items, strict=True))
        prompts = [tune[: int(length)] for length, tune in zip(lengths, items, strict=True)]
        answers = [predictor.task.next_characters(predictor.run, prompt, 1) for prompt in prompts]
        assert observed["bits_per_character"] == [round(answer.bits_per_character, 4) for answer in answers]
        return
    served = predictor.task.observed(predictor.task.answer(predictor.run, items))
    for feature, values in served.items():
        assert observed[feature] == pytest.approx(values, abs=1e-4), feature
