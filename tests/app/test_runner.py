"""Whoever calls is answered in turn, refused at once when the line is full, and never holds a place after leaving."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.bundle import current_folder
from app.predictor import load_predictor
from app.runner import Overloaded, Runner, Timing
from app.tasks.task import Run


@pytest.fixture
def runner(tiny_models: Path) -> Iterator[Runner[Any]]:
    runner = Runner(load_predictor(current_folder(tiny_models, "sentiment")), threads=1, most_requests=2)
    yield runner
    runner.close()


def test_an_answer_comes_with_its_timing(runner: Runner[Any]) -> None:
    predictions, timing = asyncio.run(runner.call(lambda run: runner.task.answer(run, ["good"])))
    assert len(predictions) == 1
    assert timing.run > 0
    assert timing.encode > 0
    assert timing.queue >= 0


def test_a_full_line_refuses_at_once_and_frees_its_places(runner: Runner[Any]) -> None:
    held = threading.Event()

    def hold(_: Run) -> str:
        held.wait(10)
        return "done"

    async def scenario() -> None:
        waiting = [asyncio.create_task(runner.call(hold)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overloaded, match="2 requests for sentiment") as caught:
            await runner.call(hold)
        assert caught.value.retry_after_s >= 1
        held.set()
        assert [result for result, _ in await asyncio.gather(*waiting)] == ["done", "done"]
        assert runner.accepted == 0

    asyncio.run(scenario())


def test_a_failure_reaches_its_caller_alone(runner: Runner[Any]) -> None:
    def fail(_: Run) -> None:
        raise ZeroDivisionError

    async def scenario() -> None:
        with pytest.raises(ZeroDivisionError):
            await runner.call(fail)
        assert runner.accepted == 0
        assert (await runner.call(lambda _: 5))[0] == 5

    asyncio.run(scenario())


def test_a_stream_gives_its_pieces_in_order_and_its_timing_last(runner: Runner[Any]) -> None:
    async def scenario() -> list[str | Timing]:
        return [piece async for piece in runner.stream(lambda _run, _gone: iter("abc"))]

    *pieces, timing = asyncio.run(scenario())
    assert pieces == ["a", "b", "c"]
    assert isinstance(timing, Timing)


def test_a_stream_that_fails_raises_after_its_pieces(runner: Runner[Any]) -> None:
    def work(_run: Run, _gone: Any) -> Iterator[str]:
        yield "a"
        raise ZeroDivisionError

    async def scenario() -> list[str | Timing]:
        stream = runner.stream(work)
        first = await anext(stream)
        with pytest.raises(ZeroDivisionError):
            await anext(stream)
        assert runner.accepted == 0
        return [first]

    assert asyncio.run(scenario()) == ["a"]


def test_a_reader_that_leaves_stops_the_work_and_frees_its_place(runner: Runner[Any]) -> None:
    stopped = threading.Event()

    def work(_run: Run, gone: Any) -> Iterator[str]:
        while not gone():
            yield "a"
        stopped.set()

    async def scenario() -> None:
        stream = runner.stream(work)
        assert await anext(stream) == "a"
        await stream.aclose()
        assert runner.accepted == 0

    asyncio.run(scenario())
    assert stopped.wait(10)
