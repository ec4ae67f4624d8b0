"""Who fails or goes away while tunes are written in shared passes does so alone."""

import asyncio
import threading
from contextlib import aclosing
from typing import Any

import numpy as np
import pytest

from app.predictor import Predictor
from app.steps import StepBatcher
from app.tasks.abc_grammar import TuneGrammar
from app.tasks.sampling import Sampling
from app.tasks.task import InvalidInput, Tensors
from tests.app.callers import ENDLESS, PROMPT, Passes, alone, until, within


def test_an_unknown_character_is_refused_before_anything_begins(batcher: StepBatcher) -> None:
    with pytest.raises(InvalidInput, match="'é' at position 2"):
        within(lambda: batcher.write("X:é", ENDLESS))
    with pytest.raises(InvalidInput, match="'é' at position 2"):
        batcher.stream("X:é", ENDLESS)
    assert batcher.accepted == 0


def test_a_pass_that_fails_fails_its_callers_and_the_next_one_works(
    batcher: StepBatcher, music_predictor: Predictor[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = music_predictor.run

    def fail_when_shared(feeds: Tensors) -> Tensors:
        if feeds["ids"].shape == (4, 1):
            raise ZeroDivisionError("no such pass")
        return whole(feeds)

    async def scenario() -> None:
        monkeypatch.setattr(music_predictor, "run", fail_when_shared)
        ends = await asyncio.gather(*(batcher.write(PROMPT, ENDLESS) for _ in range(4)), return_exceptions=True)
        assert [type(end) for end in ends] == [ZeroDivisionError] * 4
        assert batcher.accepted == 0
        monkeypatch.setattr(music_predictor, "run", whole)
        sampling = Sampling(20, 1.0, 1.0, 3)
        assert (await batcher.write(PROMPT, sampling))[0] == alone(music_predictor, PROMPT, sampling)

    within(scenario)


def test_a_prompt_that_cannot_be_read_fails_its_caller_and_not_the_tunes_that_are_written(
    batcher: StepBatcher, music_predictor: Predictor[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = music_predictor.run

    def fail_on_prompts(feeds: Tensors) -> Tensors:
        if feeds["ids"].shape[1] > 1:
            raise ZeroDivisionError
        return whole(feeds)

    async def scenario() -> None:
        sampling = Sampling(400, 1.0, 1.0, 3)
        async with aclosing(batcher.stream(PROMPT, sampling)) as stream:
            heard = [await anext(stream)]
            monkeypatch.setattr(music_predictor, "run", fail_on_prompts)
            with pytest.raises(ZeroDivisionError):
                await batcher.next_characters(PROMPT, 1)
            heard += [piece async for piece in stream if isinstance(piece, str)]
        monkeypatch.setattr(music_predictor, "run", whole)
        assert "".join(str(piece) for piece in heard) == "".join(alone(music_predictor, PROMPT, sampling))

    within(scenario)


@pytest.mark.parametrize("part", ["allowed", "push"])
def test_a_tune_whose_grammar_fails_does_so_alone(
    batcher: StepBatcher, music_predictor: Predictor[Any], monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    begun, whole = list[TuneGrammar](), getattr(TuneGrammar, part)

    def fail_for_the_second(self: TuneGrammar, given: int) -> Any:
        if self not in begun:
            begun.append(self)
        if begun.index(self) == 1:
            raise ZeroDivisionError
        return whole(self, given)

    samplings = [Sampling(40, 1.0, 1.0, seed) for seed in range(3)]
    expected = [alone(music_predictor, PROMPT, sampling) for sampling in samplings]
    monkeypatch.setattr(TuneGrammar, part, fail_for_the_second)

    async def scenario() -> list[Any]:
        return await asyncio.gather(*(batcher.write(PROMPT, sampling) for sampling in samplings), return_exceptions=True)

    first, second, third = within(scenario)
    assert isinstance(second, ZeroDivisionError)
    assert [first[0], third[0]] == [expected[0], expected[2]]


def test_a_graph_that_gives_the_wrong_shape_fails_its_callers_and_the_thread_goes_on(
    batcher: StepBatcher, music_predictor: Predictor[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = music_predictor.run
    monkeypatch.setattr(music_predictor, "run", lambda feeds: {name: np.zeros(0) for name in whole(feeds)})
    with pytest.raises((ValueError, IndexError)):
        within(lambda: batcher.write(PROMPT, ENDLESS))
    monkeypatch.setattr(music_predictor, "run", whole)
    assert len(within(lambda: batcher.write(PROMPT, Sampling(1, 1.0, 1.0, 0)))[0]) == 1


@pytest.mark.parametrize("how", ["cancelled", "closed"])
def test_a_caller_that_goes_away_takes_its_tune_along(batcher: StepBatcher, passes: Passes, how: str) -> None:
    async def scenario() -> None:
        if how == "closed":
            stream = batcher.stream(PROMPT, ENDLESS)
            await anext(stream)
            await stream.aclose()
        else:
            task = asyncio.create_task(batcher.write(PROMPT, ENDLESS))
            await until(lambda: len(passes.items) > 3)
            task.cancel()
            await asyncio.wait([task])
        assert batcher.accepted == 0
        await asyncio.sleep(0.05)
        made = len(passes.items)
        await asyncio.sleep(0.05)
        assert len(passes.items) == made

    within(scenario)


def test_an_event_loop_that_is_closed_in_the_middle_harms_nobody(
    batcher: StepBatcher, music_predictor: Predictor[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    closed, in_pass, whole = threading.Event(), threading.Event(), music_predictor.run

    def hold(feeds: Tensors) -> Tensors:
        in_pass.set()
        closed.wait(10)
        return whole(feeds)

    async def begin() -> asyncio.Task[Any]:
        task = asyncio.create_task(batcher.write(PROMPT, Sampling(50, 1.0, 1.0, 1)))
        await until(in_pass.is_set)
        return task

    monkeypatch.setattr(music_predictor, "run", hold)
    loop = asyncio.new_event_loop()
    task = loop.run_until_complete(begin())
    loop.close()
    closed.set()
    sampling = Sampling(400, 1.0, 1.0, 2)
    assert within(lambda: batcher.write(PROMPT, sampling))[0] == alone(music_predictor, PROMPT, sampling)
    assert not task.done()
