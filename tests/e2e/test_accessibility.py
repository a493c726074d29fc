"""What axe-core finds on every page, light and dark, on a desk and on a phone; and that whatever scrolls can be reached with keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from browser import ROOT
from explorer import wait_for
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.e2e

AXE = ROOT / "tests" / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
SHOWN = {  # a page is there when so many of these are
    "": (".explorer .bar-row", 1), "compare": (".compare .cell canvas.base", 1),
    "compare?networks=": (".networks .lane canvas.base", 1), "sigma": (".js-plotly-plot", 8),
    "length": (".js-plotly-plot", 3), "results": (".js-plotly-plot", 1), "learn": (".learn canvas", 1),
    "images": (".images .bar-row, [data-testid=stAlert]", 1),  # where no network of pictures is installed the page says so
}
BACKGROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(15, 18, 26)"}
VIOLATIONS = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  return violations.filter(({ impact }) => ["moderate", "serious", "critical"].includes(impact))
    .flatMap(({ id, nodes }) => nodes.map(({ html, any }) => `${id}: ${any[0]?.message ?? ""} ${html.slice(0, 160)}`));
}"""


def axe_violations(page: Page) -> list[str]:
    """What axe-core finds on a page as it is now."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    return page.evaluate(VIOLATIONS)


@pytest.mark.parametrize("path", list(SHOWN))
def test_axe_finds_nothing(sized_page: Callable[..., Page], server: str, path: str):
    page = sized_page(1400, 1000, color_scheme="light")
    selector, count = SHOWN[path]
    page.goto(f"{server}/{path}")
    found = {}
    for width, height, theme in ((1400, 1000, "light"), (1400, 1000, "dark"), (390, 844, "dark"), (390, 844, "light")):
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=theme)
        expect(page.get_by_test_id("stApp")).to_have_css("background-color", BACKGROUNDS[theme])
        page.wait_for_timeout(200)
        page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=40_000)  # charts come anew in other colours
        page.locator(selector).nth(count - 1).wait_for(timeout=40_000)
        page.wait_for_timeout(800)  # entrances fade in, and what is half transparent has no contrast
        found[width, theme] = axe_violations(page)
    assert not any(found.values()), found


def test_a_table_that_scrolls_is_reached_with_the_tab_key(sized_page: Callable[..., Page], server: str):
    """On a phone the tables of Results scroll sideways: with arrow keys too."""
    page = sized_page(390, 844)
    page.goto(f"{server}/results")
    table = page.locator('[role="region"][aria-label^="Table: comparison"]')
    table.wait_for(timeout=40_000)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=40_000)  # until then the page is built around it
    table.focus()
    expect(table).to_be_focused()
    before = table.evaluate("(table) => table.scrollLeft")
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    wait_for(lambda: table.evaluate("(table) => table.scrollLeft") > before, why="arrow keys do not move the table")
