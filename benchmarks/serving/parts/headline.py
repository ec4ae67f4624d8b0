"""Throughput at many connections, in one table: the limit, Gatehouse and its rivals."""

from benchmarks.serving.arena import Arena, loop_figures
from benchmarks.serving.contestants import ECHO, Contestant

_WORKLOADS = ("short", "real")
_BATCHES = (1, 2, 4, 8, 16)


def headline(arena: Arena) -> None:
    """On one core, the client on another."""
    _rounds(arena, "headline", 1)


def two_cores(arena: Arena) -> None:
    """The server has two cores; where the machine has no third, the client is on one of them."""
    _rounds(arena, "two-cores", 2)


def _rounds(arena: Arena, part: str, cores: int) -> None:
    for turn in range(arena.plan.rounds):
        for name in _WORKLOADS:
            _bare_loop(arena, part, name, cores, turn)
        for contestant in arena.in_turn(turn, (ECHO, *arena.contestants)):
            _throughput(arena, part, contestant, cores, turn)


def _bare_loop(arena: Arena, part: str, name: str, cores: int, turn: int) -> None:
    """A process a core, all at once; their rates add up."""
    loops = [arena.bare_loop(arena.workloads[name].texts, core, _BATCHES) for core in arena.split(cores).server]
    rates = [loop_figures(loop)[0] for loop in loops]
    for batch in map(str, _BATCHES):
        figures = {"texts_per_s": sum(rate[batch] for rate in rates)}
        arena.measurements.add(part, "bare loop", cores, name, batch, turn, figures)


def _throughput(arena: Arena, part: str, contestant: Contestant, cores: int, turn: int) -> None:
    plan = arena.plan
    with arena.serving(contestant, cores) as served:
        for name in _WORKLOADS:
            workload = arena.workloads[name]
            compared = served.warm_up(workload, plan.headline_connections)
            flood = served.flood(workload, plan.headline_connections, plan.seconds)
            figures = {"requests_per_s": flood.answered_a_second, "refused": flood.refused, "lost": flood.lost}
            figures |= {"p50_ms": 1000 * flood.median_s, "p90_ms": 1000 * flood.p90_s, "p99_ms": 1000 * flood.p99_s}
            arena.measurements.add(
                part, contestant.name, cores, name, plan.headline_connections, turn, figures | compared.figures()
            )
