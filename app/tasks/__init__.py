"""The tasks there are: what turns raw input into tensors, and tensors into answers."""

from typing import Any

from app.tasks.music import Music
from app.tasks.rainfall import Rainfall
from app.tasks.sentiment import Sentiment

TASKS: dict[str, Any] = {"sentiment": Sentiment, "rainfall": Rainfall, "music": Music}
"""Name -> class, in the order in which they are listed."""
