"""bfloat16 where the processor has it."""

import torch

from training import precision


def test_asking_the_processor_draws_nothing() -> None:
    precision._cpu_can.cache_clear()
    torch.manual_seed(7)
    before = torch.get_rng_state()
    precision.bf16(torch.device("cpu"))
    assert torch.equal(torch.get_rng_state(), before)
    assert precision._cpu_can.cache_info().misses == 1


def test_recurrent_layers_work_in_what_was_chosen_on_this_machine() -> None:
    lstm = torch.nn.LSTM(3, 4, batch_first=True)
    with precision.bf16(torch.device("cpu")):
        chosen = torch.is_autocast_enabled("cpu")
        outputs, _ = lstm(torch.randn(2, 5, 3))
    outputs.float().sum().backward()
    assert outputs.dtype == (torch.bfloat16 if chosen else torch.float32)
    assert all(weights.grad is not None and torch.isfinite(weights.grad).all() for weights in lstm.parameters())


def test_float32_where_it_is_wanted() -> None:
    with precision.bf16(torch.device("cpu"), wanted=False):
        assert torch.nn.LSTM(3, 4)(torch.randn(2, 1, 3))[0].dtype == torch.float32
