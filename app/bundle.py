"""A ModelBundle: one folder with a graph, its vocabulary or scaler, its contract, its checksums and its own test.

    models/<task>/<version>/
        model.onnx                  named inputs and outputs, dynamic batch and time
        vocab.json | scaler.json    what turns raw input into tensors
        golden.json                 raw inputs with the answers of the network that was exported, and a tolerance
        recipe.toml                 the settings that made it
        card.md                     trained on what, scores what, not for what
        bundle.json                 the manifest: contract, metrics, SHA-256 of every other file
    models/<task>/CURRENT           the version that is served

No code and no pickle. A bundle is written under another name and renamed, so half a bundle cannot exist.
"""

import hashlib
import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.bundle_files import BundleError as BundleError  # noqa: PLC0414 - what reading a bundle raises is found here
from app.bundle_files import decoded, parsed, read_checked, read_file
from app.tasks.reference import Reference

FORMAT = 1
MANIFEST = "bundle.json"
CURRENT = "CURRENT"
_VERSION = re.compile("[0-9]{8}-(rnn|lstm|gru|all)-[0-9a-f]{6}")
ASSETS = {"sentiment": "vocab.json", "rainfall": "scaler.json", "music": "vocab.json", "cells": "vocab.json"}


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TensorContract(_Part):
    """One input or output of the graph. `shape` holds sizes and the names of free axes."""

    dtype: Literal["float32", "int32", "int64", "bool"]
    shape: list[int | str]
    unit: str
    meaning: str


class Manifest(_Part):
    """bundle.json. `reference`: how the numbers that are observed of requests were spread over the validation data."""

    format: Literal[1]
    task: Literal["sentiment", "rainfall", "music", "cells"]
    version: str = Field(pattern=f"^{_VERSION.pattern}$")
    cell: Literal["rnn", "lstm", "gru", "all"] = Field(description="`all`: the three side by side, of a demonstration.")
    precision: Literal["fp32", "int8"]
    created: str
    inputs: dict[str, TensorContract]
    outputs: dict[str, TensorContract]
    settings: dict[str, Any]
    vocabulary_size: int = Field(gt=0)
    metrics: dict[str, float | str]
    data: dict[str, Any]
    sha256: dict[str, str]
    reference: dict[str, Reference] | None = None


class GoldenCase(_Part):
    """A raw input and the plain numbers of its answer."""

    input: Any
    numbers: list[float]


class Golden(_Part):
    """The bundle's own test: each number within `tolerance` (absolute, or relative to numbers above 1)."""

    tolerance: float = Field(gt=0)
    cases: list[GoldenCase] = Field(min_length=1)


@dataclass(frozen=True)
class ModelBundle:
    """A bundle whose files are present, whole and consistent. Whether the graph fits is for the Predictor to find."""

    folder: Path
    manifest: Manifest
    asset: list[Any]
    golden: Golden
    card: str

    @property
    def graph(self) -> bytes:
        """Read when it is needed, and checked again. Raises BundleError."""
        return read_checked(self.folder / "model.onnx", self.manifest.sha256["model.onnx"])


def read_bundle(folder: Path) -> ModelBundle:
    """Format known, files present, checksums, vocabulary size. Raises BundleError."""
    manifest = _manifest(folder)
    asset_file = ASSETS[manifest.task]
    holds, listed = {"model.onnx", asset_file, "golden.json", "recipe.toml", "card.md"}, manifest.sha256
    if missing := holds - listed.keys():
        raise BundleError(f"{folder / MANIFEST}: no checksum for {', '.join(sorted(missing))}")
    if others := listed.keys() - holds:
        raise BundleError(f"{folder / MANIFEST}: lists {min(others)[:80]!a}, a bundle holds {', '.join(sorted(holds))}")
    asset = _asset(folder / asset_file, manifest)
    golden = _golden(folder / "golden.json", listed["golden.json"])
    card = decoded(folder / "card.md", read_checked(folder / "card.md", listed["card.md"]))
    for name in ("recipe.toml", "model.onnx"):  # whole, if nothing else
        read_checked(folder / name, listed[name])
    return ModelBundle(folder, manifest, asset, golden, card)


def current_folder(models: Path, task: str) -> Path:
    """The folder of the version that `models/<task>/CURRENT` names. Raises BundleError."""
    pointer = models / task / CURRENT
    version = decoded(pointer, read_file(pointer)).strip()
    folder = models / task / version
    if not _VERSION.fullmatch(version) or not folder.is_dir():
        raise BundleError(f"{pointer}: names {version[:80]!a}, which is no folder beside it")
    return folder


def version_folder(models: Path, task: str, version: str) -> Path:
    """Raises BundleError if there is none."""
    if task not in ASSETS:
        raise BundleError(f"no task {task[:80]!a}, there are {', '.join(ASSETS)}")
    if not _VERSION.fullmatch(version) or not (models / task / version / MANIFEST).is_file():
        raise BundleError(f"{models / task}: no version {version[:80]!a}")
    return models / task / version


def check_place(bundle: ModelBundle) -> None:
    """Raises BundleError unless it lies at models/<task>/<version>, under the names that its manifest has for it."""
    manifest, folder = bundle.manifest, bundle.folder.absolute()
    if (manifest.task, manifest.version) != (folder.parent.name, folder.name):
        said, got = f"{manifest.task}/{manifest.version}", f"{folder.parent.name}/{folder.name}"
        raise BundleError(f"{bundle.folder / MANIFEST}: is of {said}, but lies in {got}")


def set_current(models: Path, task: str, version: str) -> None:
    """Serve this version from the next start on. Raises BundleError if there is none."""
    version_folder(models, task, version)
    part = models / task / f"{CURRENT}.part"
    part.write_text(version + "\n", "utf-8")
    part.rename(models / task / CURRENT)


def seal_bundle(models: Path, manifest: dict[str, Any], files: dict[str, bytes]) -> Path:
    """Write `files` and the manifest, with their checksums, to models/<task>/<version> in one step; the folder.

    A version that is there already stays as it is. Raises BundleError if the parts do not make a whole bundle, or the version
    that is there answers otherwise.
    """
    sha256 = {name: hashlib.sha256(content).hexdigest() for name, content in sorted(files.items())}
    checked = Manifest.model_validate({**manifest, "format": FORMAT, "sha256": sha256})
    home = models / checked.task
    part, folder = home / f".{checked.version}.part", home / checked.version
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        for name, content in files.items():
            (part / name).write_bytes(content)
        (part / MANIFEST).write_text(_as_json(checked), "utf-8")
        read_bundle(part)
        if not folder.exists():
            part.rename(folder)
        elif _answering(_manifest(folder).sha256) != _answering(sha256):
            raise BundleError(f"{folder}: is there already, with other content; to take the new one, remove it")
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _answering(sha256: dict[str, str]) -> dict[str, str]:
    """Of the files that make a bundle what it is; the others tell of it."""
    return {name: digest for name, digest in sha256.items() if name not in {"card.md", "golden.json"}}


def refer(bundle: ModelBundle, reference: dict[str, Reference]) -> None:
    """Write the manifest anew, with this reference, in one step. All else stays, the version too: it names what answers."""
    part = bundle.folder / f".{MANIFEST}.part"
    part.write_text(_as_json(bundle.manifest.model_copy(update={"reference": reference})), "utf-8")
    part.rename(bundle.folder / MANIFEST)


def _as_json(manifest: Manifest) -> str:
    return json.dumps(manifest.model_dump(exclude_none=True), indent=2, ensure_ascii=False) + "\n"


def _manifest(folder: Path) -> Manifest:
    path = folder / MANIFEST
    content = parsed(path, read_file(path))
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        got = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise BundleError(f"{path}: format {got!a} is unknown, expected {FORMAT}")
    try:
        return Manifest.model_validate(content)
    except ValidationError as error:
        raise BundleError(f"{path}: {_first(error)}") from error


def _asset(path: Path, manifest: Manifest) -> list[Any]:
    asset = parsed(path, read_checked(path, manifest.sha256[path.name]))
    if not isinstance(asset, list) or len(asset) != manifest.vocabulary_size:
        got = f"{len(asset)} entries" if isinstance(asset, list) else type(asset).__name__
        raise BundleError(f"{path}: {got}, the manifest says {manifest.vocabulary_size}")
    return asset


def _golden(path: Path, sha256: str) -> Golden:
    try:
        return Golden.model_validate(parsed(path, read_checked(path, sha256)))
    except ValidationError as error:
        raise BundleError(f"{path}: {_first(error)}") from error


def _first(error: ValidationError) -> str:
    first = error.errors(include_input=False)[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
