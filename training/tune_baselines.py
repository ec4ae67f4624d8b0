"""What a music network has to beat, on the same held-out tunes: character n-grams, a compressor, and plain LSTMs.

All learn from the same tunes and are charged for the same characters: every one of a tune and its end.
"""

import lzma
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

from torch import Tensor, nn

from training.data.splits import recorded_splits
from training.data.tunes import read_tunes
from training.learners.music import MusicLearner
from training.loop import as_run, device_here, fit
from training.model import Stack, State, TaskNet
from training.progress import track
from training.recipe import RECIPES, Recipe, RecipeError, read_recipe
from training.run_folder import keep_recipe

ORDERS = (3, 4, 5, 6, 8)
END = "\0"

Row = tuple[str, float, float]
"""What it is, and its bits per character on validation and test tunes."""


class WittenBell:
    """Character n-grams, interpolated with shorter ones by how many different characters followed (Witten, Bell 1991)."""

    def __init__(self, tunes: Sequence[str], order: int, characters: int) -> None:
        """`order`: characters of context; `characters`: how many there are, over which the shortest context is uniform."""
        self._order, self._floor = order, 1.0 / characters
        self._follow: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for tune in track(tunes, f"counting {order}-grams", len(tunes)):
            for context, character in self._places(tune):
                for start in range(len(context) + 1):
                    self._follow[context[start:]][character] += 1

    def _places(self, tune: str) -> Iterator[tuple[str, str]]:
        text = END + tune + END
        return ((text[max(0, place - self._order) : place], text[place]) for place in range(1, len(text)))

    def probability(self, context: str, character: str) -> float:
        """Of a character after a context of up to `order` characters; in (0, 1]."""
        p = self._floor
        for start in range(len(context), -1, -1):
            if (follow := self._follow.get(context[start:])) is None:
                break
            kinds, total = len(follow), sum(follow.values())
            p = (follow.get(character, 0) + kinds * p) / (total + kinds)
        return p

    def bits_per_character(self, tunes: Sequence[str]) -> float:
        costs = [-math.log2(self.probability(*place)) for tune in tunes for place in self._places(tune)]
        return sum(costs) / len(costs)


def xz_bits_per_character(known: Sequence[str], tunes: Sequence[str]) -> float:
    """What xz needs for `tunes` beyond what it needs for `known` alone, each tune ended by a character of its own."""
    before, after = ("".join(tune + END for tune in part).encode() for part in (known, tunes))
    size = [len(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME)) for text in (before, before + after)]
    return 8 * (size[1] - size[0]) / sum(len(tune) + 1 for tune in tunes)


class PlainNet(TaskNet):
    """The characters and nothing else: an embedding, LSTM layers, a softmax."""

    def __init__(self, recipe: Recipe, vocabulary_size: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, recipe.model.embedding)
        self.stack = Stack(recipe.cell, recipe.model.embedding, recipe.model, recipe.regularisation.dropout)
        self.dropout = nn.Dropout(recipe.regularisation.dropout)
        self.head = nn.Linear(self.stack.width, vocabulary_size)

    def forward(self, ids: Tensor, _guesses: Tensor, _trust: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
        outputs, state = self.stack(self.embedding(ids), lengths)
        return self.head(self.dropout(outputs)), state

    def outputs(self, feeds: dict[str, Tensor]) -> dict[str, Tensor]:
        ids = feeds["ids"]
        lengths = ids.new_full((len(ids),), ids.shape[1])
        return {"logits": self(ids, ids, ids, lengths)[0]}


class PlainLearner(MusicLearner):
    """Learns music without what the tune itself suggests."""

    def network(self) -> TaskNet:
        return PlainNet(self._recipe, len(self.asset.content))


def tune_baselines(data: Path, runs: Path, recipes: Sequence[Path], orders: Sequence[int] = ORDERS) -> Iterator[Row]:
    """One row a baseline, as soon as it is known; networks resume in `runs` after a kill. Raises DataError, RecipeError."""
    shipped = read_recipe(RECIPES / "music-lstm.toml").data
    tunes, _ = read_tunes(data)
    texts, families = tunes["abc"].to_list(), tunes["family"].to_list()
    splits = recorded_splits(
        runs / "splits", "music", families, shipped.validation_items, shipped.test_items, shipped.split_seed
    )
    train, validation, test = ([texts[row] for row in rows] for rows in (splits.train, splits.validation, splits.test))
    yield "xz, the training tunes known", xz_bits_per_character(train, validation), xz_bits_per_character(train, test)
    characters = len({character for text in texts for character in text}) + 1
    for order in orders:
        grams = WittenBell(train, order, characters)
        held_out = grams.bits_per_character(validation), grams.bits_per_character(test)
        yield f"Witten-Bell n-grams, {order} characters", *held_out
    for path in recipes:
        yield _network(path, data, runs)


def _network(path: Path, data: Path, runs: Path) -> Row:
    recipe, folder = read_recipe(path), runs / path.stem
    if recipe.task != "music":
        raise RecipeError(f"{path}: the task is {recipe.task}, allowed is music")
    keep_recipe(folder, path.read_text("utf-8"))
    learner = PlainLearner(recipe, data, folder)
    network, best = fit(learner, recipe, folder)
    test = learner.score(as_run(network, device_here()), learner.sets.test)
    return path.stem, best.scores[learner.primary], test[learner.primary]
