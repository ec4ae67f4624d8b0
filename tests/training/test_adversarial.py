"""The adversarial loss and its gradients."""

import pytest
import torch

from tests.training.test_pieces import net
from training.adversarial import adversarial_loss, cross_entropy

IDS, LENGTHS = torch.tensor([[3, 4, 5, 6], [7, 8, 0, 0]]), torch.tensor([4, 2])
TARGET = torch.tensor([1.0, 0.0])


def test_the_push_raises_the_loss() -> None:
    network = net()
    vectors = network.embed(IDS)
    plain = cross_entropy(network.judge(vectors, LENGTHS), TARGET).item()
    both = [adversarial_loss(network, network.embed(IDS), LENGTHS, TARGET, length).item() for length in (0.0, 1.0, 3.0)]
    assert both[0] == pytest.approx(2 * plain, rel=1e-5)
    assert both[0] < both[1] < both[2]


def test_without_a_push_every_gradient_is_twice_the_plain_one() -> None:
    plain, twice = net(), net()
    cross_entropy(plain(IDS, LENGTHS), TARGET).backward()  # type: ignore[no-untyped-call]
    adversarial_loss(twice, twice.embed(IDS), LENGTHS, TARGET, 0.0).backward()  # type: ignore[no-untyped-call]
    for one, other in zip(plain.parameters(), twice.parameters(), strict=True):
        assert one.grad is not None
        assert other.grad is not None
        torch.testing.assert_close(other.grad, 2 * one.grad)
