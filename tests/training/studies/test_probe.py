"""Probes are of like size, and start as they are said to."""

import pytest
import torch

from training.studies.probe import make_probe, remember


def size(cell: str) -> int:
    return sum(weights.numel() for weights in make_probe(cell, 3, 2, 2600, seed=0).parameters())


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_every_cell_has_about_the_parameters_asked_for(cell: str) -> None:
    assert size(cell) == pytest.approx(2600, rel=0.05)


def test_the_seed_decides_the_weights() -> None:
    first, again, other = (make_probe("gru", 2, 1, 100, seed)(torch.ones(1, 3, 2)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_gates_that_remember_keep_what_they_hold(cell: str) -> None:
    """With no input and no recurrent product only the biases speak, and what is left of the state tells the gate."""
    torch.manual_seed(0)
    probe = make_probe(cell, 1, 1, 300, seed=0)
    remember(probe, 100)
    hidden = probe.hidden
    bias = probe.recurrent.get_parameter("bias_ih_l0") + probe.recurrent.get_parameter("bias_hh_l0")
    kept = torch.sigmoid(bias[hidden : 2 * hidden]).detach()
    spans = 1 / (1 - kept)
    assert float(spans.min()) >= 2.0 - 1e-4
    assert float(spans.max()) <= 100.0 + 1e-3
    assert float(spans.max()) > 20.0


def test_the_plain_network_keeps_the_norm_of_a_state() -> None:
    probe = make_probe("rnn", 1, 1, 300, seed=0)
    remember(probe, 100)
    recurrent = probe.recurrent.get_parameter("weight_hh_l0").detach()
    assert torch.allclose(recurrent @ recurrent.T, torch.eye(probe.hidden), atol=1e-5)
