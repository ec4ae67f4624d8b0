"""Loads bundles of which bytes were changed, with checksums that hide it; says in JSON how many loaded and were refused.

In a process of its own, with bounded memory: whatever else happens, a crash too, ends it.
"""

import json
import random
import resource
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from app.bundle import BundleError
from app.predictor import load_predictor
from tests.app.damage import replace
from tests.app.loading import memory

_FILES = ["model.onnx", "model.onnx", "golden.json", "scaler.json", "bundle.json"]
_MOST_MEMORY = 6 << 30  # of address space, most of which is never used
_EDGE = 4000  # of a graph, names and nodes stand at its ends; in between are weights, where a change is no news


def damaged(content: bytes, chance: random.Random) -> bytes:
    changed, edge = bytearray(content), min(_EDGE, len(content))
    for _ in range(chance.randint(1, 4)):
        place = chance.choice([chance.randrange(edge), -1 - chance.randrange(edge), chance.randrange(len(changed))])
        changed[place] = chance.choice([chance.randrange(256), 0, 255, changed[place] ^ (1 << chance.randrange(8))])
    if chance.random() < 0.1:
        del changed[chance.randrange(len(changed)) :]
    return bytes(changed)


def main(whole: Path, bundles: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as home:
        for seed in range(bundles):
            chance, folder = random.Random(seed), Path(home) / str(seed)
            shutil.copytree(whole, folder)
            name = chance.choice(_FILES)
            content = damaged((folder / name).read_bytes(), chance)
            if name == "bundle.json":
                (folder / name).write_bytes(content)
            else:
                replace(folder, name, content)
            try:
                load_predictor(folder, "cpu")
                found["loaded"] += 1
            except BundleError:
                found["refused"] += 1
            shutil.rmtree(folder)
    print(json.dumps({**found, "mib": memory("VmHWM") >> 20}))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
