"""Bundles that would hang, fill the memory or reach outside are refused when they are loaded, and the process goes on."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.bundle import BundleError, current_folder, read_bundle
from app.bundle_files import MOST_BYTES
from app.settings import Settings
from tests.app import hostile_graphs
from tests.app.damage import change_graph, edit, inflate, replace, replace_by
from tests.app.hostile_graphs import TERABYTE
from tests.conftest import REPOSITORY, Serve

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited and looked at as Linux does it")

_MOST_GROWTH = 64 << 20
_MOST_S = 100


def graph(change: Callable[[Any], Any]) -> Callable[[Path], None]:
    return lambda folder: change_graph(folder, change)


def deep(levels: int) -> Any:
    return json.loads("[" * levels + "]" * levels)


def _demand_terabytes(folder: Path) -> None:
    """In the graph and in the manifest alike."""

    def change(model: Any) -> None:
        model.graph.input[0].type.tensor_type.shape.dim[1].dim_value = TERABYTE

    change_graph(folder, change)
    edit(folder, lambda manifest: manifest["inputs"]["ids"].update(shape=["batch", TERABYTE]))


HOSTILE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "manifest of a terabyte": (lambda f: inflate(f / "bundle.json", TERABYTE), "bundle.json: 1099511627776 bytes, allowed are"),
    "graph of a terabyte": (lambda f: inflate(f / "model.onnx", TERABYTE), "model.onnx: 1099511627776 bytes, allowed are"),
    "vocabulary of a terabyte": (lambda f: inflate(f / "vocab.json", TERABYTE), "vocab.json: 1099511627776 bytes, allowed"),
    "golden cases of 8 megabytes": (lambda f: inflate(f / "golden.json", 8 << 20), "golden.json: 8388608 bytes, allowed are"),
    "manifest is a pipe": (lambda f: replace_by(f / "bundle.json", os.mkfifo), "bundle.json: 'p' is its kind"),
    "graph is a pipe": (lambda f: replace_by(f / "model.onnx", os.mkfifo), "model.onnx: 'p' is its kind"),
    "graph is a folder": (lambda f: replace_by(f / "model.onnx", Path.mkdir), "model.onnx: 'd' is its kind"),
    "card without end": (
        lambda f: replace_by(f / "card.md", lambda p: p.symlink_to("/dev/zero")),
        "card.md: a link that leads",
    ),
    "card from outside": (lambda f: replace_by(f / "card.md", lambda p: p.symlink_to("/etc/passwd")), "card.md: a link that"),
    "link to itself": (lambda f: replace_by(f / "card.md", lambda p: p.symlink_to(p.name)), "card.md: "),
    "file from outside": (lambda f: edit(f, lambda m: m["sha256"].update({"../../x": "0"})), "bundle.json: lists '../../x'"),
    "no name of a file": (lambda f: edit(f, lambda m: m["sha256"].update({"a\0b": "0"})), "bundle.json: lists 'a\\x00b'"),
    "half a character": (lambda f: edit(f, lambda m: m["sha256"].update({"\ud800": "0"})), "bundle.json: no JSON"),
    "manifest of no numbers": (lambda f: edit(f, lambda m: m["metrics"].update(x=float("nan"))), "bundle.json: no JSON"),
    "manifest nested deep": (lambda f: edit(f, lambda m: m["data"].update(x=deep(400))), "bundle.json: no JSON: recursion"),
    "shape without end": (lambda f: edit(f, lambda m: m["inputs"]["ids"].update(shape=[1] * 100_000)), "its inputs are"),
    "format of a megabyte": (lambda f: edit(f, lambda m: m.update(format="x" * 900_000)), "bundle.json: format 'xxx"),
    "words are lists": (lambda f: replace(f, "vocab.json", json.dumps([[]] * 62).encode()), ""),
    "card is no text": (lambda f: replace(f, "card.md", b"\xff"), "card.md: no UTF-8"),
    "state of a terabyte": (
        lambda f: edit(f, lambda m: m["settings"].update(state={"h": [1, TERABYTE]})),
        f"bundle.json: settings.state is {{'h': [1, {TERABYTE}]}}, the graph's is {{}}",
    ),
    "weight of terabytes": (graph(hostile_graphs.claims(TERABYTE)), f"'claim' claims to be [{TERABYTE}]"),
    "weight beyond 64 bits": (graph(hostile_graphs.claims(1 << 33, 1 << 33)), "'claim' claims to be"),
    "weight of less than nothing": (graph(hostile_graphs.claims(-1, -1)), "'claim' claims to be [-1, -1]"),
    "sparse weight of terabytes": (graph(hostile_graphs.is_sparse), "model.onnx: it holds sparse tensors"),
    "weight from another file": (
        graph(hostile_graphs.lies_elsewhere),
        "model.onnx: the tensor 'stranger' lies in another file",
    ),
    "constant from another file": (graph(hostile_graphs.lies_elsewhere_within_a_node), "'stranger' lies in another file"),
    "endless loop": (graph(hostile_graphs.never_ends), "model.onnx: the operator 'Loop' runs a graph of its own"),
    "endless loop in a branch": (graph(hostile_graphs.never_ends_within_a_branch), "'Loop' runs a graph of its own"),
    "operator of its own": (graph(hostile_graphs.has_an_operator_of_its_own), "model.onnx: onnxruntime cannot load it"),
    "functions of its own": (graph(hostile_graphs.defines_functions), "model.onnx: it defines 13 functions"),
    "input of terabytes": (_demand_terabytes, "model.onnx: its input 'ids' is"),
    "zeros of terabytes": (graph(hostile_graphs.makes_terabytes), ""),
}


@pytest.fixture(scope="module")
def refusals(tiny_models: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str | None, int]]:
    """Kind -> what the one process that loads all of them says, and by how many bytes it grew."""
    whole, home = current_folder(tiny_models, "sentiment"), tmp_path_factory.mktemp("hostile")
    folders = []
    for number, (do, _) in enumerate(HOSTILE.values()):
        folders.append(Path(shutil.copytree(whole, home / str(number))))
        do(folders[-1])
    command = [sys.executable, "-m", "tests.app.loading", str(whole), *map(str, folders)]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=_MOST_S, check=False)
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert ended.returncode == 0, f"after {list(HOSTILE)[len(lines)]}: {ended.stderr[-2000:]}"
    return dict(zip(HOSTILE, lines, strict=True))


@pytest.mark.parametrize("kind", HOSTILE)
def test_it_is_refused_with_file_and_reason_and_without_growing(refusals: dict[str, tuple[str | None, int]], kind: str) -> None:
    said, growth = refusals[kind]
    assert said is not None
    assert HOSTILE[kind][1] in said
    assert len(said) < 1100
    assert growth < _MOST_GROWTH


@pytest.mark.parametrize(
    "pointer",
    [b"..", b".", b"\xff", b"a\0b", b"x" * 500, b"x" * 5000, b"20260101-lstm-000000/../..", b"/etc"],
    ids=lambda content: ascii(content[:30]),
)
def test_a_pointer_to_anything_but_a_version_is_refused(tmp_path: Path, pointer: bytes) -> None:
    (tmp_path / "music").mkdir()
    (tmp_path / "music" / "CURRENT").write_bytes(pointer)
    with pytest.raises(BundleError, match="CURRENT: "):
        current_folder(tmp_path, "music")


def test_a_pointer_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "music").mkdir()
    os.mkfifo(tmp_path / "music" / "CURRENT")
    with pytest.raises(BundleError, match="CURRENT: 'p' is its kind"):
        current_folder(tmp_path, "music")


def test_a_link_to_a_file_beside_it_is_followed(folder: Path) -> None:
    (folder / "card.md").rename(folder / "the-card")
    (folder / "card.md").symlink_to("the-card")
    assert read_bundle(folder).card.startswith("# sentiment")


def test_what_is_changed_after_the_check_is_not_loaded(folder: Path) -> None:
    bundle = read_bundle(folder)
    (folder / "model.onnx").write_bytes(b"other")
    with pytest.raises(BundleError, match=r"model\.onnx: SHA-256 is"):
        _ = bundle.graph


def test_shipped_bundles_are_far_below_the_limits() -> None:
    for path in (REPOSITORY / "models").glob("*/*/*.*"):
        assert 20 * path.stat().st_size < MOST_BYTES[path.name], path


@pytest.mark.parametrize("kind", ["graph is a pipe", "endless loop", "weight of terabytes", "no name of a file"])
def test_the_other_tasks_answer(serve: Serve, settings: Settings, tiny_models: Path, tmp_path: Path, kind: str) -> None:
    models = Path(shutil.copytree(tiny_models, tmp_path / "models"))
    HOSTILE[kind][0](current_folder(models, "sentiment"))
    client: httpx.Client = serve(settings.model_copy(update={"models_dir": models}))
    ready = client.get("/readyz")
    assert (ready.status_code, HOSTILE[kind][1] in ready.json()["detail"]) == (503, True)
    hour = {"radardist_km": 1, "scans": [{"minutes_past": 3}]}
    assert client.post("/v1/rainfall", json={"hours": [hour]}).status_code == 200
    assert client.post("/v1/sentiment", json={"texts": ["a"]}).status_code == 503
    assert client.get("/v1/models").json()["unavailable"][0]["task"] == "sentiment"
