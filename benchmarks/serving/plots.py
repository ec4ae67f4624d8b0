"""The plots of the page, from the measurements."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes

from benchmarks.serving.limit import limit
from benchmarks.serving.measurements import Measurements
from training.studies.report import MORE_COLOURS, panels, save, whiskers

_WORKLOADS = {"real": "real reviews", "short": "texts of 20 words"}
_MARKERS = "os^vDP"
_ORDER = ("gatehouse", "fastapi", "litserve", "bentoml", "mlserver", "gatehouse-postgresql")


def plot(measurements: Measurements, folder: Path) -> list[Path]:
    """A file for each part that was measured."""
    drawn = []
    for part, draw in (("headline", _headline), ("two-cores", _headline), ("concurrency", _concurrency), ("offered", _offered)):
        if measurements.distinct("contestant", part=part):
            figure, axes = panels(2, height=4.2)
            for each, (workload, title) in zip(axes, _WORKLOADS.items(), strict=True):
                each.set_title(title)
                draw(each, measurements, part, workload)
            save(figure, folder / f"{part}.png")
            drawn.append(folder / f"{part}.png")
    return drawn


def _style(name: str) -> tuple[str, str]:
    place = _ORDER.index(name)
    return MORE_COLOURS[place], _MARKERS[place]


def _names(measurements: Measurements, part: str) -> list[str]:
    there = measurements.distinct("contestant", part=part)
    return [name for name in _ORDER if name in there]


def _headline(axes: Axes, found: Measurements, part: str, workload: str) -> None:
    names = _names(found, part)
    for place, name in enumerate(names):
        rates = found.values(part=part, contestant=name, workload=workload, measure="requests_per_s")
        middle = sorted(rates)[len(rates) // 2]
        axes.bar(place, middle, color=_style(name)[0], yerr=[[middle - min(rates)], [max(rates) - middle]], capsize=3)
    if most := limit(found, part, workload):
        axes.axhline(most, color="black", lw=1, ls="--")
        axes.annotate("limit", (len(names) - 0.5, most), ha="right", va="bottom")
    axes.set_xticks(range(len(names)), names, rotation=20)
    axes.set_ylabel("requests a second")


def _concurrency(axes: Axes, found: Measurements, part: str, workload: str) -> None:
    connections = found.distinct("at", part=part, workload=workload)
    for name in _names(found, part):
        wanted = {"part": part, "contestant": name, "workload": workload, "measure": "requests_per_s"}
        ats = found.distinct("at", **wanted)
        runs = [found.values(**wanted, at=at) for at in ats]
        whiskers(axes, [float(at) for at in ats], runs, *_style(name), name)
    axes.set_xscale("log", base=4)
    axes.set_xticks([float(at) for at in connections], connections)
    _finish(axes, "connections", "requests a second")


def _offered(axes: Axes, found: Measurements, part: str, workload: str) -> None:
    """The median as a full line, p99 as a broken one of the same colour."""
    for name in _names(found, part):
        wanted = {"part": part, "contestant": name, "workload": workload}
        ats = found.distinct("at", **wanted)
        colour, marker = _style(name)
        for measure, line in (("p50_ms", "-"), ("p99_ms", ":")):
            pairs = [
                (found.median(**wanted, at=at, measure="offered_per_s"), found.median(**wanted, at=at, measure=measure))
                for at in ats
            ]
            known: Sequence[tuple[float, float]] = [(x, y) for x, y in pairs if x is not None and y is not None]
            label = f"{name}, p50" if line == "-" else None
            axes.plot(*zip(*known, strict=True), line, color=colour, marker=marker, markersize=4, label=label)
    axes.set_yscale("log")
    _finish(axes, "requests offered a second", "ms from when it was due (dotted: p99)")


def _finish(axes: Axes, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.legend(frameon=False, fontsize=8)
