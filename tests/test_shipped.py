"""What is shipped: every bundle verifies, and the README says what the code does."""

import os
from pathlib import Path

import pytest

from app.bundle import current_folder, read_bundle
from app.predictor import load_predictor
from app.settings import Settings
from training.train import evaluate

REPOSITORY = Path(__file__).parents[1]
MODELS = REPOSITORY / "models"
BUNDLES = sorted(path.parent for path in MODELS.glob("*/*/bundle.json"))


@pytest.mark.parametrize("folder", BUNDLES, ids=lambda folder: f"{folder.parent.name}-{folder.name}")
def test_every_shipped_bundle_is_verified_and_small(folder: Path) -> None:
    predictor = load_predictor(folder, "cpu")
    assert predictor.manifest.version == folder.name
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 10_000_000


def test_every_task_has_a_shipped_model() -> None:
    for task in ("sentiment", "rainfall", "music"):
        assert current_folder(MODELS, task) in BUNDLES


@pytest.mark.parametrize(
    ("task", "source", "score", "most_off"),
    [
        ("sentiment", "imdb", "accuracy", 0.003),
        ("rainfall", "rain", "mae_mm", 0.001),
        ("music", "music", "bits_per_character", 0.003),
    ],
)
def test_a_shipped_model_scores_what_its_card_says(
    task: str, source: str, score: str, most_off: float, real_data: Path, tmp_path: Path
) -> None:
    manifest = read_bundle(current_folder(MODELS, task)).manifest
    stated = manifest.metrics[f"{manifest.precision}_validation_{score}"]
    measured = evaluate(read_bundle(current_folder(MODELS, task)), real_data / source, "validation", tmp_path)
    assert measured[score] == pytest.approx(stated, abs=most_off)


def test_the_readme_names_every_setting_with_its_default() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f"`{field.default}`"
        assert f"| `GATEHOUSE_{name.upper()}` | {default}" in readme, name


def test_ci_calls_the_targets_of_the_readme() -> None:
    readme, ci = (REPOSITORY / "README.md").read_text(), (REPOSITORY / ".ci" / "run").read_text()
    for target in ("make test", "make check"):
        assert target in readme
        assert target in ci
    assert os.access(REPOSITORY / ".ci" / "run", os.X_OK)
