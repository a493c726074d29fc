"""The pictures of Explore and Compare as tables: on demand, reached with keys, and true to what is drawn."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from explorer import Explorer, wait_for
from playwright.sync_api import Page
from test_accessibility import axe_violations

from adastride import audio, checkpoints
from adastride.inspection import trace
from adastride.inspection.glance import sound_of
from adastride.samples import samples

pytestmark = pytest.mark.e2e
READ = """(sheet) => [...sheet.querySelectorAll("table")].map((table) => ({
  caption: table.caption.textContent,
  heads: [...table.tHead.rows[0].cells].map((cell) => cell.textContent),
  scopes: [...new Set([...table.querySelectorAll("th")].map((cell) => cell.scope))],
  rows: [...table.tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent)),
}))"""
FOCUSED = "(root) => root.getRootNode().activeElement?.className"


def test_explore_says_what_its_picture_shows(explorer: Explorer):
    button, sheet = explorer.page.locator("button.table"), explorer.page.locator(".sheet")
    assert sheet.is_hidden()
    assert sheet.evaluate("(sheet) => sheet.childElementCount") == 0, "closed it costs nothing"
    assert button.get_attribute("aria-expanded") == "false"
    button.press("Enter")
    assert button.get_attribute("aria-expanded") == "true"
    assert explorer.root.evaluate(FOCUSED) == "sheet"
    layers, answer, frames = sheet.evaluate(READ)
    assert all(table["scopes"] == ["col", "row"] for table in (layers, answer, frames))
    run = trace(checkpoints.load("digits-adastride"), audio.read(samples()["seven"].path))
    assert [(int(row[4]), int(row[5])) for row in layers["rows"]] == explorer.frames()
    for index, row in enumerate(layers["rows"]):
        shares, strides = sound_of(run).shares(run.boundary_seconds(index)), run.layers[index].strides
        means = np.average(strides, weights=shares), np.average(strides, weights=1 - shares)
        assert [float(text) for text in row[6:]] == pytest.approx(means, abs=0.02)
        assert means[0] < means[1], "sound gets the smaller strides"
    look = explorer.look()
    assert answer["rows"] == [list(pair) for pair in zip(look["labels"], look["percent"], strict=True)]
    assert frames["caption"] == f"Output frames of layer 1: all {len(run.layers[0].strides)}"
    numbers = np.array(frames["rows"], float)
    assert numbers[:, 1] == pytest.approx(run.boundary_seconds(0)[:-1], abs=1e-3)
    assert numbers[:, 2] == pytest.approx(run.boundary_seconds(0)[1:], abs=1e-3)
    assert numbers[:, 3] == pytest.approx(run.layers[0].strides, abs=0.02)


def test_the_table_of_explore_follows_a_drag_and_the_window(explorer: Explorer):
    explorer.page.locator("button.table").click()
    sheet = explorer.page.locator(".sheet")
    before = sheet.evaluate(READ)
    explorer.grab("stride")
    explorer.page.mouse.move(*explorer.thumb("stride", 0.5), steps=5)
    wait_for(lambda: sheet.evaluate(READ)[0]["rows"][0][3] != before[0]["rows"][0][3], why="the table did not follow while the mouse was down")
    explorer.page.mouse.up()
    explorer.settle()
    layers, answer, frames = sheet.evaluate(READ)
    assert [(int(row[4]), int(row[5])) for row in layers["rows"]] == explorer.frames()
    assert [row[1] for row in answer["rows"]] == explorer.look()["percent"]
    assert len(frames["rows"]) == explorer.frames()[0][1]
    explorer.page.locator(".zoom-in").click()
    wait_for(lambda: "those in view" in sheet.evaluate(READ)[2]["caption"], why="the table did not follow the window")
    explorer.scope(2)
    wait_for(lambda: sheet.evaluate(READ)[2]["caption"].startswith("Output frames of layer 3"), why="the layer chosen has no table")


def test_the_table_scrolls_with_keys_and_goes_with_escape(explorer: Explorer):
    explorer.page.set_viewport_size({"width": 1366, "height": 680})
    button, sheet = explorer.page.locator("button.table"), explorer.page.locator(".sheet")
    button.click()
    link = explorer.query()
    for key in ("ArrowDown", "ArrowDown", "PageDown"):
        explorer.page.keyboard.press(key)
    wait_for(lambda: sheet.evaluate("(sheet) => sheet.scrollTop > 100"), why="keys do not move the table")
    assert explorer.query() == link, "arrow keys move the table and no slider"
    assert sheet.evaluate("(sheet) => sheet.getBoundingClientRect().top") >= explorer.page.locator(".explorer .bar").evaluate(
        "(bar) => bar.getBoundingClientRect().bottom"
    ), "the bar lies over the table"
    explorer.page.keyboard.press("Escape")
    assert sheet.is_hidden()
    assert button.get_attribute("aria-expanded") == "false"
    assert "table" in explorer.root.evaluate(FOCUSED), "the focus is back on the button"


def test_of_many_frames_two_hundred_are_listed_and_the_table_says_so(page: Page, server: str):
    explorer = Explorer(page, server).open("?stride=1")
    assert explorer.frames()[0][1] > 200
    page.locator("button.table").click()
    frames = page.locator(".sheet").evaluate(READ)[2]
    assert len(frames["rows"]) == 200
    assert frames["caption"].endswith(f"the first 200 of {explorer.frames()[0][1]}; zoom in for the others")


def test_compare_has_the_rows_of_each_alignment_on_demand(page: Page, server: str):
    page.goto(f"{server}/compare")
    root, sheet = page.locator(".compare"), page.locator(".compare .sheet")
    root.locator(".numbers tbody td").first.wait_for(timeout=90_000)
    assert sheet.evaluate("(sheet) => sheet.childElementCount") == 0
    root.locator("button.table").click()
    tables = sheet.evaluate(READ)
    names = root.locator(".method h3").all_inner_texts()
    assert [table["caption"].split(",")[0] for table in tables] == names
    assert all(table["scopes"] == ["col", "row"] for table in tables)
    for table in tables:
        rows = table["rows"]
        assert all(len(row) == len(table["heads"]) for row in rows)
        for row in rows:
            places = [int(place) for place in row[4].split(" to ")]
            assert places[0] <= int(row[5]) <= places[-1]
    shown = [len(table["rows"]) for table in tables]
    root.locator('.slider[data-name="stride"] input').focus()
    for _ in range(40):
        page.keyboard.press("ArrowUp")
    wait_for(lambda: [len(table["rows"]) for table in sheet.evaluate(READ)] != shown, why="the tables did not follow the slider")
    page.keyboard.press("Escape")
    assert sheet.is_hidden()
    assert "table" not in root.evaluate(FOCUSED), "the focus stays where it was, on the slider"


@pytest.mark.parametrize(("width", "height", "theme"), [(1366, 680, "light"), (390, 844, "dark")])
def test_open_tables_fit_the_window_and_axe_finds_nothing(sized_page: Callable[..., Page], server: str, width: int, height: int, theme: str):
    page = sized_page(width, height, color_scheme=theme)
    explorer = Explorer(page, server).open()
    page.locator("button.table").click()
    page.wait_for_timeout(800)  # entrances fade in, and what is half transparent has no contrast
    explorer.shoot(f"explore-table-{width}-{theme}")
    place = page.locator(".sheet").bounding_box()
    assert place["y"] >= 44
    assert place["y"] + place["height"] <= height
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth <= main.clientWidth")
    assert axe_violations(page) == []
    page.goto(f"{server}/compare")
    page.locator(".compare .numbers tbody td").first.wait_for(timeout=90_000)
    page.locator(".compare button.table").click()
    page.wait_for_timeout(800)  # entrances fade in, and what is half transparent has no contrast
    explorer.shoot(f"compare-table-{width}-{theme}")
    place = page.locator(".compare .sheet").bounding_box()
    assert place["y"] + place["height"] <= height
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth <= main.clientWidth")
    assert axe_violations(page) == []
