"""Servers of the benchmarks as processes."""

import subprocess
import sys

import psutil

from benchmarks.serving.processes import wait_until_at_rest

_WORK_S = 1.5
_BUSY = f"""
import os, time
if os.fork():
    time.sleep(60)
print("at work", flush=True)
while time.process_time() < {_WORK_S}:
    sum(range(10_000))
time.sleep(60)
"""


def test_a_server_is_at_rest_when_what_it_has_started_is() -> None:
    with subprocess.Popen([sys.executable, "-c", _BUSY], start_new_session=True, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == b"at work\n"
            wait_until_at_rest(process.pid)
            (child,) = psutil.Process(process.pid).children()
            times = child.cpu_times()
            assert times.user + times.system >= _WORK_S - 0.1
        finally:
            for member in psutil.Process(process.pid).children():
                member.kill()
            process.kill()
