"""Batches: padding, order and completeness."""

import random

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from training.data.batches import Batch, Example, LazyExamples, collate, ordered_batches, shuffled_batches

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=40)
unhurried = settings(deadline=None, max_examples=50)


def numbered(lengths: list[int]) -> list[Example]:
    """Sequences that hold nothing but their own number, from 1."""
    return [Example(np.full(length, row + 1), np.array(float(row + 1))) for row, length in enumerate(lengths)]


def rows_of(batch: Batch) -> list[int]:
    return [int(number) - 1 for number in batch.targets]


def test_shorter_sequences_are_padded_with_zeros_on_the_right() -> None:
    batch = collate([Example(np.array([1, 2, 3]), np.array(1.0)), Example(np.array([4]), np.array(0.0))])
    assert batch.inputs.tolist() == [[1, 2, 3], [4, 0, 0]]
    assert batch.lengths.tolist() == [3, 1]
    assert batch.targets.tolist() == [1.0, 0.0]
    assert (batch.inputs.dtype, batch.lengths.dtype) == (torch.int64, torch.int64)


def test_a_target_at_every_step_is_padded_too() -> None:
    batch = collate([Example(np.array([1]), np.array([2])), Example(np.array([3, 4]), np.array([4, 5]))])
    assert batch.targets.tolist() == [[2, 0], [4, 5]]


def test_features_keep_their_axis_and_type() -> None:
    batch = collate([Example(np.ones((length, 3), np.float32), np.array(1.0)) for length in (2, 4)])
    assert batch.inputs.shape == (2, 4, 3)
    assert batch.inputs.dtype == torch.float32
    assert batch.inputs.sum((1, 2)).tolist() == [6.0, 12.0]


def test_a_batch_moves_whole_to_a_device() -> None:
    moved = collate(numbered([1, 2])).to(torch.device("meta"))
    assert {moved.inputs.device.type, moved.lengths.device.type, moved.targets.device.type} == {"meta"}


@unhurried
@given(LENGTHS, st.integers(1, 7), st.integers(0, 99))
def test_shuffled_batches_hold_every_example_once_and_whole(lengths: list[int], items: int, seed: int) -> None:
    batches = list(shuffled_batches(numbered(lengths), items, random.Random(seed)))
    assert sorted(row for batch in batches for row in rows_of(batch)) == list(range(len(lengths)))
    assert len(batches) == -(-len(lengths) // items)
    for batch in batches:
        assert len(batch.lengths) <= items
        for row, inputs, length in zip(rows_of(batch), batch.inputs.tolist(), batch.lengths.tolist(), strict=True):
            assert length == lengths[row]
            assert inputs == [row + 1] * length + [0] * (batch.inputs.shape[1] - length)


def test_shuffled_batches_hold_sequences_of_like_length() -> None:
    lengths = [length for length in range(1, 11) for _ in range(4)]
    for batch in shuffled_batches(numbered(lengths), 4, random.Random(0)):
        assert len(set(batch.lengths.tolist())) == 1


def test_shuffled_batches_come_in_another_order_each_time_and_the_same_for_one_seed() -> None:
    examples = numbered([1 + row % 5 for row in range(40)])

    def order(chance: random.Random) -> list[list[int]]:
        return [rows_of(batch) for batch in shuffled_batches(examples, 4, chance)]

    chance = random.Random(0)
    first, second = order(chance), order(chance)
    assert first != second
    assert first == order(random.Random(0))


def test_shuffled_batches_do_not_go_from_short_to_long() -> None:
    examples = numbered([1 + row % 10 for row in range(40)])
    longest = [batch.inputs.shape[1] for batch in shuffled_batches(examples, 2, random.Random(0))]
    assert longest != sorted(longest)


def test_examples_beyond_one_pool_are_batched_too() -> None:
    batches = list(shuffled_batches(numbered([1 + row % 3 for row in range(137)]), 1, random.Random(0)))
    assert sorted(row for batch in batches for row in rows_of(batch)) == list(range(137))


@unhurried
@given(LENGTHS, st.integers(1, 7))
def test_ordered_batches_name_the_rows_they_hold_from_short_to_long(lengths: list[int], items: int) -> None:
    seen: list[int] = []
    for rows, batch in ordered_batches(numbered(lengths), items):
        assert rows == rows_of(batch)
        assert len(rows) <= items
        seen += rows
    assert sorted(seen) == list(range(len(lengths)))
    assert [lengths[row] for row in seen] == sorted(lengths)


def test_examples_made_on_demand_make_the_same_batches() -> None:
    held = numbered([3, 1, 4, 1, 5])
    rows = [4, 2, 0, 1, 3]
    lazy = LazyExamples(held.__getitem__, rows, [len(held[row].inputs) for row in rows])
    assert [len(example.inputs) for example in lazy[1:3]] == [4, 3]
    for (lazy_rows, lazy_batch), (held_rows, held_batch) in zip(
        ordered_batches(lazy, 2), ordered_batches([held[row] for row in rows], 2), strict=True
    ):
        assert lazy_rows == held_rows
        assert torch.equal(lazy_batch.inputs, held_batch.inputs)
