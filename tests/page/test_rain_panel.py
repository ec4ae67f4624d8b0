"""The rain panel, with the shipped model."""

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, Request, expect

from app.tasks.rainfall import MEASUREMENTS

HoldBack = Callable[[str], Any]
Visit = Callable[..., Page]

HEADER = ["Id", "minutes_past", "radardist_km", *MEASUREMENTS, "Expected"]


def table(hours: int) -> str:
    """A file in the competition's format; hour `n` has two scans, one in ten no echo at all."""
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerow(HEADER)
    for hour in range(1, hours + 1):
        for minute in (10, 40):
            values = ["" if hour % 10 == 0 else 20 + hour % 25] + [""] * (len(MEASUREMENTS) - 1)
            rows.writerow([hour, minute, 5.0, *values, f"{hour / 100:.2f}"])
    return text.getvalue()


def choose(page: Page, text: str, name: str = "scans.csv") -> None:
    page.get_by_label("Radar scans as CSV").set_input_files({"name": name, "mimeType": "text/csv", "buffer": text.encode()})


def rain_mm(client: httpx.Client, body: Any) -> str:
    value = client.post("/v1/rainfall", json=body).json()["predictions"][0]["rain_mm"]
    return f"{value:.2f} mm" if value < 10 else f"{value:.1f} mm"


@pytest.mark.parametrize("name", ["Steady rain", "Thunderstorm", "Passing shower", "Drizzle far away"])
def test_an_example_hour_is_drawn_and_estimated(visit: Visit, shipped: httpx.Client, name: str) -> None:
    page = visit("rain")
    expect(page.locator("#rain .big")).to_contain_text("mm")
    with page.expect_request("**/v1/rainfall") as sent:
        page.get_by_role("button", name=name).click()
    body: Any = sent.value.post_data_json
    expect(page.locator("#rain .big")).to_have_text(rain_mm(shipped, body))
    expect(page.get_by_role("img", name=re.compile(r"\d+ scans, \d+ with reflectivity"))).to_be_visible()
    words = "This network .* mm, Marshall–Palmer .*, CSU blend .*; 90 % interval .* to .* mm"
    expect(page.get_by_role("img", name=re.compile(words))).to_be_visible()
    scans = body["hours"][0]["scans"]
    page.get_by_text("Scans as a table").click()
    expect(page.get_by_role("region", name="Scans").locator("tbody tr")).to_have_count(len(scans))


def test_many_hours_are_asked_in_batches_and_listed(visit: Visit, shipped: httpx.Client) -> None:
    page = visit("rain")
    sizes = list[int]()

    def count(request: Request) -> None:
        if request.url.endswith("/v1/rainfall"):
            body: Any = request.post_data_json
            sizes.append(len(body["hours"]))

    page.on("request", count)
    choose(page, table(300))
    expect(page.get_by_role("status").filter(has_text="300 of 300 hours estimated")).to_be_visible()
    assert sizes[-2:] == [256, 44]
    rows = page.locator("table.hours tbody tr")
    expect(rows).to_have_count(300)
    scans = [{"minutes_past": minute, "Ref": 20 + 299 % 25} for minute in (10, 40)]
    expected = rain_mm(shipped, {"hours": [{"radardist_km": 5, "scans": scans}]})
    expect(rows.nth(298)).to_contain_text(expected)
    expect(rows.nth(298)).to_contain_text("2.99 mm")
    page.get_by_role("button", name="299", exact=True).click()
    expect(page.locator("#rain .big")).to_have_text(expected)
    expect(page.get_by_role("img", name=re.compile("Gauge 2.99 mm"))).to_be_visible()
    page.get_by_role("button", name="300", exact=True).click()
    expect(page.get_by_role("img", name="2 scans, none of which has an echo over the gauge.")).to_be_visible()


def test_regions_of_many_hours_have_names_of_their_own(visit: Visit) -> None:
    page = visit("rain")
    choose(page, table(2))
    expect(page.locator("[data-part=progress]")).to_have_text("2 of 2 hours estimated")
    for name in ("All hours", "Table of all hours"):
        expect(page.get_by_role("region", name=name, exact=True)).to_have_count(1)


def test_a_file_can_be_dropped(visit: Visit) -> None:
    page = visit("rain")
    expect(page.locator("#rain .big")).to_contain_text("mm")
    page.evaluate(
        """text => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([text], "dropped.csv", { type: "text/csv" }));
            const event = (name) => new DragEvent(name, { dataTransfer: transfer, bubbles: true, cancelable: true });
            const drop = document.querySelector(".drop");
            drop.dispatchEvent(event("dragover"));
            drop.dispatchEvent(event("drop"));
        }""",
        table(3),
    )
    expect(page.get_by_role("status").filter(has_text="3 of 3 hours estimated")).to_be_visible()


def test_a_long_file_is_read_as_far_as_it_is_used(visit: Visit, tmp_path: Path) -> None:
    page = visit("rain")
    choose(page, table(1_500), "train.csv")
    done = page.get_by_role("status").filter(has_text="1024 of 1024 hours estimated; the file has more")
    expect(done).to_be_visible(timeout=60_000)
    expect(page.locator("table.hours tbody tr")).to_have_count(1_024)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("minutes_past,Ref\n1,2\n", "Id, radardist_km not found"),
        ("Id,minutes_past,radardist_km,Ref\n1,3,10,wet\n", "Line 2: Ref is “wet”, where a number or nothing is allowed"),
        ("Id,minutes_past,radardist_km,Ref\n1,3,10\n", "Line 2 has 3 cells, the first line 4"),
        ("Id,minutes_past,radardist_km,Ref\n", "no row of measurements"),
        ("Id,minutes_past,radardist_km,Ref,Ref\n1,3,10,20,30\n", "names the column Ref more than once"),
        ("Id,minutes_past,radardist_km,Ref\n,3,10,20\n", "Line 2 has no Id"),
    ],
)
def test_a_file_that_is_no_table_of_scans_is_refused_with_the_place(visit: Visit, text: str, words: str) -> None:
    page = visit("rain")
    choose(page, text, "wrong.csv")
    expect(page.get_by_role("alert")).to_contain_text("wrong.csv cannot be read")
    expect(page.get_by_role("alert")).to_contain_text(words)


def test_a_file_that_the_browser_cannot_read_is_told(visit: Visit) -> None:
    """As a folder that is dropped, or a file that was moved since it was chosen."""
    page = visit("rain")
    expect(page.locator("#rain .big")).to_contain_text("mm")
    page.evaluate(
        """() => {
            const gone = { pull: (reading) => reading.error(new DOMException("gone", "NotFoundError")) };
            File.prototype.stream = () => new ReadableStream(gone);
        }"""
    )
    choose(page, table(1), "gone.csv")
    expect(page.get_by_role("alert")).to_contain_text("gone.csv cannot be read")
    expect(page.get_by_role("alert")).to_contain_text("it is a folder, was changed or moved since, or may not be read")


def test_a_file_without_lines_is_not_read_to_its_end(visit: Visit) -> None:
    page = visit("rain")
    expect(page.locator("#rain .big")).to_contain_text("mm")
    page.evaluate(
        """() => {
            window.pieces = 0;
            const endless = { pull: (reading) => reading.enqueue(new Uint8Array(65536).fill(48 + (window.pieces++ % 10))) };
            File.prototype.stream = () => new ReadableStream(endless);
        }"""
    )
    choose(page, "", "video.csv")
    expect(page.get_by_role("alert")).to_contain_text("A line goes on for more than 100,000 characters.")
    assert page.evaluate("pieces") < 10


def test_a_file_is_forgotten_when_another_is_looked_for(visit: Visit) -> None:
    """So that the same one, mended, counts as another choice: of a file chosen twice a browser says nothing."""
    page = visit("rain")
    choose(page, "minutes_past,Ref\n1,2\n", "mended.csv")
    expect(page.get_by_role("alert")).to_contain_text("mended.csv cannot be read")
    box = page.get_by_label("Radar scans as CSV")
    with page.expect_file_chooser() as chooser:
        box.click()
    expect(box).to_have_value("")
    text = table(2).encode()
    chooser.value.set_files({"name": "mended.csv", "mimeType": "text/csv", "buffer": text})
    expect(page.locator("[data-part=progress]").filter(has_text="2 of 2 hours estimated")).to_be_visible()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_an_answer_that_comes_late_does_not_hide_what_is_wrong_with_a_file(
    visit: Visit, context: BrowserContext, hold_back: HoldBack
) -> None:
    held = hold_back("**/v1/rainfall")
    page = visit("rain")
    expect(page.locator("#rain .big")).to_have_text("…")
    choose(page, "minutes_past,Ref\n1,2\n", "wrong.csv")
    expect(page.get_by_role("alert")).to_contain_text("wrong.csv cannot be read")
    held.let_go(page)
    expect(page.locator("#rain .big")).to_contain_text("mm")
    expect(page.get_by_role("alert")).to_contain_text("wrong.csv cannot be read")
    context.unroute("**/v1/rainfall")
    page.get_by_role("button", name="Drizzle far away").click()
    expect(page.get_by_role("alert")).to_be_hidden()


def test_the_hour_that_was_chosen_stays_in_view_when_estimates_come(
    visit: Visit, hold_back: HoldBack, shipped: httpx.Client
) -> None:
    page = visit("rain")
    expect(page.locator("#rain .big")).to_contain_text("mm")
    held = hold_back("**/v1/rainfall")
    choose(page, table(300))
    name = page.get_by_role("button", name="299", exact=True)
    name.click()
    for progress in ("256 of 300", "300 of 300"):
        held.let_go(page)
        expect(page.locator("[data-part=progress]")).to_have_text(f"{progress} hours estimated")
        expect(name).to_have_attribute("aria-pressed", "true")
        expect(page.locator("[data-part=hour-title]")).to_have_text("Radar over the gauge: 299")
    scans = [{"minutes_past": minute, "Ref": 20 + 299 % 25} for minute in (10, 40)]
    expect(page.locator("#rain .big")).to_have_text(rain_mm(shipped, {"hours": [{"radardist_km": 5, "scans": scans}]}))


@pytest.mark.parametrize("text", [table(2), "minutes_past,Ref\n1,2\n"])
def test_a_file_that_takes_long_to_read_gives_way_to_what_was_chosen_since(visit: Visit, text: str) -> None:
    page = visit("rain")
    expect(page.locator("#rain .big")).to_contain_text("mm")
    # The next file is not read until this test begins it; `end` is when all that is wanted has been read.
    page.evaluate(
        """() => {
            const read = File.prototype.stream;
            File.prototype.stream = function () {
                File.prototype.stream = read;
                const text = new TransformStream({ start: () => new Promise((begin) => (window.begin = begin)) });
                window.end = read.call(this).pipeTo(text.writable).catch(() => {});
                return text.readable;
            };
        }"""
    )
    choose(page, text, "slow.csv")
    page.get_by_role("button", name="Drizzle far away").click()
    page.evaluate("async () => { begin(); await end; await new Promise((next) => setTimeout(next, 100)); }")
    expect(page.locator("[data-part=hour-title]")).to_have_text("Radar over the gauge: Drizzle far away")
    expect(page.get_by_role("alert")).to_be_hidden()
    expect(page.locator("[data-part=progress]")).to_be_empty()


def test_what_the_service_refuses_of_a_file_is_said(visit: Visit) -> None:
    page = visit("rain", expected="422")
    choose(page, "Id,minutes_past,radardist_km,Ref\nTuesday,3,10,1000\n")
    fault = "Hour Tuesday: /hours/0/scans/0/Ref: Input should be less than or equal to 100"
    expect(page.get_by_role("alert")).to_contain_text(fault)


def test_what_is_refused_of_a_long_file_is_said_of_its_hours(visit: Visit) -> None:
    """The second request counts its hours from 0 again."""
    page = visit("rain", expected="422")
    rows = [f"{hour},3,10,{1000 if hour in {280, 290} else 20}\n" for hour in range(1, 301)]
    choose(page, "Id,minutes_past,radardist_km,Ref\n" + "".join(rows))
    expect(page.get_by_role("alert")).to_contain_text("Hour 280: /hours/23/scans/0/Ref: Input should be")
    expect(page.get_by_role("alert").get_by_role("listitem")).to_contain_text(
        "Hour 290: /hours/33/scans/0/Ref: Input should be"
    )


def test_a_receipt_that_comes_late_does_not_stand_beside_another_hour(visit: Visit, hold_back: HoldBack) -> None:
    page = visit("rain")
    expect(page.locator("#rain .big")).to_contain_text("mm")
    held = hold_back("**/feedback")
    page.get_by_label("The gauge had").fill("2")
    page.get_by_role("button", name="Tell").click()
    expect(page.locator("#rain [data-part=told]")).to_have_text("Sending …")
    page.get_by_role("button", name="Drizzle far away").click()
    expect(page.locator("#rain .big")).to_contain_text("mm")
    with page.expect_response("**/feedback"):
        held.let_go(page)
    page.wait_for_timeout(200)
    expect(page.locator("#rain [data-part=told]")).to_be_empty()
