"""The adding and copying problems are what the papers describe."""

import pytest
import torch

from training.studies.memory import LETTERS, PROBLEMS, SYMBOLS, adding, copying


def chance(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_adding_marks_one_number_in_each_half_and_asks_for_their_sum() -> None:
    x, y = adding(500, 20, chance())
    numbers, marks = x[:, :, 0], x[:, :, 1]
    assert x.shape == (500, 20, 2)
    assert bool(((numbers >= 0) & (numbers < 1)).all())
    assert marks[:, :10].sum(1).tolist() == marks[:, 10:].sum(1).tolist() == [1.0] * 500
    assert bool((marks.sum(0) > 0).all()), "every step is marked now and then"
    assert torch.allclose(torch.stack([row[mark == 1].sum() for row, mark in zip(numbers, marks, strict=True)]), y)


def test_who_guesses_explains_nothing_and_who_knows_everything() -> None:
    _, y = adding(20_000, 10, chance())
    score = PROBLEMS["adding"].score
    assert float(score(torch.ones(20_000, 10, 1), y)) == pytest.approx(0.0, abs=0.02)
    known = torch.zeros(20_000, 10, 1)
    known[:, -1, 0] = y
    assert float(score(known, y)) == 1.0


def test_copying_shows_the_symbols_once_and_asks_for_them_after_the_blanks() -> None:
    x, y = copying(100, 30, chance())
    assert x.shape == (100, 30 + 2 * SYMBOLS, LETTERS + 2)
    seen = x.argmax(2)
    assert torch.equal(seen[:, :SYMBOLS], y)
    assert bool((seen[:, SYMBOLS : SYMBOLS + 30] == LETTERS).all())
    assert bool((seen[:, -SYMBOLS:] == LETTERS + 1).all())
    assert bool((x.sum(2) == 1).all())
    assert set(y.flatten().tolist()) == set(range(LETTERS))


def test_copying_is_scored_on_the_last_steps_alone() -> None:
    x, y = copying(50, 8, chance())
    out = torch.zeros(50, x.shape[1], LETTERS)
    out[:, -SYMBOLS:] = torch.nn.functional.one_hot(y, LETTERS).float() * 20
    assert float(PROBLEMS["copying"].score(out, y)) == 1.0
    assert float(PROBLEMS["copying"].loss(out, y)) < 1e-6
    assert float(PROBLEMS["copying"].score(out.roll(1, dims=1), y)) < 0.9
