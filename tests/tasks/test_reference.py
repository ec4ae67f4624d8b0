"""How far a distribution has moved: the index is small for samples of one distribution and large for those of another."""

import numpy as np
import pytest
from pydantic import ValidationError

from app.tasks.reference import FEWEST_ITEMS, Reference, binned, reference_of, references_of, stability_index, verdict_on


def index(reference: Reference, values: np.ndarray) -> float:
    return stability_index(reference, binned(values, reference.edges), len(values))


def some_reference(values: np.ndarray) -> Reference:
    found = reference_of(values.tolist())
    assert found is not None
    return found


@pytest.mark.parametrize(("items", "bins"), [(60, 2), (130, 2), (300, 5), (5000, 10)])
def test_chance_alone_hardly_ever_looks_like_drift(items: int, bins: int) -> None:
    chance = np.random.default_rng(1)
    found = []
    for _ in range(200):
        reference = some_reference(chance.normal(size=items))
        assert len(reference.shares) == bins
        found.append(verdict_on(index(reference, chance.normal(size=FEWEST_ITEMS))))
    assert found.count("stable") >= 190
    assert "drifted" not in found


def test_what_has_moved_is_seen() -> None:
    chance = np.random.default_rng(2)
    reference = some_reference(chance.normal(size=2000))
    assert verdict_on(index(reference, chance.normal(0.4, size=1000))) == "shifted"
    assert verdict_on(index(reference, chance.normal(1.0, size=1000))) == "drifted"
    assert verdict_on(index(reference, np.full(1000, 50.0))) == "drifted"


def test_where_many_values_are_one_bins_are_fewer_and_something_new_is_seen() -> None:
    nothing_unknown = some_reference(np.zeros(500))
    assert nothing_unknown.edges == [0]
    assert nothing_unknown.shares == [1, 0]
    assert index(nothing_unknown, np.zeros(500)) < 0.001
    assert verdict_on(index(nothing_unknown, np.array([0.0] * 350 + [0.5] * 150))) == "drifted"


def test_weights_count_as_so_many_items() -> None:
    edges, values = [1.0, 2.0], np.array([0.0, 1.0, 1.5, 3.0])
    assert binned(values, edges).tolist() == [2, 1, 1]
    assert binned(values, edges, np.array([1.0, 2.0, 0.5, 4.0])).tolist() == [3, 0.5, 4]


def test_too_few_values_are_no_reference() -> None:
    assert reference_of([1.0] * 59) is None
    assert list(references_of({"few": [1.0] * 10, "many": [1.0] * 100})) == ["many"]


@pytest.mark.parametrize(
    "spoilt",
    [
        {"edges": [2.0, 1.0]},
        {"edges": []},
        {"edges": [float("nan"), 2.0]},
        {"shares": [0.5, 0.5]},
        {"shares": [0.5, 0.4, 0.3]},
        {"shares": [1.5, -0.5, 0.0]},
        {"items": 0},
    ],
)
def test_a_reference_that_is_none_is_refused(spoilt: dict[str, object]) -> None:
    whole = {"items": 100, "edges": [1.0, 2.0], "shares": [0.5, 0.25, 0.25]}
    Reference.model_validate(whole)
    with pytest.raises(ValidationError):
        Reference.model_validate({**whole, **spoilt})
