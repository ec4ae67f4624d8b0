"""The sentiment panel, with the shipped model."""

import re
from collections.abc import Callable
from typing import Any

import httpx
from playwright.sync_api import BrowserContext, Page, Request, Route, expect

HoldBack = Callable[[str], Any]
Visit = Callable[..., Page]


PRAISE, COMPLAINT = "A quiet, moving film.", "A dull, endless waste of two hours."


def probability(client: httpx.Client, text: str) -> float:
    answer = client.post("/v1/sentiment", json={"texts": [text]}).json()
    return float(answer["predictions"][0]["probability"])


def verdict(page: Page) -> Any:
    return page.locator(".verdict")


def test_the_verdict_follows_what_is_typed(visit: Visit, shipped: httpx.Client) -> None:
    page = visit("sentiment")
    page.get_by_label("A review").fill("")
    page.get_by_label("A review").press_sequentially(PRAISE)
    expect(verdict(page)).to_contain_text(f"{100 * probability(shipped, PRAISE):.1f} % sure, from 6 words")
    expect(verdict(page)).to_contain_text("Positive")
    page.get_by_label("A review").fill(COMPLAINT)
    expect(verdict(page)).to_contain_text("Negative")
    expect(page.locator("#sentiment .answered")).to_contain_text(re.compile("LSTM .* ms in the network, request [0-9a-f-]{36}"))


def test_what_was_said_of_a_text_does_not_stand_beside_none(visit: Visit) -> None:
    page = visit("sentiment")
    expect(page.locator(".readout")).to_contain_text("After")
    page.get_by_label("A review").fill("")
    expect(verdict(page)).to_contain_text("Type to see the verdict.")
    expect(page.locator(".readout")).to_be_empty()
    expect(page.locator("#sentiment [data-part=line] svg")).to_have_count(0)
    expect(page.locator("#sentiment [data-part=words]")).to_be_hidden()
    page.get_by_label("A review").fill("   ")
    expect(verdict(page)).to_contain_text("from 0 words")
    expect(page.locator(".readout")).to_be_empty()


def test_the_line_says_what_each_beginning_of_the_text_is_worth(visit: Visit, shipped: httpx.Client) -> None:
    page = visit("sentiment")
    page.get_by_role("button", name="Praise").click()
    readout = page.locator(".readout")
    expect(readout).to_have_text(f"After “film.”: {100 * probability(shipped, PRAISE):.1f} % positive")
    slider = page.get_by_role("slider", name="Read up to a word")
    slider.press("ArrowLeft")
    expect(readout).to_have_text(f"After “moving”: {100 * probability(shipped, 'A quiet, moving'):.1f} % positive")
    picture = page.get_by_role("img", name=re.compile("Probability of positive as the text is read: first .* after “A”"))
    expect(picture.locator(".line.positive")).to_have_attribute("d", re.compile(r"^M[^M]*L[^L]*L[^L]*L[^L]*$"))
    box = picture.bounding_box()
    assert box
    page.mouse.move(box["x"] + 80, box["y"] + 50)
    expect(readout).to_contain_text("After “A”")


def test_a_long_text_is_read_at_some_of_its_words(visit: Visit) -> None:
    page = visit("sentiment")
    expect(page.locator(".readout")).to_contain_text("After “seen.”")
    sent = list[dict[str, Any]]()

    def keep(request: Request) -> None:
        sent.append(request.post_data_json or {})

    page.on("request", keep)
    page.get_by_label("A review").fill("good " * 3_900 + "end.")
    expect(page.locator(".readout")).to_contain_text("After “end.”")
    texts = sent[-1]["texts"]
    assert 16 <= len(texts) <= 128
    assert texts[-1].endswith("good end.")
    assert [len(text) for text in texts] == sorted({len(text) for text in texts})


def test_an_answer_that_comes_late_is_not_shown(visit: Visit) -> None:
    page = visit("sentiment")
    expect(page.locator(".readout")).to_contain_text("After “seen.”")
    held = list[Route]()

    def hold(route: Route) -> None:
        if COMPLAINT in (route.request.post_data or ""):
            held.append(route)
        else:
            route.continue_()

    page.route("**/v1/sentiment", hold)
    with page.expect_request("**/v1/sentiment"):
        page.get_by_label("A review").fill(COMPLAINT)
    page.get_by_label("A review").fill(PRAISE)
    expect(verdict(page)).to_contain_text("Positive")
    held[0].continue_()
    expect(page.locator(".readout")).to_contain_text("After “film.”")
    expect(verdict(page)).to_contain_text("Positive")


def test_what_was_said_of_an_earlier_text_fades_until_the_answer_comes(visit: Visit, hold_back: HoldBack) -> None:
    page = visit("sentiment")
    expect(page.locator(".readout")).to_contain_text("After “seen.”")
    places = [verdict(page), page.locator("#sentiment figure"), page.locator("#sentiment [data-part=words]")]
    held = hold_back("**/v1/sentiment")
    page.get_by_label("A review").fill(COMPLAINT)
    for place in places:
        expect(place).to_have_css("opacity", "0.45")
    held.let_go(page)
    for place, opacity in zip(places, ("1", "0.45", "1"), strict=True):
        expect(place).to_have_css("opacity", opacity)
    held.let_go(page)
    expect(page.locator(".readout")).to_contain_text("After “hours.”")
    expect(page.locator("#sentiment [aria-busy=true]")).to_have_count(0)
    page.get_by_label("A review").fill("")
    expect(verdict(page)).to_contain_text("Type to see the verdict.")
    expect(page.locator("#sentiment [aria-busy=true]")).to_have_count(0)


def test_each_word_is_coloured_by_what_it_adds(visit: Visit, shipped: httpx.Client) -> None:
    """Offsets count characters, of which a browser's strings hold some as two."""
    text = "😀 The plot is awful, but the acting is wonderful."
    words = shipped.post("/v1/sentiment", json={"texts": [text], "explain": True}).json()["predictions"][0]["words"]
    page = visit("sentiment")
    page.get_by_label("A review").fill(text)
    expect(page.locator("p.words")).to_have_text(text)
    for side, speaks in (("positive", True), ("negative", False)):
        expected = [word["text"] for word in words if (word["weight"] >= 0) is speaks]
        assert page.locator(f"p.words .{side}").all_text_contents() == expected
    strongest = max(words, key=lambda word: abs(word["weight"]))
    marked = page.locator("p.words span").nth(words.index(strongest))
    assert marked.evaluate("word => word.style.getPropertyValue('--strength')") == "45%"
    sign = "−" if strongest["weight"] < 0 else "+"
    expect(page.locator("#sentiment")).to_contain_text(f"“{strongest['text']}” ({sign}{abs(strongest['weight']):.2f})")


def test_a_text_without_a_word_has_nothing_to_colour(visit: Visit) -> None:
    page = visit("sentiment")
    expect(page.locator("[data-part=words]")).to_be_visible()
    page.get_by_label("A review").fill(" ")
    expect(verdict(page)).to_contain_text("from 0 words")
    expect(page.locator("[data-part=words]")).to_be_hidden()


def test_feedback_that_was_refused_is_told_again_on_demand(visit: Visit, context: BrowserContext) -> None:
    page = visit("sentiment", expected="ERR_INTERNET_DISCONNECTED")
    expect(page.locator(".readout")).to_contain_text("After")
    context.set_offline(True)
    page.get_by_role("button", name="Right").click()
    expect(page.get_by_role("alert")).to_contain_text("The service cannot be reached")
    context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Kept with the request")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_receipt_that_comes_late_does_not_stand_beside_another_verdict(visit: Visit, hold_back: HoldBack) -> None:
    page = visit("sentiment")
    expect(page.locator(".readout")).to_contain_text("After")
    held = hold_back("**/feedback")
    page.get_by_role("button", name="Right").click()
    expect(page.locator("#sentiment [data-part=told]")).to_have_text("Sending …")
    page.get_by_label("A review").fill(PRAISE)
    expect(page.locator(".readout")).to_contain_text("After “film.”")
    with page.expect_response("**/feedback"):
        held.let_go(page)
    page.wait_for_timeout(200)
    expect(page.locator("#sentiment [data-part=told]")).to_be_empty()
