"""Installs pip into the environment of the Python that runs this, where the system's Python came without it.

Debian and Ubuntu keep `ensurepip` in a package that only root can add. Standard library only.
"""

import hashlib
import json
import runpy
import sys
import tempfile
import urllib.request
from pathlib import Path

INDEX = "https://pypi.org/simple/pip/"
WHEEL = "pip-26.3-py3-none-any.whl"
SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"


def main() -> None:
    """Downloads the wheel, checks it, and lets it install itself."""
    request = urllib.request.Request(INDEX, headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    with urllib.request.urlopen(request) as answer:
        url = next(file["url"] for file in json.load(answer)["files"] if file["filename"] == WHEEL)
    with urllib.request.urlopen(url) as answer:
        content = answer.read()
    if (got := hashlib.sha256(content).hexdigest()) != SHA256:
        sys.exit(f"error: {url} has the SHA-256 {got}, expected {SHA256}")
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(folder) / WHEEL
        wheel.write_bytes(content)
        sys.path.insert(0, str(wheel))
        sys.argv = ["pip", "install", "--quiet", "--no-index", str(wheel)]
        runpy.run_module("pip", run_name="__main__")


if __name__ == "__main__":
    main()
