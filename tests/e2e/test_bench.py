"""Codes in one's hands: what is edited is heard and seen, can be undone to the byte, and nothing asked for takes the page down."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from explorer import wait_for
from made_up_codecs import codec
from playwright.sync_api import Page
from test_sounds import KEEP_THEM, SOUND_OF, Listener

from adastride.checkpoints import save_checkpoint

pytestmark = pytest.mark.e2e


class Editor(Listener):
    """The viewer of a codec, and its bench."""

    @property
    def strips(self):
        return self.page.locator(".bench canvas.base")

    @property
    def map(self):
        return self.page.locator(".bench .map canvas")

    def words(self) -> str:
        return self.page.locator(".bench-words").inner_text()

    def count_and_seconds(self) -> tuple[int, float]:
        found = re.match(r"(\d+) codes, ([\d.]+) s", self.page.locator(".bench-clock").inner_text())
        return int(found[1]), float(found[2])

    def press(self, selector: str) -> None:
        self.page.locator(f".bench {selector}").click()
        self.settle()

    def enabled(self, selector: str) -> bool:
        return self.page.locator(f".bench {selector}").is_enabled()

    def select(self, place: int) -> tuple[int, int]:
        """Chooses a code by keyboard and gives its number and how many mel frames it lasts."""
        self.strips.focus()
        for _ in range(self.count_and_seconds()[0]):
            self.strips.press("ArrowLeft")
        for _ in range(place):
            self.strips.press("ArrowRight")
        found = re.match(r"Place (\d+): code (\d+), (\d+) mel frame", self.words())
        assert int(found[1]) == place
        return int(found[2]), int(found[3])

    def heard(self) -> str:
        """The bytes of the edited sound, which is played for it."""
        self.page.evaluate("window.players[1].pause()")  # the sound is short: a button that is pressed to stop it may start it again
        wait_for(lambda: self.page.locator(".bench-play").inner_text() == "Play")
        self.page.evaluate("() => { window.started = false; window.players[1].onplay = () => { window.started = true; }; }")
        self.page.locator(".bench-play").click()
        wait_for(lambda: self.page.evaluate("window.started"), why="it never played")
        sound = wait_for(self._edited_sound)
        self.page.evaluate("window.players[1].pause()")
        return sound

    def _edited_sound(self) -> str:
        # The player of the bench is the second one that the page made.
        return self.page.evaluate("async () => { " + SOUND_OF + " const player = window.players[1]; return player.src && soundOf(player); }")

    def mel(self) -> str:
        return self.strips.evaluate("(canvas) => canvas.toDataURL()")


@pytest.fixture
def editor(page: Page, made_up: str) -> Editor:
    page.add_init_script(KEEP_THEM)
    found = Editor(page, made_up)
    found.open("?codec=16")
    found.strips.scroll_into_view_if_needed()
    found.settle()
    return found


def test_a_longer_code_is_heard_longer_and_undone_to_the_byte(editor: Editor):
    count, seconds = editor.count_and_seconds()
    first = editor.heard()
    _, frames = editor.select(1)
    for _ in range(6):
        editor.press(".longer")
    assert editor.select(1)[1] == frames + 6
    longer = editor.count_and_seconds()
    assert longer == (count, pytest.approx(seconds + 6 * 256 / 22_050, abs=0.01))
    sound = editor.heard()
    assert len(sound) > len(first)
    assert "before" in editor.page.locator(".bench-clock").inner_text()
    for _ in range(6):
        editor.strips.press("Control+z")
    editor.settle()
    assert editor.count_and_seconds() == (count, seconds)
    assert not editor.enabled(".undo")
    assert editor.heard() == first


def test_an_edge_is_dragged_and_the_picture_follows(editor: Editor):
    count, seconds = editor.count_and_seconds()
    before, (_, frames) = editor.mel(), editor.select(0)
    box = editor.strips.bounding_box()
    plot = box["width"] - 46 - 6
    x, y = box["x"] + 46 + plot * (frames - 0.5) * 256 / 22_050 / seconds, box["y"] + 48
    editor.page.mouse.move(x, y)
    assert editor.strips.evaluate("(canvas) => canvas.style.cursor") == "ew-resize"
    editor.page.mouse.down()
    editor.page.mouse.move(x + plot / 8, y, steps=6)
    wait_for(lambda: editor.mel() != before, why="nothing changed with the button down")
    editor.page.mouse.up()
    editor.settle()
    assert editor.count_and_seconds()[0] == count
    assert editor.count_and_seconds()[1] == pytest.approx(seconds * 9 / 8, abs=0.05)
    editor.press(".undo")  # the whole drag is one edit
    assert editor.count_and_seconds() == (count, seconds)
    assert not editor.enabled(".undo")


def test_another_code_in_its_place(editor: Editor):
    first = editor.heard()
    code, frames = editor.select(1)
    assert not editor.enabled(".put")
    editor.map.focus()
    for _ in range(20):
        if editor.enabled(".put"):
            break
        editor.map.press("ArrowRight")
    other = int(re.search(r"Put code (\d+) here", editor.page.locator(".put").inner_text())[1])
    assert other != code
    assert f"Code {other}:" in editor.words()
    editor.press(".put")
    assert editor.select(1) == (other, frames)
    assert editor.heard() != first
    editor.press(".restore")
    assert not editor.enabled(".restore")
    assert editor.select(1) == (code, frames)
    assert editor.heard() == first


def test_another_sound_stops_the_one_that_plays(editor: Editor):
    """An edit while it plays: what is heard next is the edit, and the button says what it does."""
    editor.press(".slower")
    editor.press(".slower")
    editor.page.locator(".bench-play").click()
    wait_for(lambda: editor.page.evaluate("!window.players[1].paused"))
    before = editor._edited_sound()
    editor.select(1)
    editor.press(".longer")
    wait_for(lambda: editor._edited_sound() != before, why="the sound of the edit never came")
    assert editor.page.evaluate("window.players[1].paused")
    assert editor.page.locator(".bench-play").inner_text() == "Play"
    assert editor.heard() == editor._edited_sound() != before


def test_a_click_on_a_code_plays_it_and_nothing_else(editor: Editor):
    editor.page.evaluate("""() => {
      const player = window.players[1];
      player.addEventListener("pause", () => { window.stoppedAt = player.currentTime; });
    }""")
    box = editor.strips.bounding_box()
    editor.page.mouse.click(box["x"] + 46 + 0.4 * (box["width"] - 52), box["y"] + 48)
    heard = wait_for(lambda: editor.page.evaluate("window.stoppedAt"), why="it never played, or never stopped")
    _, seconds = editor.count_and_seconds()
    assert 0.4 * seconds < heard < 0.4 * seconds + 0.5
    assert editor.words().startswith("Place ")
    editor.play.click()  # the clip's own sound: one of them plays at a time
    editor.page.locator(".bench-play").click()
    wait_for(lambda: editor.page.evaluate("!window.players[1].paused"))
    wait_for(lambda: editor.page.evaluate("window.players.filter((each) => !each.paused).length") == 1, why="both play")
    wait_for(lambda: editor.play.inner_text() == "Play")


def test_speeds_and_what_can_not_be(editor: Editor):
    """Much too slow is a sentence and changes nothing; one code stays."""
    count, seconds = editor.count_and_seconds()
    editor.press(".slower")
    assert editor.count_and_seconds() == (count, pytest.approx(1.5 * seconds, rel=0.03))
    editor.press(".faster")
    assert editor.count_and_seconds()[1] == pytest.approx(seconds, rel=0.05)
    for _ in range(12):
        editor.press(".slower")
        if "allowed" in editor.words() or "more than" in editor.words():
            break
    assert re.search(r"would last \d+ s, more than the 60 s", editor.words())
    assert editor.count_and_seconds()[1] < 60
    editor.press(".restore")
    assert editor.count_and_seconds() == (count, seconds)
    editor.select(0)
    for left in range(count - 1, 0, -1):
        editor.press(".remove")
        assert editor.count_and_seconds()[0] == left
    assert not editor.enabled(".remove")
    assert editor.heard()


def test_edits_in_quick_succession_are_all_made(editor: Editor):
    """What is pressed before the server has answered counts, too, and each is undone by itself."""
    count, seconds = editor.count_and_seconds()
    editor.page.locator(".bench .slower").evaluate("(button) => { button.click(); button.click(); }")
    editor.settle()
    assert editor.count_and_seconds() == (count, pytest.approx(2.25 * seconds, rel=0.05))
    editor.press(".undo")
    assert editor.count_and_seconds()[1] == pytest.approx(1.5 * seconds, rel=0.03)
    editor.press(".undo")
    assert editor.count_and_seconds() == (count, seconds)
    assert not editor.enabled(".undo")


def test_a_drag_that_goes_too_far_loses_nothing_but_itself(editor: Editor):
    for _ in range(12):
        editor.press(".slower")
        if editor.count_and_seconds()[1] > 30:
            break
    editor.select(0)
    editor.press(".longer")
    before = editor.count_and_seconds()
    _, frames = editor.select(0)
    box = editor.strips.bounding_box()
    plot = box["width"] - 46 - 6
    x, y = box["x"] + 46 + plot * (frames - 0.5) * 256 / 22_050 / before[1], box["y"] + 48
    editor.page.mouse.move(x, y)
    assert editor.strips.evaluate("(canvas) => canvas.style.cursor") == "ew-resize"
    editor.page.mouse.down()
    editor.page.mouse.move(x + plot * (62 / before[1] - 1), y)
    wait_for(lambda: "more than the 60 s" in editor.words(), why="nobody said that it is too long")
    editor.page.mouse.move(x + plot * (70 / before[1] - 1), y, steps=5)
    editor.page.mouse.up()
    editor.settle()
    assert editor.count_and_seconds() == before
    assert editor.select(0)[1] == frames
    editor.press(".undo")
    assert editor.select(0)[1] == frames - 1


def test_a_sound_that_somebody_waits_for_is_forgotten_with_its_codes(editor: Editor):
    editor.press(".slower")
    editor.page.locator(".bench-play").evaluate("(button) => button.click()")
    editor.page.locator(".slider[data-name=stride] input").press("End")
    editor.settle()
    editor.page.wait_for_timeout(1500)
    assert editor.page.evaluate("window.players.every((each) => each.paused)")


def test_other_settings_are_other_codes(editor: Editor):
    """The bench begins anew with them; the bit rate is a slider of the stride."""
    editor.select(0)
    editor.press(".longer")
    count, _ = editor.count_and_seconds()
    rate = editor.page.locator('.slider[data-name="rate"]')
    bits = int(rate.locator("output").inner_text().split()[0])
    rate.locator("input").focus()
    rate.locator("input").press("Home")
    editor.settle()
    assert editor.page.locator('.slider[data-name="stride"] output').inner_text().startswith("8.00 input frames")
    assert int(rate.locator("output").inner_text().split()[0]) == pytest.approx(bits / 4, abs=1)
    fewer, _ = editor.count_and_seconds()
    assert fewer < count / 2
    assert not editor.enabled(".undo")
    assert editor.words() == "These are other codes: what was edited is gone."
    assert editor.heard()
    editor.select(0)
    assert not editor.words().startswith("These")


def test_a_code_is_named_without_a_probability(editor: Editor):
    """In the tip of its segment, of an output frame, and in the table."""
    code, _ = editor.select(0)
    lane = editor.page.locator(".panel.lane canvas.base").first
    lane.focus()
    lane.press("ArrowRight")
    wait_for(lambda: editor.tip.inner_text().startswith(f"Codes: “{code}”, "))
    assert re.search(rf"“{code}”, [\d.]+–[\d.]+ s \(\d+ ms\), output frame 0$", editor.tip.inner_text())
    editor.hover("layer", 0.99, 0.98, 2)
    assert re.search(r"Codes here: “?\d+”?\.$", editor.tip.inner_text())
    editor.page.locator("button.table").click()
    assert "probability" not in editor.page.locator(".sheet").inner_text()


def test_durations_go_from_one_recording_to_another(page: Page, server: str, tmp_path: Path):
    """Kept from one clip, taken by the next: it lasts as long, and its codes stay. On the app itself, with a checkpoint of one's own."""
    path = tmp_path / "teller.safetensors"
    save_checkpoint(codec(), path, {})
    page.add_init_script(KEEP_THEM)
    editor = Editor(page, server)
    editor.open("?clip=seven")
    editor.load_checkpoint(path.name, path.read_bytes())
    editor.strips.scroll_into_view_if_needed()
    _, first = editor.count_and_seconds()
    assert not editor.page.locator(".take").is_visible()
    editor.press(".keep")
    editor.choose_sample("One word in silence: nine")
    editor.settle()
    wait_for(lambda: editor.page.locator(".take").is_visible(), why="nobody offers what was kept")
    assert "seven" in editor.page.locator(".take").inner_text()
    editor.press(".slower")
    count, seconds = editor.count_and_seconds()
    assert seconds > first
    editor.press(".take")
    assert editor.count_and_seconds() == (count, pytest.approx(first, abs=0.15))
    assert editor.heard()


@pytest.mark.parametrize(("scheme", "width", "height"), [("light", 1400, 1000), ("dark", 390, 844)])
def test_the_shipped_codec_and_its_bench_fit(sized_page: Callable[..., Page], server: str, scheme: str, width: int, height: int):
    """Nothing is wider than the screen, every row of the bench is drawn, and the picture is one to show."""
    editor = Editor(sized_page(width, height, color_scheme=scheme), server)
    editor.open("?clip=clock-halting&checkpoint=codec-adastride")
    editor.page.locator(".to-bench").click()
    wait_for(lambda: editor.strips.evaluate("(canvas) => canvas.getRootNode().activeElement === canvas"), why="the button leads nowhere")
    editor.settle()
    wait_for(lambda: editor.page.locator(".bench-high").inner_text().endswith("dB"), why="the mel of the codes never came")
    editor.select(12)
    assert editor.root.evaluate("(root) => root.scrollWidth <= root.clientWidth + 1")
    assert editor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert editor.strips.evaluate("""(canvas) => new Set(new Uint32Array(
      canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size""") > 100
    assert editor.map.evaluate("(canvas) => [canvas.clientWidth, canvas.clientHeight]") == pytest.approx([250, 250], rel=0.3)
    editor.page.locator(".stMain").evaluate("(main) => main.scrollTo(0, main.scrollHeight)")
    editor.shoot(f"codec-{scheme}-{width}")


def test_a_network_without_codes_has_no_bench(editor: Editor):
    editor.open("?layers=2")
    assert not editor.page.locator(".bench").is_visible()
    assert not editor.page.locator(".to-bench").is_visible()
    assert not editor.page.locator('.slider[data-name="rate"]').is_visible()
