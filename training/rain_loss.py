"""What a rain network's loss is made of besides the pinball of gauges."""

import torch
from torch import Tensor

from app.tasks.rainfall import FEATURES
from training.data.batches import Batch
from training.model import steps_within
from training.rain_net import RainfallNet, log_rate

REF_PRESENT = list(FEATURES).index("Ref_present")

_MM_WEIGHT = 0.3  # of a millimetre beside a unit of ln(1 + mm)
_RISE_EVERY, _MOST_RISE_DB = 4, 6.0


def falls(network: RainfallNet, batch: Batch, estimate_mm: Tensor, least_a_db: float) -> Tensor:
    """By how much ln(1 + mm) falls on average, or rises by too little, when `Ref` alone rises by up to _MOST_RISE_DB; in one of
    _RISE_EVERY hours of the batch."""
    some = slice(None, None, _RISE_EVERY)
    scans, lengths, before = batch.inputs[some], batch.lengths[some], torch.log1p(estimate_mm[some])
    decibel = _MOST_RISE_DB * torch.rand(len(scans), device=scans.device)
    after = torch.log1p(network(network.raised(scans, decibel, 1), lengths)[0][:, 0, 1])
    echo = scans[:, :, REF_PRESENT].amax(1)
    return (torch.relu(before * (1 + least_a_db * decibel) - after) * echo).mean()


def distance(estimate_mm: Tensor, teacher_mm: Tensor) -> Tensor:
    """[batch]: on a log scale, for light rain, and in millimetres, which is what counts in the end."""
    log_distance = (torch.log1p(estimate_mm) - torch.log1p(teacher_mm)).abs()
    return log_distance + _MM_WEIGHT * (estimate_mm - teacher_mm).abs()


def apart(rates: Tensor, said_mm_h: Tensor, lengths: Tensor) -> Tensor:
    """[batch, levels]: how far the rates of scans are from what the teacher says of them, on a log scale, on average."""
    counts = steps_within(lengths, rates.shape[1])[:, :, None] & torch.isfinite(said_mm_h)
    return ((rates - log_rate(torch.nan_to_num(said_mm_h))).abs() * counts).sum(1) / lengths[:, None]
