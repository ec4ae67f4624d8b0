"""Servers as processes of their own: started on their cores, waited for, and ended with all they have started."""

import contextlib
import logging
import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from benchmarks.serving.cores import pinned

log = logging.getLogger(__name__)

_MOST_START_S = 60.0
_MOST_END_S = 10.0
_MOST_REST_S = 30.0
_LOOK_S = 0.5
_AT_REST = 0.25  # of a core: who computes takes all of one, and some look for work so often that they take a seventh
_LOOKS_AT_REST = 3  # in a row, since who computes beside others may get next to nothing of a core for a moment


class ServerFailed(Exception):
    """A server did not start, or ended by itself; the message has its last lines."""


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on now, all different."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in listeners]


@contextmanager
def running(
    command: Sequence[str],
    cores: Sequence[int],
    environment: Mapping[str, str],
    folder: Path,
    answers: Callable[[], bool],
) -> Iterator[subprocess.Popen[bytes]]:
    """A server in `folder`, from the moment it answers to the end of the block. Raises ServerFailed.

    Its output goes to a file, as under a supervisor.
    """
    output = folder / "output.log"
    with output.open("wb") as file:
        process = subprocess.Popen(  # noqa: S603
            pinned(command, cores),
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches this process, which then ends that one
        )
    try:
        _wait(process, answers, output)
        yield process
    finally:
        end(process)


def _wait(process: subprocess.Popen[bytes], answers: Callable[[], bool], output: Path) -> None:
    deadline, folder_name = time.monotonic() + _MOST_START_S, output.parent.name
    while not answers():
        if process.poll() is not None:
            raise ServerFailed(f"{folder_name} ended with {process.returncode}:\n{_last_lines(output)}")
        if time.monotonic() > deadline:
            raise ServerFailed(f"{folder_name}: no answer within {_MOST_START_S:.0f} s:\n{_last_lines(output)}")
        time.sleep(0.1)


def _last_lines(output: Path) -> str:
    return "\n".join(output.read_text("utf-8", "replace").splitlines()[-20:])


def wait_until_at_rest(process_id: int) -> None:
    """Until a server with all it has started does next to nothing: many go on with what clients asked who are gone by now, and
    that must not count against what they are asked next."""
    deadline, before_s, quiet = time.monotonic() + _MOST_REST_S, _worked_s(process_id), 0
    while time.monotonic() < deadline:
        time.sleep(_LOOK_S)
        now_s = _worked_s(process_id)
        quiet = quiet + 1 if now_s - before_s < _AT_REST * _LOOK_S else 0
        if quiet == _LOOKS_AT_REST:
            return
        before_s = now_s
    log.warning("process %d is still at work after %.0f s without a request", process_id, _MOST_REST_S)


def _worked_s(process_id: int) -> float:
    """Seconds of processor time so far."""
    total_s, first = 0.0, psutil.Process(process_id)
    for member in (first, *first.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = member.cpu_times()
            total_s += times.user + times.system
    return total_s


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask it to end, then make it and everything it started."""
    try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        family = []
    process.terminate()
    _, alive = psutil.wait_procs(family, timeout=_MOST_END_S)
    for member in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()
    process.wait()
    # Whoever lost its parent before it was counted is still in the session's group.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
