"""`gatehouse models reference`: what drift is told from, written into a bundle by training and by the command."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from app.bundle import current_folder, read_bundle
from app.predictor import load_predictor
from tests.commands.conftest import Command
from tests.commands.records import write_records
from training.train import train


@pytest.fixture
def many(tmp_path: Path, tiny_recipe: Callable[..., str]) -> tuple[Path, Path]:
    """A recipe that holds out 70 reviews, and 160 reviews."""
    recipe = tmp_path / "many.toml"
    recipe.write_text(tiny_recipe("sentiment").replace("validation_items = 6", "validation_items = 70"))
    texts = [{"text": f"Film {number} was {'good' if number % 2 else 'bad'}. " * (number % 5 + 1)} for number in range(160)]
    rows = [{**row, "label": "positive" if number % 2 else "negative"} for number, row in enumerate(texts)]
    return recipe, write_records(tmp_path / "reviews.csv", rows)


def test_training_writes_a_reference_and_the_command_writes_it_again(
    gatehouse: Command, many: tuple[Path, Path], tmp_path: Path
) -> None:
    recipe, data = many
    models = tmp_path / "models"
    folder = train(recipe, data, tmp_path / "runs", models)
    sealed = read_bundle(folder).manifest
    assert sealed.reference is not None
    assert {feature: one.items for feature, one in sealed.reference.items()} == dict.fromkeys(
        ["tokens_read", "unknown_share", "probability"], 70
    )
    manifest = folder / "bundle.json"
    written = json.loads(manifest.read_text())
    del written["reference"]
    manifest.write_text(json.dumps(written))
    assert read_bundle(folder).manifest.reference is None
    code, said, wrong = gatehouse("models", "reference", "sentiment", "--data", data, "--models", models)
    assert code == 0, wrong
    assert "70 items" in said
    assert read_bundle(folder).manifest == sealed
    assert load_predictor(folder, "cpu").manifest == sealed
    assert sorted(path.name for path in folder.iterdir()) == sorted([*sealed.sha256, "bundle.json"])


def test_too_few_validation_data_are_no_reference(
    gatehouse: Command, tiny_models: Path, tiny_sources: dict[str, Path], tmp_path: Path
) -> None:
    models = Path(shutil.copytree(tiny_models, tmp_path / "models"))
    assert read_bundle(current_folder(models, "music")).manifest.reference is None
    code, _, wrong = gatehouse("models", "reference", "music", "--data", tiny_sources["music"], "--models", models)
    assert (code, "below 60 items" in wrong) == (1, True)
