"""Tunes are generated, written and looked at by the programs that are there."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.tasks.music import BOUNDARY_MARK, Music
from app.tasks.sampling import Sampling
from app.tasks.task import Tensors
from training.tunes_check import check_tunes, generate, prompts, silent_in_abc2midi, silent_in_abcjs, write_tunes

VOCABULARY = [
    BOUNDARY_MARK,
    *sorted(set("\n !\"'(),-./:<=>[]\\^_{|}~%#*") | {chr(code) for code in (*range(48, 58), *range(65, 91), *range(97, 123))}),
]
GOOD = "X:1\nT:Good\nM:4/4\nL:1/8\nK:G\nABcd efga|ABcd efga|]\n"
BAD = GOOD.replace("efga|]", "efg:|")
needs_abc2midi = pytest.mark.skipif(shutil.which("abc2midi") is None, reason="needs abc2midi (Debian: abcmidi)")


def music() -> Music:
    return Music(VOCABULARY, {"h": [1, 1]})


def uniform(feeds: Tensors) -> Tensors:
    """A model that knows nothing."""
    return {"logits": np.zeros((*feeds["ids"].shape, len(VOCABULARY)), np.float32), "next_h": feeds["h"]}


def test_prompts_are_many_and_varied() -> None:
    some = prompts(200)
    assert len(some) == 200
    assert len(set(some)) > 100
    assert "" in some
    assert {"M:6/8", "M:C|", "M:3/2", "L:1/16"} <= {line for prompt in some for line in prompt.split("\n")}


def test_a_tune_is_the_prompt_and_what_came_after() -> None:
    tune = generate(music(), uniform, "X:1\n", Sampling(400, 0.9, 1.0, 3), well_formed=True)
    assert tune.abc.startswith("X:1\n")
    assert tune.finished
    assert tune.added == len(tune.abc) - len("X:1\n") + 1
    assert not generate(music(), uniform, "X:1\n", Sampling(20, 0.9, 1.0, 3), well_formed=False).abc.startswith(tune.abc[:10])


@needs_abc2midi
def test_abc2midi_is_silent_about_a_good_tune_alone(tmp_path: Path) -> None:
    assert silent_in_abc2midi(write_tunes([GOOD, BAD, GOOD], tmp_path / "tunes")) == [True, False, True]


def test_without_the_programs_nothing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert silent_in_abc2midi(tmp_path) is None
    assert silent_in_abcjs(tmp_path, tmp_path) is None


def test_the_table_compares_with_and_without_and_with_real_tunes(
    tmp_path: Path, tiny_data: Path, tiny_recipe: Callable[..., str]
) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(tiny_recipe("music"))
    sampling = Sampling(150, 0.9, 1.0, 0)
    table = check_tunes(music(), uniform, recipe, tiny_data / "music", tmp_path / "splits", tmp_path / "out", 6, sampling)
    rows = [line.split(" | ") for line in table.split("\n")[2:]]
    assert [row[0] for row in rows] == ["| with the grammar", "| without", "| held-out real tunes"]
    assert rows[0][1] == "100.0%"
    assert len(list((tmp_path / "out" / "with-the-grammar").glob("*.abc"))) == 6
    assert (tmp_path / "out" / "with-the-grammar" / "00001.abc").read_text().startswith("X:1\n")
