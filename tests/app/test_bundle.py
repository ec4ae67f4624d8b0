"""A damaged bundle is refused with the file and the reason, whatever the damage."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.bundle import BundleError, current_folder, read_bundle, seal_bundle, set_current
from app.predictor import load_predictor
from tests.app.damage import edit, replace


def change_golden(folder: Path) -> None:
    golden = json.loads((folder / "golden.json").read_text())
    golden["cases"][0]["numbers"] = [0.0123]
    replace(folder, "golden.json", json.dumps(golden).encode())


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "no manifest": (lambda f: (f / "bundle.json").unlink(), "bundle.json: not readable: No such file"),
    "manifest cut short": (lambda f: (f / "bundle.json").write_text('{"format": 1'), "bundle.json: no JSON"),
    "manifest is a list": (lambda f: (f / "bundle.json").write_text("[]"), "format 'list' is unknown"),
    "manifest nested beyond reason": (lambda f: (f / "bundle.json").write_text("[" * 100_000), "bundle.json: no JSON"),
    "format of the future": (lambda f: edit(f, lambda m: m.update(format=2)), "format 2 is unknown, expected 1"),
    "unknown task": (lambda f: edit(f, lambda m: m.update(task="chess")), "bundle.json: task"),
    "missing file": (lambda f: (f / "vocab.json").unlink(), "vocab.json: not readable: No such file"),
    "changed file": (lambda f: (f / "card.md").write_text("better!"), "card.md: SHA-256 is"),
    "truncated graph": (lambda f: (f / "model.onnx").write_bytes(b"\x08"), "model.onnx: SHA-256 is"),
    "graph without checksum": (lambda f: edit(f, lambda m: m["sha256"].pop("model.onnx")), "no checksum for model.onnx"),
    "path out of the folder": (lambda f: edit(f, lambda m: m["sha256"].update({"../x": "0"})), "lists '../x', a bundle holds"),
    "vocabulary too short": (lambda f: replace(f, "vocab.json", b'["<pad>"]'), "vocab.json: 1 entries"),
    "vocabulary is no list": (lambda f: replace(f, "vocab.json", b"{}"), "vocab.json: dict"),
    "no golden case": (lambda f: replace(f, "golden.json", b'{"tolerance": 1, "cases": []}'), "golden.json: cases"),
    "graph is rubbish": (lambda f: replace(f, "model.onnx", b"rubbish"), "model.onnx: no ONNX file"),
    "graph is empty": (lambda f: replace(f, "model.onnx", b""), "model.onnx: onnxruntime cannot load it"),
    "other shape": (lambda f: edit(f, lambda m: m["inputs"]["ids"].update(shape=["batch", 7])), "model.onnx: its inputs are"),
    "other dtype": (lambda f: edit(f, lambda m: m["outputs"]["logit"].update(dtype="int64")), "model.onnx: its outputs are"),
    "other name": (lambda f: edit(f, lambda m: m["inputs"].update(x=m["inputs"].pop("ids"))), "model.onnx: its inputs are"),
    "input that may be left out": (lambda f: edit(f, lambda m: m["inputs"].pop("explain")), "model.onnx: its inputs are"),
    "settings missing": (lambda f: edit(f, lambda m: m["settings"].clear()), "settings or vocabulary do not fit"),
    "golden answer differs": (change_golden, "golden.json: case 0 gives"),
    "golden input is no text": (
        lambda f: replace(f, "golden.json", b'{"tolerance": 1, "cases": [{"input": 5, "numbers": [0]}]}'),
        "golden.json: case 0 fails: AttributeError",
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_bundle_is_refused_with_file_and_reason(folder: Path, damage: str) -> None:
    do, reason = DAMAGE[damage]
    do(folder)
    with pytest.raises(BundleError) as caught:
        load_predictor(folder)
    assert reason in str(caught.value)


def test_a_vocabulary_of_another_size_than_the_graphs_is_refused(folder: Path) -> None:
    words = [*json.loads((folder / "vocab.json").read_text()), "extra"]
    replace(folder, "vocab.json", json.dumps(words).encode())
    edit(folder, lambda manifest: manifest.update(vocabulary_size=len(words)))
    with pytest.raises(BundleError, match=f"made for a vocabulary of {len(words) - 1}, the manifest says {len(words)}"):
        load_predictor(folder)


def test_a_whole_bundle_is_read(folder: Path) -> None:
    bundle = read_bundle(folder)
    assert bundle.manifest.task == "sentiment"
    assert bundle.card.startswith("# sentiment")
    assert bundle.manifest.precision == "int8"


@pytest.mark.parametrize(("pointer", "reason"), [(None, "not readable"), ("../x", "is no folder"), ("", "is no folder")])
def test_a_bad_pointer_is_refused(tmp_path: Path, pointer: str | None, reason: str) -> None:
    (tmp_path / "music").mkdir()
    if pointer is not None:
        (tmp_path / "music" / "CURRENT").write_text(pointer)
    with pytest.raises(BundleError, match=reason):
        current_folder(tmp_path, "music")


def test_an_older_version_can_be_served_again(tiny_models: Path, tmp_path: Path) -> None:
    models = Path(shutil.copytree(tiny_models, tmp_path / "models"))
    version = current_folder(models, "music").name
    (models / "music" / "CURRENT").write_text("20200101-rnn-000000\n")
    set_current(models, "music", version)
    assert current_folder(models, "music").name == version
    with pytest.raises(BundleError, match="no version"):
        set_current(models, "music", "20200101-rnn-000000")


def test_a_bundle_that_does_not_hold_together_is_not_left_behind(folder: Path, tmp_path: Path) -> None:
    manifest = json.loads((folder / "bundle.json").read_text())
    del manifest["sha256"]
    names = ("model.onnx", "vocab.json", "recipe.toml", "card.md")
    files = {name: (folder / name).read_bytes() for name in names}
    with pytest.raises(BundleError, match=r"no checksum for golden\.json"):
        seal_bundle(tmp_path / "models", manifest, files)
    assert list((tmp_path / "models" / "sentiment").iterdir()) == []


def test_sealing_again_leaves_the_version_as_it_is_and_another_in_its_place_is_refused(folder: Path, tmp_path: Path) -> None:
    manifest = json.loads((folder / "bundle.json").read_text())
    del manifest["sha256"]
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.name != "bundle.json"}
    first = seal_bundle(tmp_path / "models", manifest, files)
    assert seal_bundle(tmp_path / "models", manifest, {**files, "card.md": b"# new"}) == first
    with pytest.raises(BundleError, match="is there already, with other content"):
        seal_bundle(tmp_path / "models", manifest, {**files, "recipe.toml": b"# new"})
    assert {name: (first / name).read_bytes() for name in files} == files
