"""The limit: what a server could do if it added nothing but HTTP and JSON to the model's own time."""

from benchmarks.serving.measurements import Measurements


def best_loop(measurements: Measurements, part: str, contestant: str, workload: str) -> tuple[str, float] | None:
    """The batch size at which a bare loop is fastest, and its texts a second; medians over the rounds."""
    wanted = {"part": part, "contestant": contestant, "workload": workload, "measure": "texts_per_s"}
    rates = {at: measurements.median(**wanted, at=at) for at in measurements.distinct("at", **wanted)}
    known = [(at, rate) for at, rate in rates.items() if rate]
    return max(known, key=lambda pair: pair[1]) if known else None


def echo_rate(measurements: Measurements, part: str, workload: str) -> float | None:
    """Requests a second of the bare echo."""
    return measurements.median(part=part, contestant="echo", workload=workload, measure="requests_per_s")


def limit(measurements: Measurements, part: str, workload: str) -> float | None:
    """Requests a second of a core (or of two) that echoes each request and runs the model on it, one after the other."""
    loop, echo = best_loop(measurements, part, "bare loop", workload), echo_rate(measurements, part, workload)
    return 1 / (1 / echo + 1 / loop[1]) if loop and echo else None
