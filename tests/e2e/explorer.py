"""The Explore page in the words of its visitors: what the tests do with it, and what they see on it.

Canvases have no text to assert on, so they are read as pixels: `look()` takes one consistent reading of everything.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Locator, Page, TimeoutError

SHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
PATIENCE = 20.0  # seconds: the machine may be busy with something else
SIZE = {"width": 1400, "height": 1000}
GUTTER, RIGHT = 46, 6  # CSS pixels left and right of every plot
Found = TypeVar("Found")

# What every reading shares: a canvas as a hash, its number of colours, and the share of pixels that are drawn at all.
_CANVAS = """
const read = (canvas) => {
  const { width, height } = canvas;
  if (!width || !height) return { hash: 0, width, height, drawn: 0, colours: 0 };
  const pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer);
  let hash = 2166136261, drawn = 0;
  const colours = new Set();
  for (const pixel of pixels) {
    hash = Math.imul(hash ^ pixel, 16777619) >>> 0;
    if (pixel >>> 24) drawn++;
    if (colours.size < 500) colours.add(pixel);
  }
  return { hash, width, height, drawn: drawn / pixels.length, colours: colours.size };
};
"""
_LOOK = """(root) => {
""" + _CANVAS + """
  const texts = (selector) => [...root.querySelectorAll(selector)].map((each) => each.textContent);
  const found = { title: texts(".panel.wave header b")[0], details: texts(".panel.wave header span")[0] };
  for (const kind of ["wave", "mel", "ticks", "layer", "profile", "axis"]) {
    found[kind] = [...root.querySelectorAll(`.panel.${kind} canvas.base`)].map(read);
    found[kind + "Cover"] = [...root.querySelectorAll(`.panel.${kind} canvas.cover`)].map(read);
  }
  found.names = texts(".panel.layer header .name");
  found.numbers = texts(".panel.layer header .numbers");
  found.late = [...root.querySelectorAll(".panel.catching-up")].length;
  found.labels = texts(".bar-row .name");
  found.percent = texts(".bar-row .value");
  found.probabilities = [...root.querySelectorAll(".bar-row .fill")].map((fill) => Number(fill.style.getPropertyValue('--share')));
  found.top = texts(".probabilities .top b")[0];
  return found;
}"""
# Settled: no header waits for the server ("…" stands for a number that is not known yet), and two frames have been painted.
_SETTLED = """(root) => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(
  root.dataset.state === "settled"
  && root.querySelectorAll(".bar-row, .transcript:not([hidden])").length > 0
  && [...root.querySelectorAll(".panel.layer header .numbers")].every((each) => each.textContent && !each.textContent.includes("…"))
  && !root.querySelector(".panel.catching-up")))))"""
# Share of a layer's plot in the highest and in the lowest colour of the legend, and how light the plot is (0 to 1).
_WEIGHTS = """(root, layer) => {
  const canvas = root.querySelectorAll(".panel.layer canvas.base")[layer], ratio = canvas.width / canvas.clientWidth;
  const x = Math.ceil(46 * ratio) + 2, width = canvas.width - x - Math.ceil(6 * ratio) - 2;
  const bytes = canvas.getContext("2d").getImageData(x, 2, width, canvas.height - 4).data;
  const legend = root.querySelector(".alignment-ramp").getContext("2d").getImageData(0, 0, 256, 1).data;
  const level = new Map();
  for (let i = 0; i < 256; i++) level.set(`${legend.slice(4 * i, 4 * i + 3)}`, i);
  let high = 0, low = 0, strong = 0, light = 0;
  for (let i = 0; i < bytes.length; i += 4) {
    const weight = level.get(`${bytes.slice(i, i + 3)}`);
    if (weight === 255) high++;
    if (weight === 0) low++;
    if (weight >= 190) strong++;
    light += (bytes[i] + bytes[i + 1] + bytes[i + 2]) / 765;
  }
  const count = bytes.length / 4;
  return { high: high / count, low: low / count, strong: strong / count, light: light / count };
}"""
# For each CSS column of a cover canvas: how much of what lies under it is covered, 0 (lit) to 1.
_COVERED = """(canvas) => {
  const { width, height } = canvas, ratio = width / canvas.clientWidth;
  const bytes = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  return Array.from({ length: Math.floor(width / ratio) }, (_, column) => {
    const x = Math.min(width - 1, Math.round((column + 0.5) * ratio));
    let sum = 0;
    for (let y = 0; y < height; y++) sum += bytes[4 * (y * width + x) + 3] / 255;
    return sum / height;
  });
}"""


def wait_for(what: Callable[[], Found], seconds: float = PATIENCE, why: str = "") -> Found:
    """Asks until the answer is true, and returns it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = what()
        if answer or time.monotonic() > deadline:
            assert answer, why or "it did not happen in time"
            return answer
        time.sleep(0.03)


def unbroken(page: Page) -> bool:
    """Whether the page shows no error that nobody caught."""
    return page.get_by_test_id("stException").count() == 0 and page.get_by_text("Something went wrong here").count() == 0


def shoot_whole(page: Page, name: str) -> None:
    """Saves a screenshot of a page with what one would have to scroll to; the README shows some of them."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    height = page.evaluate("document.querySelector('[data-testid=stMain]').scrollHeight")
    before = page.viewport_size
    page.set_viewport_size({"width": before["width"], "height": min(height + 20, 6000)})
    page.wait_for_timeout(400)
    page.screenshot(path=SHOTS / f"{name}.png")
    page.set_viewport_size(before)


class Explorer:
    """One visitor's Explore page."""

    def __init__(self, page: Page, server: str):
        self.page, self.server = page, server
        self.root = page.locator(".explorer")
        self.play = page.locator("button.play")
        self.tip = page.locator(".explorer .tip")
        self.sidebar = page.get_by_test_id("stSidebar")

    # -------------------------------------------------------------- coming in

    def open(self, query: str = "") -> Explorer:
        """Opens the page, or a link to it, and waits for the finished picture."""
        self.page.goto(query if query.startswith("http") else f"{self.server}/{query}")
        return self.ready()

    def ready(self) -> Explorer:
        self.page.locator(".bar-row, .transcript .facts dt").first.wait_for(timeout=2000 * PATIENCE)  # a server may have everything to import yet
        return self.settle()

    def settle(self) -> Explorer:
        """Waits until what is drawn is what the server ran."""
        wait_for(lambda: self.root.evaluate(_SETTLED), why="the picture never caught up with the sliders")
        assert unbroken(self.page)
        return self

    def refreshed(self, untouched: dict[str, Any]) -> Explorer:
        """Brings the page back to what a first visitor sees: by its own buttons if that is enough, by a new visit if not."""
        self.page.bring_to_front()  # a tab behind another one paints once a second
        if self.page.viewport_size != SIZE:
            self.page.set_viewport_size(SIZE)
        if not self._tidy() or self.impression() != untouched:
            self.open()
        return self

    def _tidy(self) -> bool:
        """Undoes what buttons can undo; False where only a new visit helps."""
        if self.page.locator(".explorer").count() != 1 or self.clock() != 0 or self.play.inner_text() != "Play":
            return False
        self.page.mouse.up()
        self.page.mouse.move(4, 400)
        self.root.evaluate(
            """(root) => {
              root.getRootNode().activeElement?.blur();
              const press = (selector) => root.querySelector(selector)?.click();
              press('.pin[aria-pressed="true"]');
              press('.table[aria-expanded="true"]');
              press(".reset:not(:disabled)");
              press(".fit");
              press(".panel.mel header button");
              press(".scope button");
              document.querySelector('[data-testid="stMain"]').scrollTo(0, 0);
            }"""
        )
        self.settle()
        return True

    # -------------------------------------------------------------- looking

    def impression(self) -> dict[str, Any]:
        """All that tells one state of the page from another."""
        look = self.look()
        return {**look, "numbers": self.told(look), "sidebar": self.sidebar.inner_text(), "link": self.query()}

    def look(self) -> dict[str, Any]:
        """Everything on the page in one reading: canvases as hashes, headers, probabilities."""
        return self.root.evaluate(_LOOK)

    def weights(self, layer: int) -> dict[str, float]:
        """Shares of a layer's plot (0 is the lowest layer) in the highest, lowest and upper quarter of the legend's colours."""
        return self.root.evaluate(_WEIGHTS, layer)

    def canvas(self, kind: str, index: int = 0, which: str = "base") -> Locator:
        return self.page.locator(f".panel.{kind}").nth(index).locator(f"canvas.{which}")

    def covered(self, kind: str, index: int = 0) -> list[float]:
        """How dark the spotlight or playhead makes each column of a panel's plot: 0 is lit."""
        return self.canvas(kind, index, "cover").evaluate(_COVERED)[GUTTER : -RIGHT - 2]

    def frames(self) -> list[tuple[int, int]]:
        """T and L of every layer, from its header."""
        return [tuple(map(int, re.match(r"(\d+) → (\d+) frames", text).groups())) for text in self.look()["numbers"]]

    def setting(self, name: str) -> list[float]:
        """σ ("σ = ") or the stride ("stride ") of every layer, from its header."""
        return [float(re.search(rf"{name}([\d.]+)", text).group(1)) for text in self.look()["numbers"]]

    def told(self, look: dict[str, Any] | None = None) -> list[tuple[str, str]]:
        """Name and numbers of every layer's header, without the milliseconds, which differ from run to run."""
        look = look or self.look()
        return [(name, re.sub(r" · [\d.]+ ms$", "", numbers)) for name, numbers in zip(look["names"], look["numbers"], strict=True)]

    def query(self) -> dict[str, str]:
        """What the address bar's link says."""
        return {name: values[0] for name, values in parse_qs(urlsplit(self.address()).query).items()}

    def address(self) -> str:
        """The address bar as it is now; `page.url` knows only what the last event said."""
        return self.page.evaluate("location.href")

    def clock(self) -> float:
        return float(self.page.locator(".clock").inner_text().split("/")[0].strip().removesuffix(" s"))

    def tip_seconds(self) -> tuple[float, float]:
        """When the hovered output frame begins and ends."""
        return tuple(map(float, re.search(r"([\d.]+)–([\d.]+) s", self.tip.inner_text()).groups()))

    def playheads(self) -> list[list[float]]:
        """Where each panel shows a playhead, in CSS pixels from its left edge; the pointer must be elsewhere."""
        return [_runs(cover.evaluate(_COVERED)) for cover in self.page.locator(".panel canvas.cover").all()]

    def playhead(self) -> list[float]:
        """The same of the uppermost panel alone, which takes a tenth of the time."""
        return _runs(self.page.locator(".panel canvas.cover").first.evaluate(_COVERED))

    # -------------------------------------------------------------- doing

    def slider(self, name: str) -> Locator:
        return self.page.locator(f'.slider[data-name="{name}"] input')

    def scope(self, layer: int | None) -> None:
        """Chooses the layers that the sliders move: one of them (0 is the lowest), or all."""
        self.page.locator(".scope button").nth(0 if layer is None else layer + 1).click()

    def variant(self, index: int) -> None:
        """0 for AdaStride, 1 for AdaStride-F."""
        self.page.locator(".variant button").nth(index).click()

    def thumb(self, name: str, share: float | None = None) -> tuple[float, float]:
        """Where the slider's thumb is on the screen, or would be at a share of its way."""
        slider = self.slider(name)
        slider.scroll_into_view_if_needed()
        box = slider.bounding_box()
        now = share if share is not None else slider.evaluate("(input) => (input.value - input.min) / (input.max - input.min)")
        return box["x"] + 8 + now * (box["width"] - 16), box["y"] + box["height"] / 2

    def grab(self, name: str) -> tuple[float, float]:
        """Puts the mouse on a slider's thumb and presses; `page.mouse.up()` lets go."""
        x, y = self.thumb(name)
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        return x, y

    def drag(self, name: str, share: float) -> Explorer:
        """Drags a slider to a share of its way and lets go."""
        x, y = self.grab(name)
        target = self.thumb(name, share)[0]
        for step in range(1, 7):
            self.page.mouse.move(x + (target - x) * step / 6, y)
        self.page.mouse.up()
        return self.settle()

    def press(self, name: str, key: str) -> Explorer:
        """Presses a key on a slider."""
        self.slider(name).focus()
        self.page.keyboard.press(key)
        return self.settle()

    def at(self, kind: str, x: float, y: float = 0.5, index: int = 0) -> tuple[float, float]:
        """Screen coordinates of a point of a panel's plot, given as shares of its width and height."""
        canvas = self.canvas(kind, index)
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        return box["x"] + GUTTER + x * (box["width"] - GUTTER - RIGHT), box["y"] + y * box["height"]

    def hover(self, kind: str, x: float, y: float = 0.5, index: int = 0) -> None:
        """Rests the pointer on a point of a panel's plot."""
        self.page.mouse.move(*self.at(kind, x, y, index))

    def away(self) -> None:
        """Takes the pointer out of all panels."""
        self.page.mouse.move(4, 400)
        wait_for(lambda: self.tip.is_hidden())

    def wheel(self, kind: str, x: float, turns: int, key: str = "Control") -> None:
        """Turns the wheel over a panel with a key held; negative zooms in."""
        self.page.mouse.move(*self.at(kind, x))
        self.page.keyboard.down(key)
        for _ in range(abs(turns)):
            self.page.mouse.wheel(0, 60 if turns > 0 else -60)
        self.page.keyboard.up(key)

    def choose_sample(self, title: str) -> Explorer:
        """Chooses a bundled clip in the sidebar."""
        self._pick("source_sample", title)
        return self.wait_title(title)

    def source(self, kind: str) -> None:
        """Turns to "Sample", "Upload" or "Record"."""
        self.page.locator(".st-key-source_kind").get_by_role("radio", name=kind).click()

    def choose_file(self, name: str, data: bytes) -> None:
        """Gives the uploader a file."""
        if not self.page.locator(".st-key-source_upload").is_visible():
            self.source("Upload")
        file = {"name": name, "mimeType": "application/octet-stream", "buffer": data}
        self.page.locator('.st-key-source_upload input[type="file"]').set_input_files(file)

    def task(self, label: str) -> None:
        """Chooses what the network was trained on, or "Your own file"."""
        self._pick("explore_task", label)

    def _pick(self, key: str, option: str) -> None:
        """Opens a list and takes an option. A list closes when what it belongs to scrolls, and a busy browser tells it of
        the scrolling that brought it into view when it is open already: it is then opened again."""
        field, wanted = self.page.locator(f".st-key-{key} input"), self.page.get_by_role("option", name=option)
        for _ in range(4):
            field.click()
            try:
                wanted.click(timeout=6000)
                return
            except TimeoutError:
                continue
        raise AssertionError(f"{key} shows no option {option}")

    def load_checkpoint(self, name: str, data: bytes) -> None:
        """Gives the picker a checkpoint file."""
        if not self.page.locator(".st-key-explore_own").is_visible():
            self.task("Your own file")
        file = {"name": name, "mimeType": "application/octet-stream", "buffer": data}
        self.page.locator('.st-key-explore_own input[type="file"]').set_input_files(file)

    def wait_methods(self, *labels: str) -> Explorer:
        """Waits for the picture of a network with these methods, lowest layer first."""
        wanted = [f"Layer {index} · {label}" for index, label in enumerate(labels, start=1)]
        wait_for(lambda: self.look()["names"] == wanted, 2 * PATIENCE, f"no picture of {labels}")
        return self.settle()

    def wait_title(self, title: str) -> Explorer:
        """Waits for the picture of the clip with that title."""
        wait_for(lambda: self.page.locator(".panel.wave header b").inner_text() == title, 2 * PATIENCE, f"no picture of {title}")
        return self.settle()

    def shoot(self, name: str, full_page: bool = False) -> Path:
        """Saves a screenshot; the README shows some of them. full_page: with what one would have to scroll to."""
        SHOTS.mkdir(parents=True, exist_ok=True)
        path = SHOTS / f"{name}.png"
        size = self.page.viewport_size
        if full_page:  # the page scrolls inside Streamlit's main block, which fills the window
            height = self.page.get_by_test_id("stMain").evaluate("(main) => main.scrollHeight")
            self.page.set_viewport_size({"width": size["width"], "height": height + 1})
            self.settle()
        self.page.screenshot(path=path, animations="disabled")
        self.page.set_viewport_size(size)
        return path


def _runs(columns: list[float], above: float = 0.9) -> list[float]:
    """Middles of the runs of columns that are covered."""
    middles, start = [], None
    for x, value in enumerate([*columns, 0.0]):
        if value > above and start is None:
            start = x
        elif value <= above and start is not None:
            middles.append((start + x) / 2)
            start = None
    return middles
