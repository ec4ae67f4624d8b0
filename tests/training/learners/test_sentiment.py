"""Learning sentiment from texts that teachers labelled."""

import random
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import torch

from training.data.report import DataError
from training.learners import sentiment
from training.learners.sentiment import SentimentLearner, labels_of
from training.model import SentimentNet
from training.recipe import RecipeError, read_recipe

TAUGHT = """
[self_training]
teachers = ["teacher"]
ngrams = true
pieces = 1
"""


@pytest.fixture
def data(tiny_sources: dict[str, Path], tmp_path: Path) -> Path:
    """Labelled reviews and, beside them, 20 unlabelled ones: the even ones praise."""
    folder, chance = tmp_path / "data", random.Random(3)
    folder.mkdir()
    (folder / "IMDB Dataset.csv").write_bytes(tiny_sources["sentiment"].read_bytes())
    sides = ["good", "moving", "joy", "best"], ["bad", "dull", "waste", "worst"]
    texts = [" ".join(" ".join(chance.choices(sides[k % 2], k=4)) + "." for _ in range(3)) for k in range(20)]
    pl.DataFrame({"text": texts}).write_parquet(folder / "unsup.parquet")
    return folder


@pytest.fixture
def learn(
    data: Path, tmp_path: Path, tiny_recipe: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], SentimentLearner]:
    """A learner by the tiny recipe with these tables added."""
    monkeypatch.setattr(sentiment, "RECIPES", tmp_path)
    (tmp_path / "teacher.toml").write_text(tiny_recipe("sentiment"))

    def learner(tables: str) -> SentimentLearner:
        path = tmp_path / "student.toml"
        path.write_text(tiny_recipe("sentiment") + tables)
        (tmp_path / "runs" / "student").mkdir(parents=True, exist_ok=True)
        return SentimentLearner(read_recipe(path), data, tmp_path / "runs" / "student")

    return learner


def test_unlabelled_texts_and_pieces_of_all_are_learned_with_what_the_teachers_say(
    learn: Callable[[str], SentimentLearner],
) -> None:
    labelled = len(learn("").sets.train)
    taught = learn(TAUGHT).sets.train
    whole, pieces = taught[labelled : labelled + 20], taught[labelled + 20 :]
    assert 5 <= len(pieces) <= labelled + 20
    assert all(len(piece.inputs) < 15 for piece in pieces)
    told = labels_of([*whole, *pieces])
    assert ((told > 0) & (told < 1)).all()
    assert ((labels_of(whole) > 0.5) == ([True, False] * 10)).mean() >= 0.9


def test_teachers_without_a_text_to_label_are_refused(learn: Callable[[str], SentimentLearner], data: Path) -> None:
    (data / "unsup.parquet").unlink()
    with pytest.raises(DataError, match="no unlabelled reviews"):
        learn(TAUGHT)


def test_what_teachers_said_is_kept_for_a_run_that_goes_on(
    learn: Callable[[str], SentimentLearner], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = labels_of(learn(TAUGHT).sets.train)
    monkeypatch.delattr(sentiment, "fit")
    assert (labels_of(learn(TAUGHT).sets.train) == first).all()


def test_a_student_is_taught_by_what_a_teacher_said_elsewhere(
    learn: Callable[[str], SentimentLearner], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = labels_of(learn(TAUGHT).sets.train)
    (tmp_path / "runs" / "teacher" / "opinions.npz").rename(tmp_path / "teacher.npz")
    shutil.rmtree(tmp_path / "runs")
    monkeypatch.delattr(sentiment, "fit")
    assert labels_of(learn(TAUGHT).sets.train) == pytest.approx(first, abs=1e-3)


def test_neither_what_a_teacher_by_another_recipe_said_is_taken_nor_its_weights(
    learn: Callable[[str], SentimentLearner], tmp_path: Path
) -> None:
    learn(TAUGHT)
    (tmp_path / "runs" / "student" / "soft_labels.npy").unlink()
    with (tmp_path / "teacher.toml").open("a") as recipe:
        recipe.write("# another\n")
    with pytest.raises(RecipeError, match="teacher was begun with another recipe"):
        learn(TAUGHT)


def test_towers_teach(learn: Callable[[str], SentimentLearner], tmp_path: Path) -> None:
    teacher = tmp_path / "teacher.toml"
    one_stack = re.search(r"\[model\]\n(.*\n)+?\n?(?=\[|\Z)", teacher.read_text())
    assert one_stack
    towers = "[model]\nembedding = 8\nhidden = 12\nlayers = 2\nbidirectional = true\ntowers = true\n"
    teacher.write_text(teacher.read_text().replace(one_stack.group(), towers).replace('"gru"', '"lstm"'))
    told = labels_of(learn(TAUGHT).sets.train)
    assert ((told > 0) & (told < 1)).sum() >= 20
    assert "forwards.lstm.weight_ih_l1" in torch.load(tmp_path / "runs" / "teacher" / "checkpoint.pt")["network"]


def test_a_network_goes_on_from_what_another_recipe_made(
    learn: Callable[[str], SentimentLearner], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = learn(TAUGHT)
    training = learner._recipe.training.model_copy(update={"start": "teacher"})
    regular = learner._recipe.regularisation.model_copy(update={"dropout": 0.77, "embedding_dropout": 0.66})
    learner._recipe = learner._recipe.model_copy(update={"training": training, "regularisation": regular})
    network = learner.network()
    assert isinstance(network, SentimentNet)
    assert (network.dropout.p, network.embedding_dropout.p) == (0.77, 0.66), "what is no weight is this recipe's own"
    begun = network.state_dict()
    made = torch.load(tmp_path / "runs" / "teacher" / "checkpoint.pt", weights_only=True)["best"]["weights"]
    assert begun.keys() == made.keys()
    assert all((begun[name] == made[name]).all() for name in made)


def test_a_network_of_another_shape_is_not_gone_on_with(learn: Callable[[str], SentimentLearner], tmp_path: Path) -> None:
    learner = learn("")
    training = learner._recipe.training.model_copy(update={"start": "teacher"})
    model = learner._recipe.model.model_copy(update={"hidden": 99})
    learner._recipe = learner._recipe.model_copy(update={"training": training, "model": model})
    with pytest.raises(RecipeError, match="start: teacher has another cell"):
        learner.network()
    assert not (tmp_path / "runs" / "teacher").exists()


def test_a_dry_run_trains_nothing_beforehand(tiny_recipe: Callable[..., str], tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(tiny_recipe("sentiment") + TAUGHT)
    recipe = read_recipe(path)
    training = recipe.training.model_copy(update={"start": "another"})
    quick = recipe.model_copy(update={"training": training}).without_preparation()
    assert (quick.training.start, quick.self_training.teachers) == ("", [])
