"""A real server and a real Chromium for the browser tests."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal

import pytest
from browser import CHROMIUM_ARGUMENTS, ROOT, chromium, start_server, stop_server
from explorer import SIZE, Explorer
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[pytest.TestReport]:
    """With a failure comes what its pages showed: the text and what our components noted in the report, the picture in a file."""
    report = yield
    if report.failed and call.when == "call" and item.get_closest_marker("e2e"):
        owners = [getattr(value, "page", value) for value in item.funcargs.values()]
        for page in {owner for owner in owners if isinstance(owner, Page) and not owner.is_closed()}:
            try:
                report.sections.append((f"page {page.url}", _described(page)))
                path = ROOT / "build" / "failures" / f"{re.sub('[^a-z0-9]+', '-', item.name)}.png"
                page.screenshot(path=path)
                report.sections.append(("picture", str(path)))
            except Error as error:  # the browser itself is gone: the test's own error is the one to read
                report.sections.append(("page", f"cannot be looked at: {error}"))
    return report


def _described(page: Page) -> str:
    """Title, the beginning of the text, and the last notes of our components."""
    notes = page.evaluate("(window.adastrideLog ?? []).slice(-16).map(([kind, at, what]) => [kind, Math.round(at), what?.step ?? what])")
    return f"{page.title()}\n{page.locator('body').inner_text()[:1500]}\n{str(notes)[:1500]}"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    log = ROOT / "build" / "e2e-server.log"
    log.parent.mkdir(exist_ok=True)
    process, address = start_server(log=log)
    yield address
    assert process.poll() is None, f"the server ended by itself with {process.returncode}: {log.read_text()[-2000:]}"
    stop_server(process)


@pytest.fixture(scope="session")
def made_up() -> Iterator[str]:
    """A server of made_up_app.py."""
    log = ROOT / "build" / "made-up-server.log"
    log.parent.mkdir(exist_ok=True)
    process, address = start_server(log=log, script="tests/e2e/made_up_app.py")
    yield address
    stop_server(process)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Pages of one browser context share a process, which has Streamlit's scripts compiled already: that is half of a visit's work."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=[*CHROMIUM_ARGUMENTS, "--process-per-site"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def visitor(browser: Browser) -> Iterator[BrowserContext]:
    """A browser that has been here before: Streamlit's scripts are in its cache, and compiled, which makes every test two seconds quicker."""
    context = browser.new_context(viewport=SIZE, accept_downloads=True, permissions=["microphone"])
    stays = context.new_page()  # the process ends with the last page of a site, whose ports do not count
    stays.route("**", lambda route: route.fulfill(content_type="text/html", body=""))
    stays.goto("http://127.0.0.1/")
    yield context
    context.close()


@pytest.fixture
def page(visitor: BrowserContext) -> Iterator[Page]:
    """A fresh session at 1400 x 1000 in a browser that has been here before. A JavaScript error fails the test."""
    page, errors = visitor.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    if page.url.startswith("http"):
        page.evaluate("localStorage.clear()")  # Streamlit keeps there, for instance, that a sidebar was closed
    page.close()
    assert not errors, errors


@pytest.fixture
def sized_page(visitor: BrowserContext) -> Iterator[Callable[..., Page]]:
    """Makes a fresh session of any size, theme and love of motion in the browser that has been here before. A JavaScript error fails the test."""
    pages, errors = [], []

    def make(width: int = SIZE["width"], height: int = SIZE["height"], **media: Literal["light", "dark", "reduce"]) -> Page:
        page = visitor.new_page()
        pages.append(page)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(**media)
        return page

    yield make
    for page in pages:
        if page.url.startswith("http"):
            page.evaluate("localStorage.clear()")
        page.close()
    assert not errors, errors


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Makes a page in a new browser, with an empty cache; takes the browser context's options. A JavaScript error fails the test."""
    contexts, errors = [], []

    def make(width: int = SIZE["width"], height: int = SIZE["height"], **options) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield make
    for context in contexts:
        context.close()
    assert not errors, errors


@pytest.fixture(scope="session")
def _regular(visitor: BrowserContext, server: str) -> Iterator[tuple[Explorer, dict, list[str]]]:
    """A page that tests use one after the other, what it looks like untouched, and the JavaScript errors on it."""
    page, errors = visitor.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    explorer = Explorer(page, server).open()
    yield explorer, explorer.impression(), errors
    page.close()


@pytest.fixture
def explorer(_regular: tuple[Explorer, dict, list[str]]) -> Iterator[Explorer]:
    """The Explore page as a first visitor sees it, down to the pixel. Most tests leave it so that a few buttons bring it
    back to that, which saves a visit; after the others it is a new session. A JavaScript error fails the test."""
    explorer, untouched, errors = _regular
    errors.clear()
    yield explorer.refreshed(untouched)
    assert not errors, errors
