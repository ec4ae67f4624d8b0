"""The page as a whole: how it is served, moved about in, read by assistive technology, and what it says when things fail."""

import re
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import which
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from app import examples
from app.routes import page as page_routes
from app.settings import Settings
from app.tasks.tune import Batch

Serve = Callable[[Settings], httpx.Client]
Hold = Callable[[type, str], Any]
Visit = Callable[..., Page]

AXE = page_routes.BUILT.parent / "node_modules" / "axe-core" / "axe.min.js"
READY = {
    "sentiment": ".readout:has-text('After')",
    "rain": "#rain .chart svg >> nth=1",
    "music": ".staves svg",
    "cells": ".heat svg >> nth=10",
    "log": ".log-task .chart svg >> nth=0",
}
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


def copied(page: Page, panel: str, language: str) -> str:
    """The request as code, by the button."""
    request = page.locator(f"#{panel} .request")
    expect(request.locator("pre code")).not_to_be_empty()  # until it is sent, there is none
    request.get_by_label(language).check()
    request.get_by_role("button", name="Copy").click()
    expect(request.get_by_role("status")).to_have_text("Copied")
    return str(page.evaluate("navigator.clipboard.readText()"))


def test_without_the_built_page_a_note_leads_to_the_documentation(
    serve: Serve, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_routes, "BUILT", tmp_path)
    client = serve(settings)
    answer = client.get("/")
    assert answer.status_code == 200
    assert 'href="docs"' in answer.text
    assert client.get("/docs").status_code == 200
    assert client.post("/v1/sentiment", json=examples.SENTIMENT).status_code == 200


def test_the_page_is_served_with_what_keeps_it_to_itself(browser: Browser, shipped: httpx.Client) -> None:
    links = re.findall(r'(?:src|href)="(page/[^"]+)"', shipped.get("/").text)
    assert len(links) == 3
    for path in ("", *links):
        answer = shipped.get(path)
        assert answer.status_code == 200, path
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        again = shipped.get(path, headers={"If-None-Match": answer.headers["etag"]})
        assert again.status_code == 304, path
    missing = shipped.get("/page/none.js")
    assert missing.status_code == 404
    assert missing.json()["code"] == "not_found"


def test_tabs_are_walked_with_arrow_keys_and_named_in_the_address(visit: Visit) -> None:
    page = visit("")
    tab = page.get_by_role("tab", name="Sentiment")
    expect(tab).to_have_attribute("aria-selected", "true")
    tab.focus()
    for key, name in (
        ("ArrowRight", "Rain"),
        ("End", "Log"),
        ("ArrowRight", "Sentiment"),
        ("ArrowLeft", "Log"),
    ):
        page.keyboard.press(key)
        expect(page.get_by_role("tab", name=name)).to_be_focused()
        expect(page.get_by_role("tabpanel")).to_have_count(1)
        expect(page.get_by_role("tabpanel", name=name)).to_be_visible()
    assert page.url.endswith("#log")
    assert page.locator("[role=tab][tabindex='0']").count() == 1
    page.keyboard.press("Control+ArrowRight")
    expect(page.get_by_role("tab", name="Log")).to_be_focused()


def test_the_first_panel_is_that_of_the_bare_address(visit: Visit) -> None:
    page = visit("")
    page.evaluate("location.hash = '#rain'")
    expect(page.get_by_role("tabpanel", name="Rain")).to_be_visible()
    page.evaluate("location.hash = '#panels'")  # where the skip link leads
    expect(page.get_by_role("tabpanel", name="Rain")).to_be_visible()
    page.go_back()
    page.go_back()
    expect(page.get_by_role("tabpanel", name="Sentiment")).to_be_visible()


def test_a_browser_that_keeps_nothing_shows_it_all(visit: Visit, context: BrowserContext) -> None:
    context.add_init_script(
        """for (const name of ["localStorage", "sessionStorage"])
            Object.defineProperty(window, name, { get() { throw new DOMException("blocked", "SecurityError"); } });"""
    )
    page = visit("sentiment")
    expect(page.locator(".readout")).to_contain_text("After")
    page.get_by_role("button", name="Switch to").click()
    expect(page.locator("html")).to_have_attribute("data-theme", re.compile("dark|light"))


def test_the_theme_is_the_systems_until_another_is_chosen(visit: Visit) -> None:
    page = visit("sentiment")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(paper)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(paper)
    assert dark != light
    page.get_by_role("button", name="Switch to light colours").click()
    assert page.evaluate(paper) == light
    page.reload()
    assert page.evaluate(paper) == light


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("panel", READY)
def test_nothing_bars_the_way_of_assistive_technology(visit: Visit, panel: str, size: str, theme: Any) -> None:
    if not AXE.is_file():
        pytest.skip("needs axe-core: make page")
    page = visit(panel)
    page.emulate_media(color_scheme=theme)
    width, height = SIZES[size]
    page.set_viewport_size({"width": width, "height": height})
    expect(page.locator(READY[panel])).to_be_visible()
    page.evaluate(AXE.read_text())
    found = page.evaluate("axe.run()")
    bad = [fault for fault in found["violations"] if fault["impact"] in {"serious", "critical"}]
    assert [(fault["id"], [node["html"][:200] for node in fault["nodes"]]) for fault in bad] == []
    assert len(found["passes"]) > 20
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_in_colours_of_the_readers_own_nothing_is_lost(visit: Visit) -> None:
    page = visit("sentiment")
    page.emulate_media(forced_colors="active")
    expect(page.locator(READY["sentiment"])).to_be_visible()
    style = "(one, name) => getComputedStyle(one).getPropertyValue(name)"
    chosen, other = (page.get_by_role("tab", name=name) for name in ("Sentiment", "Rain"))
    assert chosen.evaluate(style, "border-bottom-color") != other.evaluate(style, "border-bottom-color")
    pressed, free = (page.get_by_role("button", name=name) for name in ("Verdict", "As it reads"))
    assert pressed.evaluate(style, "background-color") != free.evaluate(style, "background-color")
    assert "gradient" in page.locator(".balance").evaluate(style, "background-image")
    words = page.locator("p.words span").evaluate_all("all => all.map(one => getComputedStyle(one).backgroundColor)")
    assert len(set(words)) > 10


@pytest.mark.parametrize(
    ("panel", "answer"),
    [("sentiment", "probability"), ("rain", "rain_mm"), ("music", "probability"), ("cells", "forget"), ("log", "slice_s")],
)
def test_the_request_shown_is_a_program_that_works(visit: Visit, panel: str, answer: str) -> None:
    page = visit(panel)
    expect(page.locator(READY[panel])).to_be_visible()
    programs = {"curl": ["bash", "-c"], "Python": [sys.executable, "-c"], "JavaScript": ["node", "--input-type=module", "-e"]}
    for language, command in programs.items():
        code = copied(page, panel, language)
        if which(command[0]) and which("curl" if language == "curl" else command[0]):
            done = subprocess.run([*command, code], capture_output=True, text=True, check=False, timeout=60)
            assert answer in done.stdout, (language, done.stderr)


@pytest.mark.skipif(not which("curl"), reason="needs curl")
def test_a_request_too_long_for_an_argument_is_a_program_that_works(visit: Visit) -> None:
    page = visit("sentiment")
    page.get_by_label("A review, or any text in English").fill("It's a good film. " * 1_000)
    page.get_by_role("button", name="As it reads").click()
    expect(page.locator("#sentiment .request .note").first).to_contain_text("Copy takes them all")
    code = copied(page, "sentiment", "curl")
    assert len(code) > 131_072
    done = subprocess.run(["bash"], input=code, capture_output=True, text=True, check=True, timeout=60)
    assert "probability" in done.stdout


def test_the_streamed_request_shown_works_too(visit: Visit) -> None:
    page = visit("music")
    page.get_by_label("Characters").fill("30")
    page.get_by_role("button", name="Continue").first.click()
    expect(page.get_by_role("status").filter(has_text="characters written")).to_be_visible()
    done = subprocess.run([sys.executable, "-c", copied(page, "music", "Python")], capture_output=True, text=True, check=True)
    assert "event: done" in done.stdout
    assert "-sSN" in copied(page, "music", "curl")


def test_a_refusal_is_told_with_place_code_and_request(visit: Visit, shipped: httpx.Client) -> None:
    page = visit("music", expected="422")
    page.get_by_label("A tune, or its beginning").fill("X:1\nT:Café\n")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The service does not accept this")
    expect(alert).to_contain_text("'é' at position 9")
    expect(alert.get_by_role("button")).to_have_count(0)
    expect(alert).to_contain_text("Code invalid_request, request ")
    request_id = re.search("request ([0-9a-f-]{36})", alert.inner_text())
    assert request_id
    assert shipped.get(f"/v1/requests/{request_id[1]}").json()["error_code"] == "invalid_request"
    page.get_by_label("A tune, or its beginning").fill("X:1\nT:Cafe\n")
    expect(alert).to_be_hidden()


@pytest.mark.parametrize(
    ("panel", "field", "limit"), [("sentiment", "#text", 20_000), ("music", "#tune", 10_000), ("cells", "#cell-text", 20_000)]
)
def test_a_text_that_is_too_long_is_refused_and_not_cut(visit: Visit, panel: str, field: str, limit: int) -> None:
    page = visit(panel, expected="422")
    expect(page.locator(READY[panel])).to_be_visible()
    box = page.locator(field)
    box.fill("a" * (limit + 1))
    assert len(box.input_value()) == limit + 1
    expect(page.get_by_role("alert")).to_contain_text("The service does not accept this")
    expect(page.get_by_role("alert")).to_contain_text(f"at most {limit}")
    box.fill("X:1\n")
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_full_service_is_asked_again_on_demand(visit: Visit, serve: Serve, settings: Settings, hold: Hold) -> None:
    narrow = serve(settings.model_copy(update={"queue_limit_requests": 1}))
    held = hold(Batch, "advance")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(narrow.post, "/v1/music/next", json=examples.MUSIC_NEXT)
        assert held.busy.wait(30)
        page = visit("music", narrow, expected="503")
        expect(page.get_by_role("alert")).to_contain_text("The service is busy")
        expect(page.get_by_role("alert")).to_contain_text(re.compile(r"the most allowed Worth trying again in \d+ s\."))
        held.free.set()
        assert first.result().status_code == 200
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".next li")).to_have_count(10)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_a_service_that_cannot_be_reached_is_told(visit: Visit, context: BrowserContext) -> None:
    page = visit("sentiment", expected="ERR_INTERNET_DISCONNECTED")
    expect(page.locator(".readout")).to_contain_text("After")
    context.set_offline(True)
    page.get_by_role("button", name="Praise").click()
    expect(page.get_by_role("alert")).to_contain_text("The service cannot be reached")
    context.set_offline(False)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".readout")).to_contain_text("After “film.”")
    expect(page.get_by_role("alert")).to_be_hidden()


@pytest.mark.parametrize(
    ("status", "kind", "body", "told"),
    [
        (200, "text/html", "<html>Log in</html>", "This is no answer of the service"),
        (502, "application/json", '{"message": "no upstream"}', "The answer was 502"),
        (502, "application/json", "null", "The answer was 502"),
    ],
)
def test_what_something_in_between_answers_is_told(
    visit: Visit, context: BrowserContext, status: int, kind: str, body: str, told: str
) -> None:
    page = visit("sentiment", expected=str(status))
    expect(page.locator(".readout")).to_contain_text("After")
    context.route("**/v1/sentiment", lambda route: route.fulfill(status=status, content_type=kind, body=body))
    page.get_by_role("button", name="Praise").click()
    expect(page.get_by_role("alert")).to_contain_text(told)
    expect(page.locator(".verdict")).to_contain_text("Type to see the verdict.")
    expect(page.locator(".readout")).to_be_empty()


def test_a_key_is_asked_for_sent_and_kept_out_of_sight(visit: Visit) -> None:
    """A refusal for want of a key is put in here, so that it does not matter whether the service demands one."""
    page = visit("rain", expected="401")
    expect(page.locator(READY["rain"])).to_be_visible()
    problem = {"title": "Unauthorized", "detail": "a key is needed", "code": "unauthorized", "status": 401}

    def demand(route: Any) -> None:
        known = route.request.headers.get("authorization") == "Bearer open sesame"
        if known:
            route.continue_()
        else:
            route.fulfill(status=401, content_type="application/problem+json", json=problem)

    page.route("**/v1/sentiment", demand)
    page.get_by_role("tab", name="Sentiment").click()
    expect(page.get_by_role("alert")).to_contain_text("a key is needed")
    field = page.get_by_label("API key, kept until this tab closes")
    field.fill("open “sesame”")
    page.get_by_role("button", name="Use key").click()
    assert field.evaluate("field => field.validity.patternMismatch")
    field.fill(" open sesame ")
    page.get_by_role("button", name="Use key").click()
    expect(page.locator(".readout")).to_contain_text("After")
    expect(page.get_by_role("alert")).to_be_hidden()
    for language, name in (("curl", "$GATEHOUSE_KEY"), ("Python", "GATEHOUSE_KEY"), ("JavaScript", "env.GATEHOUSE_KEY")):
        code = copied(page, "sentiment", language)
        assert name in code
        assert "sesame" not in code
    assert page.evaluate("Object.keys(localStorage).length") == 0


def test_a_panel_out_of_view_asks_again_what_it_was_refused_when_a_key_comes(visit: Visit) -> None:
    page = visit("log", expected="401")
    expect(page.locator(READY["log"])).to_be_visible()
    problem = {"title": "Unauthorized", "detail": "a key is needed", "code": "unauthenticated", "status": 401}

    def demand(route: Any) -> None:
        if route.request.headers.get("authorization"):
            route.continue_()
        else:
            route.fulfill(status=401, content_type="application/problem+json", json=problem)

    page.route("**/v1/{sentiment,rainfall}", demand)
    for name in ("Sentiment", "Rain"):
        page.get_by_role("tab", name=name).click()
        expect(page.get_by_role("alert")).to_contain_text("The service asks for an API key")
    asked = list[str]()
    page.on("request", lambda request: asked.append(request.url.rpartition("/")[2]))
    page.get_by_label("API key, kept until this tab closes").fill("open sesame")
    page.get_by_role("button", name="Use key").click()
    expect(page.locator("#rain .big")).to_contain_text("mm")
    page.get_by_role("tab", name="Sentiment").click()
    expect(page.locator(".readout")).to_contain_text("After")
    expect(page.get_by_role("alert")).to_be_hidden()
    assert not any(name.startswith("stats") for name in asked)  # that had been answered


def test_who_asks_too_often_can_ask_again(visit: Visit) -> None:
    page = visit("cells", expected="429")
    expect(page.locator(READY["cells"])).to_be_visible()
    problem = {"title": "Too Many Requests", "detail": "one a minute", "code": "rate_limited", "status": 429}
    page.route(
        "**/v1/cells",
        lambda route: route.fulfill(
            status=429, content_type="application/problem+json", json=problem, headers={"Retry-After": "3"}
        ),
    )
    page.get_by_role("button", name="Negation").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Too many requests for now")
    expect(alert).to_contain_text("Worth trying again in 3 s.")
    page.unroute("**/v1/cells")
    alert.get_by_role("button", name="Try again").click()
    expect(page.locator(READY["cells"])).to_be_visible()
    expect(alert).to_be_hidden()
