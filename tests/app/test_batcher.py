"""Whatever shares a pass, each caller gets what it would get alone; and nothing that one caller does harms another."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.batcher import Batcher, Pass
from app.bundle import current_folder
from app.gate import Overloaded
from app.predictor import Predictor, load_predictor
from app.tasks.rainfall import Hour
from app.tasks.task import InvalidInput, Tensors

Observed = list[Pass]

shared = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

words = st.sampled_from(["good", "bad", "moving", "waste", "film", "the", "!", "unheard"])
texts = st.lists(words, max_size=40).map(" ".join)
scans = st.fixed_dictionaries({"minutes_past": st.integers(0, 60), "Ref": st.none() | st.floats(-10, 60)})
hours = st.builds(Hour.from_scans, st.floats(0, 50), st.lists(scans, min_size=1, max_size=20))


@pytest.fixture(scope="session")
def predictors(tiny_models: Path) -> dict[str, Predictor[Any]]:
    """Task -> its tiny bundle, loaded."""
    return {task: load_predictor(current_folder(tiny_models, task), threads=1) for task in ("sentiment", "rainfall")}


@pytest.fixture(params=[1, 2])
def batchers(request: pytest.FixtureRequest, predictors: dict[str, Predictor[Any]]) -> Iterator[dict[str, Batcher[Any, Any]]]:
    """Of one thread and of two."""
    made = {task: Batcher[Any, Any](predictor, request.param) for task, predictor in predictors.items()}
    yield made
    for batcher in made.values():
        batcher.close()


@pytest.fixture
def observed() -> Observed:
    return []


@pytest.fixture
def batcher(predictors: dict[str, Predictor[Any]], observed: Observed) -> Iterator[Batcher[str, Any]]:
    batcher = Batcher[str, Any](predictors["sentiment"], 1, observe=observed.append)
    yield batcher
    batcher.close()


@pytest.fixture
def held(batcher: Batcher[str, Any], monkeypatch: pytest.MonkeyPatch) -> "Held":
    return Held(batcher, monkeypatch)


class Held:
    """Passes that wait until they are let go, so that a queue forms behind the first."""

    def __init__(self, batcher: Batcher[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
        self.begun, self.go, self.passes = threading.Event(), threading.Event(), 0
        self._run = batcher.predictor.run
        monkeypatch.setattr(batcher.predictor, "run", self._wait)

    def _wait(self, feeds: Tensors) -> Tensors:
        self.passes += 1
        self.begun.set()
        assert self.go.wait(30)
        return self._run(feeds)

    async def behind(self, batcher: Batcher[str, Any], requests: Sequence[Sequence[str]]) -> "list[asyncio.Task[Any]]":
        """A first request whose pass has begun, and these behind it in the line."""
        first = asyncio.create_task(batcher.predict(["first"]))
        await asyncio.to_thread(self.begun.wait, 30)
        waiting = [asyncio.create_task(batcher.predict(request)) for request in requests]
        await asyncio.sleep(0)
        return [first, *waiting]


def _note(ended: list[str], name: str, _: "asyncio.Task[Any]") -> None:
    ended.append(name)


async def gather(calls: Sequence[Any]) -> list[Any]:
    return list(await asyncio.gather(*calls, return_exceptions=True))


@shared
@given(requests=st.lists(st.lists(texts, min_size=1, max_size=12), min_size=1, max_size=12))
def test_texts_of_many_callers_get_what_they_get_alone(
    batchers: dict[str, Batcher[Any, Any]], predictors: dict[str, Predictor[Any]], requests: list[list[str]]
) -> None:
    task, run = predictors["sentiment"].task, predictors["sentiment"].run
    answers = asyncio.run(gather([batchers["sentiment"].predict(request) for request in requests]))
    for request, (predictions, _) in zip(requests, answers, strict=True):
        alone = [task.answer(run, [text])[0] for text in request]
        assert [p.probability for p in predictions] == pytest.approx([p.probability for p in alone], abs=1e-4)
        assert [(p.tokens_read, p.truncated) for p in predictions] == [(p.tokens_read, p.truncated) for p in alone]


@shared
@given(requests=st.lists(st.lists(hours, min_size=1, max_size=8), min_size=1, max_size=8))
def test_hours_of_many_callers_get_what_they_get_alone(
    batchers: dict[str, Batcher[Any, Any]], predictors: dict[str, Predictor[Any]], requests: list[list[Hour]]
) -> None:
    task, run = predictors["rainfall"].task, predictors["rainfall"].run
    answers = asyncio.run(gather([batchers["rainfall"].predict(request) for request in requests]))
    for request, (predictions, _) in zip(requests, answers, strict=True):
        for got, raw in zip(predictions, request, strict=True):
            (alone,) = task.answer(run, [raw])
            assert got.rain_mm == pytest.approx(alone.rain_mm, rel=1e-4, abs=1e-4)
            assert got.interval_90_mm == pytest.approx(alone.interval_90_mm, rel=1e-4, abs=1e-4)
            assert (got.scans_used, got.baselines_mm) == (alone.scans_used, alone.baselines_mm)


@shared
@given(leavers=st.sets(st.integers(0, 19)), data=st.data())
def test_those_who_leave_take_nothing_with_them(
    batchers: dict[str, Batcher[Any, Any]], predictors: dict[str, Predictor[Any]], leavers: set[int], data: st.DataObject
) -> None:
    batcher, task = batchers["sentiment"], predictors["sentiment"].task
    requests = data.draw(st.lists(st.lists(texts, min_size=1, max_size=4), min_size=20, max_size=20))

    async def scenario() -> list[Any]:
        calls = [asyncio.create_task(batcher.predict(request)) for request in requests]
        await asyncio.sleep(0)
        for leaver in leavers:
            calls[leaver].cancel()
        return await gather(calls)

    for number, (request, answer) in enumerate(zip(requests, asyncio.run(scenario()), strict=True)):
        if number in leavers:
            assert isinstance(answer, asyncio.CancelledError)
        else:
            alone = task.answer(predictors["sentiment"].run, request)
            assert [p.probability for p in answer[0]] == pytest.approx([p.probability for p in alone], abs=1e-4)
    until(lambda: batcher.queue_depth == 0)


def until(true: Callable[[], bool]) -> None:
    for _ in range(1000):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("waited for 10 s")


def test_those_who_wait_share_a_pass_with_others_of_their_length(
    batcher: Batcher[str, Any], held: Held, observed: Observed
) -> None:
    async def scenario() -> None:
        # Of the many words of a long text 16 are read, so 1 word and 16 share a pass, and all of them do.
        calls = await held.behind(batcher, [["good"]] * 5 + [["bad " * 40]] * 3)
        held.go.set()
        assert not [answer for answer in await gather(calls) if isinstance(answer, BaseException)]

    asyncio.run(scenario())
    assert [done.items for done in observed] == [1, 8]
    assert (observed[1].steps, observed[1].padded_steps) == (5 + 3 * 16, 8 * 16)


def test_a_pass_has_a_bound_in_items_and_in_padded_steps(
    batcher: Batcher[str, Any], held: Held, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(batcher.task), "most_steps", 64)
    monkeypatch.setattr(type(batcher.task), "few_items", 3)

    async def scenario() -> None:
        calls = await held.behind(batcher, [["bad " * 40] * 9, ["good"] * 20])
        held.go.set()
        await gather(calls)

    asyncio.run(scenario())
    assert sum(done.items for done in observed) == 30
    assert max(done.items for done in observed) == 16
    assert all(done.padded_steps <= 64 for done in observed)


def test_a_short_text_overtakes_long_ones_that_came_before_it(
    batcher: Batcher[str, Any], held: Held, observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(batcher.task), "most_items", 1)
    monkeypatch.setattr(type(batcher.task), "few_items", 1)
    ended: list[str] = []

    async def scenario() -> None:
        calls = await held.behind(batcher, [["bad " * 2000], ["good"]])
        for name, call in zip(("first", "long", "short"), calls, strict=True):
            call.add_done_callback(partial(_note, ended, name))
        held.go.set()
        await gather(calls)

    asyncio.run(scenario())
    assert ended == ["first", "short", "long"]


def test_one_bad_item_fails_its_own_request_alone(
    batcher: Batcher[str, Any], held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = batcher.task.encode

    def encode(raw: str) -> Any:
        if raw == "poison":
            raise InvalidInput("no such text", "/texts/1")
        return whole(raw)

    monkeypatch.setattr(batcher.task, "encode", encode)

    async def scenario() -> list[Any]:
        calls = await held.behind(batcher, [["good"], ["good", "poison", "good"], ["bad"]])
        held.go.set()
        return await gather(calls)

    _, good, poisoned, bad = asyncio.run(scenario())
    assert isinstance(poisoned, InvalidInput)
    assert len(good[0]) == len(bad[0]) == 1


def test_a_crash_within_a_pass_fails_its_callers_and_the_next_pass_works(
    batcher: Batcher[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, crashes = batcher.predictor.run, [ZeroDivisionError("in the graph")]

    def run(feeds: Tensors) -> Tensors:
        if crashes:
            raise crashes.pop()
        return whole(feeds)

    monkeypatch.setattr(batcher.predictor, "run", run)

    async def scenario() -> None:
        with pytest.raises(ZeroDivisionError):
            await batcher.predict(["good", "bad"])
        predictions, timing = await batcher.predict(["good"])
        assert len(predictions) == 1
        assert timing.run > 0

    asyncio.run(scenario())
    assert batcher.queue_depth == 0


def test_who_went_away_is_not_computed(batcher: Batcher[str, Any], held: Held, observed: Observed) -> None:
    async def scenario() -> None:
        first, *waiting = await held.behind(batcher, [["good"]] * 3)
        for call in waiting:
            call.cancel()
        await gather(waiting)
        held.go.set()
        await first
        assert len((await batcher.predict(["bad"]))[0]) == 1

    asyncio.run(scenario())
    assert [done.items for done in observed] == [1, 1]


def test_who_waited_too_long_is_told_so_and_not_computed(
    predictors: dict[str, Predictor[Any]], observed: Observed, monkeypatch: pytest.MonkeyPatch
) -> None:
    batcher = Batcher[str, Any](predictors["sentiment"], 1, most_wait_s=0.1, observe=observed.append)
    held = Held(batcher, monkeypatch)

    async def scenario() -> None:
        first, late = await held.behind(batcher, [["good"]])
        await asyncio.sleep(0.2)
        held.go.set()
        await first
        with pytest.raises(Overloaded, match=r"waited for more than 0\.1 s"):
            await late

    asyncio.run(scenario())
    batcher.close()
    assert [done.items for done in observed] == [1]


def test_closing_answers_everything_that_was_accepted(predictors: dict[str, Predictor[Any]]) -> None:
    batcher = Batcher[str, Any](predictors["sentiment"], 2)

    async def scenario() -> None:
        calls = [asyncio.create_task(batcher.predict(["good", "bad"])) for _ in range(50)]
        await asyncio.sleep(0)
        await asyncio.to_thread(batcher.close)
        assert all(len(answer[0]) == 2 for answer in await gather(calls))

    asyncio.run(scenario())


def test_a_short_text_is_answered_within_a_long_pass(batcher: Batcher[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.batcher.SHORT_STEPS", 8)
    monkeypatch.setattr("app.line.SHORT_STEPS", 8)
    within, go, whole = threading.Event(), threading.Event(), batcher.predictor.run

    def run(feeds: Tensors) -> Tensors:
        if feeds["lengths"].max() > 8:
            within.set()
            assert go.wait(30)
        return whole(feeds)

    monkeypatch.setattr(batcher.predictor, "run", run)

    async def scenario() -> None:
        long = [asyncio.create_task(batcher.predict(["bad " * 40])) for _ in range(2)]
        await asyncio.to_thread(within.wait, 30)
        assert len((await batcher.predict(["good"] * 20))[0]) == 20
        assert not any(call.done() for call in long)
        go.set()
        assert all(len(answer[0]) == 1 for answer in await gather(long))

    asyncio.run(scenario())
