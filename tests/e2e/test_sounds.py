"""The sounds that a network answers with: heard in place of the clip at the same place, and after a drag those of the new settings."""

from __future__ import annotations

import base64

import numpy as np
import pytest
from explorer import Explorer, wait_for
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e

# Whatever a page plays is made by `new Audio()`.
KEEP_THEM = "window.players = []; window.Audio = class extends Audio { constructor() { super(); window.players.push(this); } };"
SOUND_OF = """const soundOf = async (player) => {
  const bytes = new Uint8Array(await (await fetch(player.src)).arrayBuffer());
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
};"""
PLAYING = """async () => {
  """ + SOUND_OF + """
  const used = window.players.filter((each) => each.src), player = used.findLast((each) => !each.paused || each === used.at(-1));
  return { paused: player.paused, time: player.currentTime, seconds: player.duration, sound: await soundOf(player) };
}"""


class Listener(Explorer):
    """The viewer of a network that answers with sounds."""

    def choices(self) -> list[str]:
        return self.page.locator(".hear button").all_inner_texts()

    def chosen(self) -> str:
        return self.page.locator('.hear button[aria-checked="true"]').inner_text()

    def choose(self, title: str) -> None:
        self.page.locator(".hear button", has_text=title).click()
        self.made()

    def made(self) -> None:
        wait_for(lambda: self.page.locator(".hear").get_attribute("aria-busy") == "false", why="the sound never came")

    def playing(self) -> dict:
        return self.page.evaluate(PLAYING)

    def pitch(self) -> int:
        """Of the tone that is played, in Hz; 0 for anything that is no tone."""
        wav = base64.b64decode(self.playing()["sound"])
        rate, samples = int.from_bytes(wav[24:28], "little"), np.frombuffer(wav[44:], "<i2").astype(float)
        powers = np.abs(np.fft.rfft(samples * np.hanning(samples.size))) ** 2
        top = int(np.argmax(powers))
        return round(top * rate / samples.size) if powers[max(0, top - 4) : top + 5].sum() > 0.95 * powers.sum() else 0

    def made_so_far(self) -> int:
        """How many sounds were put into the player."""
        return self.page.evaluate("window.players.filter((each) => each.src).length")


@pytest.fixture
def listener(page: Page, made_up: str) -> Listener:
    page.add_init_script(KEEP_THEM)
    found = Listener(page, made_up)
    found.open("?layers=2&sounds=1")
    return found


def test_sounds_are_offered_where_there_are_any(listener: Listener):
    assert listener.choices() == ["Original", "Answer", "Best there is"]
    assert listener.chosen() == "Original"
    assert listener.pitch() == 0
    listener.open("?layers=2")
    assert not listener.page.locator(".hear").is_visible()


def test_another_sound_goes_on_at_the_same_place(listener: Listener):
    """By button and by key, while it plays; one playhead for all of them."""
    listener.play.click()
    wait_for(lambda: listener.playing()["time"] > 0.3)
    before = listener.playing()["time"]
    listener.choose("Answer")
    after = wait_for(lambda: (seen := listener.playing())["paused"] is False and seen)
    assert before <= after["time"] <= before + 1.5
    assert listener.pitch() == 250  # the first stride is 1.25
    assert listener.play.inner_text() == "Pause"
    listener.root.press("a")
    listener.made()
    assert (listener.chosen(), listener.pitch()) == ("Best there is", 300)
    assert not listener.playing()["paused"]
    listener.root.press("a")
    assert (listener.chosen(), listener.pitch()) == ("Original", 0)
    assert listener.page.evaluate("window.players.filter((each) => !each.paused).length") == 1
    listener.play.click()
    stopped = listener.playing()
    assert stopped["paused"]
    listener.choose("Answer")  # while nothing plays: it stays where it was, and stays quiet
    again = listener.playing()
    assert again["paused"]
    assert again["time"] == pytest.approx(stopped["time"], abs=0.05)


def test_the_sound_follows_the_settings(listener: Listener):
    """Within a second and a half after letting go; nothing is made of settings on the way, and nothing twice."""
    listener.choose("Answer")
    before = listener.made_so_far()
    listener.drag("stride", 0.5)
    pitch = wait_for(lambda: (heard := listener.pitch()) != 250 and heard, 1.5)
    stride = float(listener.page.locator('.slider[data-name="stride"] output').inner_text().split()[0])
    assert pitch == pytest.approx(200 * stride, abs=2)
    assert listener.made_so_far() == before + 1
    listener.page.locator(".reset").click()
    listener.settle()
    assert wait_for(listener.pitch) == 250


def test_the_original_is_not_made_anew(listener: Listener):
    """Somebody who listens to the clip goes on listening to it."""
    listener.drag("stride", 0.5)
    listener.page.wait_for_timeout(600)
    assert (listener.made_so_far(), listener.pitch()) == (1, 0)
