"""For those who ask for less motion nothing moves by itself: no transition, no animation, no smooth scrolling, no sweep."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from explorer import Explorer, wait_for
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e
LONGEST = 0.0011  # seconds: a millisecond is how our components learn that the theme changed
MOVING = """(longest) => {
  const seconds = (text) => Math.max(...text.split(",").map((each) => parseFloat(each) * (each.trim().endsWith("ms") ? 0.001 : 1)));
  const found = new Set();
  const visit = (root) => {
    for (const element of root.querySelectorAll("*")) {
      for (const part of [null, "::before", "::after"]) {
        const style = getComputedStyle(element, part), name = `${element.localName}.${element.className} ${part ?? ""}`;
        const { transitionDuration, transitionDelay, animationName, animationDuration, scrollBehavior } = style;
        if (seconds(transitionDuration) + seconds(transitionDelay) > longest) found.add(`transition of ${name}`);
        if (animationName !== "none" && seconds(animationDuration) > longest) found.add(`animation of ${name}`);
        if (scrollBehavior === "smooth") found.add(`smooth scrolling of ${name}`);
      }
      if (element.shadowRoot) visit(element.shadowRoot);
    }
  };
  visit(document);
  return [...found];
}"""


@pytest.mark.parametrize("path", ["", "compare", "learn"])
def test_nothing_on_the_page_moves(sized_page: Callable[..., Page], server: str, path: str):
    page = sized_page(reduced_motion="reduce")
    page.goto(f"{server}/{path}")
    page.locator({"": ".explorer .bar-row", "compare": ".compare .cell canvas.base", "learn": ".learn canvas"}[path]).first.wait_for(timeout=90_000)
    assert page.evaluate(MOVING, LONGEST) == []


def test_others_see_streamlit_move(page: Page, server: str):
    """The check above finds what there is to find."""
    Explorer(page, server).open()
    assert page.evaluate(MOVING, LONGEST)


def test_a_sweep_of_the_lesson_is_at_its_end_at_once(sized_page: Callable[..., Page], server: str):
    page = sized_page(reduced_motion="reduce")
    page.goto(f"{server}/learn?step=7")
    slider, button = page.locator('.learn .slider[data-name="added"] input'), page.locator('.learn [data-action="play"]')
    slider.wait_for(timeout=90_000)
    for share in (0, 1):
        button.click()
        wait_for(lambda share=share: slider.evaluate("(input) => (input.value - input.min) / (input.max - input.min)") == share, seconds=1)
        assert button.inner_text() == "Add frame by frame", "nothing is moving that could be stopped"


def test_the_theme_is_still_followed_and_lists_still_open(sized_page: Callable[..., Page], server: str):
    page = sized_page(reduced_motion="reduce", color_scheme="light")
    explorer = Explorer(page, server).open()
    explorer.choose_sample("Steady noise, the counterexample")
    before = explorer.look()["layer"][0]["hash"]
    page.emulate_media(color_scheme="dark", reduced_motion="reduce")
    wait_for(lambda: explorer.look()["layer"][0]["hash"] != before, why="the pictures keep the colours of the other theme")
