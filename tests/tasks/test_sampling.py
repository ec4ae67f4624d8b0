"""One character a row, by temperature, nucleus and chance."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tasks.sampling import draw, log_softmax

unhurried = settings(deadline=None)
LOGITS = st.lists(st.floats(-8, 8), min_size=1, max_size=12)
CHANCE = st.floats(0, 1, exclude_max=True)


def one(log_p: npt.NDArray[np.float32], temperature: float, top_p: float, chance: float) -> int:
    """A single draw from log-probabilities [vocabulary]."""
    settings = (np.array([[number]]) for number in (temperature, top_p, chance))
    [index] = draw(log_p[None], np.ones((1, len(log_p)), bool), *settings)
    return index


def by_hand(
    log_p: npt.NDArray[np.float32], allowed: npt.NDArray[np.bool_], temperature: float, top_p: float, chance: float
) -> int:
    """The same for one row, written out as the rule says."""
    p = np.exp(log_softmax(np.where(allowed, log_p, -np.inf).astype(np.float64) / temperature))
    order = np.argsort(-p, kind="stable")
    cumulative = np.cumsum(p[order])
    kept = min(int(np.searchsorted(cumulative, top_p * cumulative[-1])) + 1, len(p))
    chosen = int(np.searchsorted(cumulative[:kept], chance * cumulative[kept - 1], side="right"))
    return int(order[min(chosen, kept - 1)])


@unhurried
@given(LOGITS, CHANCE)
def test_a_tiny_nucleus_takes_the_likeliest(logits: list[float], chance: float) -> None:
    array = np.array(logits, np.float32)
    index = one(array, 1.0, 1e-9, chance)
    assert array[index] == pytest.approx(array.max(), abs=1e-6)


@unhurried
@given(LOGITS, CHANCE)
def test_a_tiny_temperature_takes_one_of_the_likeliest(logits: list[float], chance: float) -> None:
    array = np.array(logits, np.float32)
    index = one(array, 1e-9, 1.0, chance)
    assert array[index] == pytest.approx(array.max(), abs=1e-6)


@unhurried
@given(LOGITS, st.floats(0.01, 1.0), st.floats(0.1, 5.0), CHANCE)
def test_a_draw_stays_in_the_smallest_set_of_the_mass_asked_for(
    logits: list[float], top_p: float, temperature: float, chance: float
) -> None:
    index = one(np.array(logits, np.float32), temperature, top_p, chance)
    weights = np.exp(np.array(logits, np.float32).astype(np.float64) / temperature)
    p = weights / weights.sum()
    # Those likelier than the one drawn must not have the mass already.
    assert p[p > p[index] * (1 + 1e-9)].sum() < top_p + 1e-9


@pytest.mark.parametrize(
    ("temperature", "top_p", "expected"),
    [
        (1.0, 1.0, [0.5, 0.3, 0.15, 0.05]),
        (1.0, 0.8, [0.625, 0.375, 0, 0]),
        (1.0, 0.81, [0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0]),
        (0.5, 1.0, [0.25 / 0.365, 0.09 / 0.365, 0.0225 / 0.365, 0.0025 / 0.365]),
        (1e6, 1.0, [0.25, 0.25, 0.25, 0.25]),
    ],
    ids=["as they are", "nucleus of two", "nucleus of three", "half the temperature", "hot"],
)
def test_characters_are_drawn_as_often_as_temperature_and_nucleus_say(
    temperature: float, top_p: float, expected: list[float]
) -> None:
    log_p = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))
    # A nucleus of exactly 0.8 would hang on the rounding of float32.
    nucleus, chance = top_p - 1e-6 if top_p < 1 else 1.0, np.random.default_rng(0)
    drawn = np.bincount([one(log_p, temperature, nucleus, chance.random()) for _ in range(4000)], minlength=4) / 4000
    assert drawn.tolist() == pytest.approx(expected, abs=0.03)
    assert [share == 0 for share in drawn] == [share == 0 for share in expected]


@unhurried
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 99), st.booleans())
def test_many_rows_are_drawn_as_each_alone(seed: int, rows: int, size: int, ties: bool) -> None:
    numbers = np.random.default_rng(seed)
    logits = numbers.normal(0, 3, (rows, size))
    log_p = log_softmax((np.round(logits) if ties else logits).astype(np.float32))
    allowed = numbers.random((rows, size)) < 0.4
    allowed[np.arange(rows), numbers.integers(size, size=rows)] = True
    temperature, top_p = numbers.choice([0.01, 0.3, 0.9, 1.0, 4.0], rows), numbers.choice([1e-9, 0.5, 0.95, 1.0], rows)
    chance = numbers.choice([0.0, 0.37, 1 - 2**-53, *numbers.random(3)], rows)
    each = [by_hand(*row) for row in zip(log_p, allowed, temperature, top_p, chance, strict=True)]
    assert draw(log_p, allowed, temperature[:, None], top_p[:, None], chance[:, None]) == each


@unhurried
@given(st.integers(0, 2**32 - 1))
def test_what_is_not_allowed_is_never_drawn(seed: int) -> None:
    numbers = np.random.default_rng(seed)
    allowed = np.eye(5, dtype=bool)
    log_p = log_softmax(numbers.normal(0, 20, (5, 5)).astype(np.float32))
    assert draw(log_p, allowed, np.full((5, 1), 0.01), np.ones((5, 1)), numbers.random((5, 1))) == [0, 1, 2, 3, 4]


@unhurried
@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=9))
def test_log_softmax_is_a_distribution_however_large_the_logits(logits: list[float]) -> None:
    log_p = log_softmax(np.array([logits], np.float32))
    assert np.exp(log_p.astype(np.float64)).sum() == pytest.approx(1.0, abs=1e-4)
    assert np.isfinite(log_p).all()


def test_log_softmax_by_hand() -> None:
    log_p = log_softmax(np.log(np.array([[1.0, 3.0], [2.0, 2.0]], np.float32)))
    assert np.exp(log_p).tolist() == [pytest.approx([0.25, 0.75]), pytest.approx([0.5, 0.5])]
