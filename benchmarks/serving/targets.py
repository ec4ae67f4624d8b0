"""What Gatehouse is held to, each as a ratio or a difference of two measured figures."""

from dataclasses import dataclass

from benchmarks.serving.contestants import CONTESTANTS
from benchmarks.serving.limit import best_loop, limit
from benchmarks.serving.measurements import Measurements

_TITLES = {"short": "texts of 20 words", "real": "real reviews"}


@dataclass(frozen=True)
class Target:
    """`bound` is the least allowed, or the most where `at_most`; `measured` None where a part was not run."""

    title: str
    measured: float | None
    bound: float
    at_most: bool = False
    form: str = ".2f"
    unit: str = ""

    @property
    def verdict(self) -> str:
        if self.measured is None:
            return "not measured"
        return "met" if (self.measured <= self.bound if self.at_most else self.measured >= self.bound) else "not met"

    def row(self) -> list[str]:
        """Title, bound, measured, verdict."""
        sign = "at most" if self.at_most else "at least"
        measured = "" if self.measured is None else f"{self.measured:{self.form}}{self.unit}"
        return [self.title, f"{sign} {self.bound:{self.form}}{self.unit}", measured, self.verdict]


def targets(measurements: Measurements) -> list[Target]:
    """In the order of the page."""
    return [*_throughput(measurements), *_transformer(measurements), *_idle(measurements), *_background(measurements)]


def best_rival(measurements: Measurements, workload: str, part: str = "headline") -> tuple[str, float] | None:
    """Its name and requests a second."""
    rates = {
        each.name: measurements.median(part=part, contestant=each.name, workload=workload, measure="requests_per_s")
        for each in CONTESTANTS
        if each.is_rival
    }
    known = [(name, rate) for name, rate in rates.items() if rate]
    return max(known, key=lambda pair: pair[1]) if known else None


def gatehouse_rate(measurements: Measurements, workload: str, part: str = "headline") -> float | None:
    """Requests a second, SQLite."""
    return measurements.median(part=part, contestant="gatehouse", workload=workload, measure="requests_per_s")


def _ratio(one: float | None, other: float | None) -> float | None:
    return one / other if one is not None and other else None


def _throughput(measurements: Measurements) -> list[Target]:
    found = []
    for workload, of_limit, of_rival in (("real", 0.85, 1.4), ("short", 0.65, 1.5)):
        rate, rival = gatehouse_rate(measurements, workload), best_rival(measurements, workload)
        share = _ratio(rate, limit(measurements, "headline", workload))
        found.append(Target(f"{_TITLES[workload]}: share of the limit", share, of_limit, form=".0%"))
        title = f"{_TITLES[workload]}: times the best rival" + (f" ({rival[0]})" if rival else "")
        found.append(Target(title, _ratio(rate, rival[1] if rival else None), of_rival))
    return found


def _transformer(measurements: Measurements) -> list[Target]:
    found = []
    for workload in ("real", "short"):
        ours = best_loop(measurements, "transformer", "bare loop", workload)
        for form in ("fused", "unfused"):
            theirs = best_loop(measurements, "transformer", f"transformer, {form}", workload)
            rate = theirs[1] if theirs else None
            title = f"{_TITLES[workload]}: times the {form} transformer"
            served = _ratio(gatehouse_rate(measurements, workload), rate)
            found.append(Target(f"{title}, served against its bare loop", served, 40, form=".1f"))
            found.append(Target(f"{title}, both in bare loops", _ratio(ours[1] if ours else None, rate), 40, form=".1f"))
    return found


def _idle(measurements: Measurements) -> list[Target]:
    """The second of each pair leaves out the flush to disk that makes a row durable."""
    found = []
    flush = measurements.median(part="idle", contestant="disk", measure="fdatasync_ms")
    for workload in ("short", "real"):
        served, alone = (
            measurements.median(part="idle", contestant=name, workload=workload, measure="p50_ms")
            for name in ("gatehouse", "bare loop")
        )
        added = served - alone if served is not None and alone is not None else None
        title = f"{_TITLES[workload]}, one idle caller: median over the model's own time"
        found.append(Target(title, added, 1.5, at_most=True, unit=" ms"))
        without = added - flush if added is not None and flush is not None else None
        found.append(Target(f"{title}, the disk's flush taken off", without, 1.5, at_most=True, unit=" ms"))
    return found


def _background(measurements: Measurements) -> list[Target]:
    wanted = {"part": "background", "contestant": "gatehouse", "measure": "p50_ms"}
    alone = measurements.median(**wanted, at="alone")
    loads = {"half": "at half of its capacity", "full": "on 8 connections that never rest"}
    title = "a 20-word text beside 1,000-word reviews {}: times its median alone"
    return [
        Target(title.format(load), _ratio(measurements.median(**wanted, at=at), alone), 3, at_most=True)
        for at, load in loads.items()
    ]
