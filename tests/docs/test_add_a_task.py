"""What the page on adding a task sends its reader to is there."""

import re
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "how-to" / "add-a-task.md").read_text("utf-8")


def test_every_file_that_has_to_know_of_a_task_has_the_name_that_the_page_gives() -> None:
    rows = re.findall(r"^\| `([\w/.]+)` \| `(\w+)` \|", PAGE, re.MULTILINE)
    assert len(rows) > 20
    for file, name in rows:
        assert re.search(rf"^\s*(?:class |def |async def )?{name}\b", (REPOSITORY / file).read_text("utf-8"), re.MULTILINE), (
            name
        )


def test_every_file_that_lists_the_tasks_is_on_the_page() -> None:
    listed = {
        str(file.relative_to(REPOSITORY))
        for folder in ("app", "training")
        for file in (REPOSITORY / folder).rglob("*.py")
        if "studies" not in file.parts  # of these three tasks, once and for all
        and re.search(
            r'(?:"rainfall"|rainfall) ?[:=].*\n?.*(?:"music"|music) ?[:=]|"rainfall", "music"', file.read_text("utf-8")
        )
    }
    assert listed
    for file in listed:
        assert f"`{file}`" in PAGE, file
