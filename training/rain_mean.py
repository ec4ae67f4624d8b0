"""A rain network beside another: two that err differently, of which the mean is served."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from training.model import TaskNet
from training.rain_net import RainfallNet
from training.rain_start import Start, start_of
from training.recipe import RECIPES, Recipe, RecipeError, read_recipe


@dataclass(frozen=True)
class Beside:
    """The other network's recipe, as it is written, and what that begins from."""

    recipe: Recipe
    text: str
    start: Start | None


def beside_of(recipe: Recipe, data: Path) -> Beside | None:
    """What the recipe has beside its own network. Raises RecipeError, or DataError where what that begins from is missing."""
    if not recipe.rain.beside:
        return None
    path = RECIPES / f"{recipe.rain.beside}.toml"
    other = read_recipe(path)
    if other.rain.beside or _taught(other) != _taught(recipe):
        raise RecipeError(
            f"rain.beside: {path.stem} has a network beside it, too, or another [data], [generator], teacher, copies or "
            "raised_db, and only what learns from the same can be averaged"
        )
    return Beside(other, path.read_text("utf-8"), start_of(other, data))


class RainfallMean(TaskNet):
    """The mean of what networks say: of quantiles in order and of estimates that rise with reflectivity it has both, too."""

    def __init__(self, members: Sequence[RainfallNet]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def outputs(self, feeds: dict[str, Tensor]) -> dict[str, Tensor]:
        said = [cast(RainfallNet, member).outputs(feeds)["quantiles_mm"] for member in self.members]
        return {"quantiles_mm": torch.stack(said).mean(0)}


def _taught(recipe: Recipe) -> tuple[object, ...]:
    rain = recipe.rain
    return recipe.task, recipe.data, recipe.generator, rain.teacher, rain.copies, rain.raised_db
