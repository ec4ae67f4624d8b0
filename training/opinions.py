"""What a teacher said of texts, kept in a file: a student can be taught where nobody could train the teacher.

An opinion is kept as float16, which tells probabilities apart by less than a thousandth.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from training.data.batches import Example


def keep_opinions(path: Path, recipe: Path, texts: Sequence[Example], logits: npt.NDArray[np.float64]) -> None:
    """Logits, [texts], of the teacher that the recipe makes."""
    part = path.with_suffix(".part.npz")  # renamed when it is whole
    np.savez_compressed(part, of=_fingerprint(recipe, texts), logits=logits.astype(np.float16))
    part.rename(path)


def kept_opinions(path: Path, recipe: Path, texts: Sequence[Example]) -> npt.NDArray[np.float64] | None:
    """None where there is no such file, or one of other texts or of a teacher by another recipe."""
    if not path.exists():
        return None
    with np.load(path) as kept:
        return kept["logits"].astype(np.float64) if str(kept["of"]) == _fingerprint(recipe, texts) else None


def _fingerprint(recipe: Path, texts: Sequence[Example]) -> str:
    digest = hashlib.sha256(recipe.read_bytes())
    for text in texts:
        digest.update(len(text.inputs).to_bytes(4, "little"))
        digest.update(np.asarray(text.inputs, "<i8").tobytes())
    return digest.hexdigest()
