"""A recipe: the TOML file that reproduces a bundle."""

import tomllib
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator


class RecipeError(ValueError):
    """The file is no recipe; the message names the setting, what was got and what is allowed."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Data(_Table):
    """Splits are in items (reviews, hours, tunes); whole groups are moved, so the sizes are met from above."""

    validation_items: int = Field(gt=0)
    test_items: int = Field(default=0, ge=0, description="0 where the final figure comes from elsewhere")
    split_seed: int = 0
    vocabulary_words: int = Field(default=30_000, gt=2, description="sentiment: most frequent words kept")
    head_tokens: int = Field(default=150, gt=0, description="sentiment: words read at the beginning of a long text")
    tail_tokens: int = Field(default=250, gt=0, description="sentiment: words read at its end")


class Vectors(_Table):
    """Word vectors (continuous bag of words, Mikolov et al. 2013) learned beforehand from all but held-out texts."""

    epochs: int = Field(default=0, ge=0, description="0: random vectors")
    window: int = Field(default=8, gt=0)


class Model(_Table):
    embedding: int = Field(default=0, ge=0, description="width of the embedding; rainfall has none")
    hidden: int = Field(gt=0)
    layers: int = Field(default=1, gt=0)
    bidirectional: bool = False


class Regularisation(_Table):
    dropout: float = Field(default=0.0, ge=0, lt=1, description="between layers and before the head")
    embedding_dropout: float = Field(default=0.0, ge=0, lt=1, description="one mask for all steps (Gal, Ghahramani 2016)")
    word_dropout: float = Field(default=0.0, ge=0, lt=1, description="share of words replaced by <unk>")
    label_smoothing: float = Field(default=0.0, ge=0, lt=0.5)
    l1: float = Field(default=0.0, ge=0, description="weight of the sum of absolute weights in the loss")
    l2: float = Field(default=0.0, ge=0, description="decoupled weight decay (Loshchilov, Hutter 2019)")
    clip_norm: float = Field(default=1.0, gt=0, description="largest norm of the gradient")


class Training(_Table):
    epochs: int = Field(gt=0)
    patience: int = Field(default=3, gt=0, description="epochs without a better validation score before stopping")
    batch_items: int = Field(gt=0)
    learning_rate: float = Field(gt=0)
    schedule: Literal["one_cycle", "constant"] = "one_cycle"
    precision: Literal["bf16", "fp32"] = "bf16"
    seed: int = 0


class Export(_Table):
    precision: Literal["int8", "fp32"] = "fp32"
    most_loss: float = Field(default=0.0, ge=0, description="int8 is kept if the validation score worsens by no more")


class Recipe(_Table):
    task: Literal["sentiment", "rainfall", "music"]
    cell: Literal["rnn", "lstm", "gru"]
    data: Data
    vectors: Vectors = Vectors()
    model: Model
    regularisation: Regularisation = Regularisation()
    training: Training
    export: Export = Export()

    @model_validator(mode="after")
    def _fits_its_task(self) -> Self:
        if self.task == "music" and self.model.bidirectional:
            raise ValueError("model.bidirectional: music must not see the characters it has to guess, so only false is allowed")
        if self.task != "rainfall" and self.model.embedding == 0:
            raise ValueError(f"model.embedding: {self.task} needs a width of at least 1")
        return self


def read_recipe(path: Path) -> Recipe:
    """Raises RecipeError."""
    try:
        return Recipe.model_validate(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise RecipeError(f"{path}: not readable as TOML: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise RecipeError(f"{path}: {where}: {first['msg']} (got {first['input']!r})") from error
