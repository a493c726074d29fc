"""Sounds brought along, good and bad, and what can be taken away, in a real Chromium."""

from __future__ import annotations

import csv
import io
import json
import math
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import soundfile
from explorer import Explorer, wait_for
from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.e2e
RATE = 44_100


def burst(rate: int, channels: int, seconds: float = 2.0) -> np.ndarray:
    """(n, channels): silence with a 440 Hz tone from half to three quarters of it."""
    time = np.arange(int(rate * seconds)) / rate
    inside = (time >= seconds / 2) & (time < 0.75 * seconds)
    noise = np.random.default_rng(7).normal(0, 1e-3, time.size)
    return np.repeat((0.5 * inside * np.sin(2 * np.pi * 440 * time) + noise)[:, None], channels, axis=1)


def encoded(samples: np.ndarray, rate: int, **options: str) -> bytes:
    """A sound file's bytes, by libsndfile."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, **options)
    return buffer.getvalue()


def wav(samples: np.ndarray, rate: int = 16_000, subtype: str = "PCM_16") -> bytes:
    return encoded(samples, rate, format="WAV", subtype=subtype)


# ------------------------------------------------------------------ good files


@pytest.mark.parametrize(
    ("name", "rate", "channels", "options", "said"),
    [
        ("burst.wav", 44_100, 2, {"format": "WAV", "subtype": "PCM_24"}, "2.00 s, 44.1 kHz stereo, heard by the network at 16 kHz"),
        ("burst.flac", 48_000, 6, {"format": "FLAC", "subtype": "PCM_16"}, "2.00 s, 48 kHz 6 channels, heard by the network at 16 kHz"),
        ("burst.ogg", 22_050, 1, {"format": "OGG", "subtype": "VORBIS"}, "2.00 s, 22.05 kHz mono, heard by the network at 16 kHz"),
        ("burst.mp3", 32_000, 1, {"format": "MP3", "subtype": "MPEG_LAYER_III"}, ", 32 kHz mono, heard by the network at 16 kHz"),
        ("tiny.wav", 8_000, 1, {"format": "WAV", "subtype": "PCM_U8"}, "2.00 s, 8 kHz mono, heard by the network at 16 kHz"),
        ("same rate.wav", 16_000, 1, {"format": "WAV", "subtype": "FLOAT"}, "2.00 s, 16 kHz mono"),
    ],
)
def test_upload_is_drawn(explorer: Explorer, name: str, rate: int, channels: int, options: dict[str, str], said: str):
    """Any usual format, rate, depth and number of channels: the picture follows, and the header says what the file was."""
    before = explorer.look()
    explorer.choose_file(name, encoded(burst(rate, channels), rate, **options))
    after = explorer.wait_title(name).look()
    assert said in after["details"]
    for kind in ("wave", "mel", "layer", "profile"):
        assert all(a["hash"] != b["hash"] for a, b in zip(before[kind], after[kind], strict=True)), kind
    assert sum(after["probabilities"]) == pytest.approx(1, abs=1e-3)
    assert explorer.frames()[0][0] in range(126, 135)  # two seconds, and what an MP3 encoder pads
    explorer.hover("wave", 0.6)
    wait_for(lambda: explorer.tip.is_visible())


def test_upload_can_be_heard_and_dragged(explorer: Explorer):
    """An upload is not a second-class clip: it plays and follows the sliders."""
    explorer.choose_file("burst.wav", wav(burst(16_000, 1)))
    before = explorer.wait_title("burst.wav").look()
    after = explorer.drag("sigma", 0.8).look()
    assert after["layer"] != before["layer"]
    assert after["probabilities"] != before["probabilities"]
    explorer.page.mouse.click(*explorer.at("wave", 0.5))
    wait_for(lambda: explorer.play.inner_text() == "Pause")
    wait_for(lambda: explorer.clock() > 1.05)


def test_two_minutes_are_drawn_played_and_dragged(explorer: Explorer):
    """A clip too long to be sent sample by sample: peaks for the eye, FLAC for the ear, and still the same picture."""
    rate = 16_000
    sound = np.random.default_rng(1).normal(0, 0.1, 120 * rate) * (np.arange(120 * rate) // rate % 10 < 3)
    explorer.choose_file("long.flac", encoded(sound, rate, format="FLAC", subtype="PCM_16"))
    before = explorer.wait_title("long.flac").look()
    assert explorer.frames()[0] == (7501, 3751)
    assert before["wave"][0]["drawn"] > 0.1
    after = explorer.drag("sigma", 0.8).look()
    assert after["layer"][0]["hash"] != before["layer"][0]["hash"]
    assert after["layer"][2]["hash"] != before["layer"][2]["hash"]
    explorer.page.mouse.click(*explorer.at("wave", 0.5))
    wait_for(lambda: explorer.play.inner_text() == "Pause")
    wait_for(lambda: explorer.clock() > 60)


def test_the_link_of_an_upload_says_what_it_can_not_carry(explorer: Explorer):
    """A link can't hold a file: who opens it reads why another clip is shown."""
    explorer.choose_file("burst.wav", wav(burst(16_000, 1)))
    explorer.wait_title("burst.wav")
    link = explorer.address()
    explorer.open(link)
    assert explorer.page.get_by_test_id("stToast").filter(has_text="burst.wav").is_visible()
    assert explorer.look()["title"].startswith("One word in silence")


def test_back_to_the_samples(explorer: Explorer):
    """Turning from an upload to the samples shows the sample again, and back the upload, without asking for it again."""
    explorer.choose_file("burst.wav", wav(burst(16_000, 1)))
    explorer.wait_title("burst.wav")
    explorer.source("Sample")
    explorer.wait_title("One word in silence: seven")
    explorer.source("Upload")
    explorer.wait_title("burst.wav")


def test_recording_from_the_microphone(explorer: Explorer):
    """Record, stop, and the picture is of what was said (Chromium's fake microphone beeps)."""
    explorer.source("Record")
    button = explorer.page.locator('.st-key-source_recording [data-testid="stAudioInputActionButton"]')
    button.click()
    wait_for(lambda: button.get_attribute("aria-label") == "Stop recording")
    time.sleep(1.5)
    button.click()
    look = explorer.wait_title("Recording").look()
    assert look["layer"][0]["colours"] > 5
    assert float(look["details"].split(" s")[0]) > 0.8
    assert "16 kHz mono" in look["details"]


# ------------------------------------------------------------------ bad files


def bad_files() -> dict[str, bytes]:
    """Name → bytes of everything that people bring along and that can't be drawn."""
    tone = burst(16_000, 1)
    flac = encoded(tone, 16_000, format="FLAC", subtype="PCM_16")
    spoiled = tone.copy()
    spoiled[1000:1010] = np.nan
    endless = tone.copy()
    endless[5] = np.inf
    return {
        "empty.wav": b"",
        "text.wav": b"This is not a sound.\n" * 50,
        "truncated.flac": flac[: len(flac) // 2],
        "nothing.wav": wav(np.zeros((0, 1))),
        "nan.wav": wav(spoiled, subtype="FLOAT"),
        "infinite.wav": wav(endless, subtype="FLOAT"),
        "one.wav": wav(np.full((1, 1), 0.5)),
        "song.m4a": b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom\0\0\0\0" + bytes(range(256)) * 40,
        "loud.wav": wav(tone * 1e9, subtype="FLOAT"),
        "long.wav": wav(np.zeros(21 * 60 * 8000), 8000, "PCM_U8"),
    }


@pytest.fixture(scope="module")
def uploader(visitor: BrowserContext, server: str) -> Iterator[Explorer]:
    """One session for all bad files, one after the other, like somebody trying again and again."""
    page = visitor.new_page()
    explorer = Explorer(page, server).open()
    explorer.choose_file("good.wav", wav(burst(16_000, 1)))
    yield explorer.wait_title("good.wav")
    page.close()


@pytest.mark.parametrize("name", bad_files())
def test_a_bad_file_gets_a_sentence(uploader: Explorer, name: str):
    """One clear sentence that names the file; the last picture stays, and so does the page."""
    uploader.page.bring_to_front()
    before = uploader.look()
    uploader.choose_file(name, bad_files()[name])
    alert = uploader.sidebar.get_by_test_id("stAlert")
    wait_for(lambda: alert.count() == 1 and name in alert.inner_text(), why=f"no explanation of {name}")
    sentence = alert.get_by_test_id("stMarkdownContainer").inner_text().strip()
    assert sentence.endswith(".")
    assert ". " not in sentence.removesuffix(".")
    assert 20 < len(sentence) < 250
    assert "Traceback" not in sentence
    time.sleep(0.2)
    after = uploader.settle().look()
    assert after["title"] == before["title"] == "good.wav"
    assert after["layer"] == before["layer"]
    assert after["percent"] == before["percent"]


@pytest.mark.parametrize("name", [
    "**bold** [link](http:evil) $x$ `code`.wav", "see www.evil.com and a@evil.com.wav", ":material-home: :smile: :streamlit:.wav",
    "a -> b -- c.wav",
    "# one.wav", "1. one.wav", "&amp; <b>.wav",
])
def test_a_file_name_is_shown_as_it_is(uploader: Explorer, name: str):
    """Somebody else's file name must not turn into links, pictures, arrows or formulas in the explanation."""
    uploader.page.bring_to_front()
    uploader.choose_file(name, b"no sound")
    text = uploader.sidebar.get_by_test_id("stAlert").get_by_test_id("stMarkdownContainer")
    wait_for(lambda: text.count() == 1 and text.inner_text().replace("\N{WORD JOINER}", "").startswith(f"{name} can't be decoded"), why=name)
    assert text.locator("a, strong, code, .katex, img, span, li, h1").count() == 0


def test_a_file_name_can_t_turn_the_sentence_round(uploader: Explorer):
    uploader.page.bring_to_front()
    uploader.choose_file("see\u202evaw.exe", b"no sound")
    text = uploader.sidebar.get_by_test_id("stAlert").get_by_test_id("stMarkdownContainer")
    wait_for(lambda: text.count() == 1 and "vaw.exe can't be decoded" in text.inner_text())
    assert "\u202e" not in text.inner_text()


def test_a_good_file_after_bad_ones(uploader: Explorer):
    """After any number of errors the next good file is drawn, and the explanation is gone."""
    uploader.page.bring_to_front()
    uploader.choose_file("broken.wav", b"RIFF")
    alert = uploader.sidebar.get_by_test_id("stAlert")
    wait_for(lambda: alert.count() == 1 and "broken.wav" in alert.inner_text())
    uploader.choose_file("better.wav", wav(burst(16_000, 1, 1.0)))
    uploader.wait_title("better.wav")
    wait_for(lambda: alert.count() == 0)
    before = uploader.look()
    assert "1.00 s" in before["details"]
    assert uploader.drag("sigma", 0.8).look()["layer"] != before["layer"]


def test_a_bad_first_file_keeps_the_default(explorer: Explorer):
    """Somebody whose first upload fails still sees the sample, not an empty page."""
    before = explorer.look()
    explorer.choose_file("empty.wav", b"")
    wait_for(lambda: explorer.sidebar.get_by_test_id("stAlert").count() == 1)
    after = explorer.settle().look()
    assert after["title"] == before["title"]
    assert after["layer"] == before["layer"]


def test_the_shortest_clip(explorer: Explorer):
    """Two samples are a sound: one frame in every layer, drawn, and every control still works."""
    explorer.choose_file("two.wav", wav(np.array([0.1, -0.1])))
    explorer.wait_title("two.wav")
    assert explorer.frames() == [(1, 1)] * 3
    explorer.press("sigma", "End")
    explorer.press("sigma", "Home")
    explorer.press("stride", "End")
    explorer.wheel("mel", 0.5, -2)
    explorer.hover("layer", 0.5, 0.5, index=2)
    wait_for(lambda: explorer.tip.is_visible())
    explorer.away()
    assert sum(explorer.settle().look()["probabilities"]) == pytest.approx(1, abs=1e-3)


# ------------------------------------------------------------------ downloads


def download(explorer: Explorer, word: str) -> tuple[str, bytes]:
    """Presses a download button; returns the file's name and bytes."""
    button = explorer.page.get_by_test_id("stDownloadButton").get_by_role("button", name=word)
    with explorer.page.expect_download(timeout=60_000) as waiting:
        button.click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def test_png_opens(explorer: Explorer):
    """A picture large enough for a slide, with something on it."""
    name, data = download(explorer, "PNG")
    picture = matplotlib.image.imread(io.BytesIO(data))
    assert name.endswith(".png")
    assert "seven" in name
    assert picture.shape[0] > 600
    assert picture.shape[1] > 900
    assert len(np.unique(picture.reshape(-1, picture.shape[2]), axis=0)) > 100


def test_svg_opens(explorer: Explorer):
    """Vectors that a word processor reads: well-formed, with a size and drawn content."""
    name, data = download(explorer, "SVG")
    root = ElementTree.fromstring(data)
    assert name.endswith(".svg")
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert root.get("viewBox")
    assert len(list(root.iter())) > 50


def test_npz_holds_the_settings_on_screen(explorer: Explorer):
    """Arrays of what is seen now, not of the trained settings: shapes, rows that sum to 1, and σ as dragged."""
    explorer.drag("sigma", 0.7)
    explorer.drag("stride", 0.3)
    look, frames, query = explorer.look(), explorer.frames(), explorer.query()
    name, data = download(explorer, "NPZ")
    assert name.endswith(".npz")
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        assert arrays["mel"].shape == (80, frames[0][0])
        for layer, (before, after) in enumerate(frames):
            assert arrays[f"positions_{layer}"].shape == (before,)
            assert arrays[f"alignment_{layer}"].shape == (after, before)
            assert arrays[f"alignment_{layer}"].sum(axis=1) == pytest.approx(1, abs=1e-4)
            assert arrays[f"positions_{layer}"][-1] == pytest.approx(after - 1, abs=1e-3)
        settings = json.loads(str(arrays["settings"]))
        assert [each["sigma"] for each in settings] == pytest.approx([float(query["sigma"])] * 3, rel=1e-4)
        assert [each["stride"] for each in settings] == pytest.approx([float(query["stride"])] * 3, rel=1e-4)
        assert arrays["probabilities"] == pytest.approx(look["probabilities"], abs=1e-4)


def test_npz_after_a_quick_second_drag(explorer: Explorer):
    """Downloaded, dragged on, downloaded again: the second file holds the second settings."""
    found = []
    for share in (0.7, 0.9):
        explorer.drag("sigma", share)
        with np.load(io.BytesIO(download(explorer, "NPZ")[1])) as arrays:
            found.append(json.loads(str(arrays["settings"]))[0]["sigma"])
        assert found[-1] == pytest.approx(float(explorer.query()["sigma"]), rel=1e-4)
    assert found[0] != found[1]


def test_csv_strides_sum_to_the_input(explorer: Explorer):
    """A table of the strides on screen: a row for each output frame, which together stand for all input frames."""
    explorer.drag("stride", 0.5)
    name, data = download(explorer, "CSV")
    assert name.endswith(".csv")
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    for layer, (before, after) in enumerate(explorer.frames()):
        own = [row for row in rows if int(row["layer"]) == layer + 1]
        assert len(own) == after == math.ceil(before / float(explorer.query()["stride"]))
        assert sum(float(row["input_frames"]) for row in own) == pytest.approx(before, abs=1e-2)
        assert float(own[-1]["end_seconds"]) == pytest.approx(5, abs=0.02)


def test_downloads_of_an_upload(explorer: Explorer):
    """The files hold the clip that is shown, whichever way it came."""
    explorer.choose_file("burst.wav", wav(burst(16_000, 1)))
    explorer.wait_title("burst.wav")
    with np.load(io.BytesIO(download(explorer, "NPZ")[1])) as arrays:
        assert arrays["mel"].shape == (80, explorer.frames()[0][0])


def test_downloading_leaves_the_picture_alone(explorer: Explorer):
    """Taking a file must not reset what is dragged, zoomed or pinned."""
    explorer.drag("sigma", 0.7)
    explorer.wheel("mel", 0.5, -3)
    explorer.page.locator("button.pin").click()
    before = explorer.settle().look()
    download(explorer, "CSV")
    time.sleep(0.5)
    assert explorer.settle().look() == before


# ------------------------------------------------------------------ a page of its own


def test_nothing_is_left_of_the_first_upload(page: Page, server: str):
    """Reloading forgets an upload: nothing of it is kept on the server or in the link."""
    explorer = Explorer(page, server).open()
    explorer.choose_file("private.wav", wav(burst(16_000, 1)))
    explorer.wait_title("private.wav")
    explorer.open()
    assert "private" not in explorer.look()["title"]
    assert "private" not in explorer.sidebar.inner_text()
