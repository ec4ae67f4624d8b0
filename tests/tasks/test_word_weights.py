"""What each word adds to a verdict, and where it stands in the text as sent; the models are small functions written here."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tasks.sentiment import RESERVED, UNKNOWN, EncodedText, Sentiment, tokenize
from app.tasks.word_weights import WordWeight, word_weights

VOCABULARY = [*RESERVED, *(f"w{number}" for number in range(40))]
VALUES = np.concatenate([[0.0, 0.0], np.sin(np.arange(40))])
unhurried = settings(deadline=None, max_examples=40)

Model = Callable[[list[int]], float]


def added_up(ids: list[int]) -> float:
    """Every word counts for itself."""
    return float(VALUES[ids].sum()) - 0.5


def entangled(ids: list[int]) -> float:
    """Words count by their place, their neighbours and the largest of all."""
    values = VALUES[ids]
    return float(2 * np.tanh(values @ np.cos(np.arange(len(ids)))) + 3 * values.max() + values[:-1] @ values[1:])


class Judge:
    """Asks a model and counts the words it reads."""

    def __init__(self, model: Model) -> None:
        self.model, self.steps = model, 0

    async def __call__(self, parts: Sequence[EncodedText]) -> list[float]:
        self.steps += sum(len(part.ids) for part in parts)
        assert all(part.ids.size for part in parts)
        return [self.model(part.ids.tolist()) for part in parts]


def sentiment(head: int = 150, tail: int = 250) -> Sentiment:
    return Sentiment(VOCABULARY, head, tail)


def weighed(model: Model, text: str, task: Sentiment | None = None) -> list[WordWeight]:
    return asyncio.run(word_weights(task or sentiment(), text, Judge(model)))


def weights(model: Model, numbers: Sequence[int]) -> list[float]:
    return [word.weight for word in weighed(model, " ".join(f"w{number}" for number in numbers))]


@unhurried
@given(st.lists(st.integers(0, 45), max_size=120))
def test_the_weights_account_for_the_verdict(numbers: list[int]) -> None:
    task, text = sentiment(), " ".join(f"w{number}" for number in numbers)
    whole, nothing = (entangled(task.encode(each).ids.tolist()) for each in (text, ""))
    assert sum(weights(entangled, numbers)) == pytest.approx(whole - nothing, abs=1e-9)


@pytest.mark.parametrize("count", [1, 2, 9, 30, 120, 400])
def test_of_a_model_that_adds_words_up_the_weights_are_what_it_adds(count: int) -> None:
    numbers = [7 * place % 40 for place in range(count)]
    assert weights(added_up, numbers) == pytest.approx([VALUES[number + 2] for number in numbers], abs=1e-9)


def test_words_that_only_work_together_share_what_they_do() -> None:
    def both(ids: list[int]) -> float:
        return float(VOCABULARY.index("w1") in ids and VOCABULARY.index("w2") in ids)

    assert weights(both, [1, 2]) == pytest.approx([0.5, 0.5])
    assert weights(both, [1, 5, 2, 5, 5]) == pytest.approx([0.5, 0.0, 0.5, 0.0, 0.0], abs=0.1)


@pytest.mark.parametrize("count", [10, 60, 300])
def test_the_one_word_that_matters_has_the_weight(count: int) -> None:
    def only_one(ids: list[int]) -> float:
        return 2.0 * (VOCABULARY.index("w1") in ids)

    got = weights(only_one, [5] * (count // 2) + [1] + [5] * (count // 2))
    assert got == pytest.approx([0.0] * (count // 2) + [2.0] + [0.0] * (count // 2))


def test_pairs_of_orders_come_close_to_all_orders() -> None:
    """The Shapley value, as it is defined, of a text of six words."""
    numbers = [3, 1, 4, 15, 9, 26]
    ids = [number + 2 for number in numbers]
    added = np.zeros((720, 6))
    for row, order in zip(added, permutations(range(6)), strict=True):
        for place in range(6):
            before, after = (sorted(order[:end]) for end in (place, place + 1))
            row[order[place]] = entangled([ids[i] for i in after]) - entangled([ids[i] for i in before] or [UNKNOWN])
    exact = added.mean(axis=0)
    one_order = np.abs(added - exact).mean()
    assert np.abs(np.array(weights(entangled, numbers)) - exact).mean() < one_order / 2


@unhurried
@given(st.integers(1, 400))
def test_the_cost_of_a_text_is_bounded(count: int) -> None:
    judge = Judge(added_up)
    asyncio.run(word_weights(sentiment(), "w3 w4 " * (count // 2) + "w5 " * (count % 2), judge))
    assert judge.steps <= 30_000


def test_the_same_text_gets_the_same_weights() -> None:
    numbers = [5 * place % 40 for place in range(90)]
    assert weights(entangled, numbers) == weights(entangled, numbers)


def test_each_word_stands_where_it_was_sent() -> None:
    text = "<b>W3</b> 😀 w0... sooooo <br />W3!"
    words = weighed(added_up, text)
    assert [word.text for word in words] == ["W3", "😀", "w0", "...", "sooooo", "W3", "!"]
    assert [text[word.start : word.end] for word in words] == [word.text for word in words]
    assert words[0].weight == pytest.approx(words[5].weight)


@unhurried
@given(st.integers(1, 40), st.integers(1, 15), st.integers(0, 15))
def test_words_in_the_middle_of_a_long_text_are_not_listed(count: int, head: int, tail: int) -> None:
    text = " ".join(f"w{number}" for number in range(count))
    tokens = list(tokenize(text))
    read = tokens if count <= head + tail else tokens[:head] + tokens[count - tail :]
    words = weighed(added_up, text, sentiment(head, tail))
    assert [(word.text, word.start, word.end) for word in words] == read


@pytest.mark.parametrize("text", ["", "  \n", "<br />"])
def test_a_text_without_a_word_has_no_weights(text: str) -> None:
    assert weighed(entangled, text) == []
