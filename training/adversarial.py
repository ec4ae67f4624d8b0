"""Adversarial training: the network also has to be right where its word vectors are pushed in the worst direction."""

from torch import Tensor
from torch.nn import functional

from training.model import TextNet


def adversarial_loss(network: TextNet, vectors: Tensor, lengths: Tensor, target: Tensor, length: float) -> Tensor:
    """The loss, and the loss after a push of the word vectors in the direction that hurts most (Miyato et al. 2017).

    The push of each text is `length` long, in units of the vectors' root mean square. The plain loss is walked back here: its
    gradients stay in the parameters behind the vectors, and those at the vectors show where to push.
    """
    leaf = vectors.detach().requires_grad_()
    plain = cross_entropy(network.judge(leaf, lengths), target)
    plain.backward()  # type: ignore[no-untyped-call]
    gradient = leaf.grad
    assert gradient is not None  # noqa: S101
    scale = length * vectors.detach().float().square().mean().sqrt()
    push = scale * gradient / gradient.square().sum((1, 2), keepdim=True).sqrt().clamp(min=1e-12)
    pushed = cross_entropy(network.judge(vectors + push, lengths), target)
    # Carries the plain loss's gradient on from the vectors to the words; its own value is taken away again.
    onward = (vectors * gradient).sum()
    return pushed + onward - onward.detach() + plain.detach()


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean over the batch, in nats; targets are probabilities."""
    return functional.binary_cross_entropy_with_logits(logits.float(), target)
