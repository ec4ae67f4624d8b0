"""One caller and nothing else: what a server adds to the model's own time."""

from benchmarks.serving.arena import Arena, loop_figures
from benchmarks.serving.disk import commit_ms, flush_ms

_WORKLOADS = ("short", "real")
_WRITES = 50


def idle(arena: Arena) -> None:
    """Medians of requests one after another, beside the same texts in process, and the time of a durable write."""
    for turn in range(arena.plan.rounds):
        _disk(arena, turn)
        for name in _WORKLOADS:
            _, alone_ms = loop_figures(arena.bare_loop(arena.workloads[name].texts, arena.split(1).server[0], [1]))
            arena.measurements.add("idle", "bare loop", 1, name, 1, turn, {"p50_ms": alone_ms})
        for contestant in arena.in_turn(turn, arena.contestants):
            with arena.serving(contestant) as served:
                for name in _WORKLOADS:
                    served.single(arena.workloads[name], arena.plan.single_requests // 4)  # warms up
                    seconds = served.single(arena.workloads[name], arena.plan.single_requests)
                    arena.measurements.add("idle", contestant.name, 1, name, 1, turn, {"p50_ms": 1000 * seconds})


def _disk(arena: Arena, turn: int) -> None:
    folder = arena.scratch / f"disk-{turn}"
    folder.mkdir()
    figures = {"fdatasync_ms": flush_ms(folder, _WRITES), "commit_ms": commit_ms(folder, _WRITES)}
    arena.measurements.add("idle", "disk", 1, "", "", turn, figures)
