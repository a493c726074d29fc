"""The Results page in a real Chromium, on made-up results and on ours: nothing cut, nothing wider than the screen, files that open."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import made_up_results as made_up
import pytest
from browser import start_server, stop_server
from explorer import SHOTS, unbroken
from playwright.sync_api import Page

from adastride.results.reading import RESULTS_VARIABLE

pytestmark = pytest.mark.e2e

SECTIONS = ("σ", "Frames pooled", "Shifted input", "Time and memory", "Learned strides", "What is missing")
# Texts of the plots that reach beyond their own drawing or are clipped by their legend.
_CUT = """() => [...document.querySelectorAll(".js-plotly-plot")].flatMap((plot) => {
  const frame = plot.getBoundingClientRect();
  return [...plot.querySelectorAll("svg text")].filter((text) => {
    const box = text.getBoundingClientRect();
    return text.textContent.trim() && (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1);
  }).map((text) => text.textContent);
})"""

# How many lines the text of each cell takes.
_LINES = """(cells) => cells.map((cell) => {
  const text = document.createRange();
  text.selectNodeContents(document.createTreeWalker(cell, NodeFilter.SHOW_TEXT).nextNode());
  return text.getClientRects().length;
})"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of a server that reads a file of made-up results."""
    path = made_up.write(tmp_path_factory.mktemp("results") / "results.csv", made_up.many(2))
    process, server = start_server(variables={RESULTS_VARIABLE: str(path)})
    yield f"{server}/results"
    stop_server(process)


@pytest.fixture(scope="module")
def recognisers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same of made-up recognisers, with errors by speaker."""
    folder, lines = tmp_path_factory.mktemp("recognisers"), made_up.recognisers(2, ("phonemes", "phonemes-third", "phonemes-tenth"))
    path = made_up.write(folder / "results.csv", lines, made_up.RECOGNISERS)
    made_up.write_speakers(folder, lines)
    process, server = start_server(variables={RESULTS_VARIABLE: str(path)})
    yield f"{server}/results"
    stop_server(process)


def opened(page: Page, address: str, charts: int = 8) -> Page:
    page.goto(address)
    page.get_by_role("heading", name="More").wait_for(timeout=60_000)
    page.locator(".js-plotly-plot").nth(charts - 1).wait_for()
    return page


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_everything_fits(sized_page: Callable[..., Page], address: str, width: int, scheme: str):
    page = opened(sized_page(width, 1000, color_scheme=scheme), address)
    for section in SECTIONS:
        page.get_by_role("radio", name=section, exact=True).click()
        page.wait_for_timeout(300)
        page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=60_000)
        page.wait_for_timeout(500)  # Plotly draws
        assert unbroken(page), section
        assert page.evaluate("document.documentElement.scrollWidth") <= width, section
        assert page.evaluate(_CUT) == [], section
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.evaluate("document.querySelector('[data-testid=stMain]').scrollTo(0, 0)")
    page.screenshot(path=SHOTS / f"results-{scheme}-{width}.png")


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_what_we_measured_fits(sized_page: Callable[..., Page], server: str, width: int, scheme: str):
    """The results file of the repository, for people to look at, and in the README."""
    page = opened(sized_page(width, 1000, color_scheme=scheme), f"{server}/results", charts=4)
    page.wait_for_timeout(1000)
    assert unbroken(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(_CUT) == []
    page.screenshot(path=SHOTS / f"results-measured-{scheme}-{width}.png")


@pytest.mark.parametrize(("width", "height", "scheme"), [(1366, 680, "light"), (390, 844, "dark")])
def test_error_rates_stand_on_one_line_with_their_intervals(
    sized_page: Callable[..., Page], recognisers: str, width: int, height: int, scheme: str
):
    page = sized_page(width, height, color_scheme=scheme)
    page.goto(recognisers)
    page.get_by_role("heading", name="Does AdaStride help with little data?").wait_for(timeout=60_000)
    page.get_by_role("heading", name="More").wait_for()
    cells = page.locator("td").filter(has_text=re.compile(r"[\d.]+\s.\s[\d.]+\s\([\d.]+\W+[\d.]+\)"))
    cells.first.wait_for()  # tables come in after the headings
    assert cells.count() >= 10
    assert set(cells.evaluate_all(_LINES)) == {1}
    assert unbroken(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.get_by_text("Our error rates and the paper").evaluate("(text) => text.scrollIntoView()")
    page.screenshot(path=SHOTS / f"results-errors-{scheme}-{width}.png")


def test_text_can_be_read_on_a_dark_page(sized_page: Callable[..., Page], address: str):
    page = opened(sized_page(color_scheme="dark"), address)
    assert page.locator(".js-plotly-plot .ytick text").first.evaluate("(text) => getComputedStyle(text).fill") == "rgb(238, 241, 247)"


def test_downloads_open(page: Page, address: str):
    opened(page, address)
    for name, begins in (("PNG figure", b"\x89PNG"), ("SVG figure", b"<?xml"), ("CSV table", b"Method,")):
        with page.expect_download(timeout=40_000) as download:
            page.get_by_role("button", name=name).first.click()
        assert download.value.path().read_bytes().startswith(begins)


def test_the_navigation_leads_there(page: Page, address: str):
    page.goto(address.removesuffix("/results"))
    page.get_by_role("link", name="Results").click(timeout=60_000)
    page.get_by_role("heading", name="Does an adaptive stride help?").wait_for(timeout=60_000)
