"""A walk through a page: its code blocks are run in order, in a fresh folder, against a real server.

A block of `bash` is run by bash. One whose last line is `make serve` starts the server, or ends it (as Ctrl+C does) and starts
it anew. A block of `python` goes on where the one before ended. A block of `text` is what the block before it must have
printed, but for white space: `...` stands for anything, and a number with a decimal point for any that is near.

What differs from a reader's machine: the environment of the tests stands in the place of the one that `make` would set up, and
the word `make` means what its targets run, without the set-up, so nothing is downloaded; and the port is a free one, not 8000.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from markdown_it import MarkdownIt

REPOSITORY = Path(__file__).parents[2]
_MAKE = """#!/usr/bin/env bash
# The targets of the Makefile, once their set-up is done: `make serve`, `make train TASK=... ARGS=...`
set -euo pipefail
target=$1 TASK=sentiment ARGS=
for setting in "${@:2}"; do declare "$setting"; done
case $target in
    serve) exec .venv/bin/gatehouse serve --migrate --host 127.0.0.1 --port "$PORT" ;;
    train) eval exec .venv/bin/gatehouse train "$TASK" "$ARGS" ;;
    *) echo "no target $target here" >&2; exit 2 ;;
esac
"""
_PYTHON = """
import json, sys
names = {}
for line in sys.stdin:
    exec(compile(json.loads(line), "<block>", "exec"), names)
    print(end="\\0", flush=True)
"""
_NUMBER = re.compile(r"\d+\.\d+(?:e-?\d+)?")


class Walk:
    """Of one page, in `folder`: a copy of what a clone has of data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._python: subprocess.Popen[str] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self._port = str(free.getsockname()[1])
        shutil.copytree(REPOSITORY / "models", folder / "models")
        (folder / ".venv").symlink_to(sys.prefix)
        programs = folder / ".programs"
        programs.mkdir()
        (programs / "make").write_text(_MAKE)
        (programs / "make").chmod(0o755)
        own = {name: value for name, value in os.environ.items() if not name.startswith("GATEHOUSE_")}
        self._environment = {**own, "PATH": f"{programs}:{own['PATH']}", "PORT": self._port}

    def run(self, language: str, block: str) -> str:
        """What it prints. Raises AssertionError where it fails."""
        block = block.replace("8000", self._port)
        if language == "python":
            return self._continue(block)
        if block.rstrip().endswith("make serve"):
            self._serve(block)
            return ""
        bash = ["bash", "-euo", "pipefail", "-c", block]
        done = subprocess.run(bash, cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        return done.stdout

    def end(self) -> None:
        """Of the interpreter and of the server."""
        if self._python:
            self._python.communicate()
        self._stop()

    def _stop(self) -> None:
        """As Ctrl+C does."""
        if self._server:
            os.killpg(self._server.pid, signal.SIGINT)
            self._server.wait(30)
            self._server = None

    def _continue(self, block: str) -> str:
        self._python = self._python or subprocess.Popen(
            [".venv/bin/python", "-c", _PYTHON],
            cwd=self.folder,
            env=self._environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        assert self._python.stdin
        assert self._python.stdout
        self._python.stdin.write(json.dumps(block) + "\n")
        self._python.stdin.flush()
        printed = ""
        while not printed.endswith("\0"):
            character = self._python.stdout.read(1)
            assert character, f"{block}\n{printed}"
            printed += character
        return printed[:-1]

    def _serve(self, block: str) -> None:
        self._stop()
        log = self.folder / "server.log"
        with log.open("wb") as file:
            self._server = subprocess.Popen(
                ["bash", "-c", block], cwd=self.folder, env=self._environment, stderr=file, start_new_session=True
            )
        for _ in range(1200):
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{self._port}/readyz").status_code == 200:
                    return
            assert self._server.poll() is None, log.read_text()
            time.sleep(0.1)
        raise AssertionError(f"the server is not ready: {log.read_text()}")


@contextmanager
def walking(folder: Path) -> Iterator[Walk]:
    """A Walk whose server ends with it."""
    walk = Walk(folder)
    try:
        yield walk
    finally:
        walk.end()


def blocks(page: str) -> list[tuple[str, str]]:
    """Language and text of each fenced block."""
    return [(token.info, token.content) for token in MarkdownIt().parse(page) if token.type == "fence"]


def agrees(said: str, printed: str) -> bool:
    """Whether a page says what was printed."""
    pattern = "".join(_pattern(part) for part in re.split(r"(\.\.\.|\d+\.\d+(?:e-?\d+)?|\s+)", said.strip()))
    found = re.fullmatch(pattern, re.sub(r"\s+", "", printed), re.DOTALL)
    return found is not None and all(
        abs(float(got) - float(given)) <= max(0.02, 0.05 * abs(float(given)))
        for got, given in zip(found.groups(), _NUMBER.findall(said), strict=True)
    )


def _pattern(part: str) -> str:
    if part == "...":
        return ".*?"
    if _NUMBER.fullmatch(part):
        return r"(\d+(?:\.\d+)?(?:e-?\d+)?)"
    return "" if part.isspace() else re.escape(part)
