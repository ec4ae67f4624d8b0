"""Words of the counting languages, and what it takes to get one right."""

import torch
from torch import Tensor, nn

from training.studies import counting
from training.studies.counting import accepted, word, words
from training.studies.probe import Probe


class Counter(nn.Module):
    """Knows a^n b^n: may follow it reads from counts; `limit` is how far it can count."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit

    def forward(self, x: Tensor) -> Tensor:
        out = []
        first, second = 0, 0
        for symbol in x[0].argmax(1).tolist():
            first, second = min(first + (symbol == 1), self.limit), min(second + (symbol == 2), self.limit)
            if first == 0:
                allowed = [0, 1, 0]
            elif second == 0:
                allowed = [0, 1, 1]
            else:
                allowed = [1, 0, 0] if second == first else [0, 0, 1]
            out.append(allowed)
        return torch.tensor([out]).float() - 0.5


def test_words_and_what_may_follow_each_symbol() -> None:
    symbols, allowed = word(3, 2)
    assert symbols.tolist() == [0, 1, 1, 2, 2, 3, 3]
    may = ["".join("$abc"[column] for column in range(4) if row[column]) for row in allowed]
    assert may == ["a", "ab", "ab", "b", "c", "c", "$"]


def test_the_shortest_word() -> None:
    symbols, allowed = word(2, 1)
    assert symbols.tolist() == [0, 1, 2]
    assert allowed.tolist() == [[0, 1, 0], [0, 1, 1], [1, 0, 0]]


def test_a_batch_holds_every_word_once_padded() -> None:
    x, y, real = words(2, 3)
    assert x.shape == y.shape == (3, 7, 3)
    assert real.sum(1).tolist() == [3, 5, 7]
    assert torch.equal(x.sum(2), real)
    assert torch.equal(y[1, :5], word(2, 2)[1])


def test_only_a_counter_that_counts_far_enough_is_right() -> None:
    counter: Probe = Counter(limit=10)  # type: ignore[assignment]
    assert [n for n in (1, 2, 9, 10, 11, 30) if accepted(counter, 2, n)] == [1, 2, 9, 10]


def test_shares_are_of_trained_and_of_longer_words() -> None:
    scale = counting.Scale(trained_to=4, tested=(1, 2, 3, 4, 6, 8))
    assert counting._shares({2, 3, 4, 6}, scale) == (0.75, 0.5, 6)
    assert counting._shares(set(), scale) == (0.0, 0.0, 0)
