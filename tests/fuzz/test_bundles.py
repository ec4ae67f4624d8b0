"""Bundles of which bytes were changed load or are refused: no other error, no crash, no hang, no growth."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from app.bundle import current_folder
from tests.conftest import REPOSITORY
from tests.fuzz.thoroughness import EXAMPLES

_BUNDLES = 10 * EXAMPLES
_MOST_MIB = 300


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited as Linux does it")
def test_changed_bytes_are_refused_or_do_no_harm(tiny_models: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz.flipped", str(current_folder(tiny_models, "rainfall")), str(_BUNDLES)]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, timeout=60 + _BUNDLES / 4, check=False)
    assert ended.returncode == 0, ended.stderr[-3000:].decode("utf-8", "replace")
    found = json.loads(ended.stdout.splitlines()[-1])
    print(found)  # noqa: T201
    assert found["loaded"] + found["refused"] == _BUNDLES
    assert found["refused"] > _BUNDLES / 4
    assert found["mib"] < _MOST_MIB
