"""Splits: three disjoint sets of items, cut by whole groups, made once and recorded."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


class TooFew(ValueError):
    """The validation and test sets take all items."""


@dataclass(frozen=True)
class Splits:
    """Row numbers of each set, in the order of the data."""

    train: list[int]
    validation: list[int]
    test: list[int]

    def sizes(self) -> dict[str, int]:
        return {name: len(rows) for name, rows in asdict(self).items()}


def split_by_group(groups: Sequence[str], validation: int, test: int, seed: int) -> Splits:
    """Whole groups go to the test set, then to the validation set, until each holds the items asked for.

    The order of groups is that of a seeded hash of their names, so it does not depend on the order of the data.
    Raises TooFew if nothing is left to train on.
    """
    members: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        members.setdefault(group, []).append(row)
    sets: dict[str, list[int]] = {"test": [], "validation": [], "train": []}
    wanted = {"test": test, "validation": validation}
    for group in sorted(members, key=lambda name: _digest(f"{seed}:{name}")):
        name = next((name for name, size in wanted.items() if len(sets[name]) < size), "train")
        sets[name].extend(members[group])
    if not sets["train"]:
        raise TooFew(
            f"of {len(groups)} items in {len(members)} groups none is left to train on after {validation} for validation "
            f"and {test} for the test set"
        )
    return Splits(**{name: sorted(rows) for name, rows in sets.items()})


def recorded_splits(folder: Path, name: str, groups: Sequence[str], validation: int, test: int, seed: int) -> Splits:
    """The split recorded in `folder` for these very items and settings; made and written there the first time."""
    fingerprint = _digest(json.dumps([list(groups), validation, test, seed]))[:12]
    path = folder / f"{name}-{fingerprint}.json"
    if path.exists():
        return Splits(**json.loads(path.read_text("utf-8")))
    splits = split_by_group(groups, validation, test, seed)
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(asdict(splits)), "utf-8")
    part.rename(path)
    return splits


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
