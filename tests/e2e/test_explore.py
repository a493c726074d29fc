"""The Explore page's picture: first paint, sliders, hovering, sound and zoom, in a real Chromium."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable

import pytest
from explorer import PATIENCE, Explorer, wait_for
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e
SEVEN = "One word in silence: seven"
WORD = 0.475  # share of the default clip at which its word is


# ------------------------------------------------------------------ first paint


def test_first_paint_shows_every_panel(explorer: Explorer):
    """Without a click: waveform, mel, three alignments and three stride profiles, all drawn."""
    look = explorer.look()
    assert look["title"] == SEVEN
    for kind, panels, colours in (("wave", 1, 3), ("mel", 1, 100), ("ticks", 1, 2), ("layer", 3, 20), ("profile", 3, 4), ("axis", 1, 3)):
        assert len(look[kind]) == panels
        assert all(canvas["colours"] >= colours and canvas["drawn"] > 0.01 for canvas in look[kind]), kind
    assert len({canvas["hash"] for canvas in look["layer"]}) == 3
    assert re.fullmatch(r"−\d+", explorer.page.locator(".mel-low").inner_text())  # decibels with a true minus


def test_first_paint_tells_the_digit(explorer: Explorer):
    """Ten probabilities that sum to 100 %, and the right answer on top."""
    look = explorer.look()
    assert look["labels"] == list("0123456789")
    assert sum(look["probabilities"]) == pytest.approx(1, abs=1e-3)
    assert sum(float(text.strip("<> %")) for text in look["percent"]) == pytest.approx(100, abs=4)
    assert look["top"] == "7"
    assert max(look["probabilities"]) == look["probabilities"][7] > 0.5
    assert explorer.page.locator(".bar-row.best").count() == 1


def test_headers_name_lengths_that_chain(explorer: Explorer):
    """T → L of every layer, each halved, each layer's T the L of the layer below."""
    frames = explorer.frames()
    mel_frames = 1 + 5 * 16_000 // 256
    assert [before for before, _ in frames] == [mel_frames, *(after for _, after in frames[:-1])]
    assert [after for _, after in frames] == [math.ceil(before / 2) for before, _ in frames]
    assert all("position loss" in text and text.endswith(" ms") for text in explorer.look()["numbers"])


def test_the_word_bends_the_alignment(explorer: Explorer):
    """What the picture is for: output frames over the word stand for less time than those over the silence."""
    explorer.hover("wave", WORD)
    word = explorer.tip_seconds()
    explorer.hover("wave", 0.1)
    silence = explorer.tip_seconds()
    assert silence[1] - silence[0] > 1.2 * (word[1] - word[0])


def test_first_paint_screenshot(explorer: Explorer):
    """The picture in the README, at the size most people see."""
    explorer.away()
    assert explorer.weights(0)["light"] > 0.8
    explorer.shoot("explore-light-1400", full_page=True)


def test_dark_theme_draws_dark_canvases(sized_page: Callable[..., Page], server: str):
    """A dark page with white panels would blind."""
    explorer = Explorer(sized_page(color_scheme="dark"), server).open()
    for layer in range(3):
        weights = explorer.weights(layer)
        assert weights["light"] < 0.2
        assert weights["high"] > 0
    explorer.shoot("explore-dark-1400", full_page=True)


def test_theme_changes_while_the_page_is_open(explorer: Explorer):
    """Somebody's system turns dark in the evening: the canvases follow without a reload."""
    explorer.page.emulate_media(color_scheme="dark")
    wait_for(lambda: explorer.weights(0)["light"] < 0.2, why="the canvases stayed light on a dark page")
    explorer.page.emulate_media(color_scheme="light")
    wait_for(lambda: explorer.weights(0)["light"] > 0.8, why="the canvases stayed dark on a light page")


def test_phone_needs_no_sideways_scrolling(new_page: Callable[..., Page], server: str):
    """390 px wide: everything in one column, nothing cut off, and as crisp as the screen."""
    explorer = Explorer(new_page(390, 844, has_touch=True, is_mobile=True, device_scale_factor=2), server).open()
    assert explorer.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert explorer.page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth - main.clientWidth") <= 0
    wide = explorer.root.evaluate("(root) => [...root.querySelectorAll('button, canvas, input, .bar-row, header')]"
                                  ".filter((each) => each.getBoundingClientRect().right > 390.5).map((each) => each.outerHTML)")
    assert not wide
    for layer in range(3):
        canvas = explorer.canvas("layer", layer)
        canvas.scroll_into_view_if_needed()
        assert canvas.is_visible()
        assert canvas.bounding_box()["width"] > 300
        assert explorer.look()["layer"][layer]["width"] == 2 * canvas.evaluate("(canvas) => canvas.clientWidth")
    explorer.shoot("explore-phone-390", full_page=True)


REACHABLE = """(button) => {
  const box = button.getBoundingClientRect(), root = button.getRootNode();
  const [x, y] = [box.left + box.width / 2, box.top + box.height / 2];
  return document.elementFromPoint(x, y) === root.host && button.contains(root.elementFromPoint(x, y));
}"""


def hidden_controls(explorer: Explorer) -> list[str]:
    """Controls that something lies over when one has scrolled down to layer 3."""
    explorer.page.get_by_test_id("stMain").evaluate("(main) => main.scrollTo(0, 400)")
    explorer.settle()
    return [name for name in ("play", "fit", "pin", "link") if not explorer.page.locator(f"button.{name}").evaluate(REACHABLE)]


def test_controls_can_be_reached_after_scrolling(sized_page: Callable[..., Page], server: str):
    """The bar of controls stays in view while one looks at layer 3, with and without the sidebar."""
    explorer = Explorer(sized_page(height=700), server).open()
    assert hidden_controls(explorer) == []
    explorer.sidebar.hover()
    explorer.page.get_by_test_id("stSidebarCollapseButton").locator("button").click()
    explorer.page.get_by_test_id("stExpandSidebarButton").wait_for()
    assert hidden_controls(explorer) == []


def test_controls_can_be_reached_after_scrolling_on_a_phone(new_page: Callable[..., Page], server: str):
    """The same with a thumb."""
    explorer = Explorer(new_page(390, 844, has_touch=True, is_mobile=True), server).open()
    assert hidden_controls(explorer) == []


def test_a_narrower_window_redraws(explorer: Explorer):
    """A canvas that only stretches would blur; it is drawn again for the new width."""
    before = explorer.look()["layer"][0]["width"]
    explorer.page.set_viewport_size({"width": 1000, "height": 900})
    wait_for(lambda: explorer.look()["layer"][0]["width"] < before)
    explorer.settle()
    assert explorer.look()["layer"][0]["width"] == explorer.canvas("layer").evaluate("(canvas) => canvas.clientWidth")
    assert explorer.look()["layer"][0]["colours"] > 20


def test_a_small_laptop_leaves_room_for_the_picture(explorer: Explorer):
    """1024 px wide with the sidebar open: the panels get most of what the sidebar leaves."""
    explorer.page.set_viewport_size({"width": 1024, "height": 768})
    explorer.settle()
    main = explorer.page.get_by_test_id("stMain").bounding_box()["width"]
    explorer.shoot("explore-light-1024", full_page=True)
    assert explorer.canvas("layer").bounding_box()["width"] > 0.6 * main


def test_canvases_have_text_alternatives(explorer: Explorer):
    """A screen reader gets what the canvases show: lengths and where strides are smallest and largest."""
    (before, after), *_ = explorer.frames()
    for kind in ("wave", "mel", "layer", "profile"):
        for canvas in explorer.page.locator(f".panel.{kind} canvas.base").all():
            assert len(canvas.get_attribute("aria-label")) > 20
    assert f"{before} input frames to {after} output frames" in explorer.canvas("layer").get_attribute("aria-label")
    assert "7" in explorer.page.locator(".spoken").inner_text()


def test_nothing_is_fetched_from_elsewhere(new_page: Callable[..., Page], server: str):
    """It works without internet and tells nobody about its visitors: every request goes to its own server."""
    page = new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    Explorer(page, server).open()
    assert [url for url in asked if not url.startswith((server, "blob:", "data:"))] == []


# ------------------------------------------------------------------ another sample


def test_choosing_a_sample_changes_everything(explorer: Explorer):
    """Title, caption, mel, alignments and probabilities are of the new clip."""
    before = explorer.look()
    captions = explorer.sidebar.get_by_test_id("stCaptionContainer").all_inner_texts()
    after = explorer.choose_sample("Bird song with trills").look()
    for kind in ("wave", "mel", "ticks", "layer", "profile"):
        assert all(a["hash"] != b["hash"] for a, b in zip(before[kind], after[kind], strict=True)), kind
    assert after["probabilities"] != before["probabilities"]
    assert sum(after["probabilities"]) == pytest.approx(1, abs=1e-3)
    assert explorer.sidebar.get_by_test_id("stCaptionContainer").all_inner_texts() != captions


def test_settings_survive_another_sample(explorer: Explorer):
    """Somebody compares clips at one σ: choosing the next clip must not move the slider, nor ignore it."""
    explorer.drag("sigma", 0.9)
    chosen = explorer.query()["sigma"]
    explorer.choose_sample("Bird song with trills")
    wait_for(lambda: explorer.query()["clip"] == "birds")
    assert explorer.query()["sigma"] == chosen
    assert explorer.setting("σ = ") == pytest.approx([float(chosen)] * 3, rel=0.01)


def test_coming_back_to_a_sample_draws_it_as_before(explorer: Explorer):
    """The picture is a function of clip and settings, not of the way there."""
    before = explorer.look()
    explorer.choose_sample("Clicks in noise")
    after = explorer.choose_sample(SEVEN).look()
    assert after["mel"] == before["mel"]
    assert after["layer"] == before["layer"]
    assert after["probabilities"] == before["probabilities"]


# ------------------------------------------------------------------ sliders


def follow(explorer: Explorer, name: str, low: float, high: float, readings: int = 4) -> list[dict]:
    """Drags a slider to and fro in small moves without letting go, until everything was seen changing; returns the readings."""
    x, y = explorer.grab(name)
    left, right = explorer.thumb(name, low)[0], explorer.thumb(name, high)[0]
    seen = [explorer.look()]
    deadline = time.monotonic() + 2 * PATIENCE
    step = 0
    while time.monotonic() < deadline:
        step += 1
        share = 0.5 - 0.5 * math.cos(step / 15)
        target = left + (right - left) * share
        x += max(-8, min(8, target - x))
        explorer.page.mouse.move(x, y)
        seen.append(explorer.look())
        if step >= 20 and min(different(seen)) >= readings:
            break
    return seen


def different(seen: list[dict]) -> tuple[int, int, int]:
    """How many different pictures of layer 1 and of layer 3, and how many different probabilities, were seen."""
    lowest, highest = ({look["layer"][layer]["hash"] for look in seen} for layer in (0, 2))
    return len(lowest), len(highest), len({tuple(look["probabilities"]) for look in seen})


@pytest.mark.parametrize(("name", "low", "high"), [("sigma", 0.35, 0.9), ("stride", 0.1, 0.7)])
def test_everything_follows_while_dragging(explorer: Explorer, name: str, low: float, high: float):
    """The heart of the page: with the button still down, the lowest layer, the highest and the probabilities all move."""
    seen = follow(explorer, name, low, high)
    explorer.page.mouse.up()
    assert min(different(seen)) >= 4
    assert len({look["mel"][0]["hash"] for look in seen}) == 1
    explorer.settle()


def test_sigma_ends_on_the_last_value(explorer: Explorer):
    """After letting go, slider, headers, link and what the server ran agree, and nothing is marked as catching up."""
    follow(explorer, "sigma", 0.4, 0.95)
    explorer.page.mouse.up()
    explorer.settle()
    look = explorer.look()
    slider = 10 ** float(explorer.slider("sigma").input_value())
    assert explorer.setting("σ = ") == pytest.approx([slider] * 3, rel=0.03)
    assert float(explorer.query()["sigma"]) == pytest.approx(slider, rel=0.03)
    assert look["late"] == 0
    again = explorer.open(explorer.address()).look()  # the link runs the same settings from the start
    assert again["percent"] == look["percent"]
    assert [each["hash"] for each in again["layer"]] == [each["hash"] for each in look["layer"]]


def test_stride_ends_on_the_last_value(explorer: Explorer):
    """After letting go, T → L of every layer is ceil(T / stride) at the slider's stride."""
    follow(explorer, "stride", 0.1, 0.6)
    explorer.page.mouse.up()
    explorer.settle()
    stride = float(explorer.slider("stride").input_value())
    assert explorer.setting("stride ") == pytest.approx([stride] * 3, abs=0.03)
    assert float(explorer.query()["stride"]) == pytest.approx(stride, abs=0.03)
    exact = float(explorer.query()["stride"])
    frames = explorer.frames()
    assert [after for _, after in frames] == [math.ceil(before / exact) for before, _ in frames]
    assert [before for before, _ in frames[1:]] == [after for _, after in frames[:-1]]


def test_a_sample_chosen_in_the_middle_of_an_answer(explorer: Explorer):
    """Dragging and, before the server has answered, choosing another clip: the new clip at the last value."""
    x, y = explorer.grab("sigma")
    for step in range(1, 9):
        explorer.page.mouse.move(x + 20 * step, y)
    explorer.page.mouse.up()
    explorer.choose_sample("Bird song with trills")
    wait_for(lambda: explorer.query()["clip"] == "birds")
    look = explorer.settle().look()
    assert explorer.setting("σ = ") == pytest.approx([10 ** float(explorer.slider("sigma").input_value())] * 3, rel=0.03)
    assert explorer.open(explorer.address()).look()["percent"] == look["percent"]


def test_scope_moves_one_layer_and_those_above(explorer: Explorer):
    """Dragging layer 2 alone leaves layer 1 as it is; layer 2 and what stands on it change."""
    before = explorer.look()
    explorer.scope(1)
    after = explorer.drag("sigma", 0.8).look()
    assert after["layer"][0]["hash"] == before["layer"][0]["hash"]
    assert after["layer"][1]["hash"] != before["layer"][1]["hash"]
    assert after["layer"][2]["hash"] != before["layer"][2]["hash"]
    assert after["probabilities"] != before["probabilities"]
    sigmas = explorer.setting("σ = ")
    assert sigmas[0] == sigmas[2] == pytest.approx(5**-0.5, rel=0.01)
    assert sigmas[1] > 2


def test_scope_back_to_all_says_that_layers_differ(explorer: Explorer):
    """One slider can't show three values: it says so, and the next drag moves them together again."""
    explorer.scope(1)
    explorer.drag("sigma", 0.8)
    explorer.scope(None)
    assert "differs by layer" in explorer.page.locator('.slider[data-name="sigma"] output').inner_text()
    explorer.drag("sigma", 0.6)
    assert len(set(explorer.setting("σ = "))) == 1


def test_adastride_f_hardens_the_picture(explorer: Explorer):
    """The variant switch draws whole frames only, names the layers, and runs the network."""
    before = explorer.look()
    explorer.variant(1)
    wait_for(lambda: all("AdaStride-F" in name for name in explorer.look()["names"]))
    after = explorer.settle().look()
    assert all(a["hash"] != b["hash"] for a, b in zip(before["layer"], after["layer"], strict=True))
    assert explorer.query()["variant"] == "adastride-f"
    assert after["probabilities"] != before["probabilities"]
    explorer.variant(0)
    wait_for(lambda: not any("AdaStride-F" in name for name in explorer.look()["names"]))
    assert explorer.settle().look()["layer"] == before["layer"]


def test_as_trained_restores_the_picture(explorer: Explorer):
    """One button undoes everything that was moved; it is dead when there is nothing to undo."""
    reset = explorer.page.locator("button.reset")
    before = explorer.look()
    assert reset.is_disabled()
    explorer.drag("sigma", 0.8)
    explorer.drag("stride", 0.5)
    explorer.variant(1)
    wait_for(lambda: explorer.query().get("variant"))
    assert reset.is_enabled()
    reset.click()
    wait_for(lambda: "variant" not in explorer.query())
    after = explorer.settle().look()
    assert after["layer"] == before["layer"]
    assert after["profile"] == before["profile"]
    assert after["percent"] == before["percent"]
    assert explorer.query().keys() == {"clip", "checkpoint"}
    assert reset.is_disabled()


@pytest.mark.parametrize(("name", "share"), [("sigma", (math.log10(5**-0.5) + 2) / 4), ("stride", 1 / 7)])
def test_the_trained_value_is_marked(explorer: Explorer, name: str, share: float):
    """A mark under each slider says where the network was trained, and stays there while the thumb goes."""
    mark = explorer.page.locator(f'.slider[data-name="{name}"] .trained')
    expected = explorer.thumb(name, share)[0]
    explorer.drag(name, 0.9)
    box = mark.bounding_box()
    assert box["x"] + box["width"] / 2 == pytest.approx(expected, abs=3)
    assert "trained" in mark.get_attribute("title")


def test_smallest_sigma_is_readable(explorer: Explorer):
    """At σ = 0.01 a row is one frame: thin, but in the full colour, and the diagonal is whole."""
    explorer.press("sigma", "Home")
    assert explorer.setting("σ = ") == [0.01] * 3
    for layer, (_, after) in enumerate(explorer.frames()):
        weights = explorer.weights(layer)
        assert weights["high"] > 0.1 / after
        assert weights["low"] > 0.8


def test_largest_sigma_is_readable(explorer: Explorer):
    """At σ = 100 a row is everything: the upper layers, shorter than σ, are filled with nearly full weight."""
    explorer.press("sigma", "End")
    assert explorer.setting("σ = ") == [100.0] * 3
    assert explorer.weights(0)["low"] < 0.05
    assert explorer.weights(1)["strong"] > 0.6
    assert explorer.weights(2)["strong"] > 0.95


# ------------------------------------------------------------------ keyboard


def test_arrow_keys_move_sigma(explorer: Explorer):
    """Everything works without a mouse: arrow keys on the slider move σ, and back."""
    for _ in range(5):
        explorer.press("sigma", "ArrowRight")
    assert explorer.setting("σ = ")[0] == pytest.approx(10 ** (-0.35 + 0.05), rel=0.02)
    for _ in range(10):
        explorer.press("sigma", "ArrowLeft")
    assert explorer.setting("σ = ")[0] == pytest.approx(10 ** (-0.35 - 0.05), rel=0.02)


def test_one_arrow_key_press_moves_sigma(explorer: Explorer):
    """A key press that does nothing looks broken: the very first step off the trained value counts too."""
    explorer.press("sigma", "ArrowRight")
    assert explorer.setting("σ = ")[0] != pytest.approx(5**-0.5, rel=0.01)


def test_arrow_keys_on_a_panel_move_sigma(explorer: Explorer):
    """With the picture focused, up and down change σ."""
    explorer.canvas("layer").focus()
    explorer.page.keyboard.press("ArrowUp")
    wait_for(lambda: explorer.setting("σ = ")[0] > 0.46)
    explorer.page.keyboard.press("ArrowDown")
    explorer.page.keyboard.press("ArrowDown")
    wait_for(lambda: explorer.setting("σ = ")[0] < 0.44)
    explorer.settle()


@pytest.mark.parametrize("where", [".panel.layer canvas.base", 'label[data-name="sigma"] input'])
def test_space_plays_and_pauses(explorer: Explorer, where: str):
    """Space, anywhere in the viewer, like in every player."""
    explorer.page.locator(where).first.focus()
    explorer.page.keyboard.press("Space")
    wait_for(lambda: explorer.play.inner_text() == "Pause")
    explorer.page.keyboard.press("Space")
    wait_for(lambda: explorer.play.inner_text() == "Play")
    assert explorer.page.get_by_test_id("stMain").evaluate("(main) => main.scrollTop") == 0


def test_space_on_the_play_button_counts_once(explorer: Explorer):
    """A focused button presses itself on Space: handling the key as well would start and stop at once."""
    explorer.play.focus()
    explorer.page.keyboard.press("Space")
    wait_for(lambda: explorer.clock() > 0.2)
    assert explorer.play.inner_text() == "Pause"
    explorer.page.keyboard.press("Space")
    wait_for(lambda: explorer.play.inner_text() == "Play")


def test_arrow_keys_step_through_output_frames(explorer: Explorer):
    """Left and right on a focused alignment hover the next output frame."""
    explorer.canvas("layer", 1).focus()
    texts = []
    for key in ("ArrowRight", "ArrowRight", "ArrowRight", "ArrowLeft"):
        explorer.page.keyboard.press(key)
        texts.append(wait_for(lambda: explorer.tip.is_visible() and explorer.tip.inner_text()).split(":")[0])
    assert texts == [f"Layer 2, output frame {n}" for n in (0, 1, 2, 1)]
    explorer.page.keyboard.press("Escape")
    wait_for(lambda: explorer.tip.is_hidden())


@pytest.mark.parametrize("switch", [".variant", ".scope", ".panel.mel header"])
def test_focus_stays_on_a_switch(explorer: Explorer, switch: str):
    """Somebody without a mouse presses a switch: the next Tab must go on from there, not from the top of the page."""
    explorer.page.locator(f"{switch} button").nth(1).focus()
    explorer.page.keyboard.press("Enter")
    explorer.settle()
    focused = explorer.root.evaluate("(root, name) => root.querySelector(name).contains(root.getRootNode().activeElement)", switch)
    assert focused


def test_zoom_keys(explorer: Explorer):
    """Plus zooms in on a focused panel and 0 shows the whole clip again."""
    before = explorer.look()["axis"]
    explorer.canvas("mel").focus()
    explorer.page.keyboard.press("+")
    wait_for(lambda: explorer.look()["axis"] != before)
    explorer.page.keyboard.press("0")
    wait_for(lambda: explorer.look()["axis"] == before)


# ------------------------------------------------------------------ hovering


def test_hover_lights_up_down_to_the_sound(explorer: Explorer):
    """An output frame of layer 3: its row, and what it is made of in layers 2 and 1, the mel and the waveform."""
    explorer.hover("layer", WORD, 0.5, index=2)
    wait_for(lambda: explorer.tip.is_visible())
    assert explorer.tip.inner_text().startswith("Layer 3, output frame ")
    for kind, index in (("layer", 2), ("layer", 1), ("layer", 0), ("mel", 0), ("wave", 0)):
        covers, why = f"{kind}Cover", f"no spotlight in {kind} {index}"
        wait_for(lambda covers=covers, index=index: 0.3 < explorer.look()[covers][index]["drawn"] < 1, why=why)
    explorer.away()
    look = wait_for(lambda: (look := explorer.look()) and look["waveCover"][0]["drawn"] == 0 and look)
    assert all(cover["drawn"] == 0 for kind in ("wave", "mel", "layer", "profile") for cover in look[f"{kind}Cover"])


def test_hover_lights_up_the_right_time(explorer: Explorer):
    """What is lit in the waveform is the time that the tip names."""
    explorer.hover("layer", 0.5, 0.3, index=2)
    begin, end = wait_for(lambda: explorer.tip.is_visible() and explorer.tip_seconds())
    time.sleep(0.1)
    covered = explorer.covered("wave")
    lit = [5 * x / len(covered) for x, value in enumerate(covered) if value < 0.2]
    assert lit
    assert min(lit) < end
    assert max(lit) > begin
    assert sum(lit) / len(lit) == pytest.approx((begin + end) / 2, abs=0.3)
    assert max(lit) - min(lit) < 1.5


def test_hover_in_a_lower_layer_leaves_upper_ones_alone(explorer: Explorer):
    """Layer 1's frame is made of mel frames, not of anything in layers 2 and 3."""
    explorer.hover("layer", 0.5, 0.5, index=0)
    wait_for(lambda: explorer.look()["melCover"][0]["drawn"] > 0.3)
    covers = explorer.look()["layerCover"]
    assert covers[0]["drawn"] > 0.3
    assert [covers[1]["drawn"], covers[2]["drawn"]] == [0, 0]


def test_hover_follows_sigma(explorer: Explorer):
    """The spotlight is the alignment at the present σ: wider σ, wider light."""
    explorer.press("sigma", "Home")
    explorer.hover("layer", 0.5, 0.5, index=0)
    narrow = wait_for(lambda: sum(value < 0.3 for value in explorer.covered("mel")))
    explorer.away()
    explorer.drag("sigma", 0.75)
    explorer.hover("layer", 0.5, 0.5, index=0)
    wait_for(lambda: sum(value < 0.3 for value in explorer.covered("mel")) > 2 * narrow + 2)


def test_mel_marks_follow_the_chosen_layer(explorer: Explorer):
    """The ticks under the mel show where output frames of the chosen layer begin."""
    before = explorer.look()["ticks"]
    explorer.page.locator(".panel.mel header button").nth(2).click()
    wait_for(lambda: explorer.look()["ticks"] != before)
    explorer.hover("mel", 0.5)
    wait_for(lambda: explorer.tip.inner_text().startswith("Layer 3"))


# ------------------------------------------------------------------ sound


def test_click_plays_from_there(explorer: Explorer):
    """Clicking the waveform in the middle plays from the middle, and the clock runs."""
    explorer.page.mouse.click(*explorer.at("wave", 0.5))
    wait_for(lambda: explorer.play.inner_text() == "Pause")
    assert 2.4 < explorer.clock() < 4.5
    began = explorer.clock()
    wait_for(lambda: explorer.clock() > began + 0.2 or explorer.play.inner_text() == "Play")
    assert explorer.clock() > began


@pytest.mark.parametrize("kind", ["mel", "layer", "profile"])
def test_click_in_any_panel_plays(explorer: Explorer, kind: str):
    """Every panel has the same time axis, so a click means the same in all of them."""
    explorer.page.mouse.click(*explorer.at(kind, 0.3, 0.6))
    wait_for(lambda: explorer.play.inner_text() == "Pause")
    explorer.play.click()
    wait_for(lambda: explorer.play.inner_text() == "Play")
    assert 1.45 < explorer.clock() < 4


def test_one_playhead_in_all_panels(explorer: Explorer):
    """The line stands at the clock's time, at the same place in every panel."""
    explorer.page.mouse.click(*explorer.at("layer", 0.4, 0.5, index=1))
    explorer.page.mouse.move(4, 400)
    wait_for(lambda: explorer.clock() > 2.1)
    explorer.play.click()
    wait_for(lambda: explorer.play.inner_text() == "Play")
    explorer.page.mouse.move(4, 400)
    wait_for(lambda: all(len(each) == 1 for each in explorer.playheads()), why=f"playheads at {explorer.playheads()}")
    places = [each[0] for each in explorer.playheads()]
    assert len(places) == explorer.page.locator(".panel").count() >= 9
    assert max(places) - min(places) <= 1
    width = explorer.canvas("wave").bounding_box()["width"] - 46 - 6
    assert places[0] == pytest.approx(46 + width * explorer.clock() / 5, abs=2.5)


def test_the_playhead_moves_while_playing(explorer: Explorer):
    """Ears and eyes together: the line is somewhere else every moment."""
    explorer.play.click()
    explorer.page.mouse.move(4, 400)
    places: set[float] = set()

    def look() -> bool:
        places.update(explorer.playhead())
        if explorer.play.inner_text() == "Play":  # a slow machine has reached the end meanwhile
            explorer.play.click()
            explorer.page.mouse.move(4, 400)
        return len(places) >= 4

    wait_for(look)


def test_the_end_of_the_clip_rewinds(explorer: Explorer):
    """At the end the button says Play again, and pressing it plays from the beginning."""
    explorer.page.mouse.click(*explorer.at("wave", 0.95))
    wait_for(lambda: explorer.play.inner_text() == "Pause")
    wait_for(lambda: explorer.play.inner_text() == "Play" and explorer.clock() == 0)
    explorer.play.click()
    wait_for(lambda: 0 < explorer.clock() < 4)


def test_playing_goes_on_while_dragging(explorer: Explorer):
    """Listening while dragging is the point: new answers from the server must not stop the sound."""
    explorer.play.click()
    explorer.drag("sigma", 0.8)
    assert explorer.play.inner_text() == "Pause" or explorer.clock() == 0  # a slow machine may have reached the end


# ------------------------------------------------------------------ zoom


def test_ctrl_wheel_zooms_all_panels(explorer: Explorer):
    """The wheel over one panel narrows the time window of all; what is under the pointer stays there."""
    explorer.hover("wave", 0.5)
    before, seconds = explorer.look(), explorer.tip_seconds()
    explorer.wheel("mel", 0.5, -4)
    wait_for(lambda: explorer.look()["axis"] != before["axis"])
    after = explorer.settle().look()
    for kind in ("wave", "mel", "layer", "profile"):
        assert all(a["hash"] != b["hash"] for a, b in zip(before[kind], after[kind], strict=True)), kind
    explorer.away()
    explorer.hover("wave", 0.5)
    zoomed = wait_for(lambda: explorer.tip.is_visible() and explorer.tip_seconds())
    assert zoomed == pytest.approx(seconds, abs=0.1)
    assert explorer.page.evaluate("window.devicePixelRatio") == 1  # the browser's own zoom was not touched


def test_zoom_survives_sigma_and_fit_ends_it(explorer: Explorer):
    """Somebody looks closely at one place and drags: the window must stay."""
    whole = explorer.look()
    explorer.wheel("layer", WORD, -4)
    zoomed = wait_for(lambda: (look := explorer.look())["axis"] != whole["axis"] and look)["axis"]
    explorer.drag("sigma", 0.8)
    assert explorer.look()["axis"] == zoomed
    explorer.press("sigma", "Home")
    assert explorer.look()["axis"] == zoomed
    explorer.page.locator("button.reset").click()
    explorer.settle()
    explorer.page.locator("button.fit").click()
    wait_for(lambda: explorer.look()["axis"] == whole["axis"])
    after = explorer.settle().look()
    assert after["mel"] == whole["mel"]
    assert after["layer"] == whole["layer"]


def test_zoom_buttons(explorer: Explorer):
    """Without a wheel: + and − do the same."""
    whole = explorer.look()["axis"]
    explorer.page.locator("button.zoom-in").click()
    wait_for(lambda: explorer.look()["axis"] != whole)
    explorer.page.locator("button.zoom-out").click()
    wait_for(lambda: explorer.look()["axis"] == whole)


def test_drag_pans_a_zoomed_panel(explorer: Explorer):
    """Dragging takes the time under the pointer along, and is not taken for a click that plays."""
    explorer.wheel("wave", 0.5, -4)
    explorer.hover("wave", 0.5)
    begin = wait_for(lambda: explorer.tip.is_visible() and explorer.tip_seconds())[0]
    x, y = explorer.at("wave", 0.5)
    explorer.page.mouse.down()
    explorer.page.mouse.move(x - 200, y, steps=8)
    explorer.page.mouse.up()
    explorer.away()
    explorer.page.mouse.move(x - 200, y, steps=2)
    assert wait_for(lambda: explorer.tip.is_visible() and explorer.tip_seconds())[0] == pytest.approx(begin, abs=0.06)
    assert explorer.play.inner_text() == "Play"
    assert explorer.clock() == 0


def test_the_wheel_alone_scrolls_the_page(explorer: Explorer):
    """The picture is taller than the window: a wheel over it must not be swallowed."""
    before = explorer.look()["axis"]
    explorer.page.mouse.move(*explorer.at("mel", 0.5))
    explorer.page.mouse.wheel(0, 200)
    wait_for(lambda: explorer.page.get_by_test_id("stMain").evaluate("(main) => main.scrollTop") > 0)
    assert explorer.look()["axis"] == before


def test_a_new_clip_starts_unzoomed(explorer: Explorer):
    """A window into the last clip means nothing in the next one."""
    explorer.wheel("mel", 0.5, -6)
    explorer.choose_sample("Clicks in noise")  # five seconds, too
    zoomed = explorer.look()["axis"]
    explorer.page.locator("button.fit").click()
    time.sleep(0.3)
    assert explorer.look()["axis"] == zoomed


# ------------------------------------------------------------------ pin


def test_pin_keeps_an_outline(explorer: Explorer):
    """The pinned reference stays where it was while σ moves the bars; Unpin takes it away."""
    ghosts, pin = explorer.page.locator(".bar-row .ghost"), explorer.page.locator("button.pin")
    profile = explorer.look()["profile"]
    assert not any(ghost.is_visible() for ghost in ghosts.all())
    before = explorer.look()["probabilities"]
    pin.click()
    wait_for(lambda: explorer.look()["profile"][0]["hash"] != profile[0]["hash"], why="no pinned strides in the profile")
    explorer.drag("sigma", 0.85)
    widths = [float(ghost.evaluate("(ghost) => parseFloat(ghost.style.width)")) / 100 for ghost in ghosts.all()]
    assert all(ghost.is_visible() for ghost in ghosts.all())
    assert widths == pytest.approx(before, abs=1e-4)
    assert explorer.look()["probabilities"] != pytest.approx(before, abs=0.01)
    assert pin.get_attribute("aria-pressed") == "true"
    pin.click()
    explorer.page.locator("button.reset").click()
    explorer.settle()
    assert not any(ghost.is_visible() for ghost in ghosts.all())
    assert explorer.look()["profile"] == profile
