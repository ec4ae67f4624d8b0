"""The measured gradients are those of the loss."""

import pytest
import torch

from training.studies.gradients import gradient_norms
from training.studies.memory import adding
from training.studies.probe import make_probe


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_gradient_norms_agree_with_finite_differences(cell: str) -> None:
    probe = make_probe(cell, 2, 1, 80, seed=3).double()
    x, y = (tensor.double() for tensor in adding(3, 6, torch.Generator().manual_seed(1)))
    step = 1e-5
    slopes = torch.zeros_like(x)
    with torch.no_grad():
        for place in range(x.numel()):
            nudge = torch.zeros_like(x).flatten()
            nudge[place] = step
            more, less = ((probe(x + sign * nudge.view_as(x))[:, -1, 0] - y).square().sum() for sign in (1, -1))
            slopes.view(-1)[place] = (more - less) / (2 * step)
    expected = slopes.norm(dim=2).mean(0)
    measured = gradient_norms(probe, x, y)
    for back in range(6):
        assert float(measured[back]) == pytest.approx(float(expected[5 - back]), rel=1e-5)


def test_the_input_is_left_as_it_was() -> None:
    probe = make_probe("rnn", 2, 1, 80, seed=0)
    x, y = adding(2, 5, torch.Generator().manual_seed(0))
    gradient_norms(probe, x, y)
    assert not x.requires_grad
    assert all(weights.grad is None for weights in probe.parameters())
