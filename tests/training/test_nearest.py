"""The longest run that a tune shares with those learned from."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.nearest import longest_runs, notes_of

HEADER = "X:1\nT:A tune\nK:G\n"


def by_hand(tune: str, learned: list[str]) -> int:
    return max(
        (
            end - start
            for start in range(len(tune))
            for end in range(start + 1, len(tune) + 1)
            if any(tune[start:end] in other for other in learned)
        ),
        default=0,
    )


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text("ABc|", max_size=12), min_size=1, max_size=3), st.lists(st.text("ABc|", max_size=12), max_size=3))
def test_runs_are_those_found_by_trying_all(tunes: list[str], learned: list[str]) -> None:
    assert longest_runs(tunes, learned).tolist() == [by_hand(tune, learned) for tune in tunes]


def test_fields_comments_and_spaces_do_not_count() -> None:
    assert notes_of(HEADER + "% by ear\nAB cd|\nef:|\n") == "ABcd|ef:|"
    assert longest_runs([HEADER + "A Bcd"], ["T:A tune\nABc\nd"]).tolist() == [4]


def test_no_run_leads_from_one_learned_tune_into_the_next() -> None:
    assert longest_runs(["ABcd"], ["AB", "cd"]).tolist() == [2]


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 1000])
def test_a_tune_learned_by_heart_is_found_whole(length: int) -> None:
    letters = np.random.default_rng(length).choice(list("ABCDEFGabcdefg"), length + 40)
    tune = "".join(letters)
    assert longest_runs([tune[20 : 20 + length]], ["zzz", tune]).tolist() == [length]
