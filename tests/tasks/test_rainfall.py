"""Radar scans to features to millimetres; the model is a small function that the test writes itself."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.tasks.rainfall import (
    FEATURES,
    MEASUREMENTS,
    Hour,
    Rainfall,
    baselines_mm,
    calibrated_mm,
    contributions_mm,
    features,
    marshall_palmer_mm,
    scan_weights_h,
)
from app.tasks.task import Tensors

ONE_MM_AN_HOUR = 10 * math.log10(200)  # dBZ; Z = 200 R^1.6
TEN_MM_AN_HOUR = ONE_MM_AN_HOUR + 16
NAMES = list(FEATURES)
unhurried = settings(deadline=None)

Scan = dict[str, float | None]


@st.composite
def hours(draw: st.DrawFn) -> list[Scan]:
    """Scans at distinct minutes, in any order, with measurements missing here and there."""
    minutes = draw(st.lists(st.integers(0, 60), min_size=1, max_size=12, unique=True))
    value = st.none() | st.floats(-30, 60)
    return [{"minutes_past": float(minute), "Ref": draw(value), "Zdr": draw(value)} for minute in minutes]


class SumsOfScans:
    """A model: the quantiles are the sum of minutes and its halves, from unscaled features. Keeps what it was fed."""

    def __init__(self) -> None:
        self.passes: list[Tensors] = []

    def __call__(self, feeds: Tensors) -> Tensors:
        self.passes.append(feeds)
        minutes = feeds["scans"][:, :, NAMES.index("minutes_past")].sum(1)
        return {"quantiles_mm": np.stack([minutes / 2, minutes, minutes * 2], axis=1).astype(np.float32)}


def unscaled() -> Rainfall:
    return Rainfall([0.0] * len(FEATURES), [1.0] * len(FEATURES))


def hour(*scans: tuple[float, float | None]) -> Hour:
    """From (minutes past, Ref)."""
    return Hour.from_scans(10.0, [{"minutes_past": minutes, "Ref": ref} for minutes, ref in scans])


def column(encoded: npt.NDArray[np.float32], name: str) -> list[float]:
    return [float(value) for value in encoded[:, NAMES.index(name)]]


def test_there_are_twenty_measurements_and_each_says_whether_it_is_present() -> None:
    assert len(MEASUREMENTS) == 20
    assert NAMES[:4] == ["contribution_mm", "weight_h", "minutes_past", "radardist_km"]
    assert NAMES[4:24] == list(MEASUREMENTS)
    assert NAMES[24:] == [f"{name}_present" for name in MEASUREMENTS]


@pytest.mark.parametrize(
    ("minutes", "expected"),
    [
        ([10, 30, 50], [10, 20, 30]),  # the last stands for 20 minutes since the second and 10 that remain
        ([0, 60], [0, 60]),
        ([0], [60]),
        ([60], [60]),
        ([25], [60]),
        ([5, 5, 20], [5, 0, 55]),
    ],
)
def test_a_scan_stands_for_the_minutes_since_the_one_before(minutes: list[float], expected: list[float]) -> None:
    assert (scan_weights_h(np.array(minutes, np.float64)) * 60).tolist() == pytest.approx(expected)


@unhurried
@given(st.lists(st.floats(0, 60), min_size=1, max_size=30))
def test_the_scans_stand_for_the_whole_hour_and_none_for_less_than_nothing(minutes: list[float]) -> None:
    weights = scan_weights_h(np.array(sorted(minutes)))
    assert weights.sum() == pytest.approx(1.0)
    assert (weights >= 0).all()


def test_marshall_palmer_by_hand() -> None:
    scans = hour((10, ONE_MM_AN_HOUR), (30, TEN_MM_AN_HOUR), (50, ONE_MM_AN_HOUR))
    assert contributions_mm(scans).tolist() == pytest.approx([1 * 10 / 60, 10 * 20 / 60, 1 * 30 / 60], rel=1e-5)
    assert marshall_palmer_mm(scans) == pytest.approx(4.0, rel=1e-5)


def test_marshall_palmer_of_a_typical_hour_by_hand() -> None:
    # (10^(25/10) / 200)^0.625 = 1.33154 for 4 minutes; (10^(31.5/10) / 200)^0.625 = 3.39292 for 12 - 4 + 48.
    assert marshall_palmer_mm(hour((4, 25.0), (12, 31.5))) == pytest.approx((1.33154 * 4 + 3.39292 * 56) / 60, rel=1e-4)


def test_a_scan_without_reflectivity_adds_nothing_but_keeps_its_minutes() -> None:
    scans = hour((10, ONE_MM_AN_HOUR), (30, None), (50, ONE_MM_AN_HOUR))
    assert marshall_palmer_mm(scans) == pytest.approx(40 / 60, rel=1e-5)


def test_an_hour_without_reflectivity_uses_no_scan_and_estimates_no_rain() -> None:
    (prediction,) = unscaled().answer(SumsOfScans(), [hour((10, None), (30, None))])
    assert prediction.scans_used == 0
    assert prediction.baselines_mm == {"marshall_palmer": 0.0, "z_zdr": 0.0, "kdp": 0.0, "csu_blend": 0.0}
    assert math.isfinite(prediction.rain_mm)


@unhurried
@given(hours(), st.randoms(use_true_random=False))
def test_the_order_of_scans_does_not_matter(scans: list[Scan], chance: Any) -> None:
    shuffled = list(scans)
    chance.shuffle(shuffled)
    first, second = Hour.from_scans(7.0, scans), Hour.from_scans(7.0, shuffled)
    np.testing.assert_array_equal(features(first), features(second))
    assert first.minutes_past.tolist() == sorted(first.minutes_past)
    assert marshall_palmer_mm(first) == marshall_palmer_mm(second)


@unhurried
@given(hours())
def test_the_contributions_sum_to_the_estimate_and_count_the_scans_used(scans: list[Scan]) -> None:
    one = Hour.from_scans(7.0, scans)
    (prediction,) = unscaled().answer(SumsOfScans(), [one])
    assert prediction.scans_used == sum(scan["Ref"] is not None for scan in scans)
    assert prediction.baselines_mm["marshall_palmer"] >= 0
    contribution = column(unscaled().encode(one).features, "contribution_mm")
    assert sum(contribution) == pytest.approx(prediction.baselines_mm["marshall_palmer"], rel=1e-4, abs=1e-6)


def test_measurements_find_their_column_and_missing_ones_are_not_a_number() -> None:
    one = Hour.from_scans(3.0, [{"minutes_past": 30, "Ref": 1.5, "Kdp_5x5_90th": -2.0, "Zdr": None}])
    got = dict(zip(MEASUREMENTS, one.measured[0].tolist(), strict=True))
    assert (got["Ref"], got["Kdp_5x5_90th"]) == (1.5, -2.0)
    assert sum(math.isnan(value) for value in got.values()) == 18
    assert one.reflectivity_dbz.tolist() == [1.5]


def test_features_are_in_their_units() -> None:
    one = Hour.from_scans(3.0, [{"minutes_past": 15, "Ref": ONE_MM_AN_HOUR}, {"minutes_past": 45, "Zdr": 0.0}])
    encoded = features(one)
    assert encoded.dtype == np.float32
    assert column(encoded, "contribution_mm") == pytest.approx([0.25, 0.0], rel=1e-5)
    assert column(encoded, "weight_h") == [0.25, 0.75]
    assert column(encoded, "minutes_past") == [15.0, 45.0]
    assert column(encoded, "radardist_km") == [3.0, 3.0]
    assert column(encoded, "Ref_present") == [1.0, 0.0]
    assert column(encoded, "Zdr_present") == [0.0, 1.0]  # a measured zero is no missing value
    assert math.isnan(column(encoded, "Ref")[1])


def test_features_are_scaled_and_a_missing_one_becomes_the_mean() -> None:
    scaler = [{"name": name, "mean": 0.0, "deviation": 1.0} for name in NAMES]
    scaler[NAMES.index("Ref")] |= {"mean": 20.0, "deviation": 5.0}
    scaler[NAMES.index("radardist_km")] |= {"mean": 4.0, "deviation": 2.0}
    encoded = Rainfall.from_bundle({}, scaler).encode(hour((15, 30.0), (45, None))).features
    assert column(encoded, "Ref") == [2.0, 0.0]
    assert column(encoded, "Ref_present") == [1.0, 0.0]
    assert column(encoded, "radardist_km") == [3.0, 3.0]
    assert np.isfinite(encoded).all()


def test_feeds_have_the_types_of_the_graph() -> None:
    task = unscaled()
    feeds = task.feeds([task.encode(hour((1, 2.0))), task.encode(hour((1, 2.0), (5, 3.0)))])
    assert feeds["scans"].shape == (2, 2, 44)
    assert (feeds["scans"].dtype.name, feeds["lengths"].dtype.name) == ("float32", "int32")
    assert feeds["lengths"].tolist() == [1, 2]
    assert not feeds["scans"][0, 1].any()


def test_answers_come_in_the_order_of_hours_though_passes_are_sorted() -> None:
    model = SumsOfScans()
    counts = [1 + number * 7 % 13 for number in range(150)]
    asked = [hour(*((minute + number / 1000, 10.0) for minute in range(count))) for number, count in enumerate(counts)]
    predictions = unscaled().answer(model, asked)
    assert [prediction.rain_mm for prediction in predictions] == pytest.approx(
        [float(one.minutes_past.sum()) for one in asked], rel=1e-4
    )
    assert [prediction.scans_used for prediction in predictions] == counts
    lengths = [length for feeds in model.passes for length in feeds["lengths"].tolist()]
    assert lengths == sorted(counts)
    assert max(len(feeds["lengths"]) for feeds in model.passes) <= 64


def test_without_calibration_the_interval_is_the_outer_quantiles() -> None:
    (prediction,) = unscaled().answer(SumsOfScans(), [hour((10, 5.0), (20, 5.0))])
    assert (*prediction.interval_90_mm, prediction.rain_mm) == pytest.approx((15.0, 60.0, 30.0))


def test_a_calibrated_interval_reaches_further_for_hours_of_its_kind_alone() -> None:
    scaler = [{"name": name, "mean": 0.0, "deviation": 1.0} for name in NAMES]
    task = Rainfall.from_bundle({"interval_widening": {"echo": math.log(2.0), "silent": 0.0}}, scaler)
    with_echo, silent = task.answer(SumsOfScans(), [hour((30, 5.0)), hour((30, None))])
    assert with_echo.rain_mm == silent.rain_mm == pytest.approx(30.0)
    assert with_echo.interval_90_mm == pytest.approx((16 / 2 - 1, 61 * 2 - 1))
    assert silent.interval_90_mm == pytest.approx((15.0, 60.0))


def test_what_gauges_say_of_estimates_multiplies_those_of_hours_with_an_echo_alone() -> None:
    scaler = [{"name": name, "mean": 0.0, "deviation": 1.0} for name in NAMES]
    task = Rainfall.from_bundle({"gauge_factor": 1.2, "interval_widening": {"echo": 0.0, "silent": 0.0}}, scaler)
    with_echo, silent = task.answer(SumsOfScans(), [hour((30, 5.0)), hour((30, None))])
    assert (*with_echo.interval_90_mm, with_echo.rain_mm) == pytest.approx((18.0, 72.0, 36.0))
    assert (*silent.interval_90_mm, silent.rain_mm) == pytest.approx((15.0, 60.0, 30.0))


@unhurried
@given(
    st.tuples(*[st.floats(-1e-3, 1e3)] * 3).map(sorted),
    st.booleans(),
    st.floats(0.5, 2.0),
    st.fixed_dictionaries({"echo": st.floats(-9, 9)}),
)
def test_no_calibration_crosses_the_quantiles_or_makes_rain_negative(
    quantiles: list[float], echo: bool, factor: float, widening: dict[str, float]
) -> None:
    calibration = {"gauge_factor": factor, "interval_widening": widening}
    low, middle, high = calibrated_mm(np.array([quantiles]), np.array([echo]), calibration)[0]
    assert 0 <= low <= middle <= high
    assert middle == max(0.0, quantiles[1]) * (factor if echo else 1.0)


def test_baselines_by_hand() -> None:
    scan: Scan = {"minutes_past": 30.0, "Ref": 40.0, "Zdr": 1.0, "Kdp": 0.5}
    estimates = baselines_mm(Hour.from_scans(5.0, [scan]))
    assert estimates == pytest.approx(
        {
            "marshall_palmer": 50**0.625,  # 10^4 / 200
            "z_zdr": 0.0067 * 10 ** (4 * 0.927 - 0.343),
            "kdp": 44 * 0.5**0.822,
            "csu_blend": 90.8 * 0.5**0.93 * 10**-0.169,
        }
    )


def test_a_scan_without_reflectivity_adds_to_no_baseline() -> None:
    scans: list[Scan] = [{"minutes_past": 15.0, "Ref": 30.0}, {"minutes_past": 60.0, "Zdr": 1.0, "Kdp": 3.0}]
    half = {name: mm / 4 for name, mm in baselines_mm(hour((15, 30.0))).items()}
    assert baselines_mm(Hour.from_scans(5.0, scans)) == pytest.approx(half)


def test_negative_kdp_lowers_the_sum_but_not_below_nothing() -> None:
    def kdp_mm(*values: float) -> float:
        scans: list[Scan] = [{"minutes_past": 30.0 * (k + 1), "Ref": 30.0, "Kdp": kdp} for k, kdp in enumerate(values)]
        return baselines_mm(Hour.from_scans(5.0, scans))["kdp"]

    assert 0 < kdp_mm(1.0, -0.5) < kdp_mm(1.0, 0.0)
    assert kdp_mm(-1.0, 0.5) == 0


def test_no_hours_have_no_answers() -> None:
    assert unscaled().answer(SumsOfScans(), []) == []


def test_a_golden_case_pins_the_quantiles_down() -> None:
    raw = {"radardist_km": 5.0, "scans": [{"minutes_past": 20, "Ref": None}, {"minutes_past": 4, "Ref": 12.0}]}
    assert unscaled().numbers(SumsOfScans(), raw) == pytest.approx([24.0, 12.0, 48.0])
