"""The demonstration's networks against torch's kernels, and its graph against the networks."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from app.graph_file import check_graph
from app.tasks.cells import INSIDE, Cells
from app.tasks.task import Run
from training.cells_net import CELLS_MEANINGS, CellsNet
from training.graph import build_graph
from training.loop import as_run
from training.recipe import Recipe, RecipeError, read_recipe

WORDS, UNITS, CLOSE = 11, 5, 1e-5
IDS = np.array([[2, 7, 1, 10, 3], [4, 4, 9, 0, 6]])


@pytest.fixture
def network() -> CellsNet:
    torch.manual_seed(3)
    recipe = Recipe.model_validate(
        {
            "task": "cells",
            "cell": "all",
            "data": {"validation_items": 1},
            "model": {"embedding": 3, "hidden": UNITS},
            "regularisation": {"dropout": 0.4},
            "training": {"epochs": 1, "batch_items": 1, "learning_rate": 0.1},
        }
    )
    return CellsNet(recipe, WORDS).eval()


def walked(run: Run) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]:
    return Cells(["word"] * WORDS, most_words=60, units=UNITS).walk(run, IDS)


def test_step_by_step_the_verdicts_are_those_of_the_fused_kernels(network: CellsNet) -> None:
    values = walked(as_run(network, torch.device("cpu")))
    with torch.inference_mode():
        whole = network(torch.from_numpy(IDS)).numpy()
    for cell, logits in zip(INSIDE, whole, strict=True):
        np.testing.assert_allclose(values[f"{cell}_logit"].T, logits, atol=CLOSE, rtol=0)


def test_the_graph_shows_what_the_network_does(network: CellsNet, load_graph: Callable[[onnx.ModelProto], Run]) -> None:
    of_graph, of_network = walked(load_graph(build_graph(network))), walked(as_run(network, torch.device("cpu")))
    assert set(of_graph) == set(of_network)
    assert len(of_graph) == 3 + sum(map(len, INSIDE.values()))
    for name, values in of_network.items():
        np.testing.assert_allclose(of_graph[name], values, atol=CLOSE, rtol=0, err_msg=name)


def test_what_is_seen_inside_is_what_the_equations_make_the_next_state_of(network: CellsNet) -> None:
    values = walked(as_run(network, torch.device("cpu")))
    c, h = values["next_lstm_cell"][:, 0], values["next_lstm_state"][:, 0]
    before = np.concatenate([np.zeros_like(c[:1]), c[:-1]])
    np.testing.assert_allclose(c, values["lstm_forget"] * before + values["lstm_input"] * values["lstm_candidate"], atol=CLOSE)
    np.testing.assert_allclose(h, values["lstm_output"] * np.tanh(c), atol=CLOSE)
    state = values["next_gru_state"][:, 0]
    before, update = np.concatenate([np.zeros_like(state[:1]), state[:-1]]), values["gru_update"]
    np.testing.assert_allclose(state, update * before + (1 - update) * values["gru_candidate"], atol=CLOSE)


def test_every_input_and_output_has_a_meaning_and_no_part_repeats_itself(network: CellsNet, tmp_path: Path) -> None:
    graph = build_graph(network)
    assert {value.name for value in [*graph.graph.input, *graph.graph.output]} == set(CELLS_MEANINGS)
    check_graph(graph.SerializeToString(), tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('cell = "all"', 'cell = "lstm"', '"all" is for cells'),
        ("hidden = 8", "hidden = 8\nlayers = 2", "only one layer"),
        ('precision = "fp32"\nmost_loss', 'precision = "int8"\nmost_loss', "only one layer, one direction and fp32"),
    ],
)
def test_what_could_not_be_looked_at_is_refused(
    tiny_recipe: Callable[..., str], tmp_path: Path, before: str, after: str, said: str
) -> None:
    path, text = tmp_path / "cells.toml", tiny_recipe("cells")
    assert before in text
    path.write_text(text.replace(before, after))
    with pytest.raises(RecipeError, match=said):
        read_recipe(path)
