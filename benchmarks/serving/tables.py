"""The tables of the page, from the measurements."""

from statistics import median

from benchmarks.serving.limit import best_loop, echo_rate, limit
from benchmarks.serving.measurements import Measurements
from benchmarks.serving.targets import targets
from training.studies.report import markdown

_WORKLOADS = {"real": "real reviews", "short": "texts of 20 words"}
_NOT_MEASURED = "Not measured in this run."


def tables(measurements: Measurements) -> dict[str, str]:
    """Name -> Markdown."""
    makers = {
        "targets": _targets,
        "limit": _limit,
        "headline": lambda found: _throughput(found, "headline"),
        "two-cores": lambda found: _throughput(found, "two-cores"),
        "tuning": _tuning,
        "concurrency": _concurrency,
        "offered": _offered,
        "idle": _idle,
        "background": _background,
        "transformer": _transformer,
        "instruments": _instruments,
        "answers": _answers,
    }
    return {name: make(measurements) or _NOT_MEASURED for name, make in makers.items()}


def _number(value: float | None, form: str = ",.0f") -> str:
    return "" if value is None else f"{value:{form}}"


def _spread(values: list[float], form: str = ",.0f") -> str:
    """`median (least to most)`."""
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})" if values else ""


def _table(head: list[str], rows: list[list[str]]) -> str:
    return markdown(head, rows) if rows else ""


def _targets(found: Measurements) -> str:
    return _table(["what", "target", "measured", ""], [target.row() for target in targets(found)])


def _limit(found: Measurements) -> str:
    batches = found.distinct("at", part="headline", contestant="bare loop")
    rows = []
    for name, title in _WORKLOADS.items():
        wanted = {"part": "headline", "contestant": "bare loop", "workload": name}
        if loop := best_loop(found, "headline", "bare loop", name):
            rates = [_number(found.median(**wanted, at=at)) for at in batches]
            echo = _number(echo_rate(found, "headline", name))
            rows.append([title, *rates, echo, f"**{_number(limit(found, 'headline', name))}** (batches of {loop[0]})"])
    return _table(["", *(f"loop, batch {at}" for at in batches), "echo", "limit"], rows)


def _throughput(found: Measurements, part: str) -> str:
    names = found.distinct("contestant", part=part, measure="requests_per_s")
    rows = []
    for name in sorted(names, key=lambda name: -(found.median(part=part, contestant=name, workload="real") or 0)):
        row = [name]
        for workload in _WORKLOADS:
            wanted = {"part": part, "contestant": name, "workload": workload}
            rates, most = found.values(**wanted, measure="requests_per_s"), limit(found, part, workload)
            share = f"{median(rates) / most:.0%}" if most and rates and name != "echo" else ""
            row += [_spread(rates), share, _number(found.median(**wanted, measure="p99_ms"), ".0f")]
        wanted = {"part": part, "contestant": name}
        row.append(_number(sum(found.values(**wanted, measure="refused") + found.values(**wanted, measure="lost"))))
        rows.append(row)
    columns = [[f"{title}, requests/s", "of the limit", "p99, ms"] for title in _WORKLOADS.values()]
    return _table(["", *columns[0], *columns[1], "not answered"], rows)


def _tuning(found: Measurements) -> str:
    rows = []
    for name in found.distinct("contestant", part="tuning"):
        for at in found.distinct("at", part="tuning", contestant=name):
            rates = [_number(found.median(part="tuning", contestant=name, at=at, workload=each)) for each in _WORKLOADS]
            rows.append([name, at, *rates])
    return _table(["", "batching", *(f"{title}, requests/s" for title in _WORKLOADS.values())], rows)


def _concurrency(found: Measurements) -> str:
    ats = found.distinct("at", part="concurrency")
    rows = []
    for workload, title in _WORKLOADS.items():
        for name in found.distinct("contestant", part="concurrency"):
            wanted = {"part": "concurrency", "contestant": name, "workload": workload}
            rows.append([title, name, *(_number(found.median(**wanted, at=at, measure="requests_per_s")) for at in ats)])
    return _table(["", "requests/s at connections", *ats], rows)


def _offered(found: Measurements) -> str:
    shares = found.distinct("at", part="offered")
    rows = []
    for workload, title in _WORKLOADS.items():
        for name in found.distinct("contestant", part="offered"):
            wanted = {"part": "offered", "contestant": name, "workload": workload}
            cells = []
            for at in shares:
                figures = [found.median(**wanted, at=at, measure=f"p{each}_ms") for each in (50, 90, 99)]
                refused = found.median(**wanted, at=at, measure="refused_share") or 0
                cells.append(
                    " / ".join(_number(each, ".3g") for each in figures) + (f", {refused:.0%} refused" * (refused > 0))
                )
            rows.append([title, name, *cells])
    return _table(["", "p50 / p90 / p99 in ms at", *(f"{float(share):.0%}" for share in shares)], rows)


def _idle(found: Measurements) -> str:
    rows = []
    for name in found.distinct("contestant", part="idle", measure="p50_ms"):
        times = [found.values(part="idle", contestant=name, workload=each) for each in _WORKLOADS]
        title = "the model in process" if name == "bare loop" else name
        rows.append([title, *(_spread(each, ".2f") for each in times)])
    for measure, title in (("fdatasync_ms", "a page and fdatasync"), ("commit_ms", "a row in the request log, SQLite")):
        if values := found.values(part="idle", measure=measure):
            rows.append([title, _spread(values, ".2f"), _spread(values, ".2f")])
    return _table(["median ms", *_WORKLOADS.values()], rows)


def _background(found: Measurements) -> str:
    rows = []
    for name in found.distinct("contestant", part="background"):
        times = {at: found.values(part="background", contestant=name, at=at) for at in ("alone", "half", "full")}
        alone = median(times["alone"])
        rows.append([name, *(f"{_spread(each, '.2f')}, {median(each) / alone:.1f} x" for each in times.values())])
    return _table(["median ms", "alone", "beside half load", "beside full load"], rows)


def _transformer(found: Measurements) -> str:
    batches = found.distinct("at", part="transformer")
    rows = []
    for workload, title in _WORKLOADS.items():
        for name in found.distinct("contestant", part="transformer"):
            wanted = {"part": "transformer", "contestant": name, "workload": workload}
            rows.append([title, name, *(_number(found.median(**wanted, at=at), ",.1f") for at in batches)])
    return _table(["", "texts/s in batches of", *batches], rows)


def _instruments(found: Measurements) -> str:
    rows = []
    for name in found.distinct("contestant", part="instruments"):
        for at in found.distinct("at", part="instruments", contestant=name):
            wanted = {"part": "instruments", "contestant": name, "at": at}
            figures = [_number(found.median(**wanted, measure="requests_per_s"))]
            figures += [_number(found.median(**wanted, measure=each), ".2f") for each in ("p50_ms", "p99_ms", "late_p99_ms")]
            rows.append([name, f"{at} connections" if name == "wrk" else f"{int(at):,} a second offered", *figures])
    return _table(["client", "load", "answered a second", "p50, ms", "p99, ms", "sent late, p99, ms"], rows)


def _answers(found: Measurements) -> str:
    """Over all parts that compare."""
    rows = []
    for name in found.distinct("contestant", measure="checked"):
        if checked := sum(found.values(contestant=name, measure="checked")):
            sums = [sum(found.values(contestant=name, measure=each)) for each in ("label_flips", "wrong", "late")]
            largest = max(found.values(contestant=name, measure="largest_difference"))
            rows.append([name, _number(checked), f"{largest:.2g}", *map(_number, sums)])
    return _table(["", "answers compared", "largest difference", "other label", "wrong", "none in a minute"], rows)
