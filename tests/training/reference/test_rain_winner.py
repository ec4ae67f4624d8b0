"""The winner's networks: against a slow, plain reading of their description, and against the published weights' own scores."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from app.tasks.rainfall import MEASUREMENTS, Hour
from training import metrics
from training.data.rain import read_hours
from training.data.report import DataError
from training.reference.rain_winner import COLUMNS, ROWS, Winner, WinnerNet

Array = npt.NDArray[np.float32]
WinnerArrays = Callable[[int, list[int]], list[Array]]


def leaky(x: Array) -> Array:
    return np.where(x > 0, x, x * 0.15)


def by_the_description(arrays: list[Array], rows: Array) -> Array:
    """One hour, row by row: mm/h of each."""
    arrays = list(arrays)
    if len(arrays) % 12 == 4:
        rows = rows @ arrays.pop(0) + arrays.pop(0)
    while len(arrays) > 2:
        total: float | Array = 0.0
        for turn in (1, -1):
            initial, w_in, bias, w_rec, dense, dense_bias = [arrays.pop(0) for _ in range(6)]
            state, outputs = initial[0], []
            for row in rows[::turn]:
                state = leaky(row @ w_in + bias + state @ w_rec)
                outputs.append(leaky(state @ dense + dense_bias))
            total = total + np.stack(outputs)[::turn]
        rows = np.asarray(total)
    return leaky(rows @ arrays[0] + arrays[1])[:, 0]


def hour(scans: int, level: float = 20.0) -> Hour:
    chance = np.random.default_rng(scans)
    measured = chance.normal(level, 5.0, (scans, len(MEASUREMENTS))).astype(np.float32)
    measured[chance.random(measured.shape) < 0.3] = np.nan
    return Hour(7.0, np.sort(chance.uniform(0, 60, scans)), measured)


@pytest.mark.parametrize(("linear", "widths"), [(5, [4, 6, 4]), (0, [6, 6])])
def test_the_networks_compute_what_their_description_says(winner_arrays: WinnerArrays, linear: int, widths: list[int]) -> None:
    arrays = winner_arrays(linear, widths)
    rows = np.random.default_rng(1).normal(size=(3, ROWS, COLUMNS)).astype(np.float32)
    got = WinnerNet(arrays)(torch.from_numpy(rows)).detach().numpy()
    np.testing.assert_allclose(got, [by_the_description(arrays, one) for one in rows], rtol=1e-4, atol=1e-5)


def test_a_full_hour_is_read_once_as_it_is_with_zero_for_what_is_missing(
    winner_arrays: WinnerArrays, teacher_folder: Path
) -> None:
    full = hour(ROWS)
    rows = np.concatenate([np.stack([full.minutes_past, np.full(ROWS, 7.0)], axis=1), np.nan_to_num(full.measured)], axis=1)
    expected = [
        by_the_description(arrays, rows.astype(np.float32)) for arrays in (winner_arrays(5, [4, 6]), winner_arrays(0, [4]))
    ]
    estimates, rates = Winner(teacher_folder / "winner").estimates_and_rates([full], copies=2)
    np.testing.assert_allclose(estimates[0], np.mean(expected, axis=1), rtol=1e-3)
    np.testing.assert_allclose(rates[0], np.mean(expected, axis=0), rtol=1e-3, atol=1e-4)


def test_shorter_and_longer_hours_are_answered_alike_by_the_same_seed(teacher_folder: Path) -> None:
    winner, hours = Winner(teacher_folder / "winner"), [hour(scans) for scans in (1, 7, 19, 40)]
    first, again, other = (winner.estimates_mm(hours, copies=3, seed=seed) for seed in (1, 1, 2))
    assert first.shape == (4, 2)
    assert np.isfinite(first).all()
    assert (first == again).all()
    assert (first != other).any()


def test_what_is_said_of_a_scan_is_the_mean_over_the_rows_that_are_that_scan(teacher_folder: Path) -> None:
    winner, hours = Winner(teacher_folder / "winner"), [hour(scans) for scans in (1, 2, 40)]
    estimates, (single, two, many) = winner.estimates_and_rates(hours, copies=1)
    both = estimates.mean(1)
    assert single == pytest.approx([both[0]], rel=1e-4)
    # Of two scans, 17 rows are repeated; whatever the shares, the estimate lies between what is said of them.
    assert two.min() <= both[1] <= two.max()
    assert np.isfinite(many).sum() == ROWS
    assert np.nanmean(many) == pytest.approx(both[2], rel=1e-4)


def test_weights_that_are_missing_or_none_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"weights_v1\.npz: not readable"):
        Winner(tmp_path)
    np.savez(tmp_path / "weights_v1.npz", allow_pickle=False, p00=np.zeros((COLUMNS, 3), np.float32))
    with pytest.raises(DataError, match=r"weights_v1\.npz: not readable"):
        Winner(tmp_path)


# Hours with reflectivity and a gauge below 73 mm -> mean absolute error of v1, v2 and both, in mm.
KNOWN = {536: (1.705, 1.727, 1.707), 381: (1.841, 1.878, 1.852)}


def test_the_published_weights_score_what_they_are_known_to(real_data: Path, tmp_path: Path) -> None:
    if not (real_data / "rain" / "winner").is_dir():
        pytest.skip("needs the winner's weights in rain/winner")
    table, _ = read_hours(real_data / "rain", tmp_path)
    every = [table.hour(row) for row in range(len(table))]
    judged = [row for row, one in enumerate(every) if np.isfinite(one.reflectivity_dbz).any()]
    judged = [row for row in judged if table.gauge_mm[row] < metrics.IMPLAUSIBLE_MM]
    if len(judged) not in KNOWN:
        pytest.skip(f"the scores on these {len(judged)} hours are not known")
    estimates = Winner(real_data / "rain" / "winner").estimates_mm([every[row] for row in judged])
    first, second = estimates.T
    errors = [np.abs(one - table.gauge_mm[judged]).mean() for one in (first, second, (first + second) / 2)]
    assert errors == pytest.approx(KNOWN[len(judged)], abs=0.015)
    assert np.corrcoef(first, second)[0, 1] > 0.95
    assert (estimates >= 0).all()
