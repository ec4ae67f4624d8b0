"""Half the bits for half the time, where the machine can."""

import functools
import logging

import torch
from torch import nn

log = logging.getLogger(__name__)


def bf16(device: torch.device, *, wanted: bool = True, cache_enabled: bool = True) -> torch.autocast:
    """The context in which a loss is computed: in bfloat16 if that is wanted and the device's recurrent layers can, else in
    float32. Weights and gradients stay float32."""
    enabled = wanted and (device.type != "cpu" or _cpu_can())
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled, cache_enabled=cache_enabled)


@functools.cache
def _cpu_can() -> bool:
    """oneDNN has LSTMs in bfloat16 for processors with AVX-512 alone. torch has no public name for that, so one is tried."""
    try:
        # Nothing is drawn for its weights, so that a seeded training draws the same everywhere.
        with torch.autocast("cpu", torch.bfloat16):
            nn.LSTM(1, 1, device="meta").to_empty(device="cpu")(torch.zeros(1, 1, 1))
    except RuntimeError:
        log.warning("this processor has no recurrent layers in bfloat16: training in float32, which takes longer")
        return False
    return True
