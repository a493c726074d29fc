"""The Learn page in a real Chromium: every step's picture, drags and keys, numbers that are the library's, small and dark screens."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from explorer import shoot_whole, wait_for
from lesson_axes import downsampled, picture_of
from playwright.sync_api import BrowserContext, Page, WebSocketRoute

from adastride.alignment import Alignment, output_lengths, position_loss, unit_positions
from adastride.downsampling import METHODS
from adastride.downsampling.spectral import dct_diff_stride, dct_diff_stride_mask, diff_stride, diff_stride_mask
from adastride.lesson import STEPS
from adastride.lesson.controls import FRAMES
from adastride.lesson.prose import EVENT, JUMP
from adastride.lesson.tones import TONE_METHODS, tone
from adastride.lesson.training import MOST_STEPS
from adastride.lesson.word import excerpt, word, word_levels

pytestmark = pytest.mark.e2e
SHOT = (1, 2, 4, 8, 11)  # steps whose pictures are kept for people to look at, in every theme and size

# Words drawn on the canvas with their places, to see whether any is cut; and ink beyond the edges of the picture.
_SPY = """
window.adastrideLog = [];
window.adastrideWords = [];
const { fillText } = CanvasRenderingContext2D.prototype;
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
  const ratio = this.getTransform().a;
  window.adastrideWords.push([text, x, y, this.measureText(text).width, this.canvas.width / ratio, this.canvas.height / ratio]);
  return fillText.call(this, text, x, y);
};
"""

_SETTLED = """() => {
  const last = (kind) => adastrideLog.findLastIndex(([each]) => each === kind);
  return last("received") >= last("sent") && performance.now() - Math.max(0, ...adastrideLog.map((each) => each[1])) > 300;
}"""


class Learner:
    """One visitor's Learn page."""

    def __init__(self, page: Page, server: str):
        self.page, self.server = page, server
        self.root = page.locator(".learn")
        page.add_init_script(_SPY)

    def open(self, query: str = "") -> Learner:
        self.page.goto(query if query.startswith("http") else f"{self.server}/learn{query}")
        self.page.locator(".learn .actions .link").wait_for(timeout=40_000)
        return self.settle()

    def settle(self) -> Learner:
        """Waits until all that was asked is answered, and nothing has been drawn, sent or received for longer than the view keeps quiet."""
        wait_for(lambda: self.page.evaluate(_SETTLED), 30)
        return self

    def numbers(self) -> dict:
        """What the picture shows at present."""
        return self.page.evaluate("adastrideLog.filter(([kind]) => kind === 'drawn').at(-1)?.[2]")

    def number(self) -> int:
        return int(re.match(r"(\d+) · ", self.page.get_by_test_id("stHeading").first.inner_text())[1])

    def reach(self, number: int) -> Learner:
        """Waits for a step: its title, and its picture, which comes after it."""
        wait_for(lambda: self.number() == number and self.numbers()["step"] == STEPS[number - 1].key)
        return self.settle()

    def turn(self, number: int) -> Learner:
        """Goes to a step by its button, with usual settings: a third of the time that a visit takes."""
        if self.number() != number:
            self.page.locator(".st-key-learn_steps").get_by_role("button", name=str(number), exact=True).click()
            self.page.mouse.move(2, 2)
            self.reach(number)
        reset = self.page.get_by_role("button", name="Reset")
        if reset.count() and reset.is_enabled():
            reset.click()
            self.settle()
        return self

    def at(self, number: int, **settings: float | str) -> dict:
        """What a step's picture shows with these settings, which its sliders and choices are put to."""
        self.turn(number)
        for name, value in settings.items():
            if isinstance(value, str):
                self.page.locator(f'.choice[data-name="{name}"] button[data-value="{value}"]').click()
            else:
                self.set(name, value)
        return self.settle().numbers()

    def readout(self) -> str:
        return self.page.locator(".learn .readout").inner_text()

    def address(self) -> str:
        return self.page.evaluate("location.href")

    def in_play(self) -> str:
        """The meaning of the term that is highlighted."""
        return self.page.get_by_test_id("stCaptionContainer").last.inner_text()

    def set(self, name: str, value: float) -> None:
        """Puts a slider somewhere, as a hand does."""
        self.page.locator(f'.slider[data-name="{name}"] input').evaluate(
            "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }", value
        )


class Answers:
    """What the server sends to a page, which a test can hold back for a while: a slow line."""

    def __init__(self, page: Page):
        self.page, self.held, self.holding = page, [], False
        page.route_web_socket("**/_stcore/stream", self._between)

    def _between(self, socket: WebSocketRoute) -> None:
        server = socket.connect_to_server()
        server.on_message(lambda message: self.held.append((socket, message)) if self.holding else socket.send(message))

    def hold(self) -> None:
        self.holding = True

    def release(self, after: float) -> None:
        """Lets everything through, after so many milliseconds in which answers may still come in."""
        self.page.wait_for_timeout(after)
        self.holding = False
        for socket, message in self.held:
            socket.send(message)


@pytest.fixture
def learner(page: Page, server: str) -> Learner:
    return Learner(page, server)


@pytest.fixture(scope="module")
def _regular_learner(visitor: BrowserContext, server: str) -> Iterator[tuple[Learner, list[str]]]:
    page, errors = visitor.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield Learner(page, server).open(), errors
    page.close()


@pytest.fixture
def regular(_regular_learner: tuple[Learner, list[str]]) -> Iterator[Learner]:
    """A page that tests use one after the other and go about with `turn`. A JavaScript error fails the test."""
    learner, errors = _regular_learner
    errors.clear()
    learner.page.bring_to_front()  # a tab behind another one paints once a second
    yield learner
    assert not errors, errors


def nothing_is_cut(learner: Learner) -> None:
    """No word of the picture, no formula and no part of the page reaches beyond its place."""
    learner.page.evaluate("adastrideWords.length = 0; window.dispatchEvent(new Event('resize'))")
    learner.root.evaluate("(root) => { root.style.width = '99.9%'; }")
    wait_for(lambda: learner.page.evaluate("adastrideWords.length"))
    words = learner.page.evaluate("adastrideWords")
    learner.root.evaluate("(root) => { root.style.width = ''; }")
    cut = [word for word, x, y, width, across, down in words if x < -0.5 or x + width > across + 0.5 or y < 4 or y > down - 4]
    assert not cut
    assert all("NaN" not in word and "Infinity" not in word and "undefined" not in word for word, *_ in words)
    formulas = learner.page.locator(".katex-display").evaluate_all("""(all) => all.map((each) => {
      const parts = [...each.querySelectorAll(".base")];
      return [Math.max(...parts.map((part) => part.getBoundingClientRect().width)), each.parentElement.clientWidth];
    })""")
    assert all(width <= room + 1 for width, room in formulas), "a formula is cut"
    assert learner.root.evaluate("(root) => root.scrollWidth <= root.clientWidth + 1")
    assert learner.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert not re.search("NaN|Infinity|undefined", learner.readout())


# ------------------------------------------------------------------ every step


@pytest.mark.parametrize("number", range(1, len(STEPS) + 1))
def test_every_step_is_drawn(regular: Learner, number: int):
    """Its title, its picture with many colours, its numbers, and an address of its own."""
    learner = regular.turn(number)
    assert learner.number() == number
    assert learner.numbers()["step"] == STEPS[number - 1].key
    colours = learner.page.locator(".learn canvas.picture").evaluate("""(canvas) => new Set(new Uint32Array(
      canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size""")
    assert colours > 30
    assert len(learner.readout()) > 20
    wait_for(lambda: learner.address().endswith(f"?step={number}") or (number == 1 and learner.address().endswith("/learn")))
    nothing_is_cut(learner)
    shoot_whole(learner.page, f"learn-{number}-light-1400")


def test_dark(sized_page: Callable[..., Page], server: str):
    learner = Learner(sized_page(color_scheme="dark"), server).open(f"?step={SHOT[0]}")
    for number in SHOT:
        learner.turn(number)
        nothing_is_cut(learner)
        shoot_whole(learner.page, f"learn-{number}-dark-1400")


def test_phone(new_page: Callable[..., Page], server: str):
    """390 pixels: nothing is wider than the screen, no word is cut, every step can be reached."""
    learner = Learner(new_page(390, 844, device_scale_factor=2), server).open("?step=1")
    for number in range(1, len(STEPS) + 1):
        learner.turn(number)
        nothing_is_cut(learner)
        if number in SHOT:
            shoot_whole(learner.page, f"learn-{number}-light-390")
    boxes = [each.bounding_box() for each in learner.page.locator(".st-key-learn_steps button:visible").all()]
    assert len(boxes) == len(STEPS)
    assert len({box["y"] for box in boxes}) == 1, "steps take more than one line"
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in boxes)


def type_around(page: Page) -> list[tuple[float, str]]:
    """Sizes and colours of what stands around the picture: steps, buttons, the switch, a question, its answer, the formula."""
    if not page.locator("details[open]").count():
        page.locator(".stMain summary").click()
    parts = [".st-key-learn_step_9 p", ".st-key-learn_back p", ".st-key-presenter p", "summary p", "details p", ".katex-display .katex"]
    return page.evaluate("""(parts) => parts.map((each) => getComputedStyle([...document.querySelectorAll(`.stMain ${each}`)].at(-1)))
      .map(({ fontSize, color }) => [parseFloat(fontSize), color])""", parts)


@pytest.mark.parametrize(("scheme", "ink"), [("light", "rgb(0, 0, 0)"), ("dark", "rgb(255, 255, 255)")])
@pytest.mark.parametrize(("width", "height", "larger"), [(1400, 900, 1.25), (390, 844, 1.12)])
def test_all_type_grows_while_presenting(sized_page: Callable[..., Page], server: str, scheme: str, ink: str, width: int, height: int, larger: float):
    """Steps, buttons, question and answer too, in black or in white; and back again."""
    learner = Learner(sized_page(width, height, color_scheme=scheme), server).open("?step=4")
    before = type_around(learner.page)
    learner.page.get_by_role("button", name="Presenter").first.click()
    wait_for(lambda: "presenter=1" in learner.address())
    # The link changes before the style of presenting arrives with the rest of the run.
    wait_for(lambda: {colour for _, colour in type_around(learner.settle().page)} == {ink}, why="the type is not in black or white")
    shown = type_around(learner.page)
    assert all(large >= larger * small for (large, _), (small, _) in zip(shown, before, strict=True))
    nothing_is_cut(learner)
    shoot_whole(learner.page, f"learn-4-presenter-{scheme}-{width}")
    learner.page.get_by_role("button", name="Presenter").first.click()
    wait_for(lambda: "presenter=1" not in learner.address())
    learner.page.mouse.move(2, height - 2)  # a button has another colour under the pointer
    wait_for(lambda: type_around(learner.settle().page) == before, why="the type is not as it was")


def test_presenting(sized_page: Callable[..., Page], server: str):
    """Larger type, the picture alone, in the link; on a projector nothing is cut."""
    learner = Learner(sized_page(1400, 900), server).open("?step=4")
    readout = learner.page.locator(".readout")
    small = readout.evaluate("(each) => parseFloat(getComputedStyle(each).fontSize)")
    learner.page.get_by_role("button", name="Presenter").first.click()
    wait_for(lambda: "presenter=1" in learner.address())
    wait_for(lambda: readout.evaluate("(each) => parseFloat(getComputedStyle(each).fontSize)") > 1.4 * small, why="the numbers do not grow")
    learner.settle()
    assert not learner.page.get_by_text("goes through a softmax").count()
    for number in range(1, len(STEPS) + 1):
        learner.page.set_viewport_size({"width": 1400, "height": 900})
        learner.turn(number)
        nothing_is_cut(learner)
        if number in SHOT:
            shoot_whole(learner.page, f"learn-{number}-presenter")
        for width, height in ((1024, 768), (390, 844)):
            learner.page.set_viewport_size({"width": width, "height": height})
            nothing_is_cut(learner)


# ------------------------------------------------------------------ hands and keys


def test_a_button_that_does_nothing_can_be_read(learner: Learner):
    """On the last step nothing comes next."""
    learner.open(f"?step={len(STEPS)}")
    ink, ground = learner.page.get_by_role("button", name="Next").evaluate(
        "(each) => [each.querySelector('p'), each].map((one, place) => getComputedStyle(one)[place ? 'backgroundColor' : 'color'])"
    )
    assert ink != "rgb(255, 255, 255)"
    assert ink != ground


def test_arrow_keys_turn_the_pages(learner: Learner):
    learner.open()
    learner.page.keyboard.press("ArrowRight")
    learner.reach(2)
    learner.page.keyboard.press("ArrowRight")
    learner.reach(3)
    assert "step=3" in wait_for(lambda: "step=3" in learner.address() and learner.address())
    learner.page.keyboard.press("ArrowLeft")
    learner.reach(2)


def test_arrow_keys_after_a_click(learner: Learner):
    """A click on a step, on Next or on the presenter switch does not keep the arrow keys to itself; a tab stop does."""
    learner.open()
    learner.page.get_by_role("button", name="4", exact=True).click()
    learner.reach(4)
    learner.page.keyboard.press("ArrowRight")
    learner.reach(5)
    learner.page.get_by_role("button", name="Presenter").first.click()
    wait_for(lambda: "presenter=1" in learner.address())
    learner.settle().page.keyboard.press("ArrowRight")
    learner.reach(6)
    learner.page.get_by_role("button", name="Next").click()
    learner.reach(7)
    learner.page.keyboard.press("ArrowRight")
    learner.reach(8)
    learner.page.get_by_role("button", name="8", exact=True).focus()
    learner.page.keyboard.press("Tab")
    learner.page.keyboard.press("Space")
    learner.reach(9)


def test_bars_with_keys(learner: Learner):
    """One tab stop; left and right walk along the bars, up and down move one, and the lesson stays where it is."""
    learner.open("?step=3")
    bars = learner.page.locator('.learn .bars [role="slider"]')
    assert bars.count() == FRAMES
    assert learner.page.locator('.learn .bars [role="slider"][tabindex="0"]').count() == 1
    bars.nth(11).focus()
    before = learner.numbers()
    learner.page.keyboard.press("ArrowRight")
    assert bars.nth(12).evaluate("(bar) => bar.getRootNode().activeElement === bar")
    now = float(bars.nth(12).get_attribute("aria-valuenow"))
    learner.page.keyboard.press("ArrowUp")
    learner.page.keyboard.press("Shift+ArrowUp")
    assert float(bars.nth(12).get_attribute("aria-valuenow")) == pytest.approx(now + 1.1)
    assert learner.settle().numbers()["dp"][12] == pytest.approx(before["dp"][12] * math.exp(1.1), rel=1e-6)
    assert bars.nth(12).get_attribute("aria-label") == "Displacement of frame 12"
    assert learner.number() == 3
    assert "Frame 12" in learner.readout()


def test_sliders_and_the_matrix_with_keys(learner: Learner):
    """Arrow keys on a slider or in the matrix do not turn the page."""
    learner.open("?step=4")
    slider = learner.page.locator('.slider[data-name="sigma"] input')
    slider.focus()
    before = learner.readout()
    for _ in range(5):
        learner.page.keyboard.press("ArrowRight")
    wait_for(lambda: learner.readout() != before)
    learner.page.locator(".learn canvas.picture").focus()
    learner.page.keyboard.press("ArrowRight")
    learner.page.keyboard.press("ArrowUp")
    assert learner.readout().startswith("a6,10")
    assert learner.page.locator(".learn .spoken").inner_text()
    assert learner.settle().number() == 4


def test_bars_are_drawn_with_the_mouse_at_once(learner: Learner):
    """Half of the pictures are painted within 100 ms; frames never cross; the link has the bars, and restores them."""
    learner.open("?step=3")
    box = learner.page.locator(".learn .bars").bounding_box()
    learner.page.evaluate("adastrideLog.length = 0")
    learner.page.mouse.move(box["x"] + 4, box["y"] + box["height"] * 0.8)
    learner.page.mouse.down()
    for step in range(1, 41):
        learner.page.mouse.move(box["x"] + 4 + step * (box["width"] - 8) / 40, box["y"] + box["height"] * (0.5 + 0.45 * math.sin(step / 3)))
        learner.page.wait_for_timeout(16)
    learner.page.mouse.up()
    painted = learner.page.evaluate("adastrideLog.filter(([kind]) => kind === 'painted').map((each) => each[2])")
    print(f"bars: {len(painted)} paints, median {statistics.median(painted):.1f} ms")
    assert len(painted) > 20
    assert statistics.median(painted) <= 100
    crossing = learner.page.evaluate("adastrideLog.some(([kind, , drawn]) => kind === 'drawn' && drawn.p.some((v, t) => t && v < drawn.p[t - 1]))")
    assert not crossing
    numbers = learner.settle().numbers()
    again = Learner(learner.page, learner.server).open(learner.address())
    assert again.numbers()["p"] == pytest.approx(numbers["p"], abs=1e-9)


@pytest.mark.parametrize(
    ("number", "slider"),
    [(1, "stride"), (2, "frequency"), (2, "stride"), (4, "sigma"), (5, "contrast"), (7, "sigma"), (8, "stride"), (9, "frames"), (11, "height")],
)
def test_sliders_paint_at_once(regular: Learner, number: int, slider: str):
    learner = regular.turn(number)
    learner.page.locator(f'.slider[data-name="{slider}"] input').scroll_into_view_if_needed()
    box = learner.page.locator(f'.slider[data-name="{slider}"] input').bounding_box()
    y = box["y"] + box["height"] / 2
    learner.page.mouse.move(box["x"] + box["width"] * 0.3, y)
    learner.page.mouse.down()
    learner.page.evaluate("adastrideLog.length = 0")
    for step in range(30):
        learner.page.mouse.move(box["x"] + box["width"] * (0.3 + 0.02 * step), y)
        learner.page.wait_for_timeout(20)
    learner.page.mouse.up()
    painted = learner.page.evaluate("adastrideLog.filter(([kind]) => kind === 'painted').map((each) => each[2])")
    print(f"step {number}: {len(painted)} paints, median {statistics.median(painted):.1f} ms")
    assert statistics.median(painted) <= 100
    if number == 2:  # no picture waits for the server: each has the tone of its moment, downsampled
        for each in learner.page.evaluate("adastrideLog.filter(([kind]) => kind === 'drawn').map((entry) => entry[2])"):
            kept = tone(each["frequency"])[:: each["stride"]]
            np.testing.assert_allclose(each["values"][0], kept, atol=1e-6)


def test_the_term_in_play_follows_the_hand(learner: Learner):
    learner.open("?step=4")
    assert "squared distance" in learner.in_play()
    learner.set("sigma", 0.3)
    wait_for(lambda: "σ⁻²" in learner.in_play())
    assert learner.page.locator(".katex-display [style*='color']").first.inner_text().startswith("σ")


def test_the_answer_is_revealed(learner: Learner):
    learner.open("?step=3")
    answer = learner.page.get_by_text("A constant multiplies all displacements alike")
    assert not answer.is_visible()
    learner.page.get_by_text("Raise all bars by the same amount").click()
    answer.wait_for(state="visible")


def test_links_restore_settings_and_leave_out_what_is_usual(learner: Learner):
    learner.open("?step=4&sigma=1.5&stage=exp")
    assert learner.page.locator('[data-name="stage"] [aria-pressed="true"]').inner_text() == "exp"
    assert "1.50 output frames" in learner.page.locator('[data-name="sigma"] output').inner_text()
    assert sorted(learner.address().split("?")[1].split("&")) == ["sigma=1.5", "stage=exp", "step=4"]
    learner.page.get_by_role("button", name="Reset").click()
    wait_for(lambda: learner.address().endswith("?step=4"))


def test_a_wrong_link_gets_a_sentence(learner: Learner):
    learner.open("?step=99")
    learner.page.get_by_text("not a number from 1 to 11").wait_for()
    assert learner.number() == 1


def test_settings_survive_other_steps_and_pages(learner: Learner):
    learner.open("?step=6")
    learner.page.get_by_role("button", name="All equal").click()
    wait_for(lambda: learner.numbers()["loss"] == 0)
    learner.page.keyboard.press("ArrowRight")
    learner.reach(7)
    learner.page.keyboard.press("ArrowLeft")
    learner.reach(6)
    assert learner.settle().numbers()["loss"] == 0
    learner.page.get_by_test_id("stSidebar").get_by_text("Results").click()
    learner.page.get_by_role("heading", name="Does an adaptive stride help?").wait_for(timeout=40_000)
    learner.page.get_by_test_id("stSidebar").get_by_text("Learn").click()
    learner.page.locator(".learn .actions .link").wait_for()
    assert learner.settle().number() == 6
    assert learner.numbers()["loss"] == 0


def test_a_setting_changed_just_before_leaving_is_kept(learner: Learner):
    learner.open("?step=6")
    box = learner.page.get_by_test_id("stSidebar").get_by_text("Results").bounding_box()
    learner.page.get_by_role("button", name="All equal").click()
    # A locator's click would wait for a while; a finger is down for at least so long.
    learner.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, delay=60)
    learner.page.get_by_role("heading", name="Does an adaptive stride help?").wait_for(timeout=40_000)
    learner.page.get_by_test_id("stSidebar").get_by_text("Learn").click()
    learner.page.locator(".learn .actions .link").wait_for(timeout=40_000)
    assert learner.settle().number() == 6
    assert learner.numbers()["loss"] == 0


def test_a_request_that_crosses_the_turning_of_a_page_does_not_turn_it_back(learner: Learner):
    """A request tells the server every setting the browser knows: until the answer is there, also the step before."""
    answers = Answers(learner.page)
    learner.open("?step=6")
    learner.page.get_by_role("button", name="All equal").click()
    answers.hold()
    learner.page.keyboard.press("ArrowRight")
    wait_for(lambda: learner.page.evaluate("adastrideLog.some(([kind]) => kind === 'sent')"))
    answers.release(after=1000)
    learner.reach(7)
    assert learner.page.get_by_test_id("stHeading").first.inner_text() == f"7 · {STEPS[6].title}"


def test_pages_turn_as_often_as_a_key_is_pressed(learner: Learner):
    """Also before the browser knows what the first press did."""
    answers = Answers(learner.page)
    learner.open("?step=3")
    answers.hold()
    for _ in range(3):
        learner.page.keyboard.press("ArrowRight")
        learner.page.wait_for_timeout(700)
    answers.release(after=300)
    learner.reach(6)
    assert learner.page.locator('.st-key-learn_steps button[kind="primary"]:visible').inner_text() == "6"


# ------------------------------------------------------------------ numbers are the library's


def aligned(scores: tuple[float, ...], stride: float, sigma: float = 0.447, nearest: bool = False) -> Alignment:
    lengths = torch.tensor([len(scores)])
    unit = unit_positions(torch.tensor([scores], dtype=torch.float64), lengths)
    return Alignment(unit, lengths, output_lengths(lengths, stride), sigma, nearest, torch.float64)


@pytest.mark.parametrize(("frequency", "stride"), [(0.2, 4), (0.37, 3), (0.5, 6)])
def test_tones_are_downsampled_as_by_the_layers(regular: Learner, frequency: float, stride: int):
    values = regular.at(2, frequency=frequency, stride=stride)["values"]
    x = torch.from_numpy(tone(frequency)).float()[None, None]
    np.testing.assert_allclose(values[0], x[0, 0, ::stride], atol=1e-4)
    for key, found in zip(TONE_METHODS[1:], values[1:], strict=True):
        np.testing.assert_allclose(found, METHODS[key].build(1, stride=stride)(x).values[0, 0], atol=1e-4)


@pytest.mark.parametrize("stride", [1.0, 3.7])
def test_positions_are_the_librarys(regular: Learner, stride: float):
    numbers = regular.at(3, stride=stride)
    expected = aligned(EVENT, stride)
    assert numbers["L"] == expected.frames
    np.testing.assert_allclose(numbers["p"], expected.positions[0], atol=1e-6)


@pytest.mark.parametrize(("sigma", "stride"), [(0.05, 2.0), (1.0, 5.0)])
def test_weights_are_the_librarys(learner: Learner, sigma: float, stride: float):
    numbers = learner.open(f"?step=4&sigma={sigma}&stride={stride}").numbers()
    np.testing.assert_allclose(numbers["A"], aligned(EVENT, stride, sigma).dense()[0], atol=1e-3)


def test_the_word_is_pooled_as_by_the_library(regular: Learner):
    numbers = regular.at(5)
    clip, (first, frames) = word(), excerpt()
    window = slice(first, first + frames)
    scores = tuple((2.0 * clip.energy[window].astype("f4").astype(float)).tolist())
    expected = aligned(scores, 3.0)
    np.testing.assert_allclose(numbers["p"], expected.positions[0], atol=1e-3)
    np.testing.assert_allclose(numbers["strides"], expected.strides()[0], atol=1e-3)
    low, high = float(clip.mel.max()) - 80, float(clip.mel.max())
    mel = np.clip((clip.mel - low) * (255 / (high - low)), 0, 255).astype("u1")[:, window]
    pooled = expected.pool(torch.from_numpy(mel[None]).double())[0].numpy().T
    np.testing.assert_allclose(numbers["Y"], pooled, atol=1e-3 * 255)


@pytest.mark.parametrize("stride", [1.0, 5.0])
def test_the_position_loss_is_the_librarys(regular: Learner, stride: float):
    expected = aligned(JUMP, stride)
    assert regular.at(6, stride=stride)["loss"] == pytest.approx(float(position_loss(expected.positions, expected.lengths)), abs=1e-6)


def test_adastride_f_is_the_librarys(regular: Learner):
    numbers = regular.at(7)
    expected = aligned(EVENT, 2.0, nearest=True)
    dense = expected.dense()[0]
    np.testing.assert_allclose(numbers["w"], dense.sum(dim=0), atol=1e-3)
    x = torch.tensor([[word_levels()]], dtype=torch.float64)
    np.testing.assert_allclose(numbers["y"], expected.pool(x)[0, 0], atol=1e-3)
    assert numbers["empty"] == int((dense.sum(dim=1) == 0).sum())


@pytest.mark.parametrize("kind", ["diffstride", "dct-diffstride"])
@pytest.mark.parametrize(("stride", "smoothness"), [(3.0, 4.0), (1.0, 4.0), (1.2, 16.0)])
def test_masks_gradients_and_outputs_are_the_librarys(regular: Learner, kind: str, stride: float, smoothness: float):
    """Mask, its gradient by automatic differentiation, the crop, and the signal that comes out."""
    numbers = regular.at(8, kind=kind, stride=stride, smoothness=smoothness)
    make, run = (diff_stride_mask, diff_stride) if kind == "diffstride" else (dct_diff_stride_mask, dct_diff_stride)
    size = torch.tensor([stride], dtype=torch.float64, requires_grad=True)
    mask = make(64, size, smoothness)
    np.testing.assert_allclose(numbers["mask"], mask.detach(), atol=1e-6)
    slopes = [float(torch.autograd.grad(each, size, retain_graph=True)[0]) for each in mask]
    np.testing.assert_allclose(numbers["slope"], slopes, atol=1e-6)
    signal = torch.tensor(numbers["signal"], dtype=torch.float64)
    expected = run(signal, size.detach(), smoothness)
    assert numbers["frames"] == len(expected)
    np.testing.assert_allclose(numbers["out"], expected, atol=1e-3)
    assert len(expected) >= min(64 / stride, 62), "the output is longer than T/s"


@pytest.mark.parametrize(("method", "picture"), [("avg-pool", "word"), ("adastride", "two"), ("diffstride", "word")])
def test_pictures_become_smaller_as_by_the_library(regular: Learner, method: str, picture: str):
    numbers = regular.at(11, method=method, picture=picture, height=2.6, width=5)
    expected = downsampled(picture_of(picture), method, 2.6, 5, contrast=6, sigma=0.447).values[0, 0]
    assert (numbers["h"], numbers["w"]) == expected.shape
    np.testing.assert_allclose(numbers["out"], expected, atol=1e-6)


# ------------------------------------------------------------------ drags on pictures, training


def test_the_mask_is_dragged(learner: Learner):
    learner.open("?step=8")
    box = learner.page.locator(".learn canvas.picture").bounding_box()
    kept = learner.numbers()["kept"]
    learner.page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 90)
    learner.page.mouse.down()
    learner.page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 90, steps=6)
    learner.page.mouse.up()
    assert learner.settle().numbers()["kept"] > kept + 2
    assert "stride=" in learner.address()


def test_the_box_of_both_axes_is_dragged(regular: Learner):
    """Over the spectrum both strides follow, over a mask its own; arrow keys move edges too, and output pixels where there is no box."""
    regular.at(11, method="diffstride")
    canvas, mouse = regular.page.locator(".learn canvas.picture"), regular.page.mouse
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()

    def drag(to: tuple[float, float]) -> tuple[int, int]:
        mouse.move(box["x"] + to[0] - 9, box["y"] + to[1])
        mouse.down()
        mouse.move(box["x"] + to[0], box["y"] + to[1], steps=4)
        mouse.up()
        return regular.settle().numbers()["h"], regular.numbers()["w"]

    assert drag((270, 290)) > (30, 30), "both edges are further out"
    high, wide = drag((220, 50))
    assert wide < 30 < high
    assert {"height=", "width="} <= set(re.findall(r"\w+=", regular.address()))
    canvas.focus()
    for _ in range(40):
        regular.page.keyboard.press("ArrowRight")
    assert regular.settle().numbers()["w"] > wide
    regular.at(11)
    mouse.move(box["x"] + 170, box["y"] + 180)
    pointed = wait_for(lambda: re.search(r"y(\d+),(\d+)", regular.readout()))
    canvas.focus()
    regular.page.keyboard.press("ArrowDown")
    wait_for(lambda: f"y{int(pointed[1]) + 1},{pointed[2]}" in regular.readout())
    assert regular.number() == 11


def test_costs_are_measured_here(regular: Learner):
    learner = regular.turn(9)
    wait_for(lambda: len(learner.numbers()["timings"]) == 4)
    assert all(each["dense"] > 0 for each in learner.numbers()["timings"])


def test_training_starts_pauses_steps_and_starts_again(learner: Learner):
    """Paused at first; trains while it plays; stays where it was paused; gathers its strides on the burst by its end."""
    learner.open("?step=10")
    assert learner.numbers()["trained"] == 0
    assert learner.numbers()["ratio"] == pytest.approx(1, rel=0.02)
    one = learner.page.get_by_role("button", name="One step")
    one.click()
    wait_for(lambda: learner.numbers()["trained"] == 1)
    learner.page.get_by_role("button", name="Go on").click()
    wait_for(lambda: learner.numbers()["trained"] > 20)
    learner.page.get_by_role("button", name="Pause").click()
    at = learner.settle().numbers()["trained"]
    learner.page.wait_for_timeout(500)
    assert learner.numbers()["trained"] == at < MOST_STEPS
    learner.page.get_by_role("button", name="Go on").click()
    wait_for(lambda: learner.numbers()["trained"] == MOST_STEPS, 60)
    assert learner.numbers()["ratio"] > 3
    assert learner.numbers()["accuracy"] > 0.9
    assert learner.page.get_by_role("button", name="Trained").is_disabled()
    shoot_whole(learner.page, "learn-10-trained-light-1400")
    learner.page.get_by_role("button", name="Reset").click()
    wait_for(lambda: learner.numbers()["trained"] == 0)


def test_the_tone_is_swept(learner: Learner):
    """The button becomes a way to stop; what the methods make of the tone is drawn on the way."""
    learner.open("?step=2")
    learner.page.get_by_role("button", name="Sweep").click()
    wait_for(lambda: learner.numbers()["frequency"] > 0.25)
    learner.page.get_by_role("button", name="Stop").click()
    at = learner.settle().numbers()["frequency"]
    learner.page.wait_for_timeout(400)
    assert 0.25 < learner.numbers()["frequency"] == at < 0.5
    assert learner.page.get_by_role("button", name="Sweep").count() == 1
    learner.page.get_by_role("button", name="Sweep").click()
    wait_for(lambda: learner.numbers()["frequency"] == 0.5)
    wait_for(lambda: learner.page.get_by_role("button", name="Sweep").count() == 1)


def test_training_stops_when_one_leaves(learner: Learner):
    learner.open("?step=10")
    learner.page.get_by_role("button", name="Train", exact=True).click()
    wait_for(lambda: learner.numbers()["trained"] > 5)
    learner.page.get_by_role("button", name="Back").click()
    learner.reach(9)
    learner.page.get_by_role("button", name="Next").click()
    learner.reach(10)
    at = learner.settle().numbers()["trained"]
    learner.page.wait_for_timeout(500)
    assert learner.numbers()["trained"] == at < MOST_STEPS
