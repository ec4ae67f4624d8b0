"""Recipes: what is accepted, and what a refusal says."""

from pathlib import Path

import pytest

import training
from training.recipe import RecipeError, read_recipe

RECIPES = sorted((Path(training.__file__).parent / "recipes").glob("*.toml"))

WHOLE = """
task = "sentiment"
cell = "lstm"

[data]
validation_items = 10

[model]
embedding = 8
hidden = 16
bidirectional = true

[training]
epochs = 2
batch_items = 4
learning_rate = 0.01
"""


def written(tmp_path: Path, content: str) -> Path:
    path = tmp_path / "some-recipe.toml"
    path.write_text(content, "utf-8")
    return path


BEGUN = """
task = "rainfall"
cell = "rnn"
data.validation_items = 1
training = { epochs = 1, batch_items = 1, learning_rate = 0.1 }

[model]
hidden = 4
bidirectional = true

[rain]
start = "weights.npz"
teacher = "winner"
"""


def refusal(path: Path) -> str:
    """What the error says, which always begins with the file."""
    with pytest.raises(RecipeError) as caught:
        read_recipe(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def test_there_are_recipes_to_test() -> None:
    assert RECIPES


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_of_the_project_is_valid(path: Path) -> None:
    assert read_recipe(path).task in path.stem


def test_a_recipe_keeps_what_it_says_and_takes_defaults_for_the_rest(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, WHOLE))
    assert (recipe.task, recipe.cell, recipe.model.hidden, recipe.model.bidirectional) == ("sentiment", "lstm", 16, True)
    assert (recipe.model.layers, recipe.regularisation.dropout, recipe.export.precision) == (1, 0.0, "fp32")


def test_a_whole_number_is_a_number_with_a_fraction_too(tmp_path: Path) -> None:
    recipe = read_recipe(written(tmp_path, WHOLE.replace("learning_rate = 0.01", "learning_rate = 1")))
    assert recipe.training.learning_rate == 1.0


@pytest.mark.parametrize(
    ("old", "new", "setting"),
    [
        ("hidden = 16", "hidden = 16\nwidth = 3", "model.width"),
        ('cell = "lstm"', 'cell = "lstm"\nspeed = 1', "speed"),
        ("[training]", "[extra]\na = 1\n[training]", "extra"),
    ],
)
def test_an_unknown_setting_is_refused_by_name(tmp_path: Path, old: str, new: str, setting: str) -> None:
    assert refusal(written(tmp_path, WHOLE.replace(old, new))).startswith(f"{setting}: ")


@pytest.mark.parametrize(
    ("old", "new", "setting", "got"),
    [
        ("hidden = 16", 'hidden = "many"', "model.hidden", "'many'"),
        ("hidden = 16", 'hidden = "16"', "model.hidden", "'16'"),
        ("hidden = 16", "hidden = true", "model.hidden", "True"),
        ("hidden = 16", "hidden = 16.5", "model.hidden", "16.5"),
        ("hidden = 16", "hidden = [16]", "model.hidden", "[16]"),
        ("bidirectional = true", 'bidirectional = "yes"', "model.bidirectional", "'yes'"),
        ("bidirectional = true", "bidirectional = 1", "model.bidirectional", "1"),
        ("learning_rate = 0.01", 'learning_rate = "0.01"', "training.learning_rate", "'0.01'"),
    ],
)
def test_a_setting_of_the_wrong_type_is_refused_by_name(tmp_path: Path, old: str, new: str, setting: str, got: str) -> None:
    message = refusal(written(tmp_path, WHOLE.replace(old, new)))
    assert message.startswith(f"{setting}: ")
    assert f"got {got}" in message


@pytest.mark.parametrize(
    ("old", "new", "setting"),
    [
        ("hidden = 16", "hidden = 0", "model.hidden"),
        ("epochs = 2", "epochs = -1", "training.epochs"),
        ("learning_rate = 0.01", "learning_rate = 0.0", "training.learning_rate"),
        ("[training]", "[regularisation]\ndropout = 1.0\n[training]", "regularisation.dropout"),
        ("[training]", "[regularisation]\nl2 = -0.1\n[training]", "regularisation.l2"),
        ('task = "sentiment"', 'task = "weather"', "task"),
        ('cell = "lstm"', 'cell = "transformer"', "cell"),
    ],
)
def test_a_value_out_of_range_is_refused_by_name(tmp_path: Path, old: str, new: str, setting: str) -> None:
    assert refusal(written(tmp_path, WHOLE.replace(old, new))).startswith(f"{setting}: ")


@pytest.mark.parametrize(
    ("line", "setting"),
    [('task = "sentiment"', "task"), ("validation_items = 10", "data.validation_items"), ("hidden = 16", "model.hidden")],
)
def test_a_missing_setting_is_asked_for_by_name(tmp_path: Path, line: str, setting: str) -> None:
    assert refusal(written(tmp_path, WHOLE.replace(line, ""))).startswith(f"{setting}: Field required")


def test_music_that_reads_backwards_is_refused(tmp_path: Path) -> None:
    """It would see the very character that it has to guess, and its graph cannot be built."""
    assert "model.bidirectional" in refusal(written(tmp_path, WHOLE.replace("sentiment", "music")))


def test_rain_in_int8_is_refused(tmp_path: Path) -> None:
    """Its activations could not be quantised alike in every pass."""
    content = WHOLE.replace("sentiment", "rainfall") + '\n[export]\nprecision = "int8"\n'
    assert 'only "fp32" is allowed for rainfall' in refusal(written(tmp_path, content))


@pytest.mark.parametrize("task", ["sentiment", "music"])
def test_a_task_that_embeds_is_refused_without_a_width(tmp_path: Path, task: str) -> None:
    content = WHOLE.replace("sentiment", task).replace("bidirectional = true", "").replace("embedding = 8", "")
    assert "model.embedding" in refusal(written(tmp_path, content))


PRETRAINED = WHOLE.replace("embedding = 8", "embedding = 16") + "\n[pretraining]\nepochs = 1\n"


@pytest.mark.parametrize("shape", ["embedding = 16", "embedding = 8\ntowers = true"])
def test_readers_of_both_directions_can_be_pretrained(tmp_path: Path, shape: str) -> None:
    assert read_recipe(written(tmp_path, PRETRAINED.replace("embedding = 16", shape))).pretraining.epochs == 1


@pytest.mark.parametrize(
    ("old", "new"),
    [("bidirectional = true", ""), ("hidden = 16", "hidden = 8"), ('task = "sentiment"', 'task = "rainfall"')],
)
def test_pretraining_of_what_is_no_language_model_is_refused(tmp_path: Path, old: str, new: str) -> None:
    assert "pretraining.epochs: " in refusal(written(tmp_path, PRETRAINED.replace(old, new)))


def test_one_fold_of_rain_is_refused(tmp_path: Path) -> None:
    rain = WHOLE.replace('"sentiment"', '"rainfall"') + "\n[rain]\nfolds = {}\n"
    assert read_recipe(written(tmp_path, rain.format(2))).rain.folds == 2
    assert "rain.folds: one network" in refusal(written(tmp_path, rain.format(1)))


@pytest.mark.parametrize("lacks", ['teacher = "winner"', "bidirectional = true", 'cell = "rnn"'])
def test_layers_to_begin_from_are_bidirectional_rnns_of_a_teacher(tmp_path: Path, lacks: str) -> None:
    whole = BEGUN.replace(lacks, 'cell = "gru"' if lacks.startswith("cell") else "")
    assert read_recipe(written(tmp_path, BEGUN)).rain.start == "weights.npz"
    assert "rain.start: the layers" in refusal(written(tmp_path, whole))


def test_without_preparation_no_other_network_is_trained(tmp_path: Path) -> None:
    tables = '\n[self_training]\nteachers = ["some"]\n[rain]\nteacher = "winner"\nfolds = 5\n'
    bare = read_recipe(written(tmp_path, WHOLE + tables)).without_preparation()
    assert bare.self_training.teachers == []
    assert bare.rain.folds == 0
    assert bare.rain.teacher == "winner"
    assert read_recipe(written(tmp_path, BEGUN)).without_preparation().rain.start == ""


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "none.toml")


def test_a_folder_is_no_recipe(tmp_path: Path) -> None:
    assert "not readable as TOML" in refusal(tmp_path)


def test_broken_toml_is_named_with_its_line(tmp_path: Path) -> None:
    assert "line 3" in refusal(written(tmp_path, 'task = "sentiment"\n\ncell = = 1\n'))


def test_a_file_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes('task = "café"'.encode("latin-1"))
    assert "not readable as TOML" in refusal(path)


@pytest.mark.parametrize("levels", ["[1, 2]", "[]", "[3, 0]", "[0, 0]", "[0, nan]", "[0, inf]", '["0"]', "[0, 31]", "0"])
def test_levels_of_reflectivity_ascend_through_zero(tmp_path: Path, levels: str) -> None:
    rain = WHOLE.replace('"sentiment"', '"rainfall"') + "\n[rain]\nraised_db = {}\n"
    assert read_recipe(written(tmp_path, rain.format("[-2.5, 0, 3]"))).rain.raised_db == (-2.5, 0.0, 3.0)
    assert "rain.raised_db" in refusal(written(tmp_path, rain.format(levels)))
