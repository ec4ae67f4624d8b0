"""Callers of a StepBatcher: what they ask, what they would get alone, and how long they wait at most."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from app.batcher import Pass
from app.predictor import Predictor
from app.tasks.sampling import Sampling

PROMPT = "X:1\nT:Tune\nM:4/4\nL:1/8\nK:G\n"
LONG = PROMPT + "GABc|dBAG|" * 200
ENDLESS = Sampling(20_000, 1.0, 1.0, 1)


class Passes:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.items: list[int] = []
        self.useful: list[int] = []
        self.padded = 0
        self.seconds = 0.0

    def __call__(self, done: Pass) -> None:
        self.items.append(done.items)
        self.useful.append(done.steps)
        self.padded += done.padded_steps - done.steps
        self.seconds += done.seconds


def alone(predictor: Predictor[Any], prompt: str, sampling: Sampling) -> list[str]:
    return list(predictor.task.continuation(predictor.run, prompt, sampling))


def within(scenario: Callable[[], Coroutine[Any, Any, Any]], most_s: float = 30) -> Any:
    """What it returns; a caller that is forgotten fails the test instead of hanging it."""

    async def limited() -> Any:
        async with asyncio.timeout(most_s):
            return await scenario()

    return asyncio.run(limited())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)
