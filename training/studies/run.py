"""The studies by name, and how one is run."""

from collections.abc import Callable
from pathlib import Path

import torch

from training.studies import cells, counting, gradients, memory, tuning

STUDIES: dict[str, Callable[[Path, Path, bool], None]] = {
    "cells": cells.study,
    "gradients": lambda folder, _, quick: gradients.study(folder, quick),
    "memory": lambda folder, _, quick: memory.study(folder, quick),
    "counting": lambda folder, _, quick: counting.study(folder, quick),
    "tuning": tuning.study,
}


def run_study(name: str, data: Path, folder: Path, *, quick: bool = False, fresh: bool = False) -> None:
    """Write NAME.csv, NAME.png and the tables of NAME.md to `folder`, going on behind the runs that are there.

    `data` holds imdb/, rain/ and music/; `quick` is a toy scale of seconds; `fresh` forgets the runs that are there.
    """
    # These networks are too small to share out: a second thread only waits for the first.
    torch.set_num_threads(1)
    if fresh:
        (folder / f"{name}.csv").unlink(missing_ok=True)
    STUDIES[name](folder, data, quick)
