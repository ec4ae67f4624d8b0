"""Gradients of a batch on all cores: each works off its share of the items on a copy of the network with the same weights.

On a CPU this is faster than every core at work on every operation as long as a layer's weights fit into a core's own cache
(256 units do, 512 do not), and it does not stall when something else takes a core for a moment.
"""

import copy
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from training.data.batches import Batch
from training.model import TaskNet

CORES = torch.get_num_threads()
"""As many as torch would use by itself: all of them, or what OMP_NUM_THREADS says."""

Loss = Callable[[TaskNet, Batch], Tensor]


class Shards:
    """A network, and twins of it for the other cores."""

    def __init__(self, network: TaskNet, count: int) -> None:
        """`count` 1 leaves the cores to torch, which divides every operation among them."""
        self._networks = [network] + [_twin(network) for _ in range(count - 1)]
        self._threads = ThreadPoolExecutor(count)
        torch.set_num_threads(1 if count > 1 else CORES)

    def backward(self, loss: Loss, batch: Batch) -> float:
        """Puts the gradient of the loss into the network's parameters, in place of what was there; the loss: the mean of the
        shares' means. A share may be an item smaller than another, and each item of it weighs a little more then.

        Shares draw from one generator of random numbers side by side, so with dropout two runs differ in the last bits.
        """
        shares = batch.shares(len(self._networks))
        networks = self._networks[: len(shares)]

        def walk_back(network: TaskNet, share: Batch) -> float:
            network.train()
            network.zero_grad()
            value = loss(network, share)
            value.backward()  # type: ignore[no-untyped-call]
            return value.item()

        losses = list(self._threads.map(walk_back, networks, shares))
        for parameter, *others in zip(*(network.parameters() for network in networks), strict=True):
            for other in others:
                if parameter.grad is not None and other.grad is not None:
                    parameter.grad += other.grad
            if parameter.grad is not None:
                parameter.grad /= len(networks)
        return sum(losses) / len(losses)


def _twin(network: TaskNet) -> TaskNet:
    """A copy whose parameters are the same memory, with gradients of its own."""
    twin = copy.deepcopy(network)
    for own, shared in zip(twin.parameters(), network.parameters(), strict=True):
        own.data = shared.data
    return twin
