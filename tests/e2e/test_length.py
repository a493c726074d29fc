"""The Length page in a real Chromium, on made-up measurements and on ours: nothing cut, a link that keeps it, rows under the pointer."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

import made_up_lengths as made_up
import pytest
from browser import start_server, stop_server
from explorer import shoot_whole, unbroken, wait_for
from playwright.sync_api import Page, expect
from test_accessibility import axe_violations
from test_results_shown import _CUT

from adastride.results.reading import RESULTS_VARIABLE

pytestmark = pytest.mark.e2e
SIZES = {"light": [(1366, 680), (390, 844)], "dark": [(1400, 1000), (390, 844)]}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of a server that reads made-up measurements."""
    path = made_up.write(tmp_path_factory.mktemp("lengths"))
    process, server = start_server(variables={RESULTS_VARIABLE: str(path)})
    yield f"{server}/length"
    stop_server(process)


def opened(page: Page, address: str, charts: int = 6) -> Page:
    page.goto(address)
    page.get_by_role("heading", name="Pack a batch").wait_for(timeout=60_000)
    page.locator(".js-plotly-plot").nth(charts - 1).wait_for(timeout=60_000)
    page.wait_for_timeout(600)  # Plotly draws, and entrances fade in
    return page


def query(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.evaluate("location.href")).query).items()}


@pytest.mark.parametrize("scheme", list(SIZES))
def test_everything_fits(sized_page: Callable[..., Page], address: str, scheme: str):
    page = opened(sized_page(*SIZES[scheme][0], color_scheme=scheme), address)
    page.get_by_text("The accuracies as a table").click()
    for width, height in SIZES[scheme]:
        page.set_viewport_size({"width": width, "height": height})
        page.get_by_role("columnheader", name="Whole clips (%)").wait_for()
        page.wait_for_timeout(600)  # Plotly draws, and entrances fade in
        here = f"{width} x {height}, {scheme}"
        assert unbroken(page), here
        assert page.evaluate("document.documentElement.scrollWidth") <= width, here
        assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth <= main.clientWidth"), here
        assert page.evaluate(_CUT) == [], here
        assert axe_violations(page) == [], here
        shoot_whole(page, f"length-{scheme}-{width}")


def test_the_first_picture_is_seen_without_scrolling(sized_page: Callable[..., Page], address: str):
    page = opened(sized_page(1366, 680), address)
    for place in range(2):
        box = page.locator(".js-plotly-plot").nth(place).bounding_box()
        assert box["y"] + box["height"] <= 680


def test_what_we_measured_fits(sized_page: Callable[..., Page], server: str):
    page = opened(sized_page(1400, 1000), f"{server}/length", charts=3)
    assert unbroken(page)
    assert page.evaluate(_CUT) == []
    shoot_whole(page, "length-measured-light-1400")


def test_a_row_says_whose_it_is(page: Page, address: str):
    opened(page, address)
    rows = page.locator('[class*="st-key-length-rows-False"] .js-plotly-plot')
    rows.scroll_into_view_if_needed()
    box = rows.locator(".bars .point path").nth(6).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)  # Plotly's own layer lies over the bars
    label = page.locator(".hoverlayer .hovertext")
    expect(label.first).to_contain_text(re.compile(r"Clip \d+: [\d.]+ s, [\d,]+ tokens in row \d+"))


def test_the_batch_follows_and_the_link_keeps_it(page: Page, address: str):
    opened(page, address)
    page.get_by_role("radio", name="Environmental sounds").click()
    page.get_by_text("40 test clips").first.wait_for(timeout=20_000)
    box = page.get_by_role("spinbutton", name="Number of clips")
    box.fill("9")
    box.press("Enter")
    page.get_by_text("9 clips of").wait_for(timeout=20_000)
    wait_for(lambda: query(page).get("clips") == "9", why="the link does not keep the number of clips")
    said = page.get_by_text("9 clips of").inner_text()
    link = page.evaluate("location.href")
    opened(page, link, charts=5)
    assert page.get_by_text("9 clips of").inner_text() == said
    expect(page.get_by_role("radio", name="Environmental sounds")).to_be_checked()
    page.get_by_text("Typed", exact=True).click()
    field = page.get_by_role("textbox", name="Seconds of the clips")
    field.fill("2, four")
    field.press("Enter")
    page.get_by_text("“four” is no number").wait_for(timeout=20_000)
    field.fill("2, 4")
    field.press("Enter")
    page.get_by_text("2 clips of 2.0 to 4.0 s").wait_for(timeout=20_000)
    wait_for(lambda: query(page).get("seconds") == "2, 4" and "clips" not in query(page), why="the link does not keep what was typed")


def test_choices_outlive_a_visit_to_another_page(page: Page, address: str):
    opened(page, address)
    box = page.get_by_role("spinbutton", name="Seed")
    box.fill("3")
    box.press("Enter")
    wait_for(lambda: query(page).get("seed") == "3", why="the link does not keep the seed")
    page.get_by_role("link", name="Learn").click()
    page.locator(".learn canvas").first.wait_for(timeout=60_000)
    page.get_by_role("link", name="Length").click()
    expect(page.get_by_role("spinbutton", name="Seed")).to_have_value("3", timeout=60_000)


def test_downloads_open(page: Page, address: str):
    opened(page, address)
    for name, begins, place in (("PNG figure", b"\x89PNG", -1), ("SVG figure", b"<?xml", 0), ("CSV table", b"Clips at once,", -1)):
        with page.expect_download(timeout=40_000) as download:
            page.get_by_role("button", name=name).nth(place).click()
        assert download.value.path().read_bytes().startswith(begins)
