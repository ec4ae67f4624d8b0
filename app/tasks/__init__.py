"""The tasks there are: what turns raw input into tensors, and tensors into answers."""

from typing import Any

from app.tasks.cells import Cells
from app.tasks.music import Music
from app.tasks.rainfall import Rainfall
from app.tasks.sentiment import Sentiment

TASKS: dict[str, Any] = {"sentiment": Sentiment, "rainfall": Rainfall, "music": Music}
"""Name -> class, in the order in which they are listed."""

DEMONSTRATIONS: dict[str, Any] = {"cells": Cells}
"""Likewise, but for what shows how networks work: nobody depends on it, so the service is ready without."""

BUNDLED: dict[str, Any] = TASKS | DEMONSTRATIONS
"""All that a bundle may be for."""
