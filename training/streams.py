"""Work that a GPU does beside other work."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_streams: dict[int, torch.cuda.Stream] = {}


@contextmanager
def beside(device: torch.device, lane: int) -> Iterator[None]:
    """What is done inside begins after what was asked of the GPU before and is done at the end; what threads do in other lanes
    runs beside it. A recurrent layer's steps are too small to fill a GPU. On a CPU nothing changes."""
    if device.type != "cuda":
        yield
        return
    # Always the same for a lane: every stream keeps memory of its own.
    stream = _streams.setdefault(lane, torch.cuda.Stream(device))  # type: ignore[no-untyped-call]
    stream.wait_stream(torch.cuda.default_stream(device))
    with torch.cuda.stream(stream):
        yield
    stream.synchronize()
