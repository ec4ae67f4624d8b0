"""What is shipped: every bundle verifies, and the README says what the code does."""

import os
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest

from app import examples
from app.bundle import current_folder, read_bundle
from app.predictor import load_predictor
from app.tasks.sampling import Sampling
from app.tasks.tune import Batch
from benchmarks.word_weights import Judge
from training.data.imdb import read_reviews
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
    for task in ("sentiment", "rainfall", "music", "cells"):
        assert current_folder(MODELS, task) in BUNDLES


@pytest.mark.parametrize("threads", [1, 2])
def test_a_text_among_others_gets_the_very_answer_it_gets_alone(threads: int) -> None:
    predictor = load_predictor(current_folder(MODELS, "sentiment"), "cpu", threads)
    task, run = predictor.task, predictor.run
    texts = [
        "Two hours I will never get back.",
        "A quiet, moving film!",
        "The plot is thin, but the two leads are a joy to watch. " * 12,
        "bad",
        "I wanted to like it. I really did... Instead I fell asleep, twice. " * 40,
        "Not bad at all, and at times even rather good, whatever the critics may say about its ending.",
    ]
    encoded = [task.encode(text) for text in texts]
    alone = [run(task.feeds([text]))["logit"][0] for text in encoded]
    for rows in ([0, 1, 2, 3, 4, 5], [4, 3], [5, 1, 0], [2, 2, 2, 4]):
        together = run(task.feeds([encoded[row] for row in rows]))["logit"]
        assert together.tolist() == [alone[row] for row in rows]
    assert [task.answer(run, [text])[0] for text in texts] == task.answer(run, texts)


def test_without_its_heaviest_words_a_verdict_falls_farther_than_without_any_others(real_data: Path) -> None:
    judge = Judge(load_predictor(current_folder(MODELS, "sentiment"), "cpu"))
    reviews, _ = read_reviews(real_data / "imdb")
    chance = np.random.default_rng(0)
    falls = []
    for text in reviews["text"].sample(12, seed=1):
        judged = judge.judged(text)
        heaviest = np.argsort(-judged.weights["served"])
        places = [heaviest[:10], heaviest[-10:], chance.choice(len(judged.ids), 10, replace=False)]
        falls.append(judge.falls(judged, places))
    by_weight, against, at_random = np.mean(falls, axis=0)
    assert by_weight > 10 * abs(at_random)
    assert against < 0


@pytest.mark.parametrize("threads", [1, 2])
def test_a_tune_among_others_is_the_very_tune_it_is_alone(threads: int) -> None:
    predictor = load_predictor(current_folder(MODELS, "music"), "cpu", threads)
    task, run = predictor.task, predictor.run
    beginnings = ["X:1\nT:Morning\nM:6/8\nL:1/8\nK:G\nGAB|", "X:2\nM:4/4\nK:Dmaj\n|:d2fd Adfd|e2ge", "X:", "T:Evening\n" * 3]

    def read() -> list[Batch]:
        batches = [task.batch() for _ in beginnings]
        for seed, (beginning, batch) in enumerate(zip(beginnings, batches, strict=True)):
            tune = task.tune(beginning, Sampling(60, 1.0, 1.0, seed))
            batch.add([tune])
            batch.advance(run, tune.unread)
        return batches

    alone, together = read(), task.batch()
    for batch in read():
        together.join(batch)
    for _ in range(40):
        assert together.draw() == [index for batch in alone for index in batch.draw()]
        for batch in (*alone, together):
            batch.advance(run, 1)
        np.testing.assert_array_equal(together.log_p, np.concatenate([batch.log_p for batch in alone]))


@pytest.mark.parametrize(
    ("task", "source", "score", "most_off"),
    [
        ("sentiment", "imdb", "accuracy", 0.003),
        ("rainfall", "rain", "mae_mm", 0.001),
        ("music", "music", "bits_per_character", 0.003),
        ("cells", "imdb", "gru_accuracy", 0.001),
    ],
)
def test_a_shipped_model_scores_what_its_card_says(
    task: str, source: str, score: str, most_off: float, real_data: Path, tmp_path: Path
) -> None:
    manifest = read_bundle(current_folder(MODELS, task)).manifest
    stated = manifest.metrics[f"{manifest.precision}_validation_{score}"]
    measured = evaluate(read_bundle(current_folder(MODELS, task)), real_data / source, "validation", tmp_path)
    assert measured[score] == pytest.approx(stated, abs=most_off)


def test_ci_calls_the_targets_of_the_readme() -> None:
    readme, ci = (REPOSITORY / "README.md").read_text(), (REPOSITORY / ".ci" / "run").read_text()
    for target in ("make test", "make check"):
        assert target in readme
        assert target in ci
    assert os.access(REPOSITORY / ".ci" / "run", os.X_OK)


@pytest.mark.parametrize(
    ("path", "question", "answer"),
    [
        ("/v1/sentiment", examples.SENTIMENT, examples.SENTIMENT_ANSWER),
        ("/v1/rainfall", examples.RAINFALL, examples.RAINFALL_ANSWER),
        ("/v1/music/next", examples.MUSIC_NEXT, examples.MUSIC_NEXT_ANSWER),
        ("/v1/music/generate", examples.MUSIC_GENERATE, examples.MUSIC_GENERATE_ANSWER),
    ],
)
def test_what_the_documentation_shows_is_what_the_shipped_models_say(
    path: str, question: dict[str, Any], answer: dict[str, Any], shipped: httpx.Client
) -> None:
    """Lists are shown from their beginning, numbers may differ a little on another processor, and so then may a tune."""
    said = shipped.post(path, json=question).json()
    assert said["model"] == answer["model"]
    shown = {name: value for name, value in answer.items() if name not in {"request_id", "timing_ms", "abc", "continuation"}}
    for name, value in shown.items():
        assert_begins(said[name], value)


def assert_begins(said: Any, shown: Any) -> None:
    if isinstance(shown, dict):
        assert said.keys() == shown.keys()
        for name, value in shown.items():
            assert_begins(said[name], value)
    elif isinstance(shown, list):
        assert len(said) >= len(shown)
        for one, other in zip(said, shown, strict=False):
            assert_begins(one, other)
    elif isinstance(shown, float):
        assert said == pytest.approx(shown, rel=0.05, abs=0.02)
    else:
        assert said == shown
