"""Learning music: the cost in bits of every next character of a tune, its end included."""

import random
import string
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from torch import Tensor
from torch.nn import functional

from app.tasks.music import BOUNDARY_MARK, Music
from app.tasks.recall import recalled
from app.tasks.sampling import log_softmax
from app.tasks.task import Observed, Run
from app.tasks.tune import BOUNDARY
from training.data.batches import Batch, Example
from training.data.splits import recorded_splits
from training.data.tunes import read_tunes
from training.learners.learner import Asset, Scores, Sets, scoring_batches
from training.model import MusicNet, TaskNet
from training.progress import track
from training.recipe import Recipe

_SCORING_ITEMS = 32
_ALWAYS_KNOWN = "\n" + string.digits + string.ascii_letters + string.punctuation + " "


class MusicLearner:
    """See Learner."""

    primary: ClassVar[str] = "bits_per_character"
    higher: ClassVar[bool] = False
    notice = ""
    golden_inputs: ClassVar[list[Any]] = [
        "X:1\nT:Morning\nM:6/8\nL:1/8\nK:G\n",
        "X:1\nT:Evening\nM:4/4\nL:1/8\nK:Dmaj\n|:d2fd Adfd|e2ge cege|",
        "X:",
    ]

    def __init__(self, recipe: Recipe, data: Path, work: Path, vocabulary: list[str] | None = None) -> None:
        self._recipe = recipe
        tunes, report = read_tunes(data)
        texts = tunes["abc"].to_list()
        splits = recorded_splits(
            work.parent / "splits",
            "music",
            tunes["family"].to_list(),
            recipe.data.validation_items,
            recipe.data.test_items,
            recipe.data.split_seed,
        )
        seen = {character for row in splits.train for character in texts[row]}
        vocabulary = vocabulary or [BOUNDARY_MARK, *sorted(seen | set(_ALWAYS_KNOWN))]
        # A character that only held-out tunes have costs what the rarest known one does, rather than the whole tune.
        stand_in = str.maketrans({character: "?" for text in texts for character in text if character not in vocabulary})
        self.asset = Asset("vocab.json", vocabulary)
        self._held_out = [texts[row].translate(stand_in) for row in splits.validation]
        names = ("h", "c") if recipe.cell == "lstm" else ("h",)
        self.settings: dict[str, Any] = {"state": {name: [recipe.model.layers, recipe.model.hidden] for name in names}}
        task = Music.from_bundle(self.settings, vocabulary)

        def examples(rows: list[int]) -> list[Example]:
            encoded = [task.encode(texts[row].translate(stand_in)) for row in rows]
            return [
                Example(np.column_stack([ids, recalled(ids.tolist())]), np.append(ids[1:], BOUNDARY))
                for ids in track(encoded, "reading tunes", len(encoded))
            ]

        self.sets = Sets(examples(splits.train), examples(splits.validation), examples(splits.test), report, splits)

    def network(self) -> TaskNet:
        return MusicNet(self._recipe, len(self.asset.content))

    def complete(self, network: TaskNet) -> TaskNet:
        return network

    def loss(self, network: TaskNet, batch: Batch) -> Tensor:
        logits, _ = network(*batch.inputs.unbind(2), batch.lengths)
        targets = batch.targets.masked_fill(_padding(batch), -1)
        return functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten(), ignore_index=-1)

    def score(self, run: Run, examples: Sequence[Example]) -> Scores:
        nats, characters = 0.0, 0
        for _, batch in scoring_batches(examples, _SCORING_ITEMS):
            zeros = {
                name: np.zeros((layers, len(batch.lengths), hidden), np.float32)
                for name, (layers, hidden) in self.settings["state"].items()
            }
            feeds = dict(zip(("ids", "guesses", "trust"), np.moveaxis(batch.inputs.numpy(), 2, 0), strict=True))
            log_p = log_softmax(run({**feeds, **zeros})["logits"])
            costs = -np.take_along_axis(log_p, batch.targets.numpy()[:, :, None], axis=2)[:, :, 0]
            nats += float(costs[~_padding(batch).numpy()].sum(dtype=np.float64))
            characters += int(batch.lengths.sum())
        return {"bits_per_character": nats / characters / float(np.log(2)), "characters": float(characters)}

    def calibrate(self, run: Run) -> None:
        """Nothing is left open."""

    def observed(self, run: Run) -> Observed:
        """A prompt is a tune's beginning, up to a place that chance draws."""
        task, chance = Music.from_bundle(self.settings, self.asset.content), random.Random(0)  # noqa: S311
        prompts = [tune[: chance.randint(1, len(tune))] for tune in self._held_out]
        each = [
            task.observed(prompt, task.next_characters(run, prompt, 1)) for prompt in track(prompts, "reading", len(prompts))
        ]
        return {feature: [own[feature][0] for own in each] for feature in task.features}


def _padding(batch: Batch) -> Tensor:
    steps = batch.lengths.new_tensor(range(batch.inputs.shape[1]))
    return steps[None, :] >= batch.lengths[:, None]
