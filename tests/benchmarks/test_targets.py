"""The verdicts of the page, from figures that are known."""

from pathlib import Path

import pytest

from benchmarks.serving.limit import best_loop, limit
from benchmarks.serving.measurements import Measurements
from benchmarks.serving.targets import best_rival, targets


@pytest.fixture
def measured() -> Measurements:
    """Three rounds of short texts: echo 1,000, best loop 250 in batches of 4, so a limit of 200; Gatehouse at 150."""
    found = Measurements()
    for turn, off in enumerate((-1, 0, 1)):
        for name, rate in (("echo", 1000), ("gatehouse", 150), ("litserve", 90), ("mlserver", 120)):
            found.add("headline", name, 1, "short", 64, turn, {"requests_per_s": rate + off})
        for batch, rate in ((1, 100), (4, 250), (8, 240)):
            found.add("headline", "bare loop", 1, "short", batch, turn, {"texts_per_s": rate + off})
    return found


def verdicts(found: Measurements) -> dict[str, str]:
    return {target.title: target.verdict for target in targets(found)}


def test_the_limit_is_echo_and_best_loop_one_after_the_other(measured: Measurements) -> None:
    assert best_loop(measured, "headline", "bare loop", "short") == ("4", 250)
    assert limit(measured, "headline", "short") == pytest.approx(200)
    assert limit(measured, "headline", "real") is None


def test_a_target_is_met_missed_or_not_measured(measured: Measurements) -> None:
    assert best_rival(measured, "short") == ("mlserver", 120)
    found = verdicts(measured)
    assert found["texts of 20 words: share of the limit"] == "met"  # 0.75 of 0.65
    assert found["texts of 20 words: times the best rival (mlserver)"] == "not met"  # 1.25 of 1.5
    assert found["real reviews: share of the limit"] == "not measured"


def test_an_upper_bound_is_met_from_below(measured: Measurements) -> None:
    title = "a 20-word text beside 1,000-word reviews at half of its capacity: times its median alone"
    for half, verdict in ((5.9, "met"), (6.1, "not met")):
        found = Measurements(list(measured))
        for at, value in (("alone", 2.0), ("half", half)):
            found.add("background", "gatehouse", 1, "short", at, 0, {"p50_ms": value})
        assert verdicts(found)[title] == verdict


def test_measurements_come_back_from_their_file(measured: Measurements, tmp_path: Path) -> None:
    measured.write(tmp_path / "measurements.csv")
    assert list(Measurements.read(tmp_path / "measurements.csv")) == list(measured)
