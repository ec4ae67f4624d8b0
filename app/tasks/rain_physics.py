"""Rain rates that meteorologists have written down for S-band radars such as the WSR-88D, as plain functions of arrays.

Arrays are float [scans], NaN where a measurement is missing: dbz in dBZ, zdr_db in dB, kdp in degrees/km; rates in mm/h.
"""

import numpy as np
import numpy.typing as npt

Rates = npt.NDArray[np.float64]

HAIL_CAP_DBZ = 53.0
"""Stronger echoes are hail, not more rain: the cap of the WSR-88D's own product, 104 mm/h (Fulton et al. 1998)."""

_RAIN_KDP, _RAIN_DBZ, _RAIN_ZDR_DB = 0.3, 38.0, 0.5  # from where Cifelli et al. (2011) trust each


def marshall_palmer(dbz: npt.ArrayLike) -> Rates:
    """Z = 200 R^1.6 (Marshall, Palmer 1948), without a cap, as the public competition scored it."""
    return np.asarray((_linear(dbz) / 200.0) ** 0.625)


def wsr88d(dbz: npt.ArrayLike) -> Rates:
    """Z = 300 R^1.4 with the hail cap (Fulton et al. 1998)."""
    return np.asarray((_capped(dbz) / 300.0) ** (1 / 1.4))


def z_zdr(dbz: npt.ArrayLike, zdr_db: npt.ArrayLike) -> Rates:
    """R = 0.0067 Z^0.927 10^(-0.343 Zdr) with the hail cap (Bringi, Chandrasekar 2001).

    A Zdr below 0 counts as 0, since drops fall flat, not upright; where Zdr is missing it falls back to `wsr88d`.
    """
    zdr = np.asarray(zdr_db, np.float64)
    rate = 0.0067 * _capped(dbz) ** 0.927 * 10.0 ** (-0.343 * np.maximum(zdr, 0.0))
    return np.where(np.isnan(zdr), wsr88d(dbz), rate)


def kdp_only(dbz: npt.ArrayLike, kdp: npt.ArrayLike) -> Rates:
    """R = 44 |Kdp|^0.822 with the sign of Kdp (Ryzhkov et al. 2005): errors of either sign cancel in a sum over scans.

    So a rate may be negative. Hail does not move Kdp, so there is no cap; where Kdp is missing it falls back to `wsr88d`.
    """
    phase = np.asarray(kdp, np.float64)
    return np.where(np.isnan(phase), wsr88d(dbz), 44.0 * np.sign(phase) * np.abs(phase) ** 0.822)


def csu_blend(dbz: npt.ArrayLike, zdr_db: npt.ArrayLike, kdp: npt.ArrayLike) -> Rates:
    """The rain branch of CSU-HIDRO (Cifelli et al. 2011): each scan by the relation that its measurements can bear.

    Kdp of 0.3 and more under 38 dBZ and more: 90.8 Kdp^0.93 10^(-0.169 Zdr), or 40.5 Kdp^0.85 where Zdr is below 0.5 dB.
    Else Zdr of 0.5 dB and more: `z_zdr`. Else `wsr88d`. A missing Zdr or Kdp counts as below its threshold.
    """
    z, zdr, phase = (np.asarray(values, np.float64) for values in (dbz, zdr_db, kdp))
    heavy = (phase >= _RAIN_KDP) & (z >= _RAIN_DBZ)
    flat = zdr >= _RAIN_ZDR_DB
    positive = np.maximum(phase, 0.0)
    both = 90.8 * positive**0.93 * 10.0 ** (-0.169 * zdr)
    choices = [both, 40.5 * positive**0.85, z_zdr(z, zdr)]
    return np.select([heavy & flat, heavy, flat], choices, wsr88d(z))


def _linear(dbz: npt.ArrayLike) -> Rates:
    """mm^6/m^3."""
    return np.asarray(10.0 ** (np.asarray(dbz, np.float64) / 10.0))


def _capped(dbz: npt.ArrayLike) -> Rates:
    return _linear(np.minimum(np.asarray(dbz, np.float64), HAIL_CAP_DBZ))
