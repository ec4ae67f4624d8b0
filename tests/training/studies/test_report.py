"""Runs survive a kill, tables find their place in a page."""

from pathlib import Path

import pytest

from training.studies.report import Runs, markdown, spread, write_tables


def test_a_run_that_is_there_is_not_done_again(tmp_path: Path) -> None:
    done = []

    def work() -> dict[str, float]:
        done.append(1)
        return {"score": 0.5}

    for _ in range(2):
        runs = Runs(tmp_path / "study.csv")
        runs.once({"cell": "rnn", "length": 10, "seed": 0}, work)
        runs.once({"cell": "rnn", "length": 10, "seed": 1}, work)
    assert len(done) == 2
    assert runs.table()["seed"].to_list() == [0, 1]
    assert runs.table()["score"].to_list() == [0.5, 0.5]


def test_a_run_that_fails_leaves_those_before_it(tmp_path: Path) -> None:
    runs = Runs(tmp_path / "study.csv")
    runs.once({"seed": 0}, lambda: {"score": 1.0})
    with pytest.raises(ZeroDivisionError):
        runs.once({"seed": 1}, lambda: {"score": 1 / 0})
    assert runs.table()["seed"].to_list() == [0]


@pytest.mark.parametrize("left", [0, 4, 16])
def test_a_line_that_a_kill_has_torn_comes_again(tmp_path: Path, left: int) -> None:
    path = tmp_path / "study.csv"
    runs = Runs(path)
    runs.once({"seed": 0}, lambda: {"score": 1.0})
    runs.once({"seed": 1}, lambda: {"score": 2.0})
    whole = path.read_bytes()
    path.write_bytes(whole[:left])
    runs.once({"seed": 0}, lambda: {"score": 1.0})
    runs.once({"seed": 1}, lambda: {"score": 2.0})
    assert path.read_bytes() == whole


def test_spread_is_median_and_range() -> None:
    assert spread([3.0, 1.0, 2.0], ".1f") == "2.0 (1.0 to 3.0)"


def test_a_table_is_put_between_its_marks_and_the_text_around_it_stays(tmp_path: Path) -> None:
    page = tmp_path / "memory.md"
    page.write_text("# Title\n\nA question.\n\n<!-- table one -->\nold\n<!-- end -->\n\nVerdict: \\1 holds.\n")
    write_tables(page, {"one": markdown(["a", "b"], [["x", 1]])})
    write_tables(page, {"one": markdown(["a", "b"], [["y", 2]])})
    assert page.read_text() == (
        "# Title\n\nA question.\n\n"
        "<!-- table one -->\n\n| a | b |\n| --- | --- |\n| y | 2 |\n\n<!-- end -->\n\nVerdict: \\1 holds.\n"
    )


def test_a_page_that_is_not_there_is_begun(tmp_path: Path) -> None:
    write_tables(tmp_path / "new.md", {"one": "first", "two": "second"})
    text = (tmp_path / "new.md").read_text()
    assert text.index("first") < text.index("second")
    assert text.count("<!-- end -->") == 2
