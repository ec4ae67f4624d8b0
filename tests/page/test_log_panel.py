"""The log's panel, and the feedback that other panels give, on a service with tiny bundles."""

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, Route, expect

from app import examples
from app.database import make_engine
from app.keys import create_key
from app.settings import Settings

Serve = Callable[[Settings], httpx.Client]
Visit = Callable[..., Page]


def row(page: Page, task: str) -> Any:
    return page.get_by_role("region", name="By task").locator("tr").filter(has_text=task).locator("td")


def sent(page: Page, action: Callable[[], None]) -> Any:
    """The answer to the one request that is sent by this."""
    with page.expect_response(lambda response: "/v1/" in response.url and response.request.method == "POST") as answer:
        action()
    return answer.value


def test_what_was_asked_is_told_by_task_and_over_time(visit: Visit, client: httpx.Client) -> None:
    for _ in range(2):
        client.post("/v1/sentiment", json=examples.SENTIMENT)
    client.post("/v1/sentiment", json={"texts": []})
    client.post("/v1/rainfall", json=examples.RAINFALL)
    page = visit("log", client)
    for task, numbers in (("sentiment", ["3", "1", "4"]), ("rainfall", ["1", "0", "1"]), ("music", ["0", "0", "0"])):
        expect(row(page, task)).to_have_count(6)
        assert row(page, task).all_text_contents()[:3] == numbers
    sentiment = page.get_by_role("region", name="Sentiment")
    expect(sentiment.get_by_role("img", name="Requests over time: 3 in all, 1 answered with an error.")).to_be_visible()
    expect(
        sentiment.get_by_role("img", name=re.compile(r"Median latency over time, from [\d.]+ ms to [\d.]+ ms"))
    ).to_be_visible()
    expect(sentiment.get_by_role("img", name="Distribution of scores over time, from 4 items.")).to_be_visible()
    expect(sentiment.locator(".drift")).to_contain_text(
        re.compile("Share of words the model does not know: (too few to tell: 4|cannot be)")
    )
    expect(page.get_by_role("region", name="Music")).to_contain_text("no answer in this window")
    page.get_by_text("Requests by task and status").click()
    expect(page.get_by_role("region", name="By status")).to_contain_text("422")


def test_the_window_can_be_chosen_and_read_again(visit: Visit, client: httpx.Client) -> None:
    page = visit("log", client)
    expect(row(page, "sentiment").first).to_have_text("0")
    client.post("/v1/sentiment", json=examples.SENTIMENT)
    for name, hours in (("Last week", "168"), ("Last hour", "1")):
        with page.expect_request("**/v1/stats*") as request:
            page.get_by_role("button", name=name).click()
        assert request.value.url.endswith(f"hours={hours}")
        expect(page.get_by_role("button", name=name)).to_have_attribute("aria-pressed", "true")
        expect(row(page, "sentiment").first).to_have_text("1")
    client.post("/v1/sentiment", json=examples.SENTIMENT)
    page.get_by_role("button", name="Read again").click()
    expect(row(page, "sentiment").first).to_have_text("2")


def test_what_was_read_is_not_told_beside_a_refusal(visit: Visit, client: httpx.Client, context: BrowserContext) -> None:
    page = visit("log", client, expected="ERR_INTERNET_DISCONNECTED")
    expect(page.locator("#log [data-part=read]")).to_contain_text("requests, read at")
    context.set_offline(True)
    page.get_by_role("button", name="Read again").click()
    expect(page.get_by_role("alert")).to_contain_text("The service cannot be reached")
    expect(page.locator("#log [data-part=read]")).to_be_empty()


def test_large_figures_stand_within_their_plots(visit: Visit, client: httpx.Client, context: BrowserContext) -> None:
    def busy(route: Route) -> None:
        stats = route.fetch().json()
        for task in stats["tasks"]:
            task["slices"][0] |= {"requests": 400_000, "p50_ms": 4_000.0}
        route.fulfill(json=stats)

    client.post("/v1/sentiment", json=examples.SENTIMENT)
    context.route("**/v1/stats*", busy)
    page = visit("log", client)
    sentiment = page.get_by_role("region", name="Sentiment")
    expect(sentiment.get_by_role("img", name="Median latency over time")).to_contain_text("5.0 s")
    expect(sentiment.get_by_role("img", name="Requests over time")).to_contain_text("500K")
    assert min(page.locator("#log svg text").evaluate_all("all => all.map(one => one.getBBox().x)")) >= 0


def test_with_keys_it_opens_to_one_that_may_read_the_log(visit: Visit, serve: Serve, settings: Settings) -> None:
    engine = make_engine(settings.database_url)
    keys = {scope: create_key(engine, scope, [scope]) for scope in ("predict", "read_log")}
    engine.dispose()
    page = visit("log", serve(settings.model_copy(update={"auth": "keys"})), expected="40")
    expect(page.get_by_role("alert")).to_contain_text("The service asks for an API key")
    for scope, shown in (("predict", False), ("read_log", True)):
        if page.locator("#key-form").is_hidden():
            page.get_by_role("button", name="API key").click()
        page.get_by_label("API key, kept until this tab closes").fill(keys[scope])
        page.get_by_role("button", name="Use key").click()
        if shown:
            expect(row(page, "sentiment").first).to_have_text("0")
            expect(page.get_by_role("alert")).to_be_hidden()
        else:
            expect(page.get_by_role("alert")).to_contain_text("This API key does not open it")
            expect(row(page, "sentiment")).to_have_count(0)
    code = page.get_by_role("region", name="Code of the request")
    expect(code).to_contain_text("$GATEHOUSE_KEY")
    expect(code).not_to_contain_text("-d ")


@pytest.mark.parametrize(("button", "is_right"), [("Right", True), ("Wrong", False)])
def test_a_verdict_is_told_to_be_right_or_wrong(visit: Visit, client: httpx.Client, button: str, is_right: bool) -> None:
    page = visit("sentiment", client)
    expect(page.locator(".readout").first).to_contain_text("After")
    shown = "positive" if page.locator(".verdict .big").inner_text() == "Positive" else "negative"
    other = {"positive": "negative", "negative": "positive"}[shown]
    receipt = sent(page, page.get_by_role("button", name=button, exact=True).click).json()
    expect(page.get_by_role("status").filter(has_text="Kept with the request.")).to_be_visible()
    told = client.get(f"/v1/requests/{receipt['request_id']}").json()["feedback"]["0"]
    assert told["label"] == (shown if is_right else other)
    page.get_by_role("tab", name="Log").click()
    accuracy = "100.0" if is_right else "0.0"
    expect(page.get_by_role("region", name="Sentiment")).to_contain_text(
        f"1 item came back with the truth; {accuracy} % of the labels"
    )


def test_what_the_gauge_had_is_told_of_the_hour_in_view(visit: Visit, client: httpx.Client) -> None:
    page = visit("rain", client)
    expect(page.locator("#rain .big")).to_contain_text("mm")
    rows = "".join(f"{hour},{minute},5,{20 + hour},{hour / 10}\n" for hour in (1, 2, 3) for minute in (10, 40))
    file: Any = {
        "name": "scans.csv",
        "mimeType": "text/csv",
        "buffer": f"Id,minutes_past,radardist_km,Ref,Expected\n{rows}".encode(),
    }
    page.get_by_label("Radar scans as CSV").set_input_files(file)
    expect(page.get_by_role("status").filter(has_text="3 of 3 hours estimated")).to_be_visible()
    page.get_by_role("button", name="2", exact=True).click()
    gauge = page.get_by_label("The gauge had")
    expect(gauge).to_have_value("0.2")
    for value, words in (("3.4", "Kept with the request."), ("3.5", "in place of what was said before")):
        gauge.fill(value)
        receipt = sent(page, page.get_by_role("button", name="Tell").click).json()
        expect(page.get_by_role("status").filter(has_text=words)).to_be_visible()
        told = client.get(f"/v1/requests/{receipt['request_id']}").json()["feedback"]
        assert told["1"]["rain_mm"] == float(value)
        assert list(told) == ["1"]
