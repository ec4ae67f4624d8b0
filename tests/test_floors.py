"""The house plan: a file imports only from its own floor or a lower one, and the service never reaches torch."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]

FLOORS = {
    "app": 0,
    "app.bundle": 0,
    "app.bundle_files": 0,
    "app.cpus": 0,
    "app.examples": 0,
    "app.tasks": 0,
    "app.backlog": 1,
    "app.batcher": 1,
    "app.database": 1,
    "app.deadlines": 1,
    "app.demonstration": 1,
    "app.feedback": 1,
    "app.file_lock": 1,
    "app.freed_space": 1,
    "app.gate": 1,
    "app.graph_file": 1,
    "app.hold": 1,
    "app.idempotency": 1,
    "app.key_ring": 1,
    "app.keys": 1,
    "app.line": 1,
    "app.log_rows": 1,
    "app.predictor": 1,
    "app.presence": 1,
    "app.process_log": 1,
    "app.registry": 1,
    "app.request_log": 1,
    "app.request_record": 1,
    "app.retention": 1,
    "app.row_store": 1,
    "app.spool": 1,
    "app.step_worker": 1,
    "app.steps": 1,
    "app.unread": 1,
    "app.upkeep": 1,
    "app.waiting": 1,
    "app.access_line": 2,
    "app.bodies": 2,
    "app.bulk": 2,
    "app.connection": 2,
    "app.door": 2,
    "app.entry": 2,
    "app.errors": 2,
    "app.from_log": 2,
    "app.house": 2,
    "app.listening": 2,
    "app.log_export": 2,
    "app.metrics": 2,
    "app.middleware": 2,
    "app.open_inference": 2,
    "app.paths": 2,
    "app.payloads": 2,
    "app.processes": 2,
    "app.rate_limit": 2,
    "app.record_schemas": 2,
    "app.reply": 2,
    "app.routes": 2,
    "app.schemas": 2,
    "app.schemas_cells": 2,
    "app.settings": 2,
    "app.spans": 2,
    "app.stats": 2,
    "app.tracing": 2,
    "app.watch": 2,
    "app.cli": 3,
    "app.command_database": 3,
    "app.data_commands": 3,
    "app.draining": 3,
    "app.key_commands": 3,
    "app.log_commands": 3,
    "app.model_commands": 3,
    "app.main": 3,
}
FLOOR_0_MAY_IMPORT = {"numpy", "pydantic", "pydantic_core"}
TRAINING_MAY_IMPORT = ("app.bundle", "app.tasks")


def modules(package: str) -> list[str]:
    files = (REPOSITORY / package).rglob("*.py")
    names = [".".join(file.relative_to(REPOSITORY).with_suffix("").parts) for file in files]
    return sorted(name.removesuffix(".__init__") for name in names)


def imports(module: str) -> set[str]:
    """Full names of the modules that a file imports, also within its functions."""
    path = REPOSITORY / Path(*module.split("."))
    source = (path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text()
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def floor(module: str) -> int:
    """That of the longest listed name it lies under; modules missing from the plan have none."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        name = ".".join(parts[:length])
        if name in FLOORS and (name != "app" or module == "app"):
            return FLOORS[name]
    raise AssertionError(f"{module} is on no floor of the plan")


@pytest.mark.parametrize("module", modules("app"))
def test_no_import_points_up(module: str) -> None:
    known = set(modules("app"))
    for name in imports(module):
        target = name if name in known else name.rpartition(".")[0]
        if target.startswith("app.") and target in known:
            assert floor(target) <= floor(module), f"{module} imports {target}"


@pytest.mark.parametrize("module", [module for module in modules("app") if floor(module) == 0])
def test_floor_0_needs_no_framework(module: str) -> None:
    packages = {name.partition(".")[0] for name in imports(module)} - {"app"} - sys.stdlib_module_names
    assert packages <= FLOOR_0_MAY_IMPORT


@pytest.mark.parametrize("module", modules("training"))
def test_training_imports_only_bundles_and_tasks_of_the_service(module: str) -> None:
    for name in imports(module):
        assert not name.startswith("app.") or name.startswith(TRAINING_MAY_IMPORT), f"{module} imports {name}"


@pytest.mark.parametrize("module", modules("app"))
def test_the_service_names_neither_torch_nor_training(module: str) -> None:
    assert not {name.partition(".")[0] for name in imports(module)} & {"torch", "training", "onnx", "polars"}


def test_the_running_service_has_not_loaded_torch() -> None:
    program = "import app.main, app.cli, sys; sys.exit('torch' in sys.modules or 'training' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, cwd=REPOSITORY).returncode == 0
