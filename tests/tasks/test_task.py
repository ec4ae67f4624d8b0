"""Padding and grouping, which every task shares."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tasks.task import InvalidInput, by_length, pad


def test_sequences_are_padded_with_zeros_on_the_right() -> None:
    padded, lengths = pad([np.array([1, 2]), np.array([3, 4, 5]), np.array([], np.int64)])
    assert padded.tolist() == [[1, 2, 0], [3, 4, 5], [0, 0, 0]]
    assert lengths.tolist() == [2, 3, 0]
    assert (padded.dtype.name, lengths.dtype.name) == ("int64", "int32")


def test_sequences_of_rows_keep_their_type() -> None:
    padded, _ = pad([np.ones((1, 3), np.float32), np.ones((2, 3), np.float32)])
    assert padded.shape == (2, 2, 3)
    assert padded.dtype == np.float32
    assert padded[0].tolist() == [[1, 1, 1], [0, 0, 0]]


@settings(deadline=None)
@given(st.lists(st.integers(0, 20), max_size=50), st.integers(1, 9))
def test_groups_hold_every_index_once_sorted_by_length(lengths: list[int], most: int) -> None:
    groups = by_length(lengths, most)
    flat = [index for group in groups for index in group]
    assert sorted(flat) == list(range(len(lengths)))
    assert [lengths[index] for index in flat] == sorted(lengths)
    assert all(len(group) == most for group in groups[:-1])
    assert all(0 < len(group) <= most for group in groups)


def test_an_invalid_input_says_what_and_where() -> None:
    error = InvalidInput("too long", "/texts/3")
    assert (str(error), error.detail, error.pointer) == ("too long", "too long", "/texts/3")
