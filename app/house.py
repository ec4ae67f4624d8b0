"""The House: what one running application owns, and how routes reach it."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from app.batcher import Batcher
from app.demonstration import Demonstration
from app.entry import Entry
from app.gate import Gate
from app.key_ring import KeyRing
from app.registry import Registry
from app.request_log import RequestLog
from app.stats.statistics import Statistics
from app.steps import StepBatcher


@dataclass
class House:
    """Built and closed by the lifespan. `gates`: task, or demonstration, -> Gate."""

    registry: Registry
    demonstration: Demonstration
    request_log: RequestLog
    key_ring: KeyRing
    gates: dict[str, Gate]
    statistics: Statistics

    def serves(self, task: str) -> bool:
        """Whether there is a model for what has a gate."""
        return not (self.demonstration.fault if task == self.demonstration.name else self.registry.faults.get(task))


def house_of(request: Request) -> House:
    house: House = request.app.state.house
    return house


def entry_of(request: Request) -> Entry:
    entry: Entry = request.state.entry
    return entry


def batcher_of(request: Request, task: str) -> Batcher[Any, Any]:
    """Raises TaskUnavailable."""
    batcher: Batcher[Any, Any] = house_of(request).registry.served(task)
    return batcher


def music_of(request: Request) -> StepBatcher:
    """Raises TaskUnavailable."""
    music: StepBatcher = house_of(request).registry.served("music")
    return music


HouseDep = Annotated[House, Depends(house_of)]
EntryDep = Annotated[Entry, Depends(entry_of)]
