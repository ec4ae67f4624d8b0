"""Latency against offered load: open-loop arrivals at shares of what each contestant was measured to answer."""

import numpy as np

from benchmarks.serving.answers import Compared
from benchmarks.serving.arena import Arena, Served
from benchmarks.serving.open_loop import Offered, offer, poisson

_WORKLOADS = ("short", "real")
_PERCENTILES = (50, 90, 99)


def offered(arena: Arena) -> None:
    """A latency runs from when the request was due; of those never answered it is how long they had waited."""
    for turn in range(arena.plan.rounds):
        for contestant in arena.in_turn(turn, arena.on_sqlite()):
            with arena.serving(contestant) as served:
                for name in _WORKLOADS:
                    _shares(arena, served, name, turn)


def _shares(arena: Arena, served: Served, name: str, turn: int) -> None:
    plan, workload = arena.plan, arena.workloads[name]
    served.warm_up(workload, plan.headline_connections)
    capacity = (
        arena.measurements.median(
            part="headline", contestant=served.contestant.name, cores=1, workload=name, measure="requests_per_s"
        )
        or served.flood(workload, plan.headline_connections, plan.seconds).answered_a_second
    )
    requests = served.requests(workload)
    for share in plan.shares:
        rate = share * capacity
        result = offer(served.port, requests, poisson(rate, plan.seconds, range(len(requests)), turn))
        served.rest()
        figures = {"offered_per_s": rate, **_figures(result), **_compared(served, workload.texts, result).figures()}
        arena.measurements.add("offered", served.contestant.name, 1, name, share, turn, figures)


def _figures(result: Offered) -> dict[str, float]:
    waits = 1000 * np.array([wait for _, wait in result.waits_s])
    sent = len(waits) + result.refused
    figures = {"refused_share": result.refused / sent, "unanswered_share": result.unanswered / sent}
    if len(waits):
        figures |= {f"p{each}_ms": float(np.percentile(waits, each)) for each in _PERCENTILES}
    return figures


def _compared(served: Served, texts: tuple[str, ...], result: Offered) -> Compared:
    compared = Compared()
    for number, answer in result.samples:
        served.check(texts[number], answer.status, answer.body, compared)
    return compared
