"""Radar hours that could have been: real ones shifted, mixed, thinned, made stronger or weaker, noisier and fuller of holes.

Every generated hour names the real hours it was made of, so that none of a held-out hour gets into what is learned from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from app.tasks.rainfall import MEASUREMENTS, Hour, marshall_palmer_mm
from training.recipe import Generator

Floats = npt.NDArray[np.float64]

REFLECTIVITIES = [name for name, unit in MEASUREMENTS.items() if unit == "dBZ"]

_NAMES = list(MEASUREMENTS)
_DBZ = slice(_NAMES.index("Ref"), _NAMES.index("RhoHV"))
_IS_DBZ = [unit == "dBZ" for unit in MEASUREMENTS.values()]
_RHO = slice(_NAMES.index("RhoHV"), _NAMES.index("Zdr"))
_ZDR = slice(_NAMES.index("Zdr"), _NAMES.index("Kdp"))
_KDP = slice(_NAMES.index("Kdp"), len(_NAMES))
_ALL_BUT_REF = [name != "Ref" for name in _NAMES]
_LEFT_OUT = (  # groups of columns that a caller may not have, and how often: surroundings, composites, all but reflectivity
    (["5x5" in name for name in _NAMES], 0.7),
    (["Composite" in name for name in _NAMES], 0.5),
    ([not is_dbz for is_dbz in _IS_DBZ], 0.5),
)
# In this order a scan's own reflectivity is looked for: at the gauge, then the middle and the top of its surroundings.
_OWN_DBZ = [_NAMES.index(name) for name in ("Ref", "Ref_5x5_50th", "Ref_5x5_90th")]

_MOST_CHANGE_DB = 15.0  # of one scan, so that light rain is never dressed as hail
_NEIGHBOURS = 25  # hours on either side that count as of like intensity
_LIMITS = ((_DBZ, -32.0, 75.0), (_RHO, 0.20, 1.0517), (_ZDR, -7.875, 7.9375))  # what the radars' files can hold
_STEPS = ((_DBZ, 0.5), (_ZDR, 0.0625))  # and in which steps


@dataclass(frozen=True)
class Generated:
    """An hour and the indices of all real hours that gave anything to it."""

    hour: Hour
    parents: frozenset[int]


def expected_zdr_db(dbz: Floats) -> Floats:
    """Mean differential reflectivity of rain of that reflectivity (Cao et al. 2008; disdrometers in Oklahoma).

    They fitted it from 0 to 55 dBZ; beyond, the value at the end holds.
    """
    z = np.clip(dbz, 0.0, 55.0)
    return np.asarray(10.0 ** (-2.6857e-4 * z**2 + 0.04892 * z - 1.4287))


def expected_kdp(dbz: Floats) -> Floats:
    """Specific differential phase of that reflectivity, degrees/km: R(Z) of the WSR-88D (Z = 300 R^1.4, at most 53 dBZ)
    put into R = 44 Kdp^0.822 (Ryzhkov et al. 2005), solved for Kdp."""
    rate_mm_h = (10.0 ** (np.minimum(dbz, 53.0) / 10.0) / 300.0) ** (1 / 1.4)
    return np.asarray((rate_mm_h / 44.0) ** (1 / 0.822))


class RadarGenerator:
    """Draws hours, each from its own seed: hour `n` is the same whatever was drawn before it."""

    def __init__(self, hours: Sequence[Hour], strengths: Generator, profiles: Sequence[Hour] = ()) -> None:
        """profiles: hours that need not be complete, of which only the course of `Ref` is used; they are nobody's parents."""
        self._hours, self._strengths, self._profiles = hours, strengths, profiles
        intensity = np.array([marshall_palmer_mm(hour) for hour in hours])
        echo = np.array([_has_echo(hour) for hour in hours])
        # By rising intensity: neighbours in this order are of like intensity.
        self._order = np.lexsort((intensity, echo))
        self._rank = np.argsort(self._order)
        self._scans = np.array([len(hour.minutes_past) for hour in hours])
        self._echo, self._silent = np.flatnonzero(echo), np.flatnonzero(~echo)

    def draw(self, number: int) -> Generated:
        chance = np.random.default_rng([self._strengths.seed, number])
        strengths = self._strengths
        first = self._first(chance)
        hour, parents = self._hours[first], {first}
        if chance.random() < strengths.mixed_share:
            other = self._like(first, chance)
            hour, parents = _mix(hour, self._hours[other], chance), parents | {other}
        if chance.random() < strengths.profile_share:
            profile, parent = self._profile(first, chance)
            hour, parents = _follow(hour, profile), parents | parent
        if chance.random() < strengths.shifted_share:
            hour = _shift(hour, float(chance.integers(0, 60)))
        if chance.random() < strengths.thinned_share:
            donor = self._like(first, chance)
            hour, parents = _thin(hour, int(self._scans[donor]), chance), parents | {donor}
        if chance.random() < strengths.holes_share:
            donor = self._like(first, chance)
            hour, parents = _with_holes_of(hour, self._hours[donor]), parents | {donor}
        if chance.random() < strengths.moved_share:
            donor = int(chance.integers(len(self._hours)))
            hour, parents = Hour(self._hours[donor].radardist_km, hour.minutes_past, hour.measured), parents | {donor}
        hour = strengthen(hour, _course_db(hour.minutes_past, strengths.scale_db, chance))
        return Generated(_noisy(hour, strengths.noise, chance), frozenset(parents))

    def bared(self, number: int, hour: Hour) -> Hour:
        """Hour `number` as it is shown: in `bare_share` of those with `Ref` whole groups of other columns are left out."""
        chance = np.random.default_rng([self._strengths.seed, number, 1])
        if chance.random() >= self._strengths.bare_share or not _has_echo(hour):
            return hour
        gone = np.any([columns for columns, share in _LEFT_OUT if chance.random() < share] or [_ALL_BUT_REF], axis=0)
        return Hour(hour.radardist_km, hour.minutes_past, np.where(gone, np.float32(np.nan), hour.measured))

    def _first(self, chance: np.random.Generator) -> int:
        silent = not len(self._echo) or (len(self._silent) and chance.random() < self._strengths.silent_share)
        return int(chance.choice(self._silent if silent else self._echo))

    def _profile(self, index: int, chance: np.random.Generator) -> tuple[Hour, set[int]]:
        """An hour to follow, and itself as a parent if it is one of the complete ones."""
        if len(self._profiles) and chance.random() < 0.5:
            return self._profiles[int(chance.integers(len(self._profiles)))], set()
        other = self._like(index, chance)
        return self._hours[other], {other}

    def _like(self, index: int, chance: np.random.Generator) -> int:
        """Another hour of like intensity."""
        rank = int(self._rank[index])
        low, high = max(0, rank - _NEIGHBOURS), min(len(self._order), rank + _NEIGHBOURS + 1)
        return int(self._order[chance.integers(low, high)])


def strengthen(hour: Hour, decibel: npt.ArrayLike) -> Hour:
    """The hour as if its rain had returned that much more (a number, or one for each scan).

    Reflectivities rise by it, Zdr and Kdp by what rain's own relations to reflectivity say. Where a scan has no reflectivity,
    its Zdr and Kdp stay.
    """
    measured = hour.measured.astype(np.float64)
    own = measured[:, _OWN_DBZ]
    first = np.isfinite(own).argmax(axis=1)
    before = own[np.arange(len(own)), first]
    change = np.broadcast_to(np.asarray(decibel, np.float64), before.shape)
    measured[:, _DBZ] += change[:, None]
    for columns, expected in ((_ZDR, expected_zdr_db), (_KDP, expected_kdp)):
        measured[:, columns] += np.nan_to_num(expected(before + change) - expected(before))[:, None]
    return Hour(hour.radardist_km, hour.minutes_past, measured.astype(np.float32))


def raised(hour: Hour, decibel: float, columns: Sequence[str] = REFLECTIVITIES) -> Hour:
    """More reflectivity in these columns, all else equal."""
    there = [name in columns for name in MEASUREMENTS]
    return replace(hour, measured=hour.measured + np.where(there, np.float32(decibel), np.float32(0)))


def _take(hour: Hour, rows: npt.NDArray[np.int64]) -> Hour:
    return Hour(hour.radardist_km, hour.minutes_past[rows], hour.measured[rows])


def _course_db(minutes_past: Floats, strength_db: float, chance: np.random.Generator) -> Floats:
    """[scans]: one change for the hour and a wave of half its size across it."""
    level, wave = chance.normal(0.0, strength_db), chance.normal(0.0, strength_db / 2)
    return np.asarray(level + wave * np.cos(2 * np.pi * (minutes_past / 60.0 + chance.random())))


def _follow(hour: Hour, profile: Hour) -> Hour:
    """The hour at the profile's minutes with the profile's course of `Ref` around the hour's own level."""
    nearest = np.abs(profile.minutes_past[:, None] - hour.minutes_past[None, :]).argmin(axis=1)
    taken = _take(hour, nearest)
    wanted = profile.reflectivity_dbz - np.nanmedian(profile.reflectivity_dbz) if _has_echo(profile) else None
    if wanted is None or not _has_echo(taken):
        return hour
    taken = Hour(hour.radardist_km, profile.minutes_past, taken.measured)
    change = np.nanmedian(taken.reflectivity_dbz) + wanted - taken.reflectivity_dbz
    return strengthen(taken, np.nan_to_num(np.clip(change, -_MOST_CHANGE_DB, _MOST_CHANGE_DB)))


def _has_echo(hour: Hour) -> bool:
    return bool(np.isfinite(hour.reflectivity_dbz).any())


def _mix(hour: Hour, other: Hour, chance: np.random.Generator) -> Hour:
    """A stretch of the hour gives way to the other's scans of those minutes."""
    start, end = sorted(chance.uniform(0, 60, 2))
    inside = [(one.minutes_past >= start) & (one.minutes_past < end) for one in (hour, other)]
    minutes = np.concatenate([hour.minutes_past[~inside[0]], other.minutes_past[inside[1]]])
    measured = np.concatenate([hour.measured[~inside[0]], other.measured[inside[1]]])
    if not len(minutes):
        return hour
    order = np.argsort(minutes, kind="stable")
    return Hour(hour.radardist_km, minutes[order], measured[order])


def _shift(hour: Hour, minutes: float) -> Hour:
    """Later by so many minutes; what leaves the hour at its end comes back at its beginning."""
    moved = (hour.minutes_past + minutes) % 60.0
    order = np.argsort(moved, kind="stable")
    return Hour(hour.radardist_km, moved[order], hour.measured[order])


def _thin(hour: Hour, scans: int, chance: np.random.Generator) -> Hour:
    """No more than so many scans, at even distances: a radar with a longer interval."""
    have = len(hour.minutes_past)
    if have <= scans:
        return hour
    rows = np.floor((np.arange(scans) + chance.random()) * have / scans).astype(np.int64)
    return _take(hour, rows)


def _with_holes_of(hour: Hour, donor: Hour) -> Hour:
    """What the donor misses in the scan nearest in time is missing here too."""
    nearest = np.abs(hour.minutes_past[:, None] - donor.minutes_past[None, :]).argmin(axis=1)
    return Hour(hour.radardist_km, hour.minutes_past, np.where(np.isnan(donor.measured[nearest]), np.nan, hour.measured))


def _noisy(hour: Hour, strength: float, chance: np.random.Generator) -> Hour:
    """With the errors of measurement of a WSR-88D, times `strength`: 1 dBZ, 0.2 dB, 0.01 and 0.4 degrees/km a scan, of which
    the 5x5 surroundings share the half; in the steps and limits of the radars' files."""
    measured = hour.measured.astype(np.float64)
    for columns, deviation in ((_DBZ, 1.0), (_RHO, 0.01), (_ZDR, 0.2), (_KDP, 0.4)):
        part = measured[:, columns]
        whole, shared, own = chance.normal(size=(1, 1)), chance.normal(size=(len(part), 1)), chance.normal(size=part.shape)
        part += strength * deviation * (whole + shared + own) / np.sqrt(3.0)
    for columns, step in _STEPS:
        measured[:, columns] = np.round(measured[:, columns] / step) * step
    for columns, low, high in _LIMITS:
        measured[:, columns] = np.clip(measured[:, columns], low, high)
    return Hour(hour.radardist_km, hour.minutes_past, measured.astype(np.float32))
