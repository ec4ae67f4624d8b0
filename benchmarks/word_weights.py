"""Whether the weights that words get say what a verdict hangs on, and what they cost.

Words are deleted from a text and the text is judged anew: the k words that speak most for the verdict by the weights that are
served; by class activation mapping (Zhou et al. 2016), which the graph computes in the same pass; by occlusion, which is what
deleting each word alone does, at the cost of as many passes as there are words; and k words drawn at random. The farther the
log-odds fall, the truer the order (DeYoung et al. 2020 call it comprehensiveness).

    python -m benchmarks.word_weights data/imdb
    python -m benchmarks.word_weights data/sentiment_short/uci_sentences.parquet --part all --words 1,2,3
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import typer
from scipy.stats import pearsonr, spearmanr

from app.bundle import current_folder
from app.predictor import Predictor, load_predictor
from app.tasks.sentiment import EncodedText, Sentiment
from app.tasks.word_weights import word_weights
from training.data.imdb import read_reviews
from training.data.splits import split_by_group
from training.recipe import read_recipe

_FEWEST_WORDS = 5  # of a text whose weights are correlated with occlusion
_DRAWS = 5  # of k words at random

Array = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]


class Part(StrEnum):
    """Which texts are taken."""

    train = "train"
    all = "all"


@dataclass(frozen=True)
class Judged:
    """A text's words with the log-odds of its verdict (the larger the surer); method -> what each word adds to them
    [words]; method -> milliseconds of one core.
    """

    ids: Ids
    verdict: float
    log_odds: float
    weights: dict[str, Array]
    ms: dict[str, float]


class Judge:
    """The served model, asked for calibrated log-odds of *positive*."""

    def __init__(self, predictor: Predictor[Sentiment]) -> None:
        self._run, self._task = predictor.run, predictor.task
        self._methods = {"served": self._served, "mapping": self._mapping, "occlusion": self._occlusion}

    def words(self, text: str) -> int:
        return self._task.encode(text).read

    def log_odds(self, texts: Sequence[Ids]) -> Array:
        parts = [EncodedText(ids, len(ids), len(ids)) for ids in texts]
        return np.array([prediction.log_odds for prediction in self._task.answer(self._run, parts)])

    def judged(self, text: str) -> Judged:
        ids = self._task.encode(text).ids
        (log_odds,) = self.log_odds([ids])
        verdict = 1.0 if log_odds >= 0 else -1.0
        weights: dict[str, Array] = {}
        ms: dict[str, float] = {}
        for name, method in self._methods.items():
            started = time.process_time()
            weights[name] = verdict * method(text)
            ms[name] = 1000 * (time.process_time() - started)
        return Judged(ids, verdict, verdict * log_odds, weights, ms)

    def falls(self, text: Judged, deletions: Sequence[npt.NDArray[Any]]) -> Array:
        """By how much the verdict's log-odds fall when each of these sets of places is deleted."""
        return text.log_odds - text.verdict * self.log_odds([np.delete(text.ids, places) for places in deletions])

    def _served(self, text: str) -> Array:
        async def judge(parts: Sequence[EncodedText]) -> list[float]:
            return [prediction.log_odds for prediction in self._task.answer(self._run, parts)]

        return np.array([word.weight for word in asyncio.run(word_weights(self._task, text, judge))])

    def _mapping(self, text: str) -> Array:
        """Without the temperature, which changes no order."""
        outputs = self._run({**self._task.feeds([self._task.encode(text)]), "explain": np.array(True)})
        return np.asarray(outputs["contributions"][0].astype(np.float64))

    def _occlusion(self, text: str) -> Array:
        ids = self._task.encode(text).ids
        whole, *without = self.log_odds([ids, *(np.delete(ids, place) for place in range(len(ids)))])
        return np.asarray(whole - np.array(without))


def main(
    data: Annotated[Path, typer.Argument(help="Reviews or sentences, as `gatehouse data check sentiment` takes them.")],
    part: Annotated[Part, typer.Option(help="train: only what the bundle's recipe learns from.")] = Part.train,
    texts: Annotated[int, typer.Option(help="How many, drawn at random.")] = 200,
    words: Annotated[str, typer.Option(help="How many words are deleted; a text has at least twice as many.")] = "1,5,10,20",
    models: Path = Path("models"),
) -> None:
    """Prints by how much the log-odds of the verdict fall, means over texts; how methods agree with occlusion; their cost."""
    folder = current_folder(models, "sentiment")
    judge = Judge(load_predictor(folder, "cpu", 1))
    judged = [judge.judged(text) for text in _texts(data, part, folder / "recipe.toml", texts) if judge.words(text) > 1]
    typer.echo(f"{len(judged)} texts of {np.median([len(text.ids) for text in judged]):.0f} words at the median")
    typer.echo(f"log-odds of the verdict: {np.mean([text.log_odds for text in judged]):.2f}")
    chance = np.random.default_rng(0)
    for count in map(int, words.split(",")):
        _tell_falls(judge, [text for text in judged if len(text.ids) >= 2 * count], count, chance)
    for name in judged[0].weights:
        _tell_method(judged, name)


def _texts(data: Path, part: Part, recipe: Path, count: int) -> list[str]:
    reviews, _ = read_reviews(data)
    if part is Part.train:
        settings = read_recipe(recipe).data
        reviews = reviews.filter(~reviews["official_test"])
        groups = reviews["movie"].to_list()
        reviews = reviews[split_by_group(groups, settings.validation_items, settings.test_items, settings.split_seed).train]
    return list(reviews["text"].sample(min(count, len(reviews)), seed=0))


def _tell_falls(judge: Judge, judged: Sequence[Judged], count: int, chance: np.random.Generator) -> None:
    if not judged:
        return
    falls: dict[str, list[float]] = {}
    turned: dict[str, list[float]] = {}
    for text in judged:
        deletions = {name: [np.argsort(-weights)[:count]] for name, weights in text.weights.items()}
        deletions["random"] = [chance.choice(len(text.ids), count, replace=False) for _ in range(_DRAWS)]
        for name, places in deletions.items():
            got = judge.falls(text, places)
            falls.setdefault(name, []).append(float(got.mean()))
            turned.setdefault(name, []).append(float((got > text.log_odds).mean()))
    told = "; ".join(f"{name} {np.mean(falls[name]):.2f} ({100 * np.mean(turned[name]):.0f} % turned)" for name in falls)
    typer.echo(f"  without {count:2} words, {len(judged)} texts, the log-odds fall by: {told}")


def _tell_method(judged: Sequence[Judged], name: str) -> None:
    compared = [(text.weights[name], text.weights["occlusion"]) for text in judged if len(text.ids) >= _FEWEST_WORDS]
    measures: tuple[Callable[..., Any], ...] = (pearsonr, spearmanr)
    linear, ranked = (np.nanmean([measure(*pair).statistic for pair in compared]) for measure in measures)
    ms = np.percentile([text.ms[name] for text in judged], [50, 100])
    typer.echo(
        f"  {name}: with occlusion, mean over {len(compared)} texts, Pearson {linear:.2f}, Spearman {ranked:.2f}; "
        f"{ms[0]:.1f} ms of one core a text at the median, {ms[1]:.0f} at most"
    )


if __name__ == "__main__":
    typer.run(main)
