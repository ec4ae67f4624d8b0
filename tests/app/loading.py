"""Loads the bundles it is told on its command line, with little more memory than it has by then; says what became of each.

A line of JSON for each: what the refusal says (null if it loaded), and by how many bytes the process' peak grew.
"""

import json
import resource
import sys
from pathlib import Path

from app.bundle import BundleError
from app.predictor import load_predictor

_ROOM = 512 << 20  # an address space; of the real memory the caller sees to


def memory(field: str) -> int:
    """Bytes of this process: VmSize its address space, VmHWM its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{field}:")).split()[1]) * 1024


def main(whole: str, *damaged: str) -> None:
    load_predictor(Path(whole), "cpu")  # what a good one needs is there
    limit = memory("VmSize") + _ROOM
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for folder in damaged:
        before = memory("VmHWM")
        said = None
        try:
            load_predictor(Path(folder), "cpu")
        except BundleError as error:
            said = str(error)
        print(json.dumps([said, memory("VmHWM") - before]), flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
