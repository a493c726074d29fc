"""Bars and lanes of a made-up prediction, and one to eight layers: the viewer draws them and knows no task (made_up_app.py)."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from explorer import Explorer, shoot_whole, wait_for
from playwright.sync_api import Locator, Page

pytestmark = pytest.mark.e2e

TITLES = ["Transcript, a letter a segment", "Words", "Reconstructed mel", "Attention, query up", "Pitch, Hz", "Error, dB"]
LETTERS, WORDS, MEL, ATTENTION, PITCH, ERROR = range(6)


class Lanes(Explorer):
    """The viewer of a prediction with lanes."""

    def base(self, lane: int) -> Locator:
        return self.page.locator(".panel.lane canvas.base").nth(lane)

    def pixels(self) -> list[str]:
        """What each lane shows, to be compared."""
        return self.page.locator(".panel.lane canvas.base").evaluate_all("(all) => all.map((canvas) => canvas.toDataURL())")

    def point(self, lane: int, x: float, y: float = 0.5) -> str:
        """Rests the pointer on a lane and reads the tip."""
        self.page.mouse.move(*self.at("lane", x, y, lane))
        return wait_for(lambda: self.tip.is_visible() and self.tip.inner_text())

    def layer_head(self, layer: int) -> str:
        return self.page.locator(".panel.layer header").nth(layer).inner_text()


@pytest.fixture
def lanes(page: Page, made_up: str) -> Lanes:
    found = Lanes(page, made_up)
    found.open("?layers=2")
    return found


def test_every_lane_is_drawn_with_its_title_and_scale(lanes: Lanes):
    """Segments, pictures and curves under the layers, above the axis of time."""
    assert lanes.page.locator(".panel.lane header b").all_inner_texts() == TITLES
    kinds = lanes.page.locator(".panel").evaluate_all("(all) => all.map((each) => each.classList[1])")
    assert kinds == ["wave", "mel", "ticks", *["layer", "profile"] * 2, *["lane"] * 6, "axis"]
    look = lanes.page.locator(".panel.lane canvas.base").evaluate_all(
        "(all) => all.map((canvas) => new Set(new Uint32Array(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size)"
    )
    assert all(colours > 8 for colours in look), look
    assert look[MEL] > 100
    assert lanes.page.locator(".panel.lane .scale").all_inner_texts() == ["−80\n−5 dB", "0\n1 of the row’s largest"]


def test_the_answer_beside_the_picture(lanes: Lanes):
    """Headline, bars with their own texts; the longest of them is marked."""
    answer = lanes.page.locator(".probabilities")
    assert answer.locator(".heading").inner_text() == "Share of errors"
    assert answer.locator(".top").inner_text() == "where does a network spend its time made up"
    assert answer.locator(".bar-row .name").all_inner_texts() == ["substituted", "left out", "put in"]
    assert answer.locator(".bar-row .value").all_inner_texts() == ["69 %", "30 %", "10 %"]
    assert answer.locator(".bar-row.best .name").inner_text() == "substituted"
    assert answer.locator(".bars").get_attribute("aria-label") == "Share of errors: substituted 69 %, left out 30 %, put in 10 %"


def test_an_item_is_named_when_pointed_at(lanes: Lanes):
    """Text, times and value, with their units."""
    assert re.fullmatch(r"Words: “network”, 1\.\d\d–2\.\d\d s \(\d+ ms\), strength 1.*", lanes.point(WORDS, 0.4))
    assert re.fullmatch(r"Reconstructed mel: [\d.]+–[\d.]+ s \(25 ms\), row \d+ of 40: −[\d.]+ dB", lanes.point(MEL, 0.4, 0.5))
    assert re.fullmatch(r"Attention, query up: .* row 23 of 24: [\d.e−-]+ of the row’s largest", lanes.point(ATTENTION, 0.1, 0.02))
    assert re.fullmatch(r"Pitch: [\d.]+ s: \d+ Hz", lanes.point(PITCH, 0.2))
    assert re.fullmatch(r"Pitch: [\d.]+ s: none", lanes.point(PITCH, 0.45))


def test_what_is_pointed_at_is_lit_everywhere(lanes: Lanes):
    """A word lights up its time in the waveform, the mel and the layers."""
    lanes.point(WORDS, 0.4)
    for kind in ("wave", "mel", "layer"):
        covered = wait_for(lambda kind=kind: (found := lanes.covered(kind)) and max(found) > 0.3 and found, why=kind)
        lit = [x / len(covered) for x, dark in enumerate(covered) if dark < 0.1]
        assert (min(lit), max(lit)) == pytest.approx((0.29, 0.49), abs=0.02), kind


def test_keys_step_through_a_lane(lanes: Lanes):
    """Left and right move on by one; the lane says in words what it is."""
    base = lanes.base(LETTERS)
    assert base.get_attribute("aria-label").startswith("Transcript, a letter a segment: 29 segments: w h e r e d o e s")
    base.focus()
    texts = []
    for _ in range(3):
        lanes.page.keyboard.press("ArrowRight")
        texts.append(lanes.tip.inner_text().split("“")[1][0])
    lanes.page.keyboard.press("ArrowLeft")
    texts.append(lanes.tip.inner_text().split("“")[1][0])
    assert "".join(texts) == "wheh"


def test_lanes_zoom_and_pan_with_the_others(lanes: Lanes):
    """Ctrl and the wheel over a lane narrow the window of everything; a drag moves it."""
    before, axis = lanes.pixels(), lanes.look()["axis"]
    lanes.wheel("lane", 0.4, -2)
    zoomed = wait_for(lambda: (found := lanes.pixels()) and all(a != b for a, b in zip(found, before, strict=True)) and found)
    assert lanes.look()["axis"] != axis
    x, y = lanes.at("lane", 0.5, 0.5, MEL)
    lanes.page.mouse.move(x, y)
    lanes.page.mouse.down()
    lanes.page.mouse.move(x - 120, y, steps=5)
    lanes.page.mouse.up()
    wait_for(lambda: all(a != b for a, b in zip(lanes.pixels(), zoomed, strict=True)))
    lanes.page.locator("button.fit").click()
    lanes.away()
    wait_for(lambda: lanes.pixels() == before)


def test_lanes_follow_the_sliders(lanes: Lanes):
    """What the network answers at other settings is drawn; what stays the same is not."""
    before = lanes.pixels()
    lanes.drag("sigma", 0.7)
    after = wait_for(lambda: (found := lanes.pixels()) != before and found)
    changed = [a != b for a, b in zip(before, after, strict=True)]
    assert changed[ATTENTION]
    assert changed[ERROR]
    assert not changed[WORDS]
    assert not changed[MEL]


def test_pinned_bars_stay_as_outlines(lanes: Lanes):
    """As for class probabilities: outlines of the pinned answer, by label."""
    lanes.page.locator("button.pin").click()
    lanes.drag("sigma", 0.7)
    ghost = lanes.page.locator(".bar-row .ghost").first
    assert ghost.is_visible()
    assert float(ghost.evaluate("(ghost) => parseFloat(ghost.style.width)")) == pytest.approx(69, abs=0.1)
    assert lanes.page.locator(".bar-row .fill").first.evaluate("(fill) => Number(fill.style.getPropertyValue('--share'))") < 0.5


@pytest.mark.parametrize("layers", [1, 8])
def test_one_to_eight_layers(page: Page, made_up: str, layers: int):
    """Controls, panels, marks and colours follow the number of layers; each layer has its own colour."""
    lanes = Lanes(page, made_up)
    lanes.open(f"?layers={layers}")
    assert lanes.page.locator(".scope button").all_inner_texts() == ["All layers", *map(str, range(1, layers + 1))]
    assert lanes.page.locator(".panel.mel header button").count() == layers
    assert lanes.page.locator(".panel.layer").count() == lanes.page.locator(".panel.profile").count() == layers
    swatches = lanes.page.locator(".swatch").evaluate_all("(all) => all.map((each) => each.style.background)")
    assert len(set(swatches)) == layers
    lanes.scope(layers - 1)
    lanes.drag("stride", 0.4)
    assert "stride 1.25" not in lanes.layer_head(layers - 1)
    assert all("stride 1.25" in lanes.layer_head(layer) for layer in range(layers - 1))
    lanes.hover("layer", 0.5, 0.5, index=layers - 1)
    wait_for(lambda: lanes.tip.is_visible() and lanes.tip.inner_text().startswith(f"Layer {layers}, output frame "))


@pytest.mark.parametrize(("scheme", "width"), [("light", 1400), ("dark", 1400), ("light", 390), ("dark", 390)])
def test_pictures_of_lanes(sized_page: Callable[..., Page], made_up: str, scheme: str, width: int):
    """Screenshots to look at; no title, scale or bar leaves the page."""
    lanes = Lanes(sized_page(width, 900, color_scheme=scheme), made_up)
    lanes.open("?layers=2")
    parts = lanes.page.locator(".panel header b, .panel .scale, .probabilities .top, .bar-row .value")
    for box in (part.bounding_box() for part in parts.all()):
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    shoot_whole(lanes.page, f"lanes-{scheme}-{width}")


def test_what_cannot_be_run_is_asked_for_once(page: Page, made_up: str):
    """The page says so, and the last picture stays: a server that has failed is not asked for the same again and again."""
    explorer = Explorer(page, made_up).open("?layers=2&fails=1")
    page.evaluate("() => { window.adastrideLog = [] }")
    explorer.slider("stride").focus()
    page.keyboard.press("End")
    page.get_by_text("The network could not run on").wait_for()
    page.wait_for_timeout(1500)
    sent = [number for kind, _, number in page.evaluate("window.adastrideLog") if kind == "sent"]
    assert len(sent) == 1
    page.keyboard.press("Home")
    explorer.settle()
    assert explorer.setting("stride ")[0] == 1
