"""What is seen without scrolling: all panels and the answer of Explore, the results of Compare, at a laptop's and a projector's size."""

from __future__ import annotations

import pytest
from explorer import Explorer, wait_for
from playwright.sync_api import Page

from adastride import audio, checkpoints
from adastride.downsampling import LayerSettings
from adastride.inspection import trace
from adastride.inspection.glance import RULE, glance, sound_of
from adastride.samples import samples

pytestmark = pytest.mark.e2e
LONG = 90  # seconds: the first visitor of a server waits for the methods to be loaded
_PLACES = """(root) => {
  const place = (element) => { const { top, bottom, left, right } = element.getBoundingClientRect(); return { top, bottom, left, right }; };
  const named = [...root.querySelectorAll(".panel")].map((panel) => [panel.className, place(panel)]);
  for (const name of [".glance", ".bar", ".top", ".bars"]) named.push([name, place(root.querySelector(name))]);
  return named;
}"""
_HEIGHTS = """(root) => Object.fromEntries([...root.querySelectorAll(".panel")].map(
  (panel, n) => [`${n} ${panel.className.split(" ")[1]}`, panel.querySelector("canvas.base").clientHeight]))"""


def visit(page: Page, server: str, width: int, height: int, query: str = "") -> Explorer:
    page.set_viewport_size({"width": width, "height": height})
    explorer = Explorer(page, server).open(query)
    page.wait_for_timeout(300)
    return explorer


@pytest.mark.parametrize(("width", "height", "query"), [
    (1366, 680, ""), (1366, 680, "?checkpoint=scenes-adastride-s"), (1280, 720, ""), (1920, 1080, ""),
])
def test_all_panels_and_the_answer_are_in_one_view(page, server, width, height, query):
    explorer = visit(page, server, width, height, query)
    places = explorer.root.evaluate(_PLACES)
    outside = [(name, place) for name, place in places if place["top"] < 0 or place["bottom"] > height or place["right"] > width]
    assert not outside
    lowest = max(place["bottom"] for name, place in places if name.startswith("panel"))
    assert height - lowest < 30, "the panels use the height there is"


def test_panels_follow_the_windows_height(page, server):
    explorer = visit(page, server, 1366, 680)
    small = explorer.root.evaluate(_HEIGHTS)
    page.set_viewport_size({"width": 1366, "height": 1000})
    wait_for(lambda: explorer.root.evaluate(_HEIGHTS)["3 layer"] > 1.5 * small["3 layer"], why="the panels did not grow with the window")
    page.set_viewport_size({"width": 1366, "height": 680})
    wait_for(lambda: explorer.root.evaluate(_HEIGHTS) == small, why="the panels did not shrink with the window")


def test_panels_keep_a_readable_height_in_a_low_window(page, server):
    explorer = visit(page, server, 1366, 400)
    heights = explorer.root.evaluate(_HEIGHTS)
    assert all(height >= 54 for name, height in heights.items() if name.endswith("layer"))
    assert all(height >= 24 for name, height in heights.items() if name.endswith("profile"))
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollHeight > main.clientHeight")


def test_a_phone_does_not_scroll_sideways(page, server):
    explorer = visit(page, server, 390, 844)
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth <= main.clientWidth")
    assert explorer.root.evaluate(_HEIGHTS)["3 layer"] == 112


def test_the_sidebar_opener_is_reachable_and_nothing_lies_over_it(page, server):
    visit(page, server, 1366, 680)
    page.get_by_test_id("stSidebarHeader").hover()
    page.get_by_test_id("stSidebarCollapseButton").get_by_role("button").click()
    opener = page.get_by_test_id("stExpandSidebarButton")
    opener.wait_for()
    page.wait_for_timeout(500)
    box, line = opener.bounding_box(), page.locator(".st-key-page_head p").first.bounding_box()
    assert box["x"] + box["width"] <= line["x"]
    page.get_by_test_id("stMain").evaluate("(main) => main.scrollTo(0, 200)")
    opener.click()
    page.get_by_test_id("stSidebarCollapseButton").wait_for(state="attached")


def test_the_sentence_follows_a_drag_and_says_what_the_picture_shows(page, server):
    explorer = visit(page, server, 1366, 680)
    sentence = page.locator(".glance .sentence")
    usual = sentence.inner_text()
    explorer.grab("stride")
    page.mouse.move(*explorer.thumb("stride", 0.5), steps=5)
    wait_for(lambda: sentence.inner_text() != usual, why="the sentence did not follow while the mouse was down")
    page.mouse.up()
    explorer.settle()
    strides = explorer.setting("stride ")
    assert strides[0] > 3
    link = explorer.query()
    settings = [LayerSettings(stride=float(link["stride"]))] * 3
    run = trace(checkpoints.load("digits-adastride"), audio.read(samples()["seven"].path), settings)
    assert sentence.inner_text() == glance(run, sound_of(run)).text


def test_how_the_sentence_is_measured_is_one_click_away(page, server):
    visit(page, server, 1366, 680)
    rule, panels = page.locator(".glance .rule"), page.locator(".panels")
    before = panels.bounding_box()
    assert rule.is_hidden()
    page.get_by_role("button", name="How is this measured?").click()
    assert rule.inner_text() == RULE
    assert panels.bounding_box() == before, "the picture stays where it is"
    page.keyboard.press("Escape")
    assert rule.is_hidden()


_ROWS = """(root) => Object.fromEntries(["out", "align", "rec", "err"].map((kind) => {
  const boxes = [...root.querySelectorAll(`.cell.${kind} canvas.base`)].map((canvas) => canvas.getBoundingClientRect());
  return [kind, { count: boxes.length, top: Math.min(...boxes.map((box) => box.top)), bottom: Math.max(...boxes.map((box) => box.bottom)),
    height: Math.min(...boxes.map((box) => box.height)) }];
}))"""
_CROWDED = """(root) => {
  const cells = [...root.querySelectorAll(".cell.name")].filter((cell) => getComputedStyle(cell).display !== "none"), wrong = [];
  for (const cell of cells) {
    const lowest = Math.max(...[...cell.children].map((child) => child.getBoundingClientRect().bottom));
    if (lowest > cell.getBoundingClientRect().bottom + 1) wrong.push(`${cell.className} reaches into the row below it`);
    const ticks = [...cell.querySelectorAll(".tick")].map((tick) => tick.getBoundingClientRect()).sort((a, b) => a.top - b.top);
    ticks.slice(1).forEach((tick, n) => { if (tick.top < ticks[n].bottom - 1) wrong.push(`ticks of ${cell.className} overlap`); });
  }
  return wrong;
}"""


@pytest.mark.parametrize(("width", "height", "rows"), [(1366, 680, 3), (1280, 720, 3), (1920, 1080, 4)])
def test_compare_shows_its_results_in_one_view(page, server, width, height, rows):
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{server}/compare")
    compare = page.locator(".compare")
    page.locator(".cell.err canvas.base").nth(3).wait_for(timeout=1000 * LONG)
    page.wait_for_timeout(600)
    places = compare.evaluate(_ROWS)
    for kind in ("out", "align", "rec", "err")[:rows]:
        assert places[kind]["count"] == 4
        assert places[kind]["bottom"] <= height, kind
        assert places[kind]["height"] >= 60, kind
    assert compare.evaluate(_CROWDED) == []


def test_compares_results_follow_the_windows_height(page, server):
    page.set_viewport_size({"width": 1366, "height": 680})
    page.goto(f"{server}/compare?scores=drawn")
    page.locator(".cell.err canvas.base").nth(3).wait_for(timeout=1000 * LONG)
    compare = page.locator(".compare")
    page.wait_for_timeout(600)
    assert compare.evaluate(_CROWDED) == []
    small = compare.evaluate(_ROWS)["align"]["height"]
    page.set_viewport_size({"width": 1366, "height": 1000})
    wait_for(lambda: compare.evaluate(_ROWS)["align"]["height"] > 1.3 * small, why="the rows did not grow with the window")


def test_compare_on_a_phone_does_not_scroll_sideways(page, server):
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server}/compare")
    page.locator(".cell.err canvas.base").nth(3).wait_for(timeout=1000 * LONG)
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth <= main.clientWidth")


PAGES = {
    "": ".bar-row", "compare": ".cell.err canvas.base", "sigma": ".bar-row", "length": ".stPlotlyChart", "results": ".stPlotlyChart",
    "images": ".images .bar-row, [data-testid=stAlert]", "learn": ".learn canvas",
}


@pytest.mark.parametrize("name", PAGES)
def test_every_page_presents(page, server, name):
    """Larger type and no sidebar, by a link or the key P; the address keeps it, and the other pages are in it, too."""
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(f"{server}/{name}?presenter=1")
    page.locator(PAGES[name]).first.wait_for(timeout=1000 * LONG)
    size = "parseFloat(getComputedStyle(document.documentElement).fontSize)"
    wait_for(lambda: page.evaluate(size) >= 18, why="the type is not larger")
    page.get_by_test_id("stExpandSidebarButton").wait_for()
    assert page.get_by_test_id("stMain").bounding_box()["width"] == 1280
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth <= main.clientWidth")
    line, button = page.locator(".st-key-page_head .stMarkdown").bounding_box(), page.locator(".st-key-presenter button:visible").first.bounding_box()
    assert line["y"] >= 0
    assert line["x"] + line["width"] <= button["x"]
    wait_for(lambda: "presenter=1" in page.evaluate("location.href"), why="the link does not keep it")
    page.keyboard.press("p")
    wait_for(lambda: page.evaluate(size) == 16, LONG, why="the key does not end it")
    wait_for(lambda: "presenter" not in page.evaluate("location.href"), LONG, why="the link still has it")


def test_presenting_goes_along_to_another_page(page, server):
    explorer = visit(page, server, 1366, 768, "?presenter=1")
    assert explorer.root.evaluate(_PLACES)
    page.get_by_test_id("stExpandSidebarButton").click()
    page.get_by_test_id("stSidebarNav").get_by_text("Results").click()
    page.locator(".stPlotlyChart").first.wait_for(timeout=1000 * LONG)
    wait_for(lambda: "presenter=1" in page.evaluate("location.href"), LONG)
    assert page.evaluate("parseFloat(getComputedStyle(document.documentElement).fontSize)") >= 18


@pytest.mark.parametrize(("width", "height"), [(1366, 680), (1920, 1080)])
def test_all_panels_are_in_one_view_while_presenting(page, server, width, height):
    explorer = visit(page, server, width, height, "?presenter=1")
    page.wait_for_timeout(500)
    outside = [(name, place) for name, place in explorer.root.evaluate(_PLACES) if place["top"] < 0 or place["bottom"] > height]
    assert not outside
