"""Every line of the tutorial is run, and what it says is printed is printed; likewise what the README asks."""

import re
from pathlib import Path

import pytest

from tests.docs.walk import REPOSITORY, agrees, blocks, walking


def test_every_line_of_the_tutorial_runs_and_prints_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    printed = ""
    with walking(tmp_path) as walk:
        for language, block in blocks((REPOSITORY / "docs" / "tutorial.md").read_text("utf-8")):
            if language == "text":
                assert agrees(block, printed), f"said:\n{block}\nprinted:\n{printed}"
            else:
                printed = walk.run(language, block)


def test_what_the_readme_asks_is_answered_as_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "localhost,127.0.0.1")
    _, _, readme = (REPOSITORY / "README.md").read_text("utf-8").partition("## Ask it something")
    asked = blocks(readme.partition("\n## ")[0])
    assert [language for language, _ in asked] == ["bash", "json"] * 3
    with walking(tmp_path) as walk:
        walk.run("bash", "make serve")
        for (_, question), (_, answer) in zip(asked[::2], asked[1::2], strict=True):
            # A tune may be another one on another processor.
            said = re.sub(r'"continuation": ".*?"', '"continuation": "..."', answer)
            assert agrees(f"...{said}...", printed := walk.run("bash", question)), f"said:\n{said}\nprinted:\n{printed}"


@pytest.mark.parametrize(
    ("said", "printed", "agree"),
    [
        ('{"a":...,\n"b":1}', '{"a":[1,2],"b":1}\n', True),
        ("0.998 mm", "0.9871 mm", True),
        ("0.998 mm", "0.91 mm", False),
        ("0.0000024", "2.4e-6", True),
        ("status 200", "status 404", False),
        ("a b", "a  b", True),
        ("...", "", True),
        ("positive", "positive\nnegative", False),
    ],
)
def test_what_a_page_says_is_compared_but_for_what_differs_each_time(said: str, printed: str, agree: bool) -> None:
    assert agrees(said, printed) is agree
