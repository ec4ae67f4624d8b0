"""The panel that looks inside cells, with the shipped demonstration."""

import re
from collections.abc import Callable
from typing import Any

import httpx
from playwright.sync_api import BrowserContext, Page, expect

from app.tasks.cells import INSIDE

Visit = Callable[..., Page]

TEXT = "A dull beginning, a wonderful ending."
WORDS = ["A", "dull", "beginning", ",", "a", "wonderful", "ending", "."]


def inside(client: httpx.Client, text: str = TEXT) -> Any:
    return client.post("/v1/cells", json={"text": text}).json()["cells"]


def write(page: Page, text: str = TEXT) -> None:
    page.get_by_label("A short text in English").fill(text)
    expect(page.locator("[data-part=read] span")).to_have_count(len(WORDS))


def cell_map(page: Page, cell: str, name: str) -> Any:
    return page.get_by_role("slider", name=f"{cell}, {name}")


def shown(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def test_every_gate_of_every_cell_is_a_map_of_units_and_words(visit: Visit) -> None:
    page = visit("cells")
    write(page)
    expect(page.locator("#cells .heat")).to_have_count(sum(map(len, INSIDE.values())))
    for name in ("forget gate", "input gate", "candidate", "output gate", "cell state", "state"):
        drawing = cell_map(page, "LSTM", name).locator("svg")
        expect(drawing.locator("rect:not(.chosen)")).to_have_count(16 * len(WORDS))
    for cell, names in (("GRU", ["update gate", "reset gate", "candidate", "state"]), ("RNN", ["state"])):
        for name in names:
            expect(cell_map(page, cell, name)).to_be_visible()
    figure = page.locator("figure").filter(has=cell_map(page, "LSTM", "forget gate"))
    expect(figure.locator(".equation")).to_have_text("ft = σ(Wf xt + Uf ht−1 + bf)")
    expect(figure.locator(".legend")).to_have_text("01")


def test_a_colour_is_as_strong_as_its_value(visit: Visit, shipped: httpx.Client) -> None:
    page = visit("cells")
    write(page)
    cells = inside(shipped)
    for cell, name, title in (("lstm", "forget", "forget gate"), ("gru", "state", "state"), ("rnn", "state", "state")):
        rects = cell_map(page, cell.upper(), title).locator("rect:not(.chosen)")
        read = rects.evaluate_all(
            "all => all.map(one => [one.getAttribute('class'), parseFloat(one.style.getPropertyValue('--strength'))])"
        )
        values = [value for row in cells[cell][name] for value in row]
        assert [side for side, _ in read] == ["negative" if value < 0 else "positive" for value in values]
        assert all(abs(strength - 100 * abs(value)) <= 0.51 for (_, strength), value in zip(read, values, strict=True))


def test_pointing_at_a_cell_tells_word_unit_and_value_in_all_maps(visit: Visit, shipped: httpx.Client) -> None:
    page = visit("cells")
    write(page)
    cells = inside(shipped)
    drawing = cell_map(page, "LSTM", "forget gate").locator("svg")
    drawing.locator("rect:not(.chosen)").nth(16 * WORDS.index("wonderful") + 3).hover()
    for cell, name, title in (("LSTM", "forget", "forget gate"), ("GRU", "update", "update gate"), ("RNN", "state", "state")):
        place = cell_map(page, cell, title)
        value = cells[cell.lower()][name][WORDS.index("wonderful")][3]
        said = f"“wonderful”, unit 4: {shown(value)}"
        expect(page.locator("figure").filter(has=place).locator(".value")).to_have_text(said)
        expect(place).to_have_attribute("aria-valuetext", said)
        assert float(place.get_attribute("aria-valuenow")) == value
    after = 100 * cells["gru"]["probabilities"][WORDS.index("wonderful")]
    expect(page.locator("section[aria-labelledby=cell-gru] .readout")).to_have_text(f"{after:.1f} % positive after “wonderful”")
    expect(page.locator("[data-part=read] .chosen")).to_have_text("wonderful")


def test_maps_are_walked_with_arrow_keys(visit: Visit) -> None:
    page = visit("cells")
    write(page)
    place = cell_map(page, "GRU", "reset gate")
    place.focus()
    for key, said in (
        ("Home", "“A”, unit 1"),
        ("ArrowRight", "“dull”, unit 1"),
        ("ArrowDown", "“dull”, unit 2"),
        ("End", "“.”, unit 2"),
    ):
        page.keyboard.press(key)
        expect(place).to_have_attribute("aria-valuetext", re.compile(re.escape(said)))
    page.keyboard.press("ArrowRight")
    expect(place).to_have_attribute("aria-valuetext", re.compile("“.”, unit 2"))
    expect(place).to_be_focused()


def test_the_line_over_the_words_is_the_probability_after_each(visit: Visit, shipped: httpx.Client) -> None:
    page = visit("cells")
    write(page)
    cells = inside(shipped)
    for cell in INSIDE:
        last = cells[cell]["probabilities"][-1]
        column = page.locator(f"section[aria-labelledby=cell-{cell}]")
        expect(column.locator(".readout")).to_have_text(f"{100 * last:.1f} % positive after “.”")
        picture = column.get_by_role(
            "img", name=re.compile("Probability of positive after each word: first .* last .* after “.”")
        )
        expect(picture.locator(".line")).to_have_attribute("d", re.compile(rf"^M[^ML]*(L[^ML]*){{{len(WORDS) - 1}}}$"))


def test_all_values_can_be_read_as_a_table(visit: Visit, shipped: httpx.Client) -> None:
    page = visit("cells")
    write(page)
    page.locator("[data-part=read] span").nth(1).click()
    page.get_by_text("All values after “dull” as a table").click()
    rows = page.get_by_role("region", name="Values").locator("tbody tr")
    expect(rows).to_have_count(16)
    cells = inside(shipped)
    order = [("rnn", "state"), *(("lstm", name) for name in ("state", "cell", "forget", "input", "candidate", "output"))]
    order += [("gru", name) for name in ("state", "update", "reset", "candidate")]
    expected = [shown(cells[cell][name][1][4]) for cell, name in order]
    assert rows.nth(4).locator("td").all_text_contents() == expected


def test_what_is_not_read_and_not_known_is_said(visit: Visit) -> None:
    page = visit("cells")
    page.get_by_label("A short text in English").fill("good " * 61)
    expect(page.locator("#cells")).to_contain_text("The first 60 words and symbols are read; the text goes on.")
    page.get_by_label("A short text in English").fill("A zxqvy film")
    expect(page.locator("[data-part=read] .unknown")).to_have_text("zxqvy")
    expect(page.locator("#cells")).to_contain_text("3 words and symbols are read. Words with a dotted line")
    page.get_by_label("A short text in English").fill(" ")
    expect(page.get_by_text("There is no word to read.")).to_be_visible()
    expect(page.locator("#cells .heat").first).to_be_hidden()


def test_of_a_refused_text_only_the_refusal_is_told(visit: Visit, context: BrowserContext) -> None:
    page = visit("cells", expected="ERR_INTERNET_DISCONNECTED")
    expect(cell_map(page, "LSTM", "forget gate")).to_be_visible()
    context.set_offline(True)
    page.locator("#cell-text").fill("A quiet, moving film.")
    expect(page.get_by_role("alert")).to_contain_text("The service cannot be reached")
    expect(cell_map(page, "LSTM", "forget gate")).to_be_hidden()
    expect(page.get_by_text("There is no word to read.")).to_be_hidden()


def test_what_was_read_of_a_text_does_not_stand_beside_none(visit: Visit) -> None:
    page = visit("cells")
    expect(cell_map(page, "LSTM", "forget gate")).to_be_visible()
    page.locator("#cell-text").fill("")
    expect(page.get_by_text("There is no word to read.")).to_be_visible()
    expect(cell_map(page, "LSTM", "forget gate")).to_be_hidden()
