"""Files of a bundle, read as if they came from a stranger: plain ones, within the folder, and no larger than is sensible."""

import hashlib
import stat
from pathlib import Path
from typing import Any

from pydantic_core import from_json

_KIB, _MIB = 1 << 10, 1 << 20
MOST_BYTES = {
    "model.onnx": 1024 * _MIB,  # protobuf itself ends at 2 GiB
    "vocab.json": 16 * _MIB,  # a million words
    "scaler.json": _MIB,
    "golden.json": 4 * _MIB,  # it is run at every start; that of the cells holds every gate
    "bundle.json": _MIB,
    "recipe.toml": _MIB,
    "card.md": _MIB,
    "CURRENT": _KIB,
}
"""File -> the largest that is read."""

_MOST_MESSAGE = 1000


class BundleError(Exception):
    """The bundle cannot be served; the message names the file and the reason, and never grows with what is wrong in it."""

    def __init__(self, message: str) -> None:
        super().__init__(message if len(message) <= _MOST_MESSAGE else f"{message[:_MOST_MESSAGE]}...")


def read_file(path: Path) -> bytes:
    """Its whole content. Raises BundleError, before anything is read, for what is not a plain file of a sensible size.

    A link may lead to another file of the same folder, never out of it; a pipe or a device could be read without end.
    """
    most = MOST_BYTES[path.name]
    try:
        if not path.resolve().is_relative_to(path.parent.resolve()):
            raise BundleError(f"{path}: a link that leads out of the folder, allowed is a file in it")
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise BundleError(f"{path}: {stat.filemode(about.st_mode)[0]!r} is its kind, allowed is a plain file")
        if about.st_size > most:
            raise BundleError(f"{path}: {about.st_size} bytes, allowed are {most}")
        with path.open("rb") as file:
            content = file.read(about.st_size + 1)
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: before Python 3.13, links that lead in a circle
        raise BundleError(f"{path}: not readable: {getattr(error, 'strerror', None) or type(error).__name__}") from error
    if len(content) != about.st_size:
        raise BundleError(f"{path}: {about.st_size} bytes became {len(content)} while it was read")
    return content


def read_checked(path: Path, sha256: str) -> bytes:
    """The content, if it has this checksum. Raises BundleError."""
    content = read_file(path)
    if (got := hashlib.sha256(content).hexdigest()) != sha256:
        raise BundleError(f"{path}: SHA-256 is {got[:12]}..., the manifest says {sha256[:12]}...")
    return content


def parsed(path: Path, content: bytes) -> Any:
    """JSON without NaN and nested no deeper than an answer could carry on. Raises BundleError."""
    try:
        return from_json(content, allow_inf_nan=False)
    except ValueError as error:
        raise BundleError(f"{path}: no JSON: {error}") from error


def decoded(path: Path, content: bytes) -> str:
    """UTF-8. Raises BundleError."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise BundleError(f"{path}: no UTF-8: {error.reason} at byte {error.start}") from error
