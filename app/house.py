"""The House: what one running application owns, and how routes reach it."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from app.entry import Entry
from app.registry import Registry
from app.request_log import RequestLog
from app.runner import Runner
from app.tasks.music import Music
from app.tasks.rainfall import Rainfall
from app.tasks.sentiment import Sentiment


@dataclass
class House:
    """Built and closed by the lifespan."""

    registry: Registry
    request_log: RequestLog


def _house(request: Request) -> House:
    house: House = request.app.state.house
    return house


def _entry(request: Request) -> Entry:
    entry: Entry = request.state.entry
    return entry


def _runner(task: str) -> Any:
    def find(request: Request) -> Runner[Any]:
        return _house(request).registry.runner(task)

    return Depends(find)


HouseDep = Annotated[House, Depends(_house)]
EntryDep = Annotated[Entry, Depends(_entry)]
SentimentDep = Annotated[Runner[Sentiment], _runner("sentiment")]
RainfallDep = Annotated[Runner[Rainfall], _runner("rainfall")]
MusicDep = Annotated[Runner[Music], _runner("music")]
