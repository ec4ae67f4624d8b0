"""One timer for many."""

import asyncio

from app.deadlines import Deadlines

AFTER_S = 0.3


class One:
    def __init__(self) -> None:
        self.was_late = 0

    def late(self) -> None:
        self.was_late += 1


def test_only_those_that_are_not_done_are_late() -> None:
    async def run() -> tuple[One, One]:
        deadlines, done, slow = Deadlines(AFTER_S), One(), One()
        for one in (done, slow):
            deadlines.add(one, asyncio.get_running_loop())
        deadlines.remove(done)
        await asyncio.sleep(3 * AFTER_S)
        deadlines.remove(slow)
        return done, slow

    done, slow = asyncio.run(run())
    assert (done.was_late, slow.was_late) == (0, 1)


def test_each_has_its_whole_time() -> None:
    async def run() -> tuple[list[int], list[int]]:
        deadlines, first, second = Deadlines(AFTER_S), One(), One()
        loop = asyncio.get_running_loop()
        deadlines.add(first, loop)
        await asyncio.sleep(0.6 * AFTER_S)
        deadlines.add(second, loop)
        await asyncio.sleep(0.6 * AFTER_S)
        early = [first.was_late, second.was_late]
        await asyncio.sleep(2 * AFTER_S)
        return early, [first.was_late, second.was_late]

    early, later = asyncio.run(run())
    assert early == [1, 0]
    assert later == [1, 1]


def test_it_goes_on_in_another_loop() -> None:
    deadlines = Deadlines(AFTER_S)

    async def run() -> int:
        one = One()
        deadlines.add(one, asyncio.get_running_loop())
        await asyncio.sleep(3 * AFTER_S)
        return one.was_late

    async def leave() -> None:
        deadlines.add(One(), asyncio.get_running_loop())  # its loop ends before it is late

    assert asyncio.run(run()) == 1
    asyncio.run(leave())
    assert asyncio.run(run()) == 1
