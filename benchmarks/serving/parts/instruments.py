"""How much the load clients themselves can do, against a server that answers without thinking."""

import numpy as np

from benchmarks.serving.arena import Arena
from benchmarks.serving.contestants import CONSTANT
from benchmarks.serving.open_loop import offer, poisson

_RATES = (5_000, 20_000, 40_000)


def instruments(arena: Arena) -> None:
    """wrk at the headline's connections; the open loop at rates far above those it is used at."""
    plan, workload = arena.plan, arena.workloads["short"]
    for turn in range(plan.rounds):
        with arena.serving(CONSTANT) as served:
            flood = served.flood(workload, plan.headline_connections, plan.seconds)
            figures = {"requests_per_s": flood.answered_a_second}
            arena.measurements.add("instruments", "wrk", 1, "short", plan.headline_connections, turn, figures)
            requests = served.requests(workload)
            for rate in _RATES:
                arrivals = poisson(rate, plan.seconds, range(len(requests)), turn)
                offered = offer(served.port, requests, arrivals)
                waits = 1000 * np.array([wait for _, wait in offered.waits_s])
                figures = {
                    "requests_per_s": len(waits) / offered.elapsed_s,
                    "p50_ms": float(np.percentile(waits, 50)),
                    "p99_ms": float(np.percentile(waits, 99)),
                    "late_p99_ms": 1000 * float(np.percentile(offered.late_s, 99)),
                }
                arena.measurements.add("instruments", "open loop", 1, "short", rate, turn, figures)
