"""Published rain rates at points worked out by hand, and what they do where a measurement is missing."""

import math

import numpy as np
import pytest

from app.tasks import rain_physics
from app.tasks.rain_physics import csu_blend, kdp_only, marshall_palmer, wsr88d, z_zdr

NAN = math.nan


@pytest.mark.parametrize(("dbz", "rate"), [(10 * math.log10(200), 1.0), (23.0, 0.9985), (40.0, 11.53)])
def test_marshall_palmer(dbz: float, rate: float) -> None:
    assert marshall_palmer(np.float32(dbz)) == pytest.approx(rate, rel=1e-3)
    assert 10 * math.log10(200 * rate**1.6) == pytest.approx(dbz, abs=0.01)


def test_the_wsr88d_never_gives_more_than_104_mm_an_hour() -> None:
    assert wsr88d(10 * math.log10(300)) == pytest.approx(1.0)
    assert wsr88d([53.0, 60.0, 75.0]) == pytest.approx([103.8] * 3, rel=1e-3)


@pytest.mark.parametrize(("dbz", "zdr", "rate"), [(30.0, 0.5, 2.73), (40.0, 1.0, 15.53), (45.0, 2.0, 20.49)])
def test_z_zdr(dbz: float, zdr: float, rate: float) -> None:
    assert z_zdr(dbz, zdr) == pytest.approx(rate, rel=2e-3)


def test_z_zdr_is_capped_for_hail_and_for_drops_that_stand_upright() -> None:
    assert z_zdr(70.0, 1.0) == z_zdr(53.0, 1.0)
    assert z_zdr(30.0, -5.0) == z_zdr(30.0, 0.0)


@pytest.mark.parametrize(("kdp", "rate"), [(1.0, 44.0), (0.0, 0.0), (-1.0, -44.0), (2.0, 77.79)])
def test_kdp_keeps_its_sign(kdp: float, rate: float) -> None:
    assert kdp_only(40.0, kdp) == pytest.approx(rate, rel=1e-3)


def test_what_is_missing_is_answered_by_reflectivity() -> None:
    assert z_zdr([30.0], [NAN]) == wsr88d([30.0])
    assert kdp_only([30.0], [NAN]) == wsr88d([30.0])
    assert csu_blend([45.0], [NAN], [NAN]) == wsr88d([45.0])
    assert np.isnan(csu_blend(NAN, NAN, NAN))


@pytest.mark.parametrize(
    ("dbz", "zdr", "kdp", "expected"),
    [
        (40.0, 1.0, 0.5, 90.8 * 0.5**0.93 * 10**-0.169),
        (40.0, 0.4, 0.5, 40.5 * 0.5**0.85),
        (40.0, NAN, 0.5, 40.5 * 0.5**0.85),
        (37.0, 1.0, 0.5, z_zdr(37.0, 1.0)),  # too weak an echo for Kdp
        (40.0, 1.0, 0.2, z_zdr(40.0, 1.0)),
        (40.0, 1.0, NAN, z_zdr(40.0, 1.0)),
        (40.0, 0.4, 0.2, wsr88d(40.0)),
        (20.0, -1.0, -3.0, wsr88d(20.0)),
    ],
)
def test_the_blend_takes_the_relation_that_the_measurements_bear(dbz: float, zdr: float, kdp: float, expected: float) -> None:
    assert csu_blend(dbz, zdr, kdp) == pytest.approx(float(expected))


def test_where_hail_begins_the_cap_is_what_the_radars_themselves_use() -> None:
    assert rain_physics.HAIL_CAP_DBZ == 53.0
