"""Texts to words to probabilities; the model is a small function that the test writes itself."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tasks.sentiment import PADDING, RESERVED, UNKNOWN, Sentiment, tokenize
from app.tasks.task import Tensors

VOCABULARY = [*RESERVED, "good", "bad", "not", "!", *(f"w{number}" for number in range(40))]
GOOD, BAD, NOT = 2, 3, 4
unhurried = settings(deadline=None)

# Texts of few kinds of character, so that runs, tags and apostrophes come up often.
TEXTS = st.text(alphabet="abB<>/br '’_-!?.🎬é3 \n\t", max_size=40) | st.text(max_size=40)


def words(text: str) -> list[str]:
    return [token.text for token in tokenize(text)]


class GoodMinusBad:
    """A model: the logit is the count of "good" less the count of "bad" within the length. Keeps what it was fed."""

    def __init__(self) -> None:
        self.passes: list[Tensors] = []

    def __call__(self, feeds: Tensors) -> Tensors:
        self.passes.append(feeds)
        real = np.arange(feeds["ids"].shape[1])[None, :] < feeds["lengths"][:, None]
        assert (feeds["ids"][~real] == PADDING).all()
        score = ((feeds["ids"] == GOOD) & real).sum(1) - ((feeds["ids"] == BAD) & real).sum(1)
        return {"logit": score.astype(np.float32)}


def sentiment(head: int = 100, tail: int = 100, temperature: float = 1.0) -> Sentiment:
    return Sentiment(VOCABULARY, head, tail, temperature)


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("It was GOOD.", ["it", "was", "good", "."]),
        ("don't DON’T 'tis", ["don't", "don't", "'", "tis"]),
        ("well-made, 10/10", ["well", "-", "made", ",", "10", "/", "10"]),
        ("It 's bad , I do n't", ["it's", "bad", ",", "i", "don't"]),
        ("they 're ca n't 'll", ["they're", "can't", "'", "ll"]),
        ("the 's' in 'dogs' and 'mine'", ["the", "'", "s", "'", "in", "'", "dogs", "'", "and", "'", "mine", "'"]),
        ("snake_case", ["snake", "_", "case"]),
        ("Straße ÉTÉ naïve", ["straße", "été", "naïve"]),
        ("第一部 très", ["第一部", "très"]),
        ("", []),
        (" \t\r\n\u00a0\u2028", []),
    ],
)
def test_a_text_is_read_as_words_and_symbols(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("soooooo good", ["soo", "good"]),
        ("soo good", ["soo", "good"]),
        ("SoOoO", ["soo"]),
        ("hahaha", ["hahaha"]),
        ("nooo waaaay", ["noo", "waay"]),
        ("!!!!!", ["!!"]),
        ("!!", ["!!"]),
        ("wait....what", ["wait", "..", "what"]),
        ("?!?!", ["?", "!", "?", "!"]),
        ("____", ["__"]),
    ],
)
def test_elongation_is_cut_to_two(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@unhurried
@given(st.sampled_from("aeioxyz!?."), st.integers(2, 50))
def test_a_run_is_one_token_however_long(symbol: str, count: int) -> None:
    assert words(symbol * count) == [symbol * 2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one<br />two<br/><BR>three", ["one", "two", "three"]),
        ("<p class='x'>hi</p>", ["hi"]),
        ("<b><i>both</i></b>", ["both"]),
        ("I <3 it", ["i", "<", "3", "it"]),
        ("1 < 2 > 0", ["1", "<", "2", ">", "0"]),
        ("a <unclosed tag", ["a", "<", "unclosed", "tag"]),
        ("<pad> <unk>", []),
    ],
)
def test_html_tags_are_left_out_and_other_angles_are_not(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("great 🎬🎬🎬", ["great", "🎬🎬"]), ("😀😡", ["😀", "😡"]), ("ok👍🏽", ["ok", "👍", "🏽"]), (":-)", [":", "-", ")"])],
)
def test_emoji_are_tokens(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@unhurried
@given(TEXTS)
def test_offsets_point_at_the_word_in_the_text_as_sent(text: str) -> None:
    end = 0
    for token in tokenize(text):
        assert end <= token.start < token.end <= len(text)
        sent = text[token.start : token.end]
        assert not any(character.isspace() for character in sent)
        # The same characters, but for case, kind of apostrophe and repetition.
        assert set(token.text) == set(sent.lower().replace("’", "'"))
        end = token.end


@unhurried
@given(TEXTS)
def test_nothing_but_white_space_and_tags_is_left_out(text: str) -> None:
    text = text.replace("<", "(")
    assert "".join(text[token.start : token.end] for token in tokenize(text)) == "".join(text.split())


@unhurried
@given(TEXTS)
def test_case_does_not_matter(text: str) -> None:
    plain = text.encode("ascii", "ignore").decode()
    assert words(plain.upper()) == words(plain.lower())


def test_offsets_stay_true_where_lowering_changes_the_length() -> None:
    text = "İİ good"
    assert [text[token.start : token.end] for token in tokenize(text)] == ["İİ", "good"]


def test_words_become_indices_and_others_unknown() -> None:
    encoded = sentiment().encode("Not GOOD, not w7!")
    assert encoded.ids.tolist() == [NOT, GOOD, UNKNOWN, NOT, VOCABULARY.index("w7"), 5]
    assert (encoded.tokens, encoded.read, encoded.ids.dtype.name) == (6, 6, "int64")


def test_the_reserved_words_cannot_be_written_in_a_text() -> None:
    assert PADDING not in sentiment().encode("<pad> pad < pad > <unk>").ids


@pytest.mark.parametrize("text", ["", "   ", "\n\t", "<br />", "\u200b"])
def test_a_text_without_a_word_still_has_an_answer(text: str) -> None:
    model = GoodMinusBad()
    (prediction,) = sentiment().answer(model, [text])
    assert model.passes[0]["lengths"].tolist() == [1]
    assert model.passes[0]["ids"].tolist() == [[UNKNOWN]]
    assert prediction.probability == 0.5
    assert prediction.tokens_read == len(words(text))
    assert not prediction.truncated


def test_a_long_text_keeps_its_beginning_and_its_end() -> None:
    task = sentiment(head=2, tail=3)
    encoded = task.encode(" ".join(f"w{number}" for number in range(10)))
    assert [VOCABULARY[index] for index in encoded.ids] == ["w0", "w1", "w7", "w8", "w9"]
    assert (encoded.tokens, encoded.read) == (10, 5)


@unhurried
@given(st.integers(0, 40), st.integers(1, 15), st.integers(0, 15))
def test_a_text_is_cut_only_if_it_is_longer_than_what_is_read(count: int, head: int, tail: int) -> None:
    text = [f"w{number}" for number in range(count)]
    encoded = sentiment(head, tail).encode(" ".join(text))
    (prediction,) = sentiment(head, tail).answer(GoodMinusBad(), [" ".join(text)])
    expected = text if count <= head + tail else text[:head] + text[count - tail :]
    assert [VOCABULARY[index] for index in encoded.ids if index != UNKNOWN] == expected
    assert (encoded.tokens, encoded.read) == (count, len(expected))
    assert (prediction.tokens_read, prediction.truncated) == (len(expected), count > head + tail)


@unhurried
@given(st.lists(st.lists(st.sampled_from(["good", "bad", "w1", "?"]), max_size=12), max_size=15))
def test_answers_come_in_the_order_of_texts_though_passes_are_sorted(texts: list[list[str]]) -> None:
    model = GoodMinusBad()
    predictions = sentiment().answer(model, [" ".join(text) for text in texts])
    scores = [text.count("good") - text.count("bad") for text in texts]
    assert [prediction.probability for prediction in predictions] == pytest.approx([sigmoid(score) for score in scores])
    assert [prediction.label for prediction in predictions] == ["positive" if s >= 0 else "negative" for s in scores]
    lengths = [length for feeds in model.passes for length in feeds["lengths"].tolist()]
    assert lengths == sorted(max(1, len(words(" ".join(text)))) for text in texts)
    assert all(len(feeds["lengths"]) <= 16 for feeds in model.passes)
    assert all(feeds["ids"].shape[1] == feeds["lengths"].max() for feeds in model.passes)


def test_no_texts_have_no_answers() -> None:
    model = GoodMinusBad()
    assert sentiment().answer(model, []) == []
    assert model.passes == []


def test_feeds_have_the_types_of_the_graph() -> None:
    task = sentiment()
    feeds = task.feeds([task.encode("good"), task.encode("not good")])
    assert {name: array.dtype.name for name, array in feeds.items()} == {"ids": "int64", "lengths": "int32"}
    assert feeds["ids"].tolist() == [[GOOD, PADDING], [NOT, GOOD]]


@pytest.mark.parametrize(("temperature", "expected"), [(1.0, sigmoid(2.0)), (4.0, sigmoid(0.5)), (0.5, sigmoid(4.0))])
def test_the_temperature_softens_the_probability(temperature: float, expected: float) -> None:
    (prediction,) = sentiment(temperature=temperature).answer(GoodMinusBad(), ["good good"])
    assert prediction.probability == pytest.approx(expected)


@unhurried
@given(st.floats(-(2.0**99), 2.0**99, width=32), st.floats(0.01, 100))
def test_a_probability_is_one_whatever_the_logit(logit: float, temperature: float) -> None:
    (probability,) = sentiment(temperature=temperature).probabilities({"logit": np.array([logit], np.float32)})
    assert 0 <= probability <= 1
    assert (probability > 0.5) <= (logit > 0)
    assert (probability < 0.5) <= (logit < 0)


def test_a_task_is_made_from_the_settings_of_a_bundle() -> None:
    settings_of_bundle = {"head_tokens": 1, "tail_tokens": 1, "temperature": 2.0}
    task = Sentiment.from_bundle(settings_of_bundle, VOCABULARY)
    (prediction,) = task.answer(GoodMinusBad(), ["good w1 w2 good"])
    assert prediction.probability == pytest.approx(sigmoid(1.0))
    assert (prediction.tokens_read, prediction.truncated) == (2, True)


def test_a_golden_case_pins_the_probability_down() -> None:
    assert sentiment().numbers(GoodMinusBad(), "bad") == [pytest.approx(sigmoid(-1))]
