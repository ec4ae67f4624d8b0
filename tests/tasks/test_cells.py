"""Reading a text word by word, with a function of a few lines in place of the graph."""

import numpy as np
import pytest

from app.tasks.cells import INSIDE, STATES, Cells, value_name
from app.tasks.task import Tensors

VOCABULARY = ["<pad>", "<unk>", "good", "film", "."]
UNITS = 2


def counting(feeds: Tensors) -> Tensors:
    """Every state counts the words before and adds the word's index; every gate is 0.5; the verdict is the RNN's first unit."""
    outputs: Tensors = {}
    for cell, names in INSIDE.items():
        for name in names:
            is_state = name in STATES[cell]
            after = (
                feeds[f"{cell}_{name}"] + feeds["ids"][None, :, None] if is_state else np.full((len(feeds["ids"]), UNITS), 0.5)
            )
            outputs[value_name(cell, name)] = after.astype(np.float32)
        outputs[f"{cell}_logit"] = outputs["next_rnn_state"][0, :, 0]
    return outputs


@pytest.fixture
def task() -> Cells:
    return Cells(VOCABULARY, most_words=3, units=UNITS)


def test_the_state_after_a_word_is_the_state_before_the_next(task: Cells) -> None:
    reading = task.read(counting, "Good film.")
    for cell in INSIDE:
        assert reading.cells[cell].inside["state"].tolist() == [[2, 2], [5, 5], [9, 9]]
    assert reading.cells["lstm"].inside["forget"].tolist() == [[0.5, 0.5]] * 3
    assert reading.cells["gru"].probabilities == pytest.approx(1 / (1 + np.exp([-2.0, -5.0, -9.0])))


def test_words_are_those_of_the_text_as_sent_with_their_places(task: Cells) -> None:
    reading = task.read(counting, "😀 GOOD <br />Gruesome")
    assert reading.words == [("😀", 0, 1, False), ("GOOD", 2, 6, True), ("Gruesome", 13, 21, False)]
    assert not reading.truncated


def test_of_a_long_text_the_first_words_are_read_and_that_is_said(task: Cells) -> None:
    reading = task.read(counting, "good good good film")
    assert [word.text for word in reading.words] == ["good", "good", "good"]
    assert reading.truncated
    assert len(reading.cells["rnn"].probabilities) == 3


def test_a_text_without_a_word_is_read_as_nothing(task: Cells) -> None:
    reading = task.read(counting, " <br /> ")
    assert reading.words == []
    assert all(len(values) == 0 for cell in reading.cells.values() for values in (cell.probabilities, *cell.inside.values()))
    assert task.numbers(counting, " ") == []


def test_many_texts_walk_together_as_each_alone(task: Cells) -> None:
    ids = np.array([[2, 3], [4, 2]])
    together = task.walk(counting, ids)
    for row in range(2):
        alone = task.walk(counting, ids[row : row + 1])
        np.testing.assert_array_equal(together["next_lstm_cell"][:, :, row], alone["next_lstm_cell"][:, :, 0])
        np.testing.assert_array_equal(together["gru_logit"][:, row], alone["gru_logit"][:, 0])
