"""Every command that a page tells its reader to type is there, with its options."""

import re
import shlex
from pathlib import Path

from tests.docs.commands import commands
from tests.docs.walk import REPOSITORY, blocks

PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *(REPOSITORY / "docs").rglob("*.md")]


def typed(page: Path) -> list[list[str]]:
    """The words behind `gatehouse` of each line of bash that begins with it."""
    text = "".join(block for language, block in blocks(page.read_text("utf-8")) if language == "bash")
    lines = re.findall(r"^(?:\.venv/bin/)?gatehouse +(\S.*)$", text.replace("\\\n", " "), re.MULTILINE)
    return [shlex.split(line, comments=True) for line in lines]


def test_every_command_on_a_page_is_there_with_its_options() -> None:
    known, seen = commands(), 0
    for page in PAGES:
        for words in typed(page):
            name = next((name for name in known if f"gatehouse {' '.join(words)} ".startswith(f"{name} ")), "")
            assert name, (page.name, words)
            options = {option for given in known[name].params for option in (*given.opts, *given.secondary_opts)}
            used = {word.partition("=")[0] for word in words if word.startswith("--")}
            assert used <= options | {"--help"}, (page.name, words)
            seen += 1
    assert seen > 15
