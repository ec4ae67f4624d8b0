"""Gradients from several cores are those from one."""

import pytest
import torch
from torch import Tensor, nn

from training.data.batches import Batch
from training.model import TaskNet
from training.shards import Shards


class Line(TaskNet):
    def __init__(self) -> None:
        super().__init__()
        self.line = nn.Linear(3, 1)
        self.unused = nn.Linear(2, 2)


def mean_square(network: TaskNet, batch: Batch) -> Tensor:
    assert isinstance(network, Line)
    return torch.as_tensor((network.line(batch.inputs)[:, 0] - batch.targets).square().mean())


def batch_of(items: int) -> Batch:
    torch.manual_seed(1)
    return Batch(torch.randn(items, 3), torch.ones(items, dtype=torch.int64), torch.randn(items))


@pytest.mark.parametrize("items", [1, 8])
def test_the_gradient_is_that_of_the_whole_batch(items: int) -> None:
    network, batch = Line(), batch_of(items)
    expected = torch.autograd.grad(mean_square(network, batch), [*network.line.parameters()])
    loss = Shards(network, 2).backward(mean_square, batch)
    assert loss == pytest.approx(mean_square(network, batch).item(), rel=1e-5)
    for parameter, gradient in zip(network.line.parameters(), expected, strict=True):
        assert parameter.grad is not None
        torch.testing.assert_close(parameter.grad, gradient)
    assert network.unused.weight.grad is None


def test_an_optimizer_step_reaches_the_twins() -> None:
    network, batch = Line(), batch_of(64)
    work = Shards(network, 2)
    optimizer = torch.optim.AdamW(network.parameters(), lr=0.05, fused=True)
    losses = []
    for _ in range(50):
        losses.append(work.backward(mean_square, batch))
        optimizer.step()
    fitted = mean_square(network, batch).item()
    assert fitted < losses[0]
    assert losses[-1] == pytest.approx(fitted, rel=0.02)


def test_an_error_in_a_share_is_raised() -> None:

    def broken(_network: TaskNet, _batch: Batch) -> Tensor:
        raise RuntimeError("no loss")

    with pytest.raises(RuntimeError, match="no loss"):
        Shards(Line(), 2).backward(broken, batch_of(4))
