"""Files that a process holds the lock of for as long as it lives, so that others know whether it does."""

import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl


def locked(path: Path, wait: bool) -> int | None:
    """The open file, locked; None if another process has the lock, or let go of the file just now. Raises OSError."""
    while True:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if os.fstat(file).st_nlink:
                return file
        except BlockingIOError:
            wait = False
        os.close(file)
        if not wait:
            return None
