"""The machine and the versions that the figures belong to."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import psutil

from app.bundle import current_folder
from benchmarks.serving.contestants import MLSERVER, PRODUCT, REPOSITORY, RIVALS
from benchmarks.serving.cores import Cores

_PACKAGES = ("onnxruntime", "numpy", "fastapi", "starlette", "uvicorn", "uvloop", "httptools", "pydantic", "sqlalchemy")
_RIVALS = ("litserve", "bentoml", "onnxruntime", "numpy", "fastapi", "uvicorn", "uvloop", "httptools")
_MLSERVER = ("mlserver", "onnxruntime", "numpy", "fastapi", "uvicorn", "uvloop", "httptools")


def machine_facts(models: Path, scratch: Path, cores: Cores, settings: Mapping[str, object]) -> dict[str, str]:
    """What the page's table of facts says, in its order."""
    facts = {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _said("git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"),
        "bundle": current_folder(models, "sentiment").name,
        "processor": _processor(),
        "cores this process may use": str(len(os.sched_getaffinity(0))),
        "cores: server, client": f"{cores.server[0]}, {cores.client[0]}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "load average at the start": f"{os.getloadavg()[0]:.2f}",
        "file system of the database": _said("df", "--output=fstype", str(scratch)).split()[-1],
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "wrk": _said("wrk", "-v").partition(" Copyright")[0],
        "product": _versions(PRODUCT, _PACKAGES),
        "LitServe, BentoML": _versions(RIVALS, _RIVALS),
        "MLServer": _versions(MLSERVER, _MLSERVER),
    }
    return facts | {name: str(value) for name, value in settings.items()}


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    found = dict(line.split(":", 1) for line in lines if ":" in line)
    names = {name.strip(): value.strip() for name, value in found.items()}
    return names.get("model name", platform.machine())


def _said(*command: str) -> str:
    """What a command says; wrk says its version and ends with an error."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    except OSError:
        return "unknown"
    return done.stdout.strip() or done.stderr.strip()


def _versions(python: Path, packages: tuple[str, ...]) -> str:
    """As they are installed in an environment."""
    if not python.exists():
        return "not installed"
    program = "import importlib.metadata as m, json, sys; print(json.dumps({n: m.version(n) for n in sys.argv[1:]}))"
    done = subprocess.run([str(python), "-c", program, *packages], capture_output=True, text=True, check=True)  # noqa: S603
    return ", ".join(f"{name} {version}" for name, version in json.loads(done.stdout).items())
