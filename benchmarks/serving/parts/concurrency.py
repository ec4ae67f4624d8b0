"""Throughput against the number of connections."""

from benchmarks.serving.arena import Arena, Served

_WORKLOADS = ("short", "real")


def concurrency(arena: Arena) -> None:
    """Each contestant started once a round and asked from few connections to many."""
    for turn in range(arena.plan.rounds):
        for contestant in arena.in_turn(turn, arena.on_sqlite()):
            with arena.serving(contestant) as served:
                for name in _WORKLOADS:
                    for connections in arena.plan.connections:
                        _one(arena, served, name, connections, turn)


def _one(arena: Arena, served: Served, name: str, connections: int, turn: int) -> None:
    workload = arena.workloads[name]
    compared = served.warm_up(workload, connections)
    flood = served.flood(workload, connections, arena.plan.seconds)
    figures = {"requests_per_s": flood.answered_a_second, "refused": flood.refused, "lost": flood.lost}
    figures |= {"p50_ms": 1000 * flood.median_s, "p99_ms": 1000 * flood.p99_s}
    arena.measurements.add("concurrency", served.contestant.name, 1, name, connections, turn, figures | compared.figures())
