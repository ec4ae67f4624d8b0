"""A short text among long ones: its latency beside texts of a thousand words, against its latency alone."""

from statistics import median

from benchmarks.serving.arena import Arena, Served
from benchmarks.serving.open_loop import Arrival, offer, poisson

_CONNECTIONS = 8
_SHARE = 0.5
_SHORT_A_SECOND = 20
_PAUSE_S = 0.02


def background(arena: Arena) -> None:
    """`alone`; `half`: long texts arrive at half of what the server can take; `full`: 8 connections that never rest."""
    for turn in range(arena.plan.rounds):
        for contestant in arena.in_turn(turn, arena.on_sqlite()):
            with arena.serving(contestant) as served:
                for at, seconds in _medians(arena, served, turn).items():
                    arena.measurements.add("background", contestant.name, 1, "short", at, turn, {"p50_ms": 1000 * seconds})


def _medians(arena: Arena, served: Served, turn: int) -> dict[str, float]:
    plan, short, long = arena.plan, arena.workloads["short"], arena.workloads["long"]
    served.warm_up(long, _CONNECTIONS)
    capacity = served.flood(long, _CONNECTIONS, plan.seconds).answered_a_second
    times = max(10, round(plan.seconds / (_PAUSE_S + 0.005)))
    medians = {"alone": served.single(short, times, _PAUSE_S)}
    medians["half"] = _among_arrivals(served, _SHARE * capacity, plan.seconds, turn)
    with served.flooding(long, _CONNECTIONS, plan.seconds + 60):
        served.single(short, 5, _PAUSE_S)
        medians["full"] = served.single(short, times, _PAUSE_S)
    return medians


def _among_arrivals(served: Served, rate: float, seconds: int, turn: int) -> float:
    """Median seconds of the short texts."""
    short = served.requests(served.arena.workloads["short"])
    requests = short + served.requests(served.arena.workloads["long"])
    probes = [Arrival(place / _SHORT_A_SECOND, place % len(short)) for place in range(seconds * _SHORT_A_SECOND)]
    load = poisson(rate, seconds, range(len(short), len(requests)), turn)
    result = offer(served.port, requests, [*probes, *load])
    return median(wait for number, wait in result.waits_s if number < len(short))
