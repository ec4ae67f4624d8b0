"""Which of the items that wait share a pass."""

import asyncio
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.bundle import current_folder
from app.line import Item, Line, Request
from app.predictor import load_predictor
from app.tasks.task import Batchable

Ready = Callable[[list[int], float], list[Item]]


@pytest.fixture(scope="module")
def task() -> Batchable[Any, Any, Any]:
    sentiment: Batchable[Any, Any, Any] = load_predictor(current_folder(Path("models"), "sentiment"), "cpu", 1).task
    return sentiment


@pytest.fixture
def line(task: Batchable[Any, Any, Any]) -> Line:
    return Line(task)


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def ready(line: Line, loop: asyncio.AbstractEventLoop) -> Ready:
    return partial(_ready, line, loop)


def _ready(line: Line, loop: asyncio.AbstractEventLoop, lengths: list[int], due: float) -> list[Item]:
    request = Request(loop.create_future(), [None] * len(lengths), deadline=float("inf"))
    items = [Item(request, place, None, due + place, length) for place, length in enumerate(lengths)]
    line.encoded(items)
    return items


def lengths_of(group: list[Item]) -> list[int]:
    return [item.length for item in group]


FAR_APART = [100 + 11 * place for place in range(25)]


def test_among_many_those_most_alike_go_first(line: Line, ready: Ready) -> None:
    ready([*FAR_APART, 301, 301, 302, 302, 302], float(2**40))
    assert lengths_of(line.next_group(lambda _: True)) == [301, 301, 302, 302, 302]


def test_one_that_is_overdue_goes_before_them(line: Line, ready: Ready) -> None:
    ready([*FAR_APART, 301, 301, 302, 302, 302], float(2**40))
    ready([90], 0.0)
    assert 90 in lengths_of(line.next_group(lambda _: True))


def test_a_short_one_goes_before_them(line: Line, ready: Ready) -> None:
    ready([*FAR_APART, 301, 301, 302, 302, 302], float(2**40))
    ready([20], float(2**39))
    assert lengths_of(line.next_group(lambda _: True)) == [20]


def test_among_few_the_earliest_due_goes_first(line: Line, ready: Ready) -> None:
    ready([200, 301, 301, 302, 302, 302], float(2**40))
    assert 200 in lengths_of(line.next_group(lambda _: True))


def test_whom_nobody_waits_for_is_in_no_pass(line: Line, ready: Ready) -> None:
    gone, wanted = ready([50, 52], 0.0), ready([51], 0.0)
    assert gone[0].request is not wanted[0].request
    assert line.next_group(lambda request: request is wanted[0].request) == wanted
    assert not line.next_group(lambda _: True)


def test_everything_that_waits_is_taken_once(line: Line, ready: Ready) -> None:
    waiting = ready(FAR_APART * 4, float(2**40))
    taken: list[Item] = []
    while group := line.next_group(lambda _: True):
        taken += group
    assert sorted(map(id, taken)) == sorted(map(id, waiting))


def test_of_middle_length_as_many_as_fit_share_a_pass(line: Line, task: Batchable[Any, Any, Any], ready: Ready) -> None:
    ready([50] * 40, float(2**40))
    assert len(line.next_group(lambda _: True)) == task.most_steps // 50
