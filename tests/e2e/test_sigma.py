"""The Sigma page in a real Chromium: nothing cut, nothing wider than the screen, and work that stops when nobody looks any more."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser import start_server, stop_server
from explorer import SHOTS, unbroken
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.e2e

# Texts of the plots that reach beyond their own drawing, and pairs of labels of one axis that touch.
_CUT = """() => [...document.querySelectorAll(".js-plotly-plot")].flatMap((plot) => {
  const frame = plot.getBoundingClientRect(), found = (what) => [...plot.querySelectorAll(what)].filter((text) => text.textContent.trim());
  const boxes = (what) => found(what).map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() }));
  const cut = boxes("svg text").filter(({ box }) =>
    box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1);
  const ticks = boxes(".xtick text"), touching = ticks.filter(({ box }, index) => index && box.left < ticks[index - 1].box.right);
  return [...cut.map(({ text }) => text), ...touching.map(({ text }) => "touching: " + text)];
})"""


@pytest.fixture(scope="module")
def started() -> Iterator[tuple[int, str]]:
    """Process and address of a server of this module's own: its processor time is measured."""
    process, server = start_server()
    yield process.pid, f"{server}/sigma"
    stop_server(process)


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    page.get_by_role("button", name="CSV numbers").wait_for(timeout=90_000)
    return page


def shown(page: Page, kind: str) -> None:
    """Chooses what is swept and waits for the end of it, and of Plotly's drawing."""
    page.get_by_role("radio", name=kind, exact=True).click()
    page.wait_for_timeout(400)
    page.locator("[data-testid=stApp][data-test-script-state=notRunning]").wait_for(timeout=60_000)
    page.wait_for_timeout(1000)


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_everything_fits(sized_page: Callable[..., Page], started: tuple[int, str], width: int, scheme: str):
    page = opened(sized_page(width, 1000, color_scheme=scheme), started[1])
    SHOTS.mkdir(parents=True, exist_ok=True)
    for kind in ("σ × stride", "Stride", "σ"):
        shown(page, kind)
        assert unbroken(page), kind
        assert page.evaluate("document.documentElement.scrollWidth") <= width, kind
        assert page.evaluate(_CUT) == [], kind
    page.screenshot(path=SHOTS / f"sigma-{scheme}-{width}.png")


def test_the_cursor_moves_the_viewer_and_a_link_restores_both(page: Page, new_page: Callable[..., Page], started: tuple[int, str]):
    opened(page, started[1])
    sigma = page.locator(".slider[data-name=sigma] output")
    expect(sigma).to_contain_text("0.416", timeout=20_000)
    page.get_by_role("slider", name="Look at σ⁻²").press("Home")
    expect(sigma).to_contain_text("4.47", timeout=20_000)
    expect(page.get_by_text("At σ⁻² 0.05", exact=True)).to_be_visible()
    page.locator(".slider[data-name=stride] input").press("ArrowRight")  # the viewer's own sliders go on from there
    stride = page.locator(".slider[data-name=stride] output")
    expect(stride).to_contain_text("2.01")
    page.wait_for_url(lambda url: "stride=2.01" in url and "at=0.05" in url, timeout=20_000)
    restored = opened(new_page(), page.url)
    expect(restored.locator(".slider[data-name=sigma] output")).to_contain_text("4.47", timeout=20_000)
    expect(restored.locator(".slider[data-name=stride] output")).to_contain_text("2.01")
    expect(restored.get_by_text("At σ⁻² 0.05", exact=True)).to_be_visible()
    with page.context.expect_page() as other:
        page.get_by_role("link", name="Open in Explore").click()
    other.value.locator(".bar-row").first.wait_for(timeout=60_000)
    assert "sigma=4.47" in other.value.url
    other.value.close()


def test_the_address_follows_what_is_swept(page: Page, started: tuple[int, str]):
    opened(page, started[1])
    page.wait_for_url(lambda url: "over=sigma" in url and "at=5.78" in url, timeout=20_000)
    steps = page.evaluate("history.length")
    shown(page, "σ × stride")
    page.wait_for_url(lambda url: "over=both" in url and "at=" not in url and "strides=1%2C8%2C8" in url, timeout=20_000)
    assert page.evaluate("history.length") == steps, "going back leads to where one came from"


def test_the_numbers_download(page: Page, started: tuple[int, str]):
    opened(page, started[1])
    with page.expect_download(timeout=40_000) as download:
        page.get_by_role("button", name="CSV numbers").click()
    assert download.value.path().read_text().startswith("sigma_inv2,stride,top,")


def _ask_for_many_values(page: Page) -> None:
    box = page.get_by_role("spinbutton", name="Values")
    box.fill("200")
    box.press("Enter")
    page.locator(".st-key-sigma_stop button").wait_for(timeout=30_000)  # while a page is at work Streamlit has a button of that name, too


def test_changing_ones_mind_in_mid_sweep(page: Page, started: tuple[int, str]):
    """The next sweep begins while the last one is at work."""
    opened(page, started[1])
    for kind in ("σ × stride", "Stride", "σ × stride", "σ"):
        page.get_by_role("radio", name=kind, exact=True).click()
        page.wait_for_timeout(700)
        assert unbroken(page), kind
    page.get_by_role("link", name="Open in Explore").wait_for(timeout=60_000)


def test_stop_stops(page: Page, started: tuple[int, str]):
    opened(page, started[1])
    _ask_for_many_values(page)
    page.wait_for_timeout(500)
    page.locator(".st-key-sigma_stop button").click()
    page.get_by_text("of 200 points").wait_for(timeout=20_000)
    page.get_by_role("button", name="Begin again").wait_for()
    expect(page.locator(".st-key-sigma_stop button")).to_have_count(0, timeout=20_000)


def test_choices_outlive_a_visit_to_another_page(page: Page, started: tuple[int, str]):
    opened(page, started[1])
    page.get_by_role("radio", name="Stride", exact=True).click()
    page.get_by_text("Overall stride from").wait_for(timeout=30_000)
    box = page.get_by_role("spinbutton", name="Values")
    box.fill("5")
    box.press("Enter")
    page.wait_for_timeout(2000)
    page.get_by_role("link", name="Results").click()
    page.get_by_role("heading", name="Does an adaptive stride help?").wait_for(timeout=60_000)
    page.get_by_role("link", name="Sigma").click()
    expect(page.get_by_role("spinbutton", name="Values")).to_have_value("5", timeout=60_000)
    expect(page.get_by_role("radio", name="Stride", exact=True)).to_be_checked()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs the processor time of another process")
def test_work_ends_with_the_tab(new_page: Callable[..., Page], started: tuple[int, str]):
    """A sweep of ten seconds and more; half a second into it the tab is closed."""
    page = opened(new_page(), started[1])
    _ask_for_many_values(page)
    page.wait_for_timeout(500)
    page.close()
    time.sleep(2)
    before = _processor_seconds(started[0])
    time.sleep(3)
    assert _processor_seconds(started[0]) - before < 0.5


def _processor_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
