"""An int8 transformer of DistilBERT's size in a bare loop, beside the served model in one, on the same texts."""

import subprocess
import sys

from benchmarks.serving.arena import Arena, loop_figures

_WORKLOADS = ("short", "real")
_BATCHES = (1, 2, 4, 8)
_FORMS = ("fused", "unfused")


def transformer(arena: Arena) -> None:
    """A few texts of every length stand for all of them: the transformer takes its time."""
    core = arena.split(1).server[0]
    files = {form: arena.scratch / f"{form}.onnx" for form in _FORMS}
    for form, file in files.items():
        command = [sys.executable, "-m", "benchmarks.transformer", form, str(file)]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)  # noqa: S603
    for turn in range(arena.plan.rounds):
        for name in _WORKLOADS:
            texts = sorted(arena.workloads[name].texts, key=len)
            texts = texts[:: max(1, len(texts) // arena.plan.transformer_texts)]
            rates, _ = loop_figures(arena.bare_loop(texts, core, _BATCHES))
            _add(arena, "bare loop", name, turn, rates)
            for form, file in files.items():
                rates, _ = loop_figures(arena.bare_loop(texts, core, _BATCHES, file))
                _add(arena, f"transformer, {form}", name, turn, rates)


def _add(arena: Arena, contestant: str, name: str, turn: int, rates: dict[str, float]) -> None:
    for batch, rate in rates.items():
        arena.measurements.add("transformer", contestant, 1, name, batch, turn, {"texts_per_s": rate})
