"""Several processes that serve side by side on one socket, and the one that starts, replaces and ends them."""

import os
import signal
import sys
import threading
from multiprocessing import parent_process

from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess


def serve_side_by_side(config: Config) -> None:
    """Until a signal ends them. Where they cannot start, the exit code says so, as that of a single process does."""
    supervisor = _Supervisor(config, [config.bind_socket()])
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        sys.exit(STARTUP_FAILURE)


def end_with_supervisor() -> None:
    """If that is killed, this process ends as if told to: else it would go on, hold the address, and keep a new one from
    starting. Does nothing in a process that serves alone."""
    if parent_process():
        threading.Thread(target=_end_with_supervisor, name="supervisor", daemon=True).start()


def _end_with_supervisor() -> None:
    if supervisor := parent_process():
        supervisor.join()
        os.kill(os.getpid(), signal.SIGTERM)


class _Supervisor(Multiprocess):
    """uvicorn's, which would hold the socket until the last of them has ended: who called meanwhile would wait in its queue
    and be cut off then, and is refused at once."""

    def terminate_all(self) -> None:
        super().terminate_all()
        for listener in self.sockets:
            listener.close()
