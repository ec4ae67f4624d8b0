"""Which batching is best for each rival, here: every one its documents call for is tried."""

from statistics import geometric_mean

from benchmarks.serving.arena import Arena
from benchmarks.serving.contestants import Contestant

_WORKLOADS = ("short", "real")


def tuning(arena: Arena) -> None:
    """Keeps for each rival the batching with the best geometric mean of its throughput over both workloads."""
    for contestant in arena.contestants:
        if contestant.batchings:
            _tune(arena, contestant)


def _tune(arena: Arena, contestant: Contestant) -> None:
    plan, found = arena.plan, {}
    for batching in contestant.batchings:
        arena.batching[contestant.name] = batching
        rates = []
        with arena.serving(contestant) as served:
            for name in _WORKLOADS:
                served.warm_up(arena.workloads[name], plan.headline_connections)
                flood = served.flood(arena.workloads[name], plan.headline_connections, plan.seconds)
                rates.append(max(flood.answered_a_second, 0.001))  # a mean of zero has no logarithm
                arena.measurements.add("tuning", contestant.name, 1, name, batching, 0, {"requests_per_s": rates[-1]})
        found[batching] = geometric_mean(rates)
    arena.batching[contestant.name] = max(found, key=found.__getitem__)
