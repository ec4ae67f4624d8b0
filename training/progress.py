"""Progress on standard error, for people: nothing is drawn where nobody watches."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

T = TypeVar("T")


def progress() -> Progress:
    """A bar with counts and the time left; it goes when it is done."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def track(items: Iterable[T], title: str, total: int | None = None) -> Iterator[T]:
    """The items, counted as they pass; `total` where it is known."""
    with progress() as bar:
        task = bar.add_task(title, total=total)
        for item in items:
            yield item
            bar.advance(task)
