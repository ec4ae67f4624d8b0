"""Every study has its page: question, table, plot, verdict and the command that reproduces it."""

from pathlib import Path

import pytest

from training.studies.run import STUDIES

PAGES = Path(__file__).parents[3] / "docs" / "studies"


@pytest.mark.parametrize("name", STUDIES)
def test_a_page_shows_its_table_its_plot_and_its_verdict(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text("utf-8")
    assert page.startswith("# ")
    assert page.splitlines()[0].endswith("?")
    assert page.count("| --- |") >= 1
    assert f"]({name}.png)" in page
    assert (PAGES / f"{name}.png").exists()
    assert "**Verdict.**" in page
    assert f"`gatehouse study {name}`" in page
    assert f"]({name}.md)" in (PAGES / "README.md").read_text("utf-8")
