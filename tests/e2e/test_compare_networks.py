"""Trained networks on the Compare page in a real Chromium: rows of codes, numbers, sounds, keys, links, small and dark screens."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from explorer import shoot_whole, wait_for
from made_up_codecs import codec
from playwright.sync_api import Page
from test_accessibility import axe_violations
from test_sounds import KEEP_THEM, PLAYING

from adastride import audio, checkpoints
from adastride.comparison.networks import Answer, numbers_of, settings_with
from adastride.inspection.tracing import trace
from adastride.samples import samples

pytestmark = pytest.mark.e2e

METHODS = ("strided-conv", "spectral-pool", "adastride")
LANES = ("Codes", "Reconstruction", "Mel error, mean over bands, dB")
_HASHES = """(canvases) => canvases.map((canvas) => {
  const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data.buffer);
  let value = 2166136261;
  for (const pixel of pixels) value = Math.imul(value ^ pixel, 16777619) >>> 0;
  return value;
})"""
# The colours along a lane's lower edge, where segments are drawn in full.
_COLOURS = """(canvas) => {
  const { width, height } = canvas, row = canvas.getContext("2d").getImageData(0, height - Math.ceil(2 * devicePixelRatio), width, 1).data;
  return Array.from({ length: width }, (_, x) => row.slice(4 * x, 4 * x + 4).join());
}"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, paths = tmp_path_factory.mktemp("codecs"), []
    for method in METHODS:
        paths.append(folder / f"{method}.safetensors")
        checkpoints.save_checkpoint(codec(method), paths[-1], {})
    return paths


class Networks:
    """One visitor's page, with networks side by side."""

    def __init__(self, page: Page, server: str):
        self.page, self.server, self.root = page, server, page.locator(".networks")
        page.add_init_script(KEEP_THEM + "window.adastrideLog = [];")

    def open(self, query: str = "?networks=") -> Networks:
        self.page.goto(f"{self.server}/compare{query}")
        self.root.locator(".lane").first.wait_for(timeout=60_000)
        return self.settle()

    def load(self, files: list[Path]) -> Networks:
        narrow = self.page.viewport_size["width"] < 768
        if narrow:
            self.page.get_by_test_id("stExpandSidebarButton").click()
        self.page.locator('.st-key-compare_networks_files input[type="file"]').set_input_files(files)
        wait_for(lambda: self.root.locator(".lane.of-segments").count() == len(files), 60, "the lanes never came")
        if narrow:
            self.page.locator('[data-testid="stSidebarCollapseButton"] button').click()
        return self.settle()

    def settle(self) -> Networks:
        wait_for(lambda: self.root.evaluate("""(root) => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() =>
            done(root.dataset.state === "settled"))))"""), 40, "it never settled")
        return self

    def table(self) -> dict[str, list[str]]:
        return dict(self.root.locator(".numbers tbody tr").evaluate_all(
            "(rows) => rows.map((row) => [row.cells[0].textContent, [...row.cells].slice(1).map((cell) => cell.textContent)])"
        ))

    def hashes(self, kind: str) -> list[int]:
        return self.root.locator(f".lane.of-{kind} canvas.base").evaluate_all(_HASHES)

    def stride(self, keys: str) -> Networks:
        """Presses a key on the slider."""
        self.root.locator(".slider input").focus()
        self.page.keyboard.press(keys)
        return self.settle()

    def seen(self) -> tuple[float, float]:
        """The time in view that the address names."""
        begin, end = re.search(r"[?&]view=([\d.]+)(?:,|%2C)([\d.]+)", self.page.evaluate("location.href")).groups()
        return float(begin), float(end)

    def download(self, name: str) -> bytes:
        with self.page.expect_download(timeout=40_000) as download:
            self.page.get_by_role("button", name=name).click()
        return download.value.path().read_bytes()

    def chosen(self) -> str:
        return self.root.locator('.hear button[aria-checked="true"]').inner_text()

    def rewind(self) -> None:
        """What plays goes on near its beginning."""
        self.page.evaluate("window.players.findLast((each) => !each.paused).currentTime = 0.3")

    def playing(self) -> dict:
        wait_for(lambda: self.root.locator(".hear").get_attribute("aria-busy") == "false", 20, "the sound never came")
        return self.page.evaluate(PLAYING)


@pytest.fixture
def compared(page: Page, server: str, files: list[Path]) -> Networks:
    return Networks(page, server).open().load(files)


def own_numbers(stride: float | None) -> dict[str, list[str]]:
    """What the task itself says of the first sample."""
    networks, waveform = [codec(method) for method in METHODS], audio.read(samples()["seven"].path)
    answers = [Answer(name, trace(each, waveform, settings_with(each, stride))) for name, each in zip(METHODS, networks, strict=True)]
    return {row.label: list(row.texts) for row in numbers_of([answer.prediction for answer in answers])}


def test_rows_of_codes_reconstructions_and_errors(compared: Networks):
    """Three of each under the mel of the clip, on one axis; all differ, and the table says what the task says."""
    titles = compared.root.locator(".lanes h4").all_inner_texts()
    assert titles == ["Log-mel of the clip", *LANES]
    for kind, count in (("segments", 3), ("picture", 4), ("curve", 3)):
        hashes = compared.hashes(kind)
        assert len(hashes) == len(set(hashes)) == count
    boxes = [canvas.bounding_box() for canvas in compared.root.locator(".lane canvas.base").all()]
    assert len({(round(box["x"]), round(box["width"])) for box in boxes}) == 1
    assert compared.root.locator(".numbers thead th").all_inner_texts() == list(METHODS)
    table, own = compared.table(), own_numbers(None)
    assert {label: table[label] for label in own} == own
    assert table["Uppermost layer"][2] == "AdaStride, stride 2, 54 output frames"


def test_the_same_code_has_the_same_colour(compared: Networks):
    """A codec's lane is as the lengths and indices of its codes say."""
    network, waveform = codec("adastride"), audio.read(samples()["seven"].path)
    segments = trace(network, waveform).prediction.lanes[0].segments
    colours = compared.root.locator(".lane.of-segments canvas.base").nth(2).evaluate(_COLOURS)
    box = compared.root.locator(".lane.of-segments canvas.base").nth(2).bounding_box()
    pixels, seen = len(colours) / box["width"], dict[int, set[str]]()
    for segment in segments:
        middle = (segment.start + segment.end) / 2 / waveform.seconds
        seen.setdefault(segment.colour % 8, set()).add(colours[round(pixels * (46 + middle * (box["width"] - 52)))])
    assert all(len(found) == 1 for found in seen.values()), seen
    assert len(set.union(*seen.values())) == len(seen) > 1


def test_all_follow_one_stride(compared: Networks):
    """Codes a second become fewer everywhere; the table, the link and the lanes follow, and the reset goes back."""
    before, lanes = compared.table(), compared.hashes("segments")
    compared.stride("End")
    table = compared.table()
    assert table == {**table, **own_numbers(8.0)}
    rates = [float(text) for text in table["codes a second"]]
    assert max(rates) < min(float(text) for text in before["codes a second"]) / 3
    assert all(old != new for old, new in zip(lanes, compared.hashes("segments"), strict=True))
    assert "upper=8" in compared.page.evaluate("location.href")
    compared.root.locator(".reset").click()
    compared.settle()
    assert compared.table() == before
    assert "upper" not in compared.page.evaluate("location.href")


def test_answers_are_quick(compared: Networks):
    """Three networks run, and are drawn, within a tenth of a second while somebody drags."""
    compared.stride("End")
    compared.page.evaluate("window.adastrideLog = []")
    for _ in range(20):
        compared.page.keyboard.press("ArrowLeft")
        compared.page.wait_for_timeout(60)
    compared.settle()
    log = compared.page.evaluate("window.adastrideLog")
    sent, followed = ({entry[2]: entry[1] for entry in log if entry[0] == kind} for kind in ("sent", "followed"))
    took = sorted(followed[sequence] - sent[sequence] for sequence in followed.keys() & sent.keys())
    assert len(took) > 5
    assert took[len(took) // 2] < 100, took


def test_sounds_are_switched_at_the_same_place(compared: Networks):
    """By button and by key A, while it plays; the bytes are others each time, and new ones for another stride."""
    buttons = compared.root.locator(".hear button")
    assert buttons.all_inner_texts() == ["Original", *METHODS, "Mel only"]
    compared.root.locator(".play").click()
    wait_for(lambda: compared.playing()["time"] > 0.3)
    original, heard = compared.playing(), dict[str, str]()
    assert base64.b64decode(original["sound"])[:4] == b"fLaC"
    for name in METHODS:
        compared.rewind()  # making a sound takes a busy machine as long as the clip lasts
        began = time.monotonic()
        compared.root.press("a")
        assert compared.chosen() == name
        after = wait_for(lambda: (seen := compared.playing())["paused"] is False and seen["seconds"] > 0 and seen)
        assert 0.3 <= after["time"] <= 0.3 + time.monotonic() - began + 0.1
        assert after["seconds"] == pytest.approx(original["seconds"], abs=0.1)
        heard[name] = after["sound"]
    buttons.nth(4).click()
    heard["Mel only"] = compared.playing()["sound"]
    assert len({original["sound"], *heard.values()}) == 5
    compared.root.press("a")
    assert compared.chosen() == "Original"
    buttons.nth(3).click()
    assert compared.playing()["sound"] == heard["adastride"], "made once"
    compared.stride("End")
    wait_for(lambda: compared.playing()["sound"] != heard["adastride"], 10, "the sound of the old stride stayed")


def test_hover_and_keys(compared: Networks):
    """What all networks have at a moment is in one tip, and arrows go from code to code."""
    box = compared.root.locator(".lane.of-segments canvas.base").first.bounding_box()
    compared.page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 10)
    lines = compared.root.locator(".tip").inner_text().split("\n")
    assert re.fullmatch(r"Codes at 2\.\d\d s", lines[0])
    assert [line.split(":")[0] for line in lines[1:]] == list(METHODS)
    assert re.fullmatch(r"adastride: “\d+”, [\d.]+–[\d.]+ s \(\d+ ms\), output frame \d+", lines[3])
    canvas = compared.root.locator(".lane.of-segments canvas.base").nth(2)
    canvas.focus()
    assert re.match(r"adastride, Codes: \d+ segments: \d+ ", canvas.get_attribute("aria-label"))
    said = []
    for _ in range(2):
        compared.page.keyboard.press("ArrowRight")
        said.append(compared.root.locator(".spoken").text_content())
    assert "output frame 0" in said[0]
    assert "output frame 1" in said[1]
    compared.page.keyboard.press("Escape")
    assert compared.root.locator(".tip").is_hidden()
    compared.page.keyboard.press("+")
    compared.settle()
    assert compared.root.locator(".lane.of-axis").count() == 1


def test_tables(compared: Networks):
    """A table for each lane, with whose it is."""
    compared.root.locator("button.table").click()
    captions = compared.root.locator(".sheet caption").all_inner_texts()
    assert len(captions) == 10
    assert re.match(r"adastride, Codes: all \d+", captions[3])


def test_a_link_brings_shipped_networks_back(page: Page, new_page: Callable[..., Page], server: str):
    """And the choice between methods and networks leaves no parameter of the other behind."""
    first = Networks(page, server).open("?networks=digits-adastride,digits-strided-conv&upper=3")
    assert first.root.locator(".numbers thead th").all_inner_texts() == ["AdaStride, σ⁻² = 5", "Strided convolution"]
    assert "stride 3" in first.table()["Uppermost layer"][0]
    second = Networks(new_page(), server).open(page.evaluate("location.search"))
    assert second.table() == first.table()
    second.page.get_by_role("radio", name="Methods").click()
    second.page.locator(".compare .method").first.wait_for(timeout=40_000)
    wait_for(lambda: "networks=" not in second.page.evaluate("location.href"), 20)
    assert "upper=" not in second.page.evaluate("location.href")


def test_figures(compared: Networks):
    """They open, name all networks and say what the table says; zoomed in, they are of the time in view."""
    assert compared.download("PNG figure").startswith(b"\x89PNG")
    svg = compared.download("SVG figure").decode()
    assert all(svg.count(f">{name}</text>") == 5 for name in METHODS), "over four panels and the table"
    assert all(f">{text}</text>" in svg for text in compared.table()["bits a second"])
    compared.root.locator(".zoom-in").click()
    wait_for(lambda: "view=" in compared.page.evaluate("location.href"), 20)
    begin, end = compared.settle().seen()
    svg = compared.download("SVG figure").decode()
    assert f", {begin:.2f}–{end:.2f} s</text>" in svg


def test_a_link_brings_the_time_in_view(page: Page, new_page: Callable[..., Page], server: str):
    """What is zoomed into is what the link shows; all of the clip again, and the link says nothing of it."""
    first = Networks(page, server).open("?networks=digits-adastride,digits-strided-conv")
    everything = first.hashes("picture")
    first.root.locator(".zoom-in").click()
    wait_for(lambda: "view=" in page.evaluate("location.href"), 20)
    begin, end = first.settle().seen()
    assert end - begin < 3
    second = Networks(new_page(), server).open(page.evaluate("location.search"))
    assert second.seen() == (begin, end)
    assert second.hashes("picture") == first.hashes("picture") != everything
    second.root.locator(".fit").click()
    wait_for(lambda: "view=" not in second.page.evaluate("location.href"), 20)
    assert second.settle().hashes("picture") == everything


@pytest.mark.parametrize(("width", "height", "scheme"), [(1366, 680, "light"), (1400, 900, "dark"), (390, 844, "light")])
def test_screens(sized_page: Callable[..., Page], server: str, files: list[Path], width: int, height: int, scheme: str):
    """Nothing is cut off sideways; on a laptop codes and reconstructions are seen without scrolling."""
    page = sized_page(width, height, color_scheme=scheme)
    compared = Networks(page, server).open().load(files)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert axe_violations(page) == []
    boxes = [canvas.bounding_box() for canvas in compared.root.locator(".lane canvas.base").all()]
    assert all(box["x"] >= 0 and box["x"] + box["width"] <= width for box in boxes)
    if width > 760:
        pictures = compared.root.locator(".lane.of-picture canvas.base").all()
        assert max(box["y"] + box["height"] for canvas in pictures if (box := canvas.bounding_box())) < height
    shoot_whole(page, f"compare-networks-{width}-{scheme}")
