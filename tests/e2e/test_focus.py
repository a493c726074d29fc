"""Wherever the Tab key leads on the Explore page, one sees where one is, in the light and the dark theme."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from explorer import SIZE, Explorer
from PIL import Image
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e
MARGIN = 6  # CSS pixels around an element that its mark may lie in
CONTRAST = 3.0  # of the mark with what is there without it
MOST_STOPS = 120
FOCUSED = """() => {
  let element = document.activeElement;
  while (element?.shadowRoot?.activeElement) element = element.shadowRoot.activeElement;
  if (!element || element === document.body) return null;
  const stops = (window.stops ??= []), seen = stops.includes(element);
  if (!seen) stops.push(element);
  const words = element.getAttribute("aria-label") || element.textContent || element.value || "";
  return { seen, name: `${element.localName} ${words.slice(0, 60)}` };
}"""
# What the focus changes is on the screen: a busy browser takes its time for that.
PAINTED = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
PLACE = """(stop) => {
  const { x, y, width, height } = window.stops[stop].getBoundingClientRect();
  return { x, y, width, height };
}"""


def luminance(picture: bytes) -> np.ndarray:
    """Relative luminance of each pixel, as the contrast of WCAG counts it."""
    pixels = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), float) / 255
    return np.where(pixels <= 0.04045, pixels / 12.92, ((pixels + 0.055) / 1.055) ** 2.4) @ [0.2126, 0.7152, 0.0722]


def look(page: Page, stop: int) -> tuple[np.ndarray, dict]:
    """What is around a stop now, and its place within that."""
    place = page.evaluate(PLACE, stop)
    left, top = max(0, place["x"] - MARGIN), max(0, place["y"] - MARGIN)
    right, bottom = min(SIZE["width"], place["x"] + place["width"] + MARGIN), min(SIZE["height"], place["y"] + place["height"] + MARGIN)
    clip = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    return luminance(page.screenshot(clip=clip)), place


def on_screen(page: Page, stop: int) -> bool:
    """Whether a stop is there without the focus, which the link that skips the navigation is not."""
    place = page.evaluate(PLACE, stop)
    return place["y"] + place["height"] > 0 and place["y"] < SIZE["height"]


def marked(focused: np.ndarray, other: np.ndarray) -> int:
    """How many pixels stand out when an element has the focus."""
    height, width = (min(sizes) for sizes in zip(focused.shape, other.shape, strict=True))
    a, b = focused[:height, :width], other[:height, :width]
    return int(((np.maximum(a, b) + 0.05) / (np.minimum(a, b) + 0.05) >= CONTRAST).sum())


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_tab_stop_is_marked(sized_page: Callable[..., Page], server: str, theme: str):
    """A mark is as good as a line of two pixels along half of the element's edge that has a contrast of 3 : 1 with what was there."""
    page = sized_page(color_scheme=theme, reduced_motion="reduce")
    Explorer(page, server).open()
    page.mouse.move(SIZE["width"] - 2, SIZE["height"] - 2)
    unmarked, before, names = [], None, []
    for _ in range(MOST_STOPS):
        page.keyboard.press("Tab")
        page.wait_for_timeout(60)
        page.evaluate(PAINTED)
        now = page.evaluate(FOCUSED)
        if before is not None:
            stop, picture, place = before
            pixels = marked(picture, look(page, stop)[0]) if on_screen(page, stop) else picture.size
            if pixels < place["width"] + place["height"]:
                unmarked.append(f"{names[stop]}: {pixels} pixels of {place['width']:.0f} x {place['height']:.0f}")
        if now is None or now["seen"]:
            break
        names.append(now["name"])
        before = (len(names) - 1, *look(page, len(names) - 1))
    assert unmarked == []
    assert now is None or now["name"] == names[0], f"the last stop was {names[-1]}"
    for wanted in ("Skip", "Compare", "Play", "sigma", "stride, input", "Table", "Waveform", "Alignment of layer 3", "CSV strides"):
        assert any(wanted in name for name in names), f"{wanted} is no tab stop"
