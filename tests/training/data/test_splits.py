"""Splits by whole groups."""

import json
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from training.data.splits import Splits, recorded_splits, split_by_group

GROUPS = [f"movie {row // 3}" for row in range(60)]


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 12).map(str), min_size=1, max_size=60),
    st.integers(0, 12),
    st.integers(0, 12),
    st.integers(0, 5),
)
def test_every_item_is_in_one_set_and_no_group_is_torn_apart(groups: list[str], validation: int, test: int, seed: int) -> None:
    try:
        splits = split_by_group(groups, validation, test, seed)
    except ValueError:
        assume(False)
    sets = [splits.train, splits.validation, splits.test]
    assert sorted(row for rows in sets for row in rows) == list(range(len(groups)))
    names = [{groups[row] for row in rows} for rows in sets]
    assert sum(map(len, names)) == len(set(groups))
    assert all(rows == sorted(rows) for rows in sets)
    # The sizes are met, and by no more than the group that met them.
    largest = max(map(groups.count, groups))
    for rows, wanted in ((splits.validation, validation), (splits.test, test)):
        assert wanted <= len(rows) < wanted + largest
    assert splits.train


def test_a_size_of_zero_leaves_the_set_empty() -> None:
    splits = split_by_group(GROUPS, 6, 0, 0)
    assert splits.sizes() == {"train": 54, "validation": 6, "test": 0}


@settings(deadline=None)
@given(st.permutations(range(60)))
def test_a_group_goes_to_the_same_set_in_whatever_order_the_data_come(order: list[int]) -> None:
    plain, shuffled = split_by_group(GROUPS, 9, 9, 4), split_by_group([GROUPS[row] for row in order], 9, 9, 4)
    assert {GROUPS[order[row]] for row in shuffled.test} == {GROUPS[row] for row in plain.test}
    assert {GROUPS[order[row]] for row in shuffled.validation} == {GROUPS[row] for row in plain.validation}


def test_another_seed_draws_other_groups() -> None:
    assert split_by_group(GROUPS, 9, 9, 1) == split_by_group(GROUPS, 9, 9, 1)
    assert split_by_group(GROUPS, 9, 9, 1) != split_by_group(GROUPS, 9, 9, 2)


def test_growing_the_validation_set_does_not_touch_the_test_set() -> None:
    assert split_by_group(GROUPS, 6, 12, 0).test == split_by_group(GROUPS, 30, 12, 0).test


@pytest.mark.parametrize(("groups", "validation", "test"), [(["a", "b"], 1, 1), (["a"] * 9, 1, 0), ([], 0, 0)])
def test_a_split_that_leaves_nothing_to_train_on_is_refused(groups: list[str], validation: int, test: int) -> None:
    with pytest.raises(ValueError, match=f"of {len(groups)} items in {len(set(groups))} groups none is left to train on"):
        split_by_group(groups, validation, test, 0)


def test_names_that_are_no_valid_unicode_are_groups_too() -> None:
    splits = split_by_group(["\ud800", "b", "c"], 1, 1, 0)
    assert splits.sizes() == {"train": 1, "validation": 1, "test": 1}


def test_a_split_is_recorded_and_read_back(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "splits"
    made = recorded_splits(folder, "rain", GROUPS, 6, 9, 0)
    (file,) = folder.iterdir()
    assert file.name.startswith("rain-")
    assert Splits(**json.loads(file.read_text("utf-8"))) == made
    assert recorded_splits(folder, "rain", GROUPS, 6, 9, 0) == made
    assert list(folder.iterdir()) == [file]


def test_a_recorded_split_is_used_rather_than_made_again(tmp_path: Path) -> None:
    made = recorded_splits(tmp_path, "rain", GROUPS, 6, 9, 0)
    (file,) = tmp_path.iterdir()
    other = Splits(made.test, made.validation, made.train)
    file.write_text(json.dumps({"train": other.train, "validation": other.validation, "test": other.test}), "utf-8")
    assert recorded_splits(tmp_path, "rain", GROUPS, 6, 9, 0) == other


@pytest.mark.parametrize(
    ("groups", "validation", "test", "seed"),
    [(GROUPS[1:], 6, 9, 0), (GROUPS[::-1], 6, 9, 0), (GROUPS, 7, 9, 0), (GROUPS, 6, 10, 0), (GROUPS, 6, 9, 1)],
    ids=["items", "order", "validation", "test", "seed"],
)
def test_other_items_or_settings_are_recorded_apart(
    tmp_path: Path, groups: list[str], validation: int, test: int, seed: int
) -> None:
    recorded_splits(tmp_path, "rain", GROUPS, 6, 9, 0)
    assert recorded_splits(tmp_path, "rain", groups, validation, test, seed) == split_by_group(groups, validation, test, seed)
    assert len(list(tmp_path.iterdir())) == 2
