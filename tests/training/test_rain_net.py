"""The rain network: ordered quantiles that rise with reflectivity, whatever its weights are."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from training.rain_net import RainfallNet, Reflectivities
from training.recipe import Recipe

WIDTH = 7  # the contribution of column 2, which needs its flag; two reflectivities and their flags; two others
REFLECTIVITIES = Reflectivities(measured=[2, 3], present=[5, 6], unit_db=[6.0, 9.0])
LENGTHS = torch.tensor([6, 1, 3, 5])
ROUNDING = 1e-4  # relative: what is left of a level taken out and put back in float32


def network(seed: int, scale: float = 1.0, cell: str = "lstm") -> RainfallNet:
    torch.manual_seed(seed)
    recipe = Recipe.model_validate(
        {
            "task": "rainfall",
            "cell": cell,
            "data": {"validation_items": 1},
            "model": {"hidden": 4, "bidirectional": True},
            "training": {"epochs": 1, "batch_items": 1, "learning_rate": 0.1},
        }
    )
    net = RainfallNet(recipe, WIDTH, REFLECTIVITIES).eval()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(scale)
    return net


def hours(seed: int) -> Tensor:
    """Encoded as the service encodes: missing reflectivities are zero, and so is what pads; the last hour has none at all."""
    chance = np.random.default_rng(seed)
    scans = chance.normal(size=(len(LENGTHS), int(LENGTHS.max()), WIDTH))
    scans[:, :, 5:] = scans[:, :, 5:] > -0.5
    scans[-1, :, 5:] = 0.0
    scans[:, :, 0] = np.abs(scans[:, :, 0]) * scans[:, :, 5]
    scans[:, :, 2:4] *= scans[:, :, 5:]
    scans *= np.arange(scans.shape[1])[None, :, None] < LENGTHS.numpy()[:, None, None]
    return torch.from_numpy(scans.astype(np.float32))


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**31), st.floats(0.01, 5.0))
def test_quantiles_are_ordered_and_never_negative(seed: int, scale: float) -> None:
    with torch.no_grad():
        low, middle, high = network(seed, scale)(hours(seed), LENGTHS)[0][:, 0].T
    assert bool((low >= 0).all())
    assert bool((low <= middle).all())
    assert bool((middle <= high).all())


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 2**31), st.floats(0.1, 3.0), st.floats(0.1, 20.0), st.sampled_from(["rnn", "lstm", "gru"]))
def test_more_reflectivity_is_never_less_rain(seed: int, scale: float, decibel: float, cell: str) -> None:
    net, scans = network(seed, scale, cell), hours(seed)
    with torch.no_grad():
        before = net(scans, LENGTHS)[0][:, 0, 1]
        after = net(net.raised(scans, torch.full((len(scans),), decibel)), LENGTHS)[0][:, 0, 1]
    assert bool((after >= before * (1 - ROUNDING) - ROUNDING).all())


def test_one_column_can_be_raised_alone() -> None:
    scans = hours(3)
    more = network(0).raised(scans, torch.full((len(scans),), 3.0), 1)
    there = scans[:, :, 5] == 1
    assert torch.allclose(more[:, :, 2][there], scans[:, :, 2][there] + 3.0 / 6.0)
    assert torch.allclose(more[:, :, 0], scans[:, :, 0] * 10 ** (0.0625 * 3.0))
    assert torch.equal(more[:, :, 2][~there], scans[:, :, 2][~there])
    assert torch.equal(more[:, :, [1, 3, 4, 5, 6]], scans[:, :, [1, 3, 4, 5, 6]])


def test_a_level_is_what_raised_hours_are_answered() -> None:
    net, scans, more_db = network(1), hours(1), torch.tensor([-4.0, 0.0, 2.5])
    with torch.no_grad():
        got, rates = net(scans, LENGTHS, more_db)
        for place, db in enumerate(more_db.tolist()):
            expected = net(net.raised(scans, torch.full((len(scans),), db)), LENGTHS)[0][:, 0]
            torch.testing.assert_close(got[:, place], expected, rtol=1e-4, atol=1e-4)
    assert bool((rates.diff(dim=2) >= 0).all())
    assert bool((got[:3, 2, 1] > got[:3, 0, 1]).all()), "with reflectivity, more of it says more"
    assert got[3, 0].tolist() == got[3, 2].tolist(), "without any, there is nothing to raise"


def test_the_level_is_the_mean_of_the_reflectivities_that_are_there() -> None:
    scans = torch.zeros(2, 2, WIDTH)
    scans[0, 0, [2, 5]] = torch.tensor([1.5, 1.0])  # 9 dB
    scans[0, 0, [3, 6]] = torch.tensor([-1.0, 1.0])  # -9 dB
    scans[0, 1, [2, 5]] = torch.tensor([2.5, 1.0])  # 15 dB
    level_db, echo = network(0).level(scans)
    assert level_db.tolist() == pytest.approx([5.0, 0.0])
    assert echo.tolist() == [1.0, 0.0]


def test_the_median_is_the_mean_of_the_rates_of_the_scans() -> None:
    net, scans = network(3), hours(3)
    with torch.no_grad():
        quantiles, rates = net(scans, LENGTHS)
    for row, length in enumerate(LENGTHS.tolist()):
        assert float(quantiles[row, 0, 1]) == pytest.approx(float(rates[row, :length, 0].expm1().mean()), rel=1e-3)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_every_network_begins_with_some_rain_and_can_learn_from_there(cell: str) -> None:
    for seed in range(20):
        net = network(seed, cell=cell)
        middle = net(hours(seed), LENGTHS)[0][:, 0, 1]
        middle.sum().backward()
        assert bool((middle > 0.1).all())
        assert net.curves.bias.grad is not None
        assert float(net.curves.bias.grad[0]) > 0.1


def test_padding_does_not_change_an_answer() -> None:
    net, scans = network(2), hours(2)
    with torch.no_grad():
        together, _ = net(scans, LENGTHS)
        alone = torch.cat([net(scans[row : row + 1, :length], LENGTHS[row : row + 1])[0] for row, length in enumerate(LENGTHS)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)
