"""A run's folder: a training goes on only with what it was begun with, and alone."""

import hashlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from training.learners.learner import Learner
from training.recipe import RecipeError

if sys.platform != "win32":
    import fcntl

_MOST_HASHED = 1000


@contextmanager
def held(run: Path) -> Iterator[None]:
    """Makes the folder. Raises RecipeError if another process trains in it."""
    run.mkdir(parents=True, exist_ok=True)
    with (run / "lock").open("a") as file:
        if sys.platform != "win32":
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise RecipeError(f"{run}: another training is under way in it") from None
        yield


def keep_recipe(run: Path, text: str) -> None:
    """Raises RecipeError if the run was begun with another: if that came further than reading its data."""
    if {path.name for path in run.glob("*")} <= {"lock", "recipe.toml", "hours"}:
        (run / "recipe.toml").unlink(missing_ok=True)
    _keep(run / "recipe.toml", text, "another recipe")


def keep_data(run: Path, learner: Learner) -> None:
    """Raises RecipeError if the run was begun with other data."""
    _keep(run / "data.sha256", _fingerprint(learner), "other data")


def write_whole(path: Path, content: str) -> None:
    """Written beside and renamed: a kill or a full disk leaves what was there."""
    part = path.with_name(path.name + ".part")
    part.write_text(content, "utf-8")
    part.rename(path)


def _keep(kept: Path, text: str, other: str) -> None:
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_whole(kept, text)
    elif kept.read_text("utf-8") != text:
        raise RecipeError(
            f"{kept.parent} was begun with {other}: to start anew pass --fresh, or remove the folder where it is of a recipe "
            "that others build on"
        )


def _fingerprint(learner: Learner) -> str:
    """Of what was learned from the training data before the first step, and of validation: those are the same every time,
    while training examples may be made anew whenever they are asked for."""
    sets, digest = learner.sets, hashlib.sha256(json.dumps(learner.asset.content).encode())
    digest.update(f"{len(sets.train)} {len(sets.validation)}".encode())
    for position in range(0, len(sets.validation), -(-len(sets.validation) // _MOST_HASHED) or 1):
        example = sets.validation[position]
        digest.update(np.ascontiguousarray(example.inputs).tobytes() + np.ascontiguousarray(example.target).tobytes())
    return digest.hexdigest()
