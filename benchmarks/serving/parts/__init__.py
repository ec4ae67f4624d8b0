"""What is measured, part by part, in this order; each part repeats its rounds and alternates between contestants."""

from collections.abc import Callable

from benchmarks.serving.arena import Arena
from benchmarks.serving.parts.background import background
from benchmarks.serving.parts.concurrency import concurrency
from benchmarks.serving.parts.headline import headline, two_cores
from benchmarks.serving.parts.idle import idle
from benchmarks.serving.parts.instruments import instruments
from benchmarks.serving.parts.offered import offered
from benchmarks.serving.parts.transformer import transformer
from benchmarks.serving.parts.tuning import tuning

PARTS: dict[str, Callable[[Arena], None]] = {
    "instruments": instruments,
    "tuning": tuning,
    "headline": headline,
    "transformer": transformer,
    "idle": idle,
    "background": background,
    "concurrency": concurrency,
    "offered": offered,
    "two-cores": two_cores,
}
