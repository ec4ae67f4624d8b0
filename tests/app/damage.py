"""Damage to a bundle, with checksums that hide it."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def edit(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the manifest."""
    manifest = json.loads((folder / "bundle.json").read_text())
    change(manifest)
    (folder / "bundle.json").write_text(json.dumps(manifest))


def replace(folder: Path, name: str, content: bytes) -> None:
    """Change a file and its checksum with it."""
    (folder / name).write_bytes(content)
    edit(folder, lambda manifest: manifest["sha256"].update({name: hashlib.sha256(content).hexdigest()}))


def change_graph(folder: Path, change: Callable[[Any], Any]) -> None:
    """Change the graph, an onnx.ModelProto, in place."""
    import onnx

    model = onnx.load_from_string((folder / "model.onnx").read_bytes())
    change(model)
    replace(folder, "model.onnx", model.SerializeToString())


def replace_by(path: Path, put: Callable[[Path], Any]) -> None:
    """Put something else than a plain file in a file's place."""
    path.unlink()
    put(path)


def inflate(path: Path, size: int) -> None:
    """A file of so many bytes that takes no room on the disk."""
    with path.open("ab") as file:
        file.truncate(size)
