"""Generated radar hours: lawful, repeatable, honest about their parents, and like real ones."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ks_2samp

from app.tasks.rainfall import MEASUREMENTS, Hour, marshall_palmer_mm
from training.data.edition1 import read_edition1
from training.data.radar_generator import RadarGenerator, expected_kdp, expected_zdr_db, strengthen
from training.data.rain import read_hours
from training.recipe import Generator

NAMES = list(MEASUREMENTS)
UNITS = np.array(list(MEASUREMENTS.values()))


def hours(count: int = 30) -> list[Hour]:
    """Of all intensities, with holes; every third without reflectivity."""
    chance, made = np.random.default_rng(4), []
    for number in range(count):
        scans = int(chance.integers(1, 20))
        dbz = chance.normal(number, 4.0, (scans, 8))
        rest = np.concatenate(
            [chance.uniform(0.9, 1.0, (scans, 4)), chance.normal(0.5, 0.5, (scans, 4)), chance.normal(0, 2, (scans, 4))], axis=1
        )
        measured = np.concatenate([dbz, rest], axis=1).astype(np.float32)
        measured[chance.random(measured.shape) < 0.3] = np.nan
        if number % 3 == 0:
            measured[:] = np.nan
        # The distance tells hours apart.
        made.append(Hour(float(number), np.sort(chance.uniform(0, 60, scans)), measured))
    return made


def generator(**strengths: float) -> RadarGenerator:
    """With only the changes that are named."""
    calm = dict.fromkeys(Generator.model_fields.keys() - {"hours", "seed"}, 0.0)
    return RadarGenerator(hours(), Generator.model_validate({**calm, **strengths}))


def same(one: Hour, other: Hour) -> bool:
    return np.array_equal(one.measured, other.measured, equal_nan=True) and np.array_equal(one.minutes_past, other.minutes_past)


def test_an_hour_is_the_same_for_its_number_whatever_was_drawn_before() -> None:
    first, second = RadarGenerator(hours(), Generator(hours=1)), RadarGenerator(hours(), Generator(hours=1))
    for number in range(50):
        first.draw(number)
    assert all(same(first.draw(number).hour, second.draw(number).hour) for number in (3, 40))
    assert not same(first.draw(1).hour, first.draw(2).hour)
    assert not same(first.draw(1).hour, RadarGenerator(hours(), Generator(hours=1, seed=1)).draw(1).hour)


def test_hours_are_shown_with_whole_groups_of_columns_left_out_and_never_without_reflectivity_at_the_gauge() -> None:
    shown = [(hour, generator(bare_share=1.0).bared(number, hour)) for number, hour in enumerate(hours(300))]
    assert all(bare is whole for whole, bare in shown if np.isnan(whole.reflectivity_dbz).all())
    kept = set()
    for whole, bare in shown:
        if np.isnan(whole.measured).all(axis=0).any():
            continue  # it never had all columns
        left = [bool(np.isfinite(column).any()) for column in bare.measured.T]
        np.testing.assert_array_equal(bare.measured[:, left], whole.measured[:, left])
        kept.add(tuple(name for name, there in zip(NAMES, left, strict=True) if there))
    at_the_gauge = tuple(name for name in NAMES if "5x5" not in name)
    assert {("Ref",), ("Ref", "RefComposite"), at_the_gauge} <= kept
    assert tuple(NAMES) not in kept
    assert all("Ref" in names for names in kept)


def test_as_many_hours_are_bared_as_asked_for_and_the_same_each_time() -> None:
    whole = [hour for hour in hours(90) if np.isfinite(hour.reflectivity_dbz).any()]
    some, again = ([generator(bare_share=0.3).bared(number, hour) for number, hour in enumerate(whole)] for _ in range(2))
    assert 0.1 < np.mean([one is not hour for one, hour in zip(some, whole, strict=True)]) < 0.5
    assert all(same(one, other) for one, other in zip(some, again, strict=True))
    assert all(generator().bared(number, hour) is hour for number, hour in enumerate(whole))


def test_generated_hours_are_lawful() -> None:
    drawn = [RadarGenerator(hours(), Generator(hours=1), hours(5)).draw(number).hour for number in range(300)]
    for hour in drawn:
        assert 1 <= len(hour.minutes_past) == len(hour.measured)
        assert (np.diff(hour.minutes_past) >= 0).all()
        assert ((hour.minutes_past >= 0) & (hour.minutes_past <= 60)).all()
        assert not np.isinf(hour.measured).any()
    every = np.concatenate([hour.measured for hour in drawn])
    dbz, zdr = every[:, UNITS == "dBZ"], every[:, NAMES.index("Zdr")]
    assert np.nanmax(np.abs(zdr)) <= 7.9375
    assert np.nanmax(np.abs(dbz * 2 - np.round(dbz * 2))) == 0, "reflectivity comes in steps of 0.5 dBZ"


@pytest.mark.parametrize("share", ["mixed_share", "profile_share", "thinned_share", "holes_share", "moved_share"])
def test_every_hour_that_gave_something_is_a_parent(share: str) -> None:
    """Hours are begun from hours with an echo: whatever else they show must come from a parent."""
    real = hours()
    some = generator(**{share: 1.0})
    for number in range(100):
        one = some.draw(number)
        values = set(np.round(np.concatenate([real[parent].measured.ravel() for parent in one.parents]) * 2).tolist())
        shown = np.round(one.hour.measured[:, NAMES.index("Ref")] * 2)
        if share != "profile_share":
            assert set(shown[np.isfinite(shown)].tolist()) <= values
        assert one.hour.radardist_km in {real[parent].radardist_km for parent in one.parents}
        assert 1 <= len(one.parents) <= 2


def test_hours_followed_only_for_their_course_are_nobodys_parents() -> None:
    calm = dict.fromkeys(Generator.model_fields.keys() - {"hours", "seed"}, 0.0)
    strengths = Generator.model_validate({**calm, "profile_share": 1.0})
    course = Hour(99.0, np.array([7.0, 8.0, 9.0]), np.full((3, len(NAMES)), 30.0, np.float32))
    drawn = [RadarGenerator(hours(), strengths, [course]).draw(number) for number in range(60)]
    assert {len(one.parents) for one in drawn} == {1, 2}
    assert any(len(one.hour.minutes_past) == 3 and len(one.parents) == 1 for one in drawn)


def test_without_any_change_an_hour_keeps_its_minutes() -> None:
    one = generator().draw(0)
    (parent,) = one.parents
    assert one.hour.minutes_past.tolist() == hours()[parent].minutes_past.tolist()


def test_an_hour_can_be_shifted_in_time() -> None:
    one = generator(shifted_share=1.0).draw(0)
    (parent,) = one.parents
    before, after = hours()[parent], one.hour
    assert len(after.minutes_past) == len(before.minutes_past)
    moved = (after.minutes_past[:, None] - before.minutes_past[None, :]) % 60
    shared = [set(np.round(row, 6).tolist()) for row in moved]
    assert set.intersection(*shared), "one shift, round the clock, explains all minutes"
    assert marshall_palmer_mm(after) > 0


def test_thinned_hours_have_no_more_scans_and_holes_only_add_missing_values() -> None:
    def filled(some: RadarGenerator) -> list[tuple[int, int]]:
        return [(len(one.minutes_past), int(np.isfinite(one.measured).sum())) for one in (some.draw(n).hour for n in range(80))]

    calm = filled(generator())
    assert sum(scans for scans, _ in filled(generator(thinned_share=1.0))) < sum(scans for scans, _ in calm)
    assert sum(values for _, values in filled(generator(holes_share=1.0))) < sum(values for _, values in calm)


def test_the_share_of_silent_hours_is_the_one_asked_for() -> None:
    some = generator(silent_share=0.4)
    silent = [np.isnan(some.draw(number).hour.reflectivity_dbz).all() for number in range(500)]
    assert np.mean(silent) == pytest.approx(0.4, abs=0.07)


@pytest.mark.parametrize(("dbz", "zdr"), [(20.0, 0.277), (40.0, 1.25), (50.0, 2.22)])
def test_rain_of_that_reflectivity_has_that_zdr(dbz: float, zdr: float) -> None:
    assert expected_zdr_db(np.array(dbz)) == pytest.approx(zdr, rel=0.01)


def test_kdp_and_reflectivity_say_the_same_rain() -> None:
    dbz = np.array([30.0, 40.0, 50.0])
    assert 44 * expected_kdp(dbz) ** 0.822 == pytest.approx((10 ** (dbz / 10) / 300) ** (1 / 1.4))


def test_a_stronger_hour_is_stronger_in_all_its_moments() -> None:
    measured = np.full((1, len(NAMES)), np.nan, np.float32)
    measured[0, [NAMES.index(name) for name in ("Ref", "Zdr", "Kdp", "RhoHV")]] = 35.0, 0.8, 0.3, 0.99
    before = Hour(5.0, np.array([30.0]), measured)
    after = strengthen(before, 6.0)
    change = dict(zip(NAMES, (after.measured - before.measured)[0].tolist(), strict=True))
    assert change["Ref"] == 6.0
    assert change["Zdr"] == pytest.approx(float(expected_zdr_db(np.array(41.0)) - expected_zdr_db(np.array(35.0))), rel=1e-4)
    assert change["Kdp"] == pytest.approx(float(expected_kdp(np.array(41.0)) - expected_kdp(np.array(35.0))), rel=1e-4)
    assert change["RhoHV"] == 0
    assert np.isnan(after.measured).sum() == 16
    # All three relations are powers of Z, so Marshall-Palmer grows as Z^0.625.
    assert marshall_palmer_mm(after) / marshall_palmer_mm(before) == pytest.approx(10 ** (0.0625 * 6), rel=1e-4)
    np.testing.assert_allclose(strengthen(after, -6.0).measured, before.measured, rtol=1e-5)


def test_a_scan_without_reflectivity_keeps_its_other_moments() -> None:
    measured = np.full((1, len(NAMES)), np.nan, np.float32)
    measured[0, NAMES.index("Zdr")] = 1.5
    assert same(strengthen(Hour(5.0, np.array([3.0]), measured), 6.0), Hour(5.0, np.array([3.0]), measured))


def test_generated_hours_are_distributed_like_real_ones(real_data: Path, tmp_path: Path) -> None:
    """Hours with an echo; the Kolmogorov-Smirnov distance, 0 where distributions are the same, 1 where they share nothing."""
    table, _ = read_hours(real_data / "rain", tmp_path)
    real = [table.hour(row) for row in range(len(table))]
    first_edition = real_data / "rain" / "edition1_hours.parquet"
    some = RadarGenerator(real, Generator(hours=1), read_edition1(first_edition) if first_edition.exists() else [])

    def echoes(every: list[Hour]) -> list[Hour]:
        return [hour for hour in every if np.isfinite(hour.reflectivity_dbz).any()]

    before, after = echoes(real), echoes([some.draw(number).hour for number in range(1500)])
    one, other = (np.concatenate([hour.measured for hour in every]) for every in (before, after))
    for column, name in enumerate(NAMES):
        a, b = (values[np.isfinite(values[:, column]), column] for values in (one, other))
        # The correlation coefficient's files hold few distinct values, which noise spreads.
        assert ks_2samp(a, b).statistic < (0.2 if "RhoHV" in name else 0.13), name
        assert abs(np.isnan(one[:, column]).mean() - np.isnan(other[:, column]).mean()) < 0.06, name
    assert ks_2samp(*([marshall_palmer_mm(hour) for hour in every] for every in (before, after))).statistic < 0.1
