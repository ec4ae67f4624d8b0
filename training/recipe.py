"""A recipe: the TOML file that reproduces a bundle."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

_MOST_SHOWN = 200
RECIPES = Path(__file__).parent / "recipes"


class RecipeError(ValueError):
    """The file is no recipe; the message names the setting, what was got and what is allowed."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class Data(_Table):
    """Splits are in items (reviews, hours, tunes); whole groups are moved, so the sizes are met from above."""

    validation_items: int = Field(gt=0)
    test_items: int = Field(default=0, ge=0, description="0 where the final figure comes from elsewhere")
    split_seed: int = Field(default=0, ge=0, lt=2**31)
    vocabulary_words: int = Field(default=30_000, gt=2, description="sentiment: most frequent words kept")
    head_tokens: int = Field(default=150, gt=0, description="sentiment: words read at the beginning of a long text")
    tail_tokens: int = Field(default=250, gt=0, description="sentiment: words read at its end")


class Vectors(_Table):
    """Word vectors (continuous bag of words, Mikolov et al. 2013) learned beforehand from all but held-out texts."""

    epochs: int = Field(default=0, ge=0, description="0: random vectors")
    window: int = Field(default=8, gt=0)


class Pretraining(_Table):
    """sentiment: the recurrent layer learns to guess next words of all but held-out texts (Dai, Le 2015)."""

    epochs: int = Field(default=0, ge=0, description="0: none")
    batch_items: int = Field(default=48, gt=0)
    learning_rate: float = Field(default=0.003, gt=0)
    negatives: int = Field(default=2048, gt=0, description="words drawn to stand for all wrong ones")
    longest: int = Field(
        default=300, gt=0, description="longer texts are cut into pieces: gradients reach no further, and padding stays small"
    )


class SelfTraining(_Table):
    """sentiment: unlabelled texts are labelled by teachers, and learned from like labelled ones."""

    teachers: list[str] = Field(default=[], description="recipes of training/recipes; trained first where they were not yet")
    ngrams: bool = Field(default=False, description="the n-gram line is a teacher too")
    pieces: int = Field(default=0, ge=0, description="pieces of 1 to 3 sentences of each text that the teachers label, too")


class Model(_Table):
    embedding: int = Field(default=0, ge=0, description="width of the embedding; rainfall has none")
    hidden: int = Field(gt=0)
    layers: int = Field(default=1, gt=0)
    bidirectional: bool = False
    towers: bool = Field(
        default=False,
        description="sentiment: layers of a direction see nothing of the other's, so that a language model can teach them all; "
        "for teachers, such a network is not exported",
    )


class Regularisation(_Table):
    dropout: float = Field(default=0.0, ge=0, lt=1, description="between layers and before the head")
    embedding_dropout: float = Field(default=0.0, ge=0, lt=1, description="one mask for all steps (Gal, Ghahramani 2016)")
    word_dropout: float = Field(default=0.0, ge=0, lt=1, description="share of words replaced by <unk>")
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    adversarial: float = Field(
        default=0.0, ge=0, description="sentiment: length of the worst push of a text's word vectors (Miyato et al. 2017)"
    )
    pieces: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="sentiment: share of batches cut in pieces of 1 to 3 sentences, judged by their mean",
    )
    l1: float = Field(default=0.0, ge=0, description="weight of the sum of absolute weights in the loss")
    l2: float = Field(default=0.0, ge=0, description="decoupled weight decay (Loshchilov, Hutter 2019)")
    clip_norm: float = Field(default=1.0, gt=0, description="largest norm of the gradient")


class Training(_Table):
    start: str = Field(
        default="",
        description="sentiment: a recipe of training/recipes whose network is gone on with; made first where it was not yet",
    )
    epochs: int = Field(gt=0)
    patience: int = Field(default=3, gt=0, description="epochs without a better validation score before stopping")
    keep: Literal["best", "last"] = Field(
        default="best",
        description="the weights of which epoch: the best on validation, or the last, where that says too little",
    )
    batch_items: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    rate_decay: float = Field(
        default=1.0, ge=1, description="by so many times less each level nearer to the input (Howard, Ruder 2018)"
    )
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    precision: Literal["bf16", "fp32"] = "bf16"
    divide: Literal["operations", "items"] = Field(
        default="operations", description="what the cores of a CPU share out: every operation, or the items of a batch"
    )
    seed: int = Field(default=0, ge=0, lt=2**31)


class Generator(_Table):
    """rainfall: hours made from real ones (see training/data/radar_generator.py) and labelled by the teacher."""

    hours: int = Field(default=0, ge=0, description="how many; 0: none")
    seed: int = Field(default=0, ge=0, lt=2**31)
    silent_share: float = Field(default=0.1, ge=0, le=1, description="begun from an hour without any reflectivity")
    mixed_share: float = Field(default=0.3, ge=0, le=1, description="a stretch comes from another hour")
    profile_share: float = Field(default=0.4, ge=0, le=1, description="reflectivity takes the course of another hour's")
    shifted_share: float = Field(
        default=0.2, ge=0, le=1, description="later by some minutes, what leaves the hour at its end first"
    )
    thinned_share: float = Field(default=0.3, ge=0, le=1, description="fewer scans")
    holes_share: float = Field(default=0.2, ge=0, le=1, description="what another hour misses is missing too")
    moved_share: float = Field(default=0.4, ge=0, le=1, description="another hour's distance to the radar")
    scale_db: float = Field(default=5.0, ge=0, description="standard deviation of how much stronger or weaker the rain is")
    noise: float = Field(default=1.5, ge=0, description="times the errors of measurement of a WSR-88D")
    bare_share: float = Field(
        default=0.0, ge=0, le=1, description="shown with columns left out, under the teacher's answer to the whole hour"
    )


class Rain(_Table):
    """rainfall: what is learned besides the gauges."""

    teacher: str = Field(default="", description="folder with the teacher's weights beside the data; empty: none")
    start: str = Field(
        default="",
        description="file in the teacher's folder with the layers to begin from, plain RNNs as `model` says; empty: none",
    )
    beside: str = Field(
        default="",
        description="a recipe of training/recipes whose network learns from the same hours, too; the mean of both is served",
    )
    copies: int = Field(default=5, gt=0, description="drop-in copies that the teacher's answer is the mean of")
    gauge_weight: float = Field(default=1.0, ge=0, description="of the gauge in the median where the teacher answers too")
    rise_weight: float = Field(
        default=0.0,
        ge=0,
        description="of a fall of the median where `Ref` alone rises, its surroundings as they were; that all of them together "
        "never lower it, the network sees to itself",
    )
    rise_a_db: float = Field(
        default=0.002, ge=0, description="of ln(1 + mm): what less counts as a fall, so that hours not learned from do not fall"
    )
    raised_db: tuple[Annotated[float, Field(ge=-30, le=30, strict=True)], ...] = Field(
        default=(0.0,),
        strict=False,  # TOML has lists
        description="with so much more reflectivity, all else equal, the teacher is asked about every hour, too, and what it "
        "answers is made to rise; ascending, 0 among them",
    )
    folds: int = Field(
        default=0,
        ge=0,
        description="networks that each leave out a part of the training hours, so that the interval is calibrated on all "
        "hours and not on the few of validation alone; 0: none, 1 is refused",
    )


class Export(_Table):
    precision: Literal["int8", "fp32"] = "fp32"
    most_loss: float = Field(default=0.0, ge=0, description="int8 is kept if the validation score worsens by no more")


class Recipe(_Table):
    task: Literal["sentiment", "rainfall", "music", "cells"]
    cell: Literal["rnn", "lstm", "gru", "all"]
    data: Data
    vectors: Vectors = Vectors()
    pretraining: Pretraining = Pretraining()
    self_training: SelfTraining = SelfTraining()
    model: Model
    regularisation: Regularisation = Regularisation()
    training: Training
    generator: Generator = Generator()
    rain: Rain = Rain()
    export: Export = Export()

    @model_validator(mode="after")
    def _fits_its_task(self) -> Self:
        if (self.task == "cells") != (self.cell == "all"):
            raise ValueError('cell: "all" is for cells, which shows all three side by side, and for no other task')
        if self.task == "cells" and (self.model.layers > 1 or self.model.bidirectional or self.export.precision == "int8"):
            raise ValueError("cells: to be looked at, only one layer, one direction and fp32 are allowed")
        if self.model.towers and not (self.task == "sentiment" and self.cell == "lstm" and self.model.bidirectional):
            raise ValueError("model.towers: only a bidirectional lstm for sentiment can have towers")
        if self.task == "music" and self.model.bidirectional:
            raise ValueError("model.bidirectional: music must not see the characters it has to guess, so only false is allowed")
        if self.task == "rainfall" and self.export.precision == "int8":
            raise ValueError(
                "export.precision: scans have no largest value, so one hour's int8 answer would depend on those beside it; "
                'only "fp32" is allowed for rainfall'
            )
        if self.pretraining.epochs and not self._can_be_pretrained():
            raise ValueError(
                "pretraining.epochs: a language model guesses words in both directions by their vectors, so more than 0 are "
                "allowed only for sentiment, with model.bidirectional, and with model.hidden as model.embedding or model.towers"
            )
        if self.task != "rainfall" and self.model.embedding == 0:
            raise ValueError(f"model.embedding: {self.task} needs a width of at least 1")
        return self

    @model_validator(mode="after")
    def _rain_fits(self) -> Self:
        if 0.0 not in self.rain.raised_db or list(self.rain.raised_db) != sorted(set(self.rain.raised_db)):
            raise ValueError(f"rain.raised_db: {list(self.rain.raised_db)} are not different, ascending and with 0 among them")
        if self.rain.folds == 1:
            raise ValueError(
                "rain.folds: one network that leaves out everything learns nothing, so only 0, 2 and more are allowed"
            )
        if self.rain.start and not (self.rain.teacher and self.cell == "rnn" and self.model.bidirectional):
            raise ValueError(
                "rain.start: the layers to begin from are a teacher's and bidirectional RNNs, so rain.teacher, cell rnn and "
                "model.bidirectional are needed"
            )
        return self

    def _can_be_pretrained(self) -> bool:
        shape = self.model
        as_wide = shape.towers or shape.hidden == shape.embedding
        return self.task == "sentiment" and shape.bidirectional and as_wide

    def without_preparation(self) -> "Recipe":
        """The same without what can take long before the first epoch or after the last."""
        nothing = {
            "vectors": Vectors(),
            "pretraining": Pretraining(),
            "self_training": SelfTraining(),
            "generator": Generator(),
            "training": self.training.model_copy(update={"start": ""}),
            "rain": self.rain.model_copy(update={"start": "", "beside": "", "folds": 0}),
        }
        return self.model_copy(update=nothing)


def read_recipe(path: Path) -> Recipe:
    """Raises RecipeError."""
    try:
        return Recipe.model_validate(tomllib.loads(path.read_text("utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RecipeError(f"{path}: {where}: {first['msg']} (got {_shown(first['input'])})") from error
    except (OSError, ValueError, RecursionError) as error:  # also numbers of thousands of digits
        raise RecipeError(f"{path}: not readable as TOML: {error}") from error


def _shown(value: Any) -> str:
    """In a line; a table may hold so many others that it cannot be written at all."""
    return f"a table of {len(value)}" if isinstance(value, dict) else ascii(value)[:_MOST_SHOWN]
