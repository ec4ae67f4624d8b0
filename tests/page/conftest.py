"""A real browser on the real page. What every test checks on the way: no error in the console, no request to elsewhere."""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Route, expect, sync_playwright

from app.routes.page import BUILT

Visit = Callable[..., Page]

PATIENCE_MS = 20_000  # a busy machine is no fault of the page
expect.set_options(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium, for the tests of a file: Playwright keeps an event loop running in this thread meanwhile."""
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip(f"needs a browser: none of {', '.join(names)} is installed")
    if not (BUILT / "index.html").is_file():
        pytest.skip("needs the built page: make page")
    with sync_playwright() as playwright:
        # Chromium refuses to run as root within its sandbox.
        browser = playwright.chromium.launch(executable_path=program, chromium_sandbox=os.geteuid() != 0)
        yield browser
        browser.close()


class Watch:
    """What the console and the network of a page said."""

    def __init__(self, origin: str) -> None:
        self.origin, self.errors, self.elsewhere = origin, list[str](), list[str]()
        self.expected = ""

    def follow(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.errors.append(message.text)

    def _request(self, request: Request) -> None:
        if not request.url.startswith((self.origin, "blob:", "data:")):
            self.elsewhere.append(request.url)

    def check(self) -> None:
        assert self.elsewhere == []
        assert [error for error in self.errors if not (self.expected and self.expected in error)] == []


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A browser profile of its own, which may use the clipboard."""
    with browser.new_context(
        viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"]
    ) as context:
        context.set_default_timeout(PATIENCE_MS)
        yield context


class Held:
    """Requests for an address, which wait until they are let go."""

    def __init__(self, context: BrowserContext, address: str | re.Pattern[str]) -> None:
        self._routes = list[Route]()
        context.route(address, self._hold)

    def _hold(self, route: Route) -> None:
        self._routes.append(route)

    def let_go(self, page: Page) -> None:
        """The first one, which may not have been sent yet."""
        deadline = time.monotonic() + PATIENCE_MS / 1000
        while not self._routes:
            assert time.monotonic() < deadline, "nothing was asked for"
            page.wait_for_timeout(10)
        self._routes.pop(0).continue_()


@pytest.fixture
def hold_back(context: BrowserContext) -> Callable[[str | re.Pattern[str]], Held]:
    """Holds back all requests for an address from now on."""
    return lambda address: Held(context, address)


@pytest.fixture
def visit(context: BrowserContext, shipped: httpx.Client) -> Iterator[Visit]:
    """Opens a panel of the page of a server, by default the shipped one; a console error may come that holds `expected`."""
    watches = []

    def open_panel(panel: str, client: httpx.Client = shipped, expected: str = "") -> Page:
        origin = str(client.base_url).rstrip("/")
        watch, page = Watch(origin), context.new_page()
        watch.expected = expected
        watch.follow(page)
        watches.append(watch)
        page.goto(f"{origin}/#{panel}")
        return page

    yield open_panel
    for watch in watches:
        watch.check()
