"""The music panel, with the shipped model."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

HoldBack = Callable[[re.Pattern[str]], Any]
Visit = Callable[..., Page]

# The scripts that are fetched only when the panel is shown.
LATE = re.compile(r"/page/(?!main|chunk-)[^/]*\.js$")

HEAD = "X:1\nT:Short & sweet\nM:2/4\nL:1/8\nQ:1/4=240\nK:G\n"

COUNT_TONES = """() => {
    window.tones = [];
    const Native = window.OscillatorNode;
    window.OscillatorNode = class extends Native {
        constructor(context, options) {
            super(context, options);
            if (options.type === "triangle") window.tones.push(Math.round(options.frequency));
        }
    };
}"""


def tune(page: Page) -> Any:
    return page.get_by_label("A tune, or its beginning")


def notes(page: Page) -> Any:
    return page.locator(".staves .abcjs-note")


def test_what_is_written_before_there_can_be_staves_stays(visit: Visit, hold_back: HoldBack) -> None:
    held = hold_back(LATE)
    page = visit("music")
    tune(page).fill(HEAD + "G2 B2 | d4 |]")
    for name in ("Play", "Save MIDI", "Save SVG"):
        expect(page.get_by_role("button", name=name)).to_be_disabled()
    held.let_go(page)
    expect(page.get_by_role("img", name="Staves of Short & sweet")).to_be_visible()
    expect(page.get_by_role("button", name="Play")).to_be_enabled()
    expect(tune(page)).to_have_value(HEAD + "G2 B2 | d4 |]")


def test_a_tune_goes_on_without_staves(visit: Visit, hold_back: HoldBack) -> None:
    held = hold_back(LATE)
    page = visit("music")
    page.get_by_label("Characters").fill("20")
    page.get_by_label("Seed").fill("5")
    tune(page).fill(HEAD)
    expect(page.locator(".next li")).to_have_count(10)
    page.get_by_role("button", name="Continue").first.click()
    expect(page.get_by_role("status").filter(has_text=re.compile(r"\d+ characters written"))).to_be_visible()
    expect(notes(page)).to_have_count(0)
    held.let_go(page)
    expect(notes(page).first).to_be_visible()


def test_what_was_written_is_there_again_after_coming_back(visit: Visit) -> None:
    page = visit("music")
    tune(page).fill(HEAD + "G2 B2 | d4 |]")
    page.goto("about:blank")
    page.go_back()
    expect(page.get_by_role("img", name="Staves of Short & sweet")).to_be_visible()
    expect(tune(page)).to_have_value(HEAD + "G2 B2 | d4 |]")


def test_the_next_characters_are_those_of_the_model_and_can_be_written(visit: Visit, shipped: httpx.Client) -> None:
    page = visit("music")
    tune(page).fill(HEAD + "G2 B2 ")
    answer = shipped.post("/v1/music/next", json={"prompt": HEAD + "G2 B2 ", "top_k": 10}).json()
    first = answer["characters"][0]
    expect(page.locator(".next .percent").first).to_have_text(f"{100 * first['probability']:.1f} %")
    expect(page.locator("#music")).to_contain_text(f"{answer['bits_per_character']:.2f} bits a character")
    page.locator(".next button").first.click()
    expect(tune(page)).to_have_value(HEAD + "G2 B2 " + first["character"])


def test_staves_follow_what_is_typed(visit: Visit) -> None:
    page = visit("music")
    tune(page).fill(HEAD + "G2 B2 | d4 |]")
    expect(notes(page)).to_have_count(3)
    expect(page.get_by_role("img", name="Staves of Short & sweet")).to_be_visible()


def test_a_tune_is_continued_as_the_service_continues_it_and_taken_back(visit: Visit, shipped: httpx.Client) -> None:
    page = visit("music")
    tune(page).fill(HEAD)
    page.get_by_label("Seed").fill("5")
    page.get_by_role("button", name="Continue").first.click()
    expect(page.get_by_role("status").filter(has_text=re.compile(r"\d+ characters written with seed 5; "))).to_be_visible()
    body = {"prompt": HEAD, "max_characters": 600, "temperature": 0.9, "seed": 5}
    whole = shipped.post("/v1/music/generate", json=body).json()
    expect(tune(page)).to_have_value(whole["abc"])
    expect(notes(page).nth(8)).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(tune(page)).to_have_value(HEAD)


def test_writing_can_be_stopped(visit: Visit) -> None:
    page = visit("music")
    tune(page).fill(HEAD)
    # The stream is held open by this test, so that there is time to stop it.
    page.evaluate(
        """() => {
            const send = window.fetch;
            window.fetch = async (address, options) => {
                if (!String(address).endsWith("generate")) return send(address, options);
                const body = new ReadableStream({
                    start(out) {
                        out.enqueue(new TextEncoder().encode('event: characters\\ndata: {"text": "GA"}\\n\\n'));
                        options.signal.addEventListener("abort", () => out.error(options.signal.reason));
                    },
                });
                return new Response(body, { headers: { "Content-Type": "text/event-stream" } });
            };
        }"""
    )
    page.get_by_role("button", name="Continue").first.click()
    expect(tune(page)).to_have_value(HEAD + "GA")
    expect(tune(page)).not_to_be_editable()
    page.get_by_role("button", name="Stop writing").click()
    expect(page.get_by_role("status").filter(has_text="2 characters written")).to_contain_text("stopped")
    expect(tune(page)).to_be_editable()


def test_a_tune_is_played_note_by_note_and_can_be_stopped(visit: Visit) -> None:
    page = visit("music")
    page.evaluate(COUNT_TONES)
    tune(page).fill(HEAD + "G4 | A4 | B4 |]")
    expect(notes(page)).to_have_count(3)
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Stop", exact=True)).to_be_visible()
    expect(page.locator(".abcjs-note.sounding")).to_have_count(1)
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    expect(page.locator(".sounding")).to_have_count(0)
    assert page.evaluate("tones") == [392, 440, 494]
    page.get_by_role("button", name="Play").click()
    expect(page.locator(".abcjs-note.sounding")).to_have_count(1)
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.locator(".sounding")).to_have_count(0)
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_a_tune_is_kept_as_abc_midi_and_svg(visit: Visit, tmp_path: Path) -> None:
    page = visit("music")
    tune(page).fill(HEAD + "G2 B2 | d4 |]")
    expect(notes(page)).to_have_count(3)
    files = {}
    for kind in ("ABC", "MIDI", "SVG"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save {kind}").click()
        files[download.value.suggested_filename] = download.value.path().read_bytes()
    assert set(files) == {"short-sweet.abc", "short-sweet.mid", "short-sweet.svg"}
    assert files["short-sweet.abc"].decode() == HEAD + "G2 B2 | d4 |]"
    midi = files["short-sweet.mid"]
    assert midi.startswith(b"MThd\x00\x00\x00\x06")
    for pitch in (67, 71, 74):
        assert re.search(rb"\x90" + bytes([pitch]), midi), pitch
    drawing = ElementTree.fromstring(files["short-sweet.svg"])
    assert drawing.tag == "{http://www.w3.org/2000/svg}svg"
    assert sum("abcjs-note " in f"{group.get('class')} " for group in drawing.iter("{http://www.w3.org/2000/svg}g")) == 3


def test_what_follows_a_tune_does_not_stand_beside_another(visit: Visit) -> None:
    page = visit("music", expected="422")
    for refused in ("", HEAD + "é"):
        tune(page).fill(HEAD)
        expect(page.locator(".next li")).to_have_count(10)
        tune(page).fill(refused)
        expect(page.locator(".next li")).to_have_count(0)
        expect(page.locator("[data-part=cost]")).to_be_empty()


def test_staves_that_cannot_be_loaded_are_told_and_loaded_again(visit: Visit, context: BrowserContext) -> None:
    context.route(LATE, lambda route: route.abort())
    page = visit("music", expected="ERR_FAILED")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The staves could not be loaded")
    expect(alert).to_contain_text("reload the page")
    alert.get_by_role("button", name="Try again").click()
    expect(alert).to_contain_text("The staves could not be loaded")
    expect(page.locator(".next li")).to_have_count(10)
    context.unroute(LATE)
    alert.get_by_role("button", name="Try again").click()
    expect(notes(page).first).to_be_visible()
    expect(alert).to_be_hidden()


def test_staves_that_could_not_be_loaded_come_with_the_next_answer(visit: Visit, context: BrowserContext) -> None:
    context.route(LATE, lambda route: route.abort())
    page = visit("music", expected="ERR_FAILED")
    expect(page.get_by_role("alert")).to_contain_text("The staves could not be loaded")
    expect(page.locator(".next li")).to_have_count(10)
    context.unroute(LATE)
    tune(page).fill(HEAD + "G2 B2 | d4 |]")
    expect(notes(page)).to_have_count(3)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_staves_that_come_while_another_panel_is_shown_are_drawn_on_return(visit: Visit, hold_back: HoldBack) -> None:
    held = hold_back(LATE)
    page = visit("music")
    expect(page.locator(".next li")).to_have_count(10)
    page.get_by_role("tab", name="Rain").click()
    with page.expect_response(LATE):
        held.let_go(page)
    page.wait_for_timeout(500)  # until it has run, which nothing shows
    page.get_by_role("tab", name="Music").click()
    expect(notes(page).first).to_be_visible()


def test_a_tune_written_while_another_panel_is_shown_is_drawn_on_return(visit: Visit, hold_back: Callable[[str], Any]) -> None:
    page = visit("music")
    tune(page).fill(HEAD + "G4 |")
    expect(notes(page)).to_have_count(1)
    held = hold_back("**/generate")
    page.get_by_label("Seed").fill("5")
    page.get_by_role("button", name="Continue").first.click()
    page.get_by_role("tab", name="Rain").click()
    held.let_go(page)
    expect(page.locator("[data-part=writing]")).to_contain_text("characters written")
    page.get_by_role("tab", name="Music").click()
    expect(notes(page).nth(4)).to_be_visible()


def test_a_tune_that_gave_way_to_an_example_can_be_had_back(visit: Visit) -> None:
    page = visit("music")
    undo = page.get_by_role("button", name="Undo")
    page.get_by_role("button", name="Jig").click()  # which stands there
    expect(undo).to_be_disabled()
    tune(page).fill(HEAD + "G2 B2 | d4 |]")
    page.get_by_role("button", name="Reel").click()
    undo.click()
    expect(tune(page)).to_have_value(HEAD + "G2 B2 | d4 |]")
    expect(undo).to_be_disabled()


@pytest.mark.parametrize(
    ("title", "name"), [("T:¡Été – ça va!\n", "été-ça-va.abc"), ("T:夜の門\n", "夜の門.abc"), ("T:— ! —\n", "tune.abc")]
)
def test_a_head_is_kept_under_its_title(visit: Visit, title: str, name: str) -> None:
    page = visit("music", expected="422")
    expect(page.get_by_role("button", name="Save MIDI")).to_be_enabled()
    text = f"X:1\n{title}M:2/4\n"
    tune(page).fill(text)
    for kind in ("MIDI", "SVG"):
        expect(page.get_by_role("button", name=f"Save {kind}")).to_be_disabled()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save ABC").click()
    assert download.value.suggested_filename == name
    assert download.value.path().read_text() == text


@pytest.mark.parametrize(("metre", "beat"), [("2/4", 1), ("6/8", 1.5), ("9/8", 1.5), ("12/8", 1.5), ("2/2", 2)])
def test_a_midi_file_is_in_the_tempo_of_the_slider(visit: Visit, metre: str, beat: float) -> None:
    page = visit("music")
    tune(page).fill(f"X:1\nT:Beat\nM:{metre}\nL:1/8\nK:G\nG2 B2 |")
    expect(notes(page)).to_have_count(2)
    page.get_by_label("Tempo").fill("90")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save MIDI").click()
    _, _, after = download.value.path().read_bytes().partition(b"\xff\x51\x03")
    assert int.from_bytes(after[:3]) == round(60e6 / (90 * beat))


def test_the_tempo_of_the_slider_is_told_after_coming_back(visit: Visit) -> None:
    page = visit("music")
    page.get_by_label("Tempo").fill("90")
    page.goto("about:blank")
    page.go_back()
    expect(page.get_by_label("Tempo")).to_have_value("90")
    expect(page.locator("[data-part=bpm]")).to_have_text("90")


def test_characters_are_written_one_after_another_by_keyboard(visit: Visit) -> None:
    page = visit("music")
    tune(page).fill(HEAD + "G2 B2 ")
    expect(page.locator("[data-part=cost]")).to_contain_text("bits a character")
    for _ in range(2):
        before = tune(page).input_value()
        # In one step: an answer that comes in between would take the button away before it has the focus.
        page.evaluate(
            "() => { const button = document.querySelector('.next button:enabled'); button.dataset.old = ''; button.focus(); }"
        )
        page.keyboard.press("Enter")
        expect(page.locator(".next button:enabled:not([data-old])").first).to_be_focused()
        assert len(tune(page).input_value()) == len(before) + 1
