"""Texts in pieces of one to three sentences."""

import random

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.model import SentimentNet
from training.pieces import cut, drawn, mean_logits
from training.recipe import Recipe

END = 2
TEXTS = st.lists(st.integers(1, 5), min_size=1, max_size=120)


def net() -> SentimentNet:
    torch.manual_seed(0)
    recipe = {
        "task": "sentiment",
        "cell": "lstm",
        "data": {"validation_items": 1},
        "model": {"embedding": 4, "hidden": 3, "bidirectional": True},
        "training": {"epochs": 1, "batch_items": 2, "learning_rate": 0.1},
    }
    return SentimentNet(Recipe.model_validate(recipe), 10).eval()


@given(TEXTS, st.integers(0, 1000))
def test_pieces_are_the_whole_text_in_order(text: list[int], seed: int) -> None:
    pieces = cut(np.array(text), [END], random.Random(seed))
    assert np.concatenate(pieces).tolist() == text


@given(TEXTS, st.integers(0, 1000))
def test_a_piece_ends_with_a_sentence_and_has_three_words_or_more(text: list[int], seed: int) -> None:
    *pieces, last = cut(np.array(text), [END], random.Random(seed))
    assert all(piece[-1] == END and len(piece) >= 3 for piece in pieces)
    assert len(last) >= min(3, len(text))


def test_a_piece_has_one_to_three_sentences() -> None:
    pieces = cut(np.array([3, 4, 5, END] * 50), [END], random.Random(0))
    assert {len(piece) // 4 for piece in pieces} == {1, 2, 3}


@given(TEXTS, st.integers(0, 4), st.integers(0, 1000))
def test_pieces_are_drawn_without_repetition(text: list[int], count: int, seed: int) -> None:
    pieces = [piece.tolist() for piece in cut(np.array(text), [END], random.Random(seed))]
    got = [piece.tolist() for piece in drawn(np.array(text), [END], count, random.Random(seed))]
    assert len(got) == (min(count, len(pieces)) if len(pieces) > 1 else 0)
    for piece in got:
        pieces.remove(piece)


def test_a_text_is_judged_by_the_mean_of_its_pieces() -> None:
    network = net()
    ids = torch.tensor([[3, 4, 5, END] * 5, [6, 7, 8, 9, 6] + [0] * 15])
    lengths = torch.tensor([20, 5])
    got = mean_logits(network, ids, lengths, [END], 0.0, random.Random(7))
    chance = random.Random(7)
    for row, length, logit in zip(ids, lengths.tolist(), got, strict=True):
        pieces = cut(row[:length].numpy(), [END], chance)
        alone = [network(torch.from_numpy(piece)[None], torch.tensor([len(piece)])) for piece in pieces]
        torch.testing.assert_close(logit, torch.cat(alone).mean())


def test_every_piece_gets_a_gradient() -> None:
    network = net()
    text = torch.tensor([[3, 4, 5, END, 6, 7, 8, END]])
    logit = mean_logits(network, text, torch.tensor([8]), [END], 0.0, random.Random(1))
    (gradient,) = torch.autograd.grad(logit.sum(), [network.embedding.weight])
    assert gradient[[3, 5, 6, 8]].abs().sum(1).min() > 0
