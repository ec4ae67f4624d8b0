"""The gate counts who is inside and knows how fast they leave."""

import pytest

from app.gate import Gate, Overloaded


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which a test moves by hand."""
    time_s = [0.0]
    monkeypatch.setattr("app.gate.time.monotonic", lambda: time_s[0])
    return time_s


def test_a_full_gate_refuses_and_one_who_leaves_makes_room() -> None:
    gate = Gate("sentiment", 2)
    gate.enter()
    gate.enter()
    with pytest.raises(Overloaded, match="2 requests for sentiment"):
        gate.enter()
    assert gate.inside == 2
    gate.leave()
    gate.enter()
    assert gate.inside == 2


def test_the_time_to_come_back_is_how_long_those_inside_will_take_at_the_rate_of_late(now: list[float]) -> None:
    gate = Gate("sentiment", 1000)
    assert gate.retry_after_s() == 1  # nothing is known yet
    for _ in range(400):  # ten leave each second, for 40 s
        gate.enter()
        now[0] += 0.1
        gate.leave()
    for _ in range(100):
        gate.enter()
    assert gate.retry_after_s() in {10, 11}


def test_the_time_to_come_back_has_an_end(now: list[float]) -> None:
    gate = Gate("music", 1000)
    for _ in range(900):
        gate.enter()
    gate.leave()
    assert gate.retry_after_s() == 60
    now[0] += 1e6  # nobody left for long: the rate says nothing any more
    assert gate.retry_after_s() == 1
