"""Speech recognition on the Explore page: what was heard, while dragging, against what was said, and what a word is made of."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from explorer import Explorer, shoot_whole, wait_for
from playwright.sync_api import Page

pytestmark = pytest.mark.e2e

LINK = "?clip=number&checkpoint=digits-string-adastride"
SAID = "three one nine four seven"


class Reader(Explorer):
    """The viewer of a network that writes."""

    def heard(self) -> str:
        return self.page.locator(".heard").inner_text()

    def say(self, text: str) -> None:
        self.page.locator("textarea.said").fill(text)

    def compared(self) -> str:
        return " ".join(self.page.locator(".compared").inner_text().split()) if self.page.locator(".compared").is_visible() else ""

    def facts(self) -> dict[str, str]:
        names, values = (self.page.locator(f".facts {tag}").all_inner_texts() for tag in ("dt", "dd"))
        return dict(zip(names, values, strict=True))


@pytest.fixture
def reader(page: Page, server: str) -> Reader:
    found = Reader(page, server)
    found.open(LINK)
    return found


def test_what_was_heard_stands_beside_the_picture_and_on_the_axis(reader: Reader):
    """The text, one segment a word in order, and what the words got of the output frames."""
    assert reader.heard() == SAID
    assert reader.page.locator(".probabilities .heading").inner_text() == "What the network heard"
    assert re.fullmatch(r"[>\d. ]+ % sure on average", reader.page.locator(".top").inner_text())
    assert reader.page.locator(".panel.lane header b").all_inner_texts() == ["Words"]
    assert reader.page.locator(".panel.lane canvas.base").get_attribute("aria-label").startswith(f"Words: 5 segments: {SAID}.")
    facts = reader.facts()
    assert list(facts) == ["Output frames for each word", "Their spread", "Output frames in silence", "Can be read up to"]
    assert re.fullmatch(r"\d+ % of the mean; a uniform stride: \d+ %", facts["Their spread"])
    assert re.fullmatch(r"an overall stride of 90\.2: it needs 5 frames", facts["Can be read up to"])


def test_a_word_lights_up_what_it_is_made_of_through_both_layers(reader: Reader):
    """Pointed at in the text: its frames in the layers, the mel and the waveform; the tip says which and how sure."""
    reader.page.locator(".heard [data-token]").nth(2).hover()
    tip = wait_for(lambda: reader.tip.is_visible() and reader.tip.inner_text())
    assert re.fullmatch(r"Words: “nine”, [\d.]+–[\d.]+ s \(\d+ ms\), probability [>\d. ]+ %, output frames? [\d–]+", tip), tip
    start, end = reader.tip_seconds()
    for kind, index in (("wave", 0), ("mel", 0), ("layer", 0), ("layer", 1)):
        covered = wait_for(lambda kind=kind, index=index: (found := reader.covered(kind, index)) and max(found) > 0.3 and found, why=f"{kind} {index}")
        lit = [4.5 * x / len(covered) for x, dark in enumerate(covered) if dark < 0.15]
        assert lit, kind
        assert min(lit) < (start + end) / 2 < max(lit) + 0.02, kind
        assert max(lit) - min(lit) < 0.6, kind


def test_a_time_tells_which_words_come_from_it(reader: Reader):
    """An output frame in the middle of a word's segment names the word."""
    reader.page.locator(".heard [data-token]").nth(1).hover()
    start, end = wait_for(lambda: reader.tip.is_visible() and reader.tip_seconds())
    reader.hover("wave", (start + end) / 2 / 4.5)
    wait_for(lambda: "Heard here: “one”." in reader.tip.inner_text())


def test_words_vanish_while_dragging_and_changes_are_marked(reader: Reader):
    """Each answer of a drag writes its text, before the slider is let go; against the pinned one, what is missing is struck out."""
    reader.page.locator("button.pin").click()
    assert reader.page.locator(".changes").inner_text() == "Against the pinned reference: the same text."
    x, y = reader.grab("stride")
    target = reader.thumb("stride", 1.0)[0]
    for step in range(1, 9):
        reader.page.mouse.move(x + (target - x) * step / 8, y)
        reader.page.wait_for_timeout(60)
    wait_for(lambda: reader.heard() != SAID, why="the text never changed while dragging")
    changed = wait_for(lambda: "same" not in (text := reader.page.locator(".changes").inner_text()) and text)
    assert re.fullmatch(r"Against the pinned reference: (\d+ (changed|put in|left out)(, )?)+\.", changed)
    left_out = reader.page.locator(".heard del").all_inner_texts()
    assert left_out
    assert set(left_out) <= set(SAID.split())
    reader.page.mouse.up()
    reader.settle()
    reader.page.locator("button.reset").click()
    wait_for(lambda: reader.heard() == SAID and reader.page.locator(".heard del").count() == 0)


def test_what_was_said_gives_the_error_rate_with_its_alignment(reader: Reader):
    """One word too many in front is one error: by alignment, not by position. The text gets a lane of its own."""
    reader.say("Three 1 nine, four seven")
    wait_for(lambda: reader.compared() == f"WER 0 % 0 errors in 5 words {SAID}")
    wait_for(lambda: reader.page.locator(".panel.lane header b").all_inner_texts() == ["Words", "What was said, where it fits best"])
    reader.say("two three one nine four seven")
    wait_for(lambda: reader.compared().startswith("WER 17 % 1 error in 6 words"))
    assert reader.page.locator(".compared del").all_inner_texts() == ["two"]
    reader.drag("stride", 0.2)
    assert reader.compared().startswith("WER ")
    reader.say("")
    wait_for(lambda: not reader.compared() and reader.page.locator(".panel.lane").count() == 1)


@pytest.mark.parametrize(("text", "says"), [
    ("three hundred", "“hundred” is not in this network's vocabulary: it writes zero, one, two"),
    ("три", "is a letter that these networks do not know: write English words."),
    ("one " * 10_000, "this text has more than the 1,000 words that are compared: give the words of this clip alone."),
    ("one two three four five six seven eight nine zero " * 20, "this text needs 200 output frames and the clip has"),
])
def test_a_text_that_cannot_be_compared_gets_a_sentence(reader: Reader, text: str, says: str):
    reader.say(text)
    wait_for(lambda: says in reader.compared(), why=reader.compared())
    reader.settle()
    assert reader.heard() == SAID


def test_a_second_reading(reader: Reader):
    """The beam search's two best readings; the first is what was heard."""
    reader.page.locator(".beams select").select_option("10")
    lines = wait_for(lambda: (found := reader.page.locator(".readings").inner_text().splitlines()) and len(found) >= 2 and found)
    assert re.fullmatch(r"as above: −?[\d.]+ nats", lines[0]), lines
    assert re.fullmatch(r"“[a-z ]+”: −[\d.]+ nats", lines[1]), lines


def test_a_recording_is_read(reader: Reader):
    """Chromium's fake microphone beeps; the honest answer to beeps and to silence is shown, whatever it is, with its facts."""
    reader.source("Record")
    button = reader.page.locator('.st-key-source_recording [data-testid="stAudioInputActionButton"]')
    button.click()
    wait_for(lambda: button.get_attribute("aria-label") == "Stop recording")
    reader.page.wait_for_timeout(1500)
    button.click()
    reader.wait_title("Recording")
    shown = reader.heard() or reader.page.locator(".top b").inner_text()
    assert shown
    assert "Output frames in silence" in reader.facts()


def test_the_tables_have_the_words(reader: Reader):
    reader.page.locator("button.table").click()
    wait_for(lambda: "What was heard, words." in reader.page.locator(".sheet").inner_text())
    table = reader.page.locator(".sheet table", has=reader.page.locator("caption", has_text="What was heard"))
    assert table.locator("thead th").all_inner_texts() == ["Place", "Heard", "Begin, s", "Probability", "Output frames", "Sound, s"]
    assert [row.split("\t")[1] for row in table.locator("tbody tr").all_inner_texts()] == SAID.split()


def test_a_classifier_shows_nothing_of_it(page: Page, server: str):
    Explorer(page, server).open("?clip=number&checkpoint=digits-adastride")
    assert page.locator(".transcript").is_hidden()
    assert page.locator(".heard").is_hidden()
    assert page.locator(".top b").is_visible()


@pytest.mark.parametrize(("scheme", "width", "height"), [("light", 1400, 1000), ("dark", 1366, 680), ("light", 390, 900), ("dark", 390, 900)])
def test_pictures_of_recognition(sized_page: Callable[..., Page], server: str, scheme: str, width: int, height: int):
    """Screenshots to look at; nothing of the transcript leaves the page."""
    reader = Reader(sized_page(width, height, color_scheme=scheme), server)
    reader.open(LINK)
    reader.say(SAID)
    wait_for(lambda: reader.compared().startswith("WER"))
    for box in (part.bounding_box() for part in reader.page.locator(".heard [data-token], .said, .compared, .beams, .facts dd").all()):
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
    shoot_whole(reader.page, f"recognition-{scheme}-{width}")
