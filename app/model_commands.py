"""`gatehouse models`: list, verify and choose bundles."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from app.bundle import CURRENT, BundleError, current_folder, read_bundle, set_current, version_folder

models_commands = typer.Typer(no_args_is_help=True, help="List, verify and choose bundles.")

ModelsOption = Annotated[Path, typer.Option(envvar="GATEHOUSE_MODELS_DIR", help="Folder of the bundles.")]
DEFAULT_MODELS = Path("models")


@models_commands.command("list")
def list_models(models: ModelsOption = DEFAULT_MODELS) -> None:
    """Every bundle, the served ones marked with *, damaged ones with what is wrong."""
    if not (folders := _folders(models)):
        raise _nothing(models)
    for folder in folders:
        try:
            manifest = read_bundle(folder).manifest
            size_mb = (folder / "model.onnx").stat().st_size / 1e6
            told = f"{manifest.precision:5} {size_mb:5.1f} MB"
        except BundleError as error:
            told = f"damaged: {error}"
        try:
            is_served = current_folder(models, folder.parent.name) == folder
        except BundleError:
            is_served = False
        typer.echo(f"{'*' if is_served else ' '} {folder.parent.name:10} {folder.name:24} {told}")


def _nothing(models: Path) -> BundleError:
    return BundleError(f"{models}: no bundle in it" if models.is_dir() else f"{models}: no such folder")


def _folders(models: Path) -> list[Path]:
    """Of all bundles, also of a served one without its manifest, but not of those that are still being written."""
    found = {path.parent for path in models.glob("*/*/bundle.json") if not path.parent.name.startswith(".")}
    for pointer in models.glob(f"*/{CURRENT}"):
        with suppress(BundleError):
            found.add(current_folder(models, pointer.parent.name))
    return sorted(found)


def _astray(models: Path) -> Iterator[BundleError]:
    """What is to be served and is not there."""
    for pointer in sorted(models.glob(f"*/{CURRENT}")):
        try:
            current_folder(models, pointer.parent.name)
        except BundleError as error:
            yield error


@models_commands.command("verify")
def verify_models(models: ModelsOption = DEFAULT_MODELS) -> None:
    """Load every bundle as the service would: checksums, contract, golden cases. Exit code 1 if one fails."""
    from app.predictor import load_placed

    if not (folders := _folders(models)):
        raise _nothing(models)
    faults = list(_astray(models))
    total = len(folders) + len(faults)
    for folder in folders:
        try:
            predictor = load_placed(folder, "cpu")
        except BundleError as error:
            faults.append(error)
        else:
            typer.echo(f"ok     {folder} ({len(predictor.bundle.golden.cases)} golden cases)")
    for fault in faults:
        typer.echo(f"FAILED {fault}", err=True)
    if faults:
        typer.echo(f"{len(faults)} of {total} bundles in {models} failed", err=True)
        raise typer.Exit(1)


@models_commands.command("use")
def use_model(
    task: Annotated[str, typer.Argument(help="Whose version it is.")],
    version: Annotated[str, typer.Argument(help="As `gatehouse models list` names it.")],
    models: ModelsOption = DEFAULT_MODELS,
) -> None:
    """Serve this version of a task from the next start on; it is verified first."""
    from app.predictor import load_placed

    load_placed(version_folder(models, task, version), "cpu")
    set_current(models, task, version)
    typer.echo(f"{task} is served by {version} from the next start on")
