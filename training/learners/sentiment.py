"""Learning sentiment: reviews with their labels, and unlabelled ones with the labels that teachers gave them."""

import hashlib
import logging
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.tasks.sentiment import UNKNOWN, EncodedText, Sentiment, sigmoid
from app.tasks.task import Observed, Run
from training import metrics
from training.adversarial import adversarial_loss, cross_entropy
from training.data.batches import Batch, Example
from training.data.imdb import read_reviews, read_unlabelled
from training.data.report import DataError
from training.data.splits import Splits, recorded_splits
from training.learners.learner import Asset, Scores, Sets, scoring_batches
from training.loop import as_run, device_here, fit
from training.model import SentimentNet, TaskNet, TextNet
from training.ngrams import NGrams
from training.opinions import keep_opinions, kept_opinions
from training.pieces import ENDS, drawn, mean_logits
from training.pretrain import LanguageModel, pretrain
from training.progress import track
from training.recipe import RECIPES, Recipe, RecipeError, read_recipe
from training.run_folder import keep_recipe
from training.wide import WideNet
from training.words import learn_vectors, make_vocabulary, read_corpus

log = logging.getLogger(__name__)

_SCORING_ITEMS = 64
_SCORING_ITEMS_GPU = 512


class SentimentLearner:
    """See Learner."""

    primary: ClassVar[str] = "accuracy"
    higher: ClassVar[bool] = True
    notice = ""
    golden_inputs: ClassVar[list[Any]] = [
        "A quiet, moving film.",
        "Two hours I will never get back.",
        "<br />The plot is thin, but the two leads are a joy to watch!!! 8/10",
        "I wanted to like it. I really did... Instead I fell asleep, twice. " * 40,
        "😀",
    ]

    def __init__(self, recipe: Recipe, data: Path, work: Path, vocabulary: list[str] | None = None) -> None:
        self._recipe, self._data, self._runs = recipe, data, work.parent
        reviews, report = read_reviews(data)
        texts, labels = reviews["text"].to_list(), reviews["label"].to_list()
        splits = review_splits(recipe, reviews["movie"].to_list(), reviews["official_test"].to_list(), work)
        if not vocabulary and len({labels[row] for row in splits.train}) == 1:
            raise DataError(f"{report}: all training reviews have one label, so there is nothing to tell apart")
        self._validation_words = [] if vocabulary else read_corpus([texts[row] for row in splits.validation], [])
        unlabelled = [] if vocabulary else read_unlabelled(data)
        self._corpus = [] if vocabulary else read_corpus([texts[row] for row in splits.train], unlabelled)
        self.asset = Asset("vocab.json", vocabulary or make_vocabulary(self._corpus, recipe.data.vocabulary_words))
        self.settings: dict[str, Any] = {
            "head_tokens": recipe.data.head_tokens,
            "tail_tokens": recipe.data.tail_tokens,
            "temperature": 1.0,
        }
        self._index = {word: index for index, word in enumerate(self.asset.content)}
        self._ends = [self._index[word] for word in ENDS if word in self._index]
        task = Sentiment.from_bundle(self.settings, self.asset.content)

        def examples(chosen: Sequence[str], targets: Sequence[float]) -> list[Example]:
            pairs = track(zip(chosen, targets, strict=True), "encoding reviews", len(chosen))
            return [Example(task.encode(text).ids, np.array(target, np.float32)) for text, target in pairs]

        train, validation, test = (
            examples([texts[row] for row in rows], [labels[row] for row in rows])
            for rows in (splits.train, splits.validation, splits.test)
        )
        self.sets = Sets(train, validation, test, report, splits)
        if recipe.self_training.teachers and not vocabulary:
            if not unlabelled:
                raise DataError(
                    f"{data}: there are no unlabelled reviews beside the labelled ones, and teachers need some to label"
                )
            read = examples(unlabelled, [0.0] * len(unlabelled))
            pieces = self._pieces([*train, *read])
            taught = self._taught(read, pieces, work / "soft_labels.npy")
            more = [Example(item.inputs, np.array(p, np.float32)) for item, p in zip([*read, *pieces], taught, strict=True)]
            self.sets = Sets([*train, *more], validation, test, report, splits)

    def network(self) -> TaskNet:
        if self._recipe.training.start:
            return self._begun(self._recipe.training.start)
        if self._recipe.model.towers and device_here().type == "cpu":
            log.warning("pretraining towers takes days without a GPU; that of sentiment-teacher.toml takes an hour")
        kind = WideNet if self._recipe.model.towers else SentimentNet
        net = kind(self._recipe, len(self.asset.content))
        folder = self._runs / f"pretraining-{self._fingerprint()}"
        if self._recipe.vectors.epochs and not (folder / "pretraining.pt").exists():
            with torch.no_grad():
                net.embedding.weight.copy_(torch.from_numpy(learn_vectors(self._corpus, self.asset.content, self._recipe)))
        if self._recipe.pretraining.epochs:
            texts = [self._ids(words) for words in self._corpus]
            counts = np.bincount(np.concatenate(texts), minlength=len(self.asset.content))
            model = LanguageModel(net.embedding, *net.directions(), counts.tolist())
            pretrain(model.to(device_here()), texts, self._recipe, folder)
        return net

    def _begun(self, start: str) -> TaskNet:
        """A network by this recipe, with the weights of the one that `start` makes."""
        own, other = self._recipe, read_recipe(RECIPES / f"{start}.toml")
        if (own.cell, own.data, own.model) != (other.cell, other.data, other.model):
            raise RecipeError(
                f"training.start: {start} has another cell, [data] or [model], and only the same can be gone on with"
            )
        net = SentimentNet(own, len(self.asset.content))
        net.load_state_dict(self._trained(start)[1].state_dict())
        return net

    def _fingerprint(self) -> str:
        """Of all that pretraining depends on: recipes that agree in it share one pretrained network."""
        recipe = self._recipe
        parts = [recipe.cell, recipe.data, recipe.vectors, recipe.pretraining, recipe.model, recipe.training.seed]
        return hashlib.sha256(repr([*parts, len(self._corpus), self.asset.content]).encode()).hexdigest()[:12]

    def _ids(self, words: list[str]) -> npt.NDArray[np.int64]:
        return np.array([self._index.get(word, UNKNOWN) for word in words], dtype=np.int64)

    def _pieces(self, texts: Sequence[Example]) -> list[Example]:
        """Pieces of the texts as they are read, without labels yet."""
        wanted, chance = self._recipe.self_training.pieces, random.Random(self._recipe.training.seed)  # noqa: S311
        pieces = [piece for text in texts for piece in drawn(text.inputs, self._ends, wanted, chance)]
        return [Example(piece, np.array(0.0, np.float32)) for piece in pieces]

    def _taught(self, unlabelled: Sequence[Example], pieces: Sequence[Example], kept: Path) -> metrics.Array:
        """The teachers' probability of *positive* for each unlabelled text, then for each piece. Kept in a file, for a run that
        is gone on with."""
        if kept.exists():
            taught = np.asarray(np.load(kept), np.float64)
            if len(taught) != len(unlabelled) + len(pieces):
                raise RecipeError(f"{kept}: is of other texts; pass --fresh to start anew")
            return taught
        label, count = labels_of(self.sets.validation), len(self.sets.validation)
        lines = self._lines_opinions()
        networks = {name: self._network_opinion(name, [*unlabelled, *pieces]) for name in self._recipe.self_training.teachers}
        # Of pieces only the networks judge: what a line says of one sentence is too often wrong.
        of_pieces = np.mean(
            [found[count + len(unlabelled) :] / metrics.best_temperature(found[:count], label) for found in networks.values()],
            axis=0,
        )
        whole = np.stack([*(found[: count + len(unlabelled)] for found in networks.values()), *lines.values()])
        weights = metrics.best_weights(whole[:, :count], label)
        together = weights @ whole
        for name, found in zip([*networks, *lines, "all together"], [*whole, together], strict=True):
            log.info("teacher %s: %.2f %% of validation", name, 100 * metrics.accuracy(sigmoid(found[:count]), label))
        taught = sigmoid(np.concatenate([together[count:], of_pieces]))
        part = kept.with_suffix(".part.npy")
        np.save(part, taught)
        part.rename(kept)
        return taught

    def _network_opinion(self, teacher: str, texts: Sequence[Example]) -> metrics.Array:
        """Logits of the validation set, then of the texts, of the network that a recipe makes. It is trained first, unless
        what it said is kept in the run's folder or beside the recipe."""
        path, folder, texts = RECIPES / f"{teacher}.toml", self._runs / teacher, [*self.sets.validation, *texts]
        for kept in (folder / "opinions.npz", path.with_suffix(".npz")):
            said = kept_opinions(kept, path, texts)
            if said is not None:
                log.info("teacher %s: what it said is kept in %s", teacher, kept)
                return said
        learner, network = self._trained(teacher)
        said = learner.logits(as_run(network, device_here()), texts)
        keep_opinions(folder / "opinions.npz", path, texts, said)
        return said

    def _trained(self, name: str) -> tuple["SentimentLearner", TaskNet]:
        """What another recipe makes; where it was made before, it is only read."""
        log.info("network of %s", name)
        path, folder = RECIPES / f"{name}.toml", self._runs / name
        recipe = read_recipe(path)
        keep_recipe(folder, path.read_text("utf-8"))
        learner = SentimentLearner(recipe, self._data, folder)
        return learner, fit(learner, recipe, folder)[0]

    def _lines_opinions(self) -> dict[str, metrics.Array]:
        """Logits of the validation set, then of the unlabelled texts, by each teacher that is no network."""
        labels, labelled = labels_of(self.sets.train), len(self.sets.train)
        if not self._recipe.self_training.ngrams:
            return {}
        log.info("teacher n-grams")
        line = NGrams(self._corpus[:labelled], labels)
        return {"n-grams": line.logits([*self._validation_words, *self._corpus[labelled:]])}

    def complete(self, network: TaskNet) -> TaskNet:
        return network

    def loss(self, network: TaskNet, batch: Batch) -> Tensor:
        assert isinstance(network, TextNet)  # noqa: S101
        regular = self._recipe.regularisation
        target = batch.targets * (1 - 2 * regular.label_smoothing) + regular.label_smoothing
        if random.random() < regular.pieces:  # noqa: S311
            chance = random.Random(random.getrandbits(32))  # noqa: S311
            logits = mean_logits(network, batch.inputs, batch.lengths, self._ends, regular.word_dropout, chance)
            return cross_entropy(logits, target)
        dropped = torch.rand(batch.inputs.shape, device=batch.inputs.device) < regular.word_dropout
        vectors = network.embed(batch.inputs.masked_fill(dropped, UNKNOWN))
        if regular.adversarial:
            return adversarial_loss(network, vectors, batch.lengths, target, regular.adversarial)
        return cross_entropy(network.judge(vectors, batch.lengths), target)

    def score(self, run: Run, examples: Sequence[Example]) -> Scores:
        logit = self.logits(run, examples)
        probability = sigmoid(logit / self.settings["temperature"])
        label = labels_of(examples)
        return {
            "accuracy": metrics.accuracy(probability, label),
            "log_loss": metrics.log_loss(probability, label),
            "calibration_error": metrics.expected_calibration_error(probability, label),
        }

    def calibrate(self, run: Run) -> None:
        validation = self.sets.validation
        self.settings["temperature"] = metrics.best_temperature(self.logits(run, validation), labels_of(validation))

    def observed(self, run: Run) -> Observed:
        task = Sentiment.from_bundle(self.settings, self.asset.content)
        read = [example.inputs for example in self.sets.validation]
        texts = [EncodedText(ids, len(ids), len(ids), int((ids == UNKNOWN).sum())) for ids in read]
        return task.observed(task.answer(run, texts))

    def logits(self, run: Run, examples: Sequence[Example]) -> metrics.Array:
        """Log-odds of *positive* before any temperature, [examples]."""
        logit = np.zeros(len(examples))
        for rows, batch in scoring_batches(examples, _SCORING_ITEMS_GPU if device_here().type == "cuda" else _SCORING_ITEMS):
            feeds = {"ids": batch.inputs.numpy(), "lengths": batch.lengths.numpy().astype(np.int32)}
            logit[rows] = run(feeds)["logit"]
        return logit


def labels_of(examples: Sequence[Example]) -> metrics.Array:
    return np.array([example.target for example in examples], dtype=np.float64)


def review_splits(recipe: Recipe, movies: list[str], official_test: list[bool], work: Path) -> Splits:
    """The official test half, where the source has it, is the test set and is never drawn from."""
    rest = [row for row, test in enumerate(official_test) if not test]
    wanted = recipe.data.test_items if len(rest) == len(movies) else 0
    groups = [movies[row] for row in rest]
    cut = recorded_splits(
        work.parent / "splits", "sentiment", groups, recipe.data.validation_items, wanted, recipe.data.split_seed
    )
    official = [row for row, test in enumerate(official_test) if test]
    return Splits(
        [rest[row] for row in cut.train],
        [rest[row] for row in cut.validation],
        [rest[row] for row in cut.test] + official,
    )
