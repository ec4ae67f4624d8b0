"""The workloads: texts cut from real reviews."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.data.imdb import read_reviews

SHORT_WORDS, LONG_WORDS = 20, 1000
_TAG = re.compile(r"<[^<>]{1,100}>")


@dataclass(frozen=True)
class Workload:
    """Texts to send in turn, all different; `title` says what they are."""

    name: str
    title: str
    texts: tuple[str, ...]


def load_workloads(data: Path, count: int, seed: int = 0) -> dict[str, Workload]:
    """`short`, `real` and `long`, at most `count` texts each. Raises DataError; ValueError where reviews are too short."""
    chance = np.random.default_rng(seed)
    sorted_reviews = sorted(set(read_reviews(data)[0]["text"].to_list()))
    reviews = [sorted_reviews[place] for place in chance.permutation(len(sorted_reviews))]
    return {
        workload.name: workload
        for workload in (
            Workload("short", f"{SHORT_WORDS} words", _cut(reviews, SHORT_WORDS, count)),
            Workload("real", "real reviews", tuple(reviews[:count])),
            Workload("long", f"{LONG_WORDS:,} words", _cut(reviews, LONG_WORDS, count)),
        )
    }


def _cut(reviews: list[str], words: int, count: int) -> tuple[str, ...]:
    """The first `words` of every review that has as many."""
    plain = (_TAG.sub(" ", review).split() for review in reviews)
    texts = list(dict.fromkeys(" ".join(each[:words]) for each in plain if len(each) >= words))
    if not texts:
        raise ValueError(f"none of {len(reviews):,} reviews has {words:,} words")
    return tuple(texts[:count])
