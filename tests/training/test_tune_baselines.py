"""What the music model has to beat, on generated tunes."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from training.tune_baselines import END, WittenBell, tune_baselines, xz_bits_per_character

ALPHABET = "ABCDEFG|\n"


@pytest.mark.parametrize("context", ["", "A", "AB", "ABC", "GGGG", END])
def test_probabilities_of_all_characters_add_up_to_one(context: str) -> None:
    grams = WittenBell(["ABCABD|\n", "ABCA|\n", "GFE|\n"], 3, len(ALPHABET) + 1)
    assert sum(grams.probability(context, character) for character in ALPHABET + END) == pytest.approx(1.0)


def test_an_interpolated_probability_is_that_of_the_paper() -> None:
    grams = WittenBell(["AB", "AC"], 1, 4)
    # Without context: A, B, C and the end 2, 1, 1 and 2 times, of 4 kinds; after A: B and C once each.
    plain = (1 + 4 * 0.25) / (6 + 4)
    assert grams.probability("A", "B") == pytest.approx((1 + 2 * plain) / (2 + 2))


def test_what_was_never_seen_costs_bits_but_no_infinity() -> None:
    assert 2 < WittenBell(["ABAB"], 2, 50).bits_per_character(["XYZ"]) < 20


def test_longer_contexts_pay_where_tunes_repeat() -> None:
    tunes = ["ABCDEFG|" * 8] * 3
    assert WittenBell(tunes, 4, 9).bits_per_character(tunes) < WittenBell(tunes, 0, 9).bits_per_character(tunes) - 1


def test_a_known_tune_costs_xz_next_to_nothing() -> None:
    tune = "".join(chr(65 + (k * k) % 26) for k in range(2000))
    assert xz_bits_per_character([tune], [tune]) < xz_bits_per_character(["x"], [tune]) / 2


def test_every_baseline_is_scored_on_both_held_out_parts(
    tmp_path: Path, tiny_sources: dict[str, Path], tiny_recipe: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "music-plain.toml"
    recipe.write_text(tiny_recipe("music"))
    (tmp_path / "music-lstm.toml").write_text(recipe.read_text())
    monkeypatch.setattr("training.tune_baselines.RECIPES", tmp_path)
    rows = list(tune_baselines(tiny_sources["music"], tmp_path / "runs", [recipe], [2]))
    assert [name for name, *_ in rows] == ["xz, the training tunes known", "Witten-Bell n-grams, 2 characters", "music-plain"]
    assert all(0 < bits < math.log2(100) for _, *both in rows for bits in both)
