"""Characters in and out; the model is a small function that the test writes itself."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tasks.music import BOUNDARY_MARK, Music
from app.tasks.sampling import Sampling
from app.tasks.task import InvalidInput, Run, Tensors
from app.tasks.tune import BOUNDARY

VOCABULARY = [BOUNDARY_MARK, *"ABCDEFG|\n"]
SIZE = len(VOCABULARY)
STATE = {"h": [2, 3], "c": [2, 3]}
unhurried = settings(deadline=None)
PROMPTS = st.text(alphabet="ABCDEFG|\n", min_size=1, max_size=20)


def music() -> Music:
    return Music(VOCABULARY, STATE)


class Model:
    """Logits from a table [last character, next one]; the state counts the characters read. Keeps what it was fed."""

    def __init__(self, table: list[list[float]]) -> None:
        self.table = np.array(table, np.float32)
        self.passes: list[Tensors] = []

    def __call__(self, feeds: Tensors) -> Tensors:
        self.passes.append(feeds)
        read = feeds["ids"].shape[1]
        return {
            "logits": self.table[feeds["ids"]],
            "next_h": feeds["h"] + np.float32(read),
            "next_c": feeds["c"] - np.float32(read),
        }


def uniform() -> Model:
    return Model([[0.0] * SIZE] * SIZE)


def scale() -> Model:
    """Each character is followed by the next one of the vocabulary, the last by the end of the tune."""
    return Model([[50.0 if column == (row + 1) % SIZE else 0.0 for column in range(SIZE)] for row in range(SIZE)])


def uneven() -> Model:
    """No two characters alike and none certain."""
    return Model(np.random.default_rng(5).normal(size=(SIZE, SIZE)).tolist())


def sampled(
    run: Run, prompt: str = "A", most: int = 30, temperature: float = 1.0, top_p: float = 1.0, seed: int = 0
) -> list[str]:
    return list(music().continuation(run, prompt, Sampling(most, temperature, top_p, seed)))


def test_a_text_becomes_indices_behind_the_boundary() -> None:
    ids = music().encode("CAB\n|")
    assert ids.tolist() == [BOUNDARY, 3, 1, 2, 9, 8]
    assert ids.dtype == np.int64


def test_an_empty_text_is_the_boundary_alone() -> None:
    assert music().encode("").tolist() == [BOUNDARY]


@unhurried
@given(PROMPTS)
def test_indices_lead_back_to_the_text(text: str) -> None:
    assert "".join(VOCABULARY[index] for index in music().encode(text)[1:]) == text


@unhurried
@given(PROMPTS)
def test_windows_line_ends_count_as_plain_ones(text: str) -> None:
    assert music().encode(text.replace("\n", "\r\n")).tolist() == music().encode(text).tolist()


@pytest.mark.parametrize(
    ("text", "character", "position"),
    [
        ("ABH", "'H'", 2),
        ("é", "'é'", 0),
        ("AB\rC", r"'\r'", 2),
        ("AB\r", r"'\r'", 2),
        ("A\r\n\r\nBx", "'x'", 6),  # counted in the text as sent
        ("A<boundary>", "'<'", 1),
        ("A\x00", r"'\x00'", 1),
        ("A🎵", "'🎵'", 1),
    ],
)
def test_an_unknown_character_is_refused_with_its_position(text: str, character: str, position: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        music().encode(text)
    assert caught.value.detail == (
        f"character {character} at position {position} is not in the model's vocabulary of 9 characters"
    )
    assert caught.value.pointer == "/prompt"


def test_the_state_starts_as_zeros_of_the_graphs_shape() -> None:
    model = uniform()
    music().next_characters(model, "A", top_k=1)
    state = {name: model.passes[0][name] for name in STATE}
    assert {name: (array.shape, array.dtype.name) for name, array in state.items()} == {
        "h": ((2, 1, 3), "float32"),
        "c": ((2, 1, 3), "float32"),
    }
    assert not any(array.any() for array in state.values())


def test_a_uniform_model_costs_the_logarithm_of_its_vocabulary() -> None:
    answer = music().next_characters(uniform(), "ABC", top_k=3)
    assert answer.bits_per_character == pytest.approx(math.log2(SIZE))
    assert [probability for _, probability in answer.characters] == pytest.approx([1 / SIZE] * 3)


def test_bits_per_character_by_hand() -> None:
    # After the boundary A has 1/2, after A B has 1/8: one bit and three, two on average. What follows B costs nothing.
    table = [[-1e9] * SIZE for _ in range(SIZE)]
    table[0][1] = table[0][2] = math.log(1 / 2)
    table[1][2], table[1][3] = math.log(1 / 8), math.log(7 / 8)
    table[2][4] = 0.0
    answer = music().next_characters(Model(table), "AB", top_k=1)
    assert answer.bits_per_character == pytest.approx(2.0)
    assert answer.characters[0][0] == "D"
    assert answer.characters[0][1] == pytest.approx(1.0)


def test_the_likeliest_characters_come_first_and_the_end_as_an_empty_string() -> None:
    table = [[0.0] * SIZE for _ in range(SIZE)]
    table[1] = [math.log(weight) for weight in (40, 10, 30, 1, 1, 1, 1, 1, 1, 14)]
    answer = music().next_characters(Model(table), "BA", top_k=4)
    assert [character for character, _ in answer.characters] == ["", "B", "\n", "A"]
    assert [probability for _, probability in answer.characters] == pytest.approx([0.4, 0.3, 0.14, 0.1])


@unhurried
@given(PROMPTS)
def test_the_probabilities_of_all_characters_sum_to_one(prompt: str) -> None:
    answer = music().next_characters(uneven(), prompt, top_k=99)
    assert len(answer.characters) == SIZE
    assert sum(probability for _, probability in answer.characters) == pytest.approx(1.0, abs=1e-5)
    assert answer.bits_per_character > 0


def test_a_prompt_is_read_once_and_then_each_character_with_the_state_passed_on() -> None:
    model = scale()
    assert sampled(model, "AB", most=3) == ["C", "D", "E"]
    assert model.passes[0]["ids"].tolist() == [[BOUNDARY, 1, 2]]
    assert [feeds["ids"].tolist() for feeds in model.passes[1:3]] == [[[3]], [[4]]]
    assert [feeds["h"].max() for feeds in model.passes[:3]] == [0.0, 3.0, 4.0]
    assert [feeds["c"].min() for feeds in model.passes[:3]] == [0.0, -3.0, -4.0]


def test_a_tune_that_the_model_ends_ends_with_an_empty_string() -> None:
    assert sampled(scale(), "F") == ["G", "|", "\n", ""]


def test_a_tune_that_is_cut_off_has_no_empty_string() -> None:
    assert sampled(scale(), "A", most=4) == ["B", "C", "D", "E"]


@pytest.mark.parametrize("most", [0, 1, 7])
def test_no_more_characters_come_than_asked_for(most: int) -> None:
    never_ends = Model([[-1e9, *[0.0] * (SIZE - 1)]] * SIZE)
    assert len(sampled(never_ends, most=most)) == most


def test_a_listener_who_is_gone_stops_the_work() -> None:
    model, heard = scale(), list[str]()
    pieces = music().continuation(model, "A", Sampling(30, 1.0, 1.0, 0), gone=lambda: len(heard) >= 2)
    for piece in pieces:
        heard.append(piece)
    assert heard == ["B", "C"]
    assert len(model.passes) == 2


@unhurried
@given(st.integers(0, 2**63 - 1), PROMPTS)
def test_the_same_seed_gives_the_same_tune(seed: int, prompt: str) -> None:
    assert sampled(uneven(), prompt, seed=seed) == sampled(uneven(), prompt, seed=seed)


def test_another_seed_gives_another_tune() -> None:
    assert len({"".join(sampled(uneven(), seed=seed)) for seed in range(10)}) > 5


def test_a_longer_tune_begins_as_the_shorter_one() -> None:
    never_ends = Model([[-1e9, *row[1:]] for row in uneven().table.tolist()])
    assert sampled(never_ends, most=20)[:8] == sampled(never_ends, most=8)


def test_a_task_is_made_from_the_settings_of_a_bundle() -> None:
    task = Music.from_bundle({"state": {"h": [1, 7]}}, VOCABULARY)
    passes: list[Tensors] = []

    def run(feeds: Tensors) -> Tensors:
        passes.append(feeds)
        return {"logits": np.zeros((1, 2, SIZE), np.float32), "next_h": feeds["h"]}

    task.next_characters(run, "A", top_k=1)
    assert passes[0]["h"].shape == (1, 1, 7)
    assert task.encode("A").tolist() == [BOUNDARY, 1]


def test_a_golden_case_pins_the_cost_and_the_likeliest_down() -> None:
    numbers = music().numbers(uniform(), "AB")
    assert numbers == pytest.approx([math.log2(SIZE), *[1 / SIZE] * 5])
