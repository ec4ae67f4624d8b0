"""Tunes of many callers share passes, and each is what it would be alone."""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.line import Timing
from app.predictor import Predictor
from app.steps import StepBatcher
from app.tasks.sampling import Sampling
from app.tasks.task import Tensors
from tests.app.callers import ENDLESS, LONG, PROMPT, Passes, alone, until, within

REQUESTS = st.tuples(
    st.sampled_from(["X", PROMPT, PROMPT + "GA", LONG[:300], LONG[:700]]),
    st.builds(
        Sampling, st.integers(1, 60), st.sampled_from([0.2, 0.9, 1.5]), st.sampled_from([0.3, 0.95, 1.0]), st.integers(0, 2**32)
    ),
    st.sampled_from(["write", "stream", "next", "leave", "cancel"]),
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(REQUESTS, min_size=1, max_size=12), st.integers(1, 3))
def test_every_caller_gets_what_it_gets_alone(
    music_predictor: Predictor[Any], requests: list[tuple[str, Sampling, str]], threads: int
) -> None:
    batcher = StepBatcher(music_predictor, threads)

    async def ask(prompt: str, sampling: Sampling, how: str) -> None:
        if how == "next":
            answer, _ = await batcher.next_characters(prompt, 5)
            expected = music_predictor.task.next_characters(music_predictor.run, prompt, 5)
            assert answer.bits_per_character == pytest.approx(expected.bits_per_character, abs=1e-5)
            assert [p for _, p in answer.characters] == pytest.approx([p for _, p in expected.characters], abs=1e-5)
        elif how == "write":
            pieces, _ = await batcher.write(prompt, sampling)
            assert pieces == alone(music_predictor, prompt, sampling)
        elif how == "cancel":
            task = asyncio.create_task(batcher.write(prompt, ENDLESS))
            await asyncio.sleep(sampling.max_characters / 20_000)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            heard = list[str]()
            async with aclosing(batcher.stream(prompt, sampling if how == "stream" else ENDLESS)) as stream:
                async for piece in stream:
                    if isinstance(piece, Timing):
                        break
                    heard.append(piece)
                    if how == "leave":
                        return
            expected_pieces = alone(music_predictor, prompt, sampling)
            assert "".join(heard) == "".join(expected_pieces)
            assert (heard[-1] == "") == (expected_pieces[-1] == "")

    async def scenario() -> None:
        await asyncio.gather(*(ask(*request) for request in requests))
        assert batcher.accepted == 0

    try:
        within(scenario)
    finally:
        batcher.close()
    assert batcher.queue_depth == 0


def test_tunes_share_passes(
    batcher: StepBatcher, passes: Passes, music_predictor: Predictor[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = music_predictor.run

    def wait_for_all(feeds: Tensors) -> Tensors:
        while batcher.accepted < 16:
            time.sleep(0.001)
        monkeypatch.setattr(music_predictor, "run", whole)
        return whole(feeds)

    async def scenario() -> list[tuple[list[str], Timing]]:
        monkeypatch.setattr(music_predictor, "run", wait_for_all)
        return await asyncio.gather(*(batcher.write(PROMPT, Sampling(80, 1.0, 1.0, seed)) for seed in range(16)))

    written = within(scenario)
    characters = sum(len(pieces) for pieces, _ in written)
    assert max(passes.items) == 16
    assert len(passes.items) < characters / 4
    # The last character of each tune is drawn and not fed.
    assert sum(passes.useful) == characters + 16 * len(PROMPT)
    assert passes.padded == 0


def test_a_long_prompt_does_not_stall_the_tunes_that_are_written(batcher: StepBatcher, passes: Passes) -> None:
    async def scenario() -> None:
        async with aclosing(batcher.stream(PROMPT, ENDLESS)) as stream:
            await anext(stream)
            passes.useful.clear()
            await batcher.next_characters(LONG, 1)
            chunks = [at for at, useful in enumerate(passes.useful) if useful > 1]
            assert [passes.useful[at] for at in chunks] == [256] * (len(LONG) // 256) + [len(LONG) % 256 + 1]
            assert all(passes.useful[before + 1 : after] == [1] for before, after in pairwise(chunks))

    within(scenario)


def test_a_tune_joins_while_others_are_written_and_leaves_before_they_end(batcher: StepBatcher, passes: Passes) -> None:
    async def scenario() -> None:
        async with aclosing(batcher.stream(PROMPT, ENDLESS)) as stream:
            await anext(stream)
            await batcher.write(PROMPT, Sampling(5, 1.0, 1.0, 1))
            assert 2 in passes.items
            passes.items.clear()
            await until(lambda: len(passes.items) > 5)
            assert passes.items[-1] == 1

    within(scenario)


def test_threads_share_the_tunes_evenly(music_predictor: Predictor[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    rows = dict[str, int]()
    whole = music_predictor.run

    def run(feeds: Tensors) -> Tensors:
        rows[threading.current_thread().name] = max(len(feeds["ids"]), rows.get(threading.current_thread().name, 0))
        return whole(feeds)

    monkeypatch.setattr(music_predictor, "run", run)
    batcher = StepBatcher(music_predictor, 2)

    async def scenario() -> None:
        streams = [batcher.stream(PROMPT, ENDLESS) for _ in range(6)]
        await asyncio.gather(*(anext(stream) for stream in streams))
        await until(lambda: list(rows.values()) == [3, 3])
        for stream in streams:
            await stream.aclose()

    within(scenario)
    batcher.close()


def test_timing_tells_waiting_from_passes_from_the_rest(batcher: StepBatcher, passes: Passes) -> None:
    began = time.perf_counter()
    _, timing = within(lambda: batcher.write(PROMPT, Sampling(30, 1.0, 1.0, 0)))
    whole_ms = 1000 * (time.perf_counter() - began)
    assert timing.run == pytest.approx(1000 * passes.seconds, rel=0.01, abs=0.01)
    assert timing.encode > 0
    assert timing.queue >= 0
    assert timing.run + timing.encode + timing.queue <= whole_ms


def test_one_step_wakes_the_event_loop_once_for_all_its_tunes(
    batcher: StepBatcher, passes: Passes, monkeypatch: pytest.MonkeyPatch
) -> None:
    woken = 0

    async def listen(seed: int) -> None:
        async for _ in batcher.stream(PROMPT, Sampling(60, 1.0, 1.0, seed)):
            pass

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        wake: Callable[..., Any] = loop.call_soon_threadsafe

        def counted(*args: Any) -> Any:
            nonlocal woken
            woken += 1
            return wake(*args)

        monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
        await asyncio.gather(*(listen(seed) for seed in range(12)))

    within(scenario)
    assert max(passes.items) > 4
    assert 0 < woken <= len(passes.items) + 1


def test_a_reader_who_comes_late_finds_all_that_was_written_in_one_piece(batcher: StepBatcher, passes: Passes) -> None:
    async def scenario() -> None:
        async with aclosing(batcher.stream(PROMPT, ENDLESS)) as stream:
            await anext(stream)
            made = len(passes.items)
            await until(lambda: len(passes.items) > made + 20)
            assert sum([len(str(await anext(stream))) for _ in range(2)]) >= 20

    within(scenario)


def test_closing_finishes_what_was_begun_and_takes_nothing_new(music_predictor: Predictor[Any]) -> None:
    batcher = StepBatcher(music_predictor, 2)

    async def scenario() -> None:
        sampling = Sampling(200, 1.0, 1.0, 5)
        writing = asyncio.create_task(batcher.write(PROMPT, sampling))
        await until(lambda: batcher.accepted == 1)
        await asyncio.to_thread(batcher.close)
        assert (await writing)[0] == alone(music_predictor, PROMPT, sampling)
        with pytest.raises(RuntimeError, match="no tunes are written any more"):
            await batcher.write(PROMPT, sampling)
        assert batcher.accepted == 0

    within(scenario)


def test_who_waits_for_the_first_pass_is_counted(
    batcher: StepBatcher, music_predictor: Predictor[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    held, in_pass, whole = threading.Event(), threading.Event(), music_predictor.run

    def hold(feeds: Tensors) -> Tensors:
        in_pass.set()
        held.wait(10)
        return whole(feeds)

    async def scenario() -> None:
        monkeypatch.setattr(music_predictor, "run", hold)
        calls = [asyncio.create_task(batcher.next_characters(PROMPT, 1))]
        await until(in_pass.is_set)
        calls += [asyncio.create_task(batcher.next_characters(PROMPT, 1)) for _ in range(2)]
        await until(lambda: batcher.accepted == 3)
        assert batcher.queue_depth == 2
        held.set()
        timings = [timing for _, timing in await asyncio.gather(*calls)]
        assert batcher.queue_depth == 0
        assert min(timings[1].queue, timings[2].queue) > 0

    within(scenario)
