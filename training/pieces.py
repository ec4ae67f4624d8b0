"""Texts cut into pieces of one to three sentences.

No piece has a label of its own. A teacher learns from them all the same: a text's pieces are judged one by one, each as if it
were a whole text, and the mean of their logits answers for the text's label (multiple-instance learning, Kotzias et al. 2015):
a piece that says nothing is pulled to neither side, one that decides is. So the network learns to read single sentences without
anyone labelling them. Its student learns from pieces that carry the teacher's own answer.
"""

import random
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.tasks.sentiment import UNKNOWN
from app.tasks.task import by_length, pad
from training.model import TextNet

ENDS = (".", "..", "!", "!!", "?", "??")

_MOST_SENTENCES = 3
_FEWEST_WORDS = 3
_PIECES_A_PASS = 256

Ids = npt.NDArray[np.int64]


def cut(ids: Ids, ends: Sequence[int], chance: random.Random) -> list[Ids]:
    """All of a text's word indices, in order, in pieces of 1 to 3 sentences; `ends` are the words that end a sentence."""
    cuts, after = [], 0
    wanted = chance.randint(1, _MOST_SENTENCES)
    for end in np.flatnonzero(np.isin(ids, ends)) + 1:
        wanted -= 1
        if wanted <= 0 and end - after >= _FEWEST_WORDS and len(ids) - end >= _FEWEST_WORDS:
            cuts.append(int(end))
            after, wanted = int(end), chance.randint(1, _MOST_SENTENCES)
    return np.split(ids, cuts)


def drawn(ids: Ids, ends: Sequence[int], count: int, chance: random.Random) -> list[Ids]:
    """Up to `count` different pieces of a text; none of a text that is not cut, which stands for itself."""
    pieces = cut(ids, ends, chance)
    return chance.sample(pieces, min(count, len(pieces))) if len(pieces) > 1 else []


def mean_logits(
    network: TextNet, ids: Tensor, lengths: Tensor, ends: Sequence[int], word_dropout: float, chance: random.Random
) -> Tensor:
    """The mean logit of each text's pieces, [batch]; ids int64 [batch, time], lengths int64 [batch]."""
    texts = [row[:length].cpu().numpy() for row, length in zip(ids, lengths.tolist(), strict=True)]
    cuts = [cut(text, ends, chance) for text in texts]
    pieces = [piece for text in cuts for piece in text]
    owner = np.repeat(np.arange(len(cuts)), [len(text) for text in cuts])
    sums = torch.zeros(len(cuts), device=ids.device)
    for group in by_length([len(piece) for piece in pieces], _PIECES_A_PASS):
        padded, sizes = pad([pieces[index] for index in group])
        inputs = torch.from_numpy(padded).to(ids.device)
        inputs = inputs.masked_fill(torch.rand(inputs.shape, device=ids.device) < word_dropout, UNKNOWN)
        logits = network(inputs, torch.from_numpy(sizes).long().to(ids.device)).float()
        sums = sums.index_add(0, torch.from_numpy(owner[group]).to(ids.device), logits)
    return sums / torch.tensor([len(text) for text in cuts], device=ids.device)
