"""The pages of docs/reference say what the code does."""

import re
from pathlib import Path

from pydantic import BaseModel

from app import errors
from app.bundle import CURRENT, Golden, GoldenCase, Manifest, TensorContract, current_folder, read_bundle
from app.bundle_files import MOST_BYTES
from app.main import create_app
from app.settings import Settings
from app.tasks import BUNDLED
from app.tasks.reference import Reference
from tests.docs import commands

PAGES = Path(__file__).parents[2] / "docs" / "reference"


def test_the_page_of_settings_names_every_one_with_its_default_and_no_other() -> None:
    rows = [line for line in (PAGES / "settings.md").read_text("utf-8").splitlines() if line.startswith("| `GATEHOUSE_")]
    fields = Settings.model_fields.items()
    assert rows == [
        f"| `GATEHOUSE_{name.upper()}` | {'' if field.default is None else f'`{field.default}`'} | {field.description} |"
        for name, field in fields
    ]


def test_the_page_of_commands_has_each_with_all_its_options_and_no_other() -> None:
    _, _, said = commands.PAGE.read_text("utf-8").partition("\n## ")
    assert f"## {said}" == commands.sections(), "`python -m tests.docs.commands` writes it anew"


def test_the_page_of_the_api_has_every_status_and_code_that_is_answered_and_no_other() -> None:
    page = (PAGES / "api.md").read_text("utf-8")
    source = "".join(file.read_text("utf-8") for file in (PAGES.parents[1] / "app").rglob("*.py"))
    answered = re.findall(r'Refusal\(\s*(\d{3}), "(\w+)"', source)
    answered += [(str(status), code) for status, code in errors.CODES.items()]
    said = re.findall(r"^\| (\d{3}) \| `(\w+)` \|", page, re.MULTILINE)
    assert sorted(said) == sorted(set(answered))


def test_the_page_of_bundles_has_every_file_and_field_and_no_other() -> None:
    page = (PAGES / "bundle.md").read_text("utf-8")
    files = {name: f"{size >> 20} MiB" if size >> 20 else f"{size >> 10} KiB" for name, size in MOST_BYTES.items()}
    said = dict(re.findall(r"^\| `([\w.]+)` \| (\d+ [KM]iB) \|", page, re.MULTILINE))
    assert said == {name: size for name, size in files.items() if name != CURRENT}
    parts: dict[str, type[BaseModel]] = {
        "## bundle.json": Manifest,
        "A tensor of": TensorContract,
        "A reference says": Reference,
        "## golden.json": Golden,
        "A case": GoldenCase,
    }
    for heading, part in parts.items():
        table = page.partition(f"\n{heading}")[2].partition("\n\n| field |")[2].partition("\n\n")[0]
        assert re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE) == list(part.model_fields), heading


def test_the_page_of_bundles_names_the_settings_of_each_shipped_one() -> None:
    page = (PAGES / "bundle.md").read_text("utf-8")
    _, _, table = page.partition("| task | setting | meaning |")
    rows = re.findall(r"^\| (\w+) \| (`.+`) \|", table.partition("\n\n")[0], re.MULTILINE)
    for task in BUNDLED:
        named = {name for row, names in rows if row == task for name in re.findall(r"`(\w+)`", names)}
        assert named == set(read_bundle(current_folder(PAGES.parents[1] / "models", task)).manifest.settings)


def test_the_page_of_the_api_has_every_operation_and_no_other() -> None:
    page = (PAGES / "api.md").read_text("utf-8")
    document = create_app(Settings(_env_file=None)).openapi()
    there = {(method.upper(), path) for path, operations in document["paths"].items() for method in operations}
    said = set(re.findall(r"^\| (GET|POST) `(\S+)` \|", page, re.MULTILINE))
    assert said == {(method, path) for method, path in there if not path.startswith("/v2")}
