"""Audio transformers on Explore: patches are pointed at, layers and heads chosen, and lengths and resolutions dragged (made_up_app.py)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from explorer import Explorer, shoot_whole, unbroken, wait_for
from made_up_transformers import audio_transformer
from playwright.sync_api import Page

from adastride import checkpoints

pytestmark = pytest.mark.e2e

POOLED, ATTENTION = 0, 1
WORD = 0.4  # of the clip: the patches at 2 s, in which something is said
# Moves the pointer over patches of the mel and waits until what they attend to is on the screen: the milliseconds of each.
_REPAINTS = """async (canvas) => {
  const { left, top, width, height } = canvas.getBoundingClientRect(), took = [];
  for (let n = 0; n < 30; n++) {
    const place = { clientX: left + 60 + ((width - 80) * ((n * 7) % 30)) / 30, clientY: top + (height * ((n * 3) % 8) + 4) / 8.2 };
    const began = performance.now();
    canvas.dispatchEvent(new PointerEvent("pointermove", { ...place, bubbles: true, pointerId: 1, pointerType: "mouse" }));
    await new Promise((done) => requestAnimationFrame(() => done()));
    took.push(performance.now() - began);
  }
  return took.sort((a, b) => a - b);
}"""


class Transformer(Explorer):
    """The viewer of an audio transformer."""

    def title(self) -> str:
        return self.page.locator(".panel.lane header b").nth(ATTENTION).inner_text()

    def picture(self, lane: int) -> str:
        return self.page.locator(".panel.lane canvas.base").nth(lane).evaluate("(canvas) => canvas.toDataURL()")

    def pictures(self) -> list[str]:
        """The mel and both lanes, with what lies over them."""
        canvases = self.page.locator(":is(.panel.mel, .panel.lane) canvas")
        return canvases.evaluate_all("(all) => all.map((canvas) => canvas.toDataURL())")

    def facts(self) -> dict[str, str]:
        texts = self.page.locator(".patch-facts > *").all_inner_texts()
        return dict(zip(texts[::2], texts[1::2], strict=True))

    def tokens(self) -> int:
        return int(re.match(r"[\d,]+", self.facts()["Tokens"]).group().replace(",", ""))

    def shares(self) -> list[float]:
        return self.look()["probabilities"]

    def said(self, name: str) -> str:
        return self.page.locator(f'.slider[data-name="{name}"] output').inner_text()

    def choose(self, which: str, index: int) -> None:
        self.page.locator(f".panel.lane .of-{which} button").nth(index).click()

    def dimmed(self) -> float:
        """Where what is not heard begins, as a share of the waveform's plot: from there on nothing is as dark as the sound."""
        return self.canvas("wave").evaluate(
            """(canvas) => {
              const { width, height } = canvas, ratio = width / canvas.clientWidth, left = 46 * ratio, plot = width - left - 6 * ratio;
              const bytes = canvas.getContext("2d").getImageData(0, 0, width, height).data;
              const dark = (x) => {
                for (let y = 0; y < height; y++) {
                  const [r, g, b, a] = bytes.slice(4 * (y * width + x), 4 * (y * width + x) + 4);
                  if (a > 100 && r < 120 && Math.abs(r - b) < 40) return true;
                }
                return false;
              };
              let x = width - 1 - Math.ceil(6 * ratio);
              while (x > left && !dark(x)) x--;
              return (x - left) / plot;
            }"""
        )


@pytest.fixture
def elastic(page: Page, made_up: str) -> Transformer:
    page.add_init_script("window.adastrideLog = []")
    found = Transformer(page, made_up)
    found.open("?patches=elastic")
    return found


def opened(page: Page, made_up: str, query: str) -> Transformer:
    found = Transformer(page, made_up)
    found.open(query)
    return found


def test_a_first_visit_shows_where_the_answer_comes_from(elastic: Transformer):
    """Mel, the patches' weights and what the strongest one attends to on one axis; no alignment, because there is no layer."""
    kinds = elastic.page.locator(".panel").evaluate_all("(all) => all.map((each) => each.classList[1])")
    assert kinds == ["wave", "mel", "lane", "lane", "axis"]
    titles = elastic.page.locator(".panel.lane header b").all_inner_texts()
    assert titles[0] == "Where the answer comes from: attention pooling, mean of heads"
    assert re.fullmatch(r"What the patch at 1\.9\d–2\.\d\d s, \d+–\d+ Hz attends to", titles[1])
    assert all(re.fullmatch(r"0\n[\d.]+ % a patch", text) for text in elastic.page.locator(".panel.lane .scale").all_inner_texts())
    assert elastic.facts() == {"Tokens": "256 = 8 × 32 patches", "Multiply-adds": "14.7 million, blocks"}
    assert (elastic.said("length"), elastic.said("resolution")) == ("all 5.00 s", "10.0 ms a frame · × 1.0")
    assert elastic.slider("sigma").is_hidden()
    assert elastic.page.locator(".alignment-ramp").is_hidden()
    assert elastic.page.locator(".glance .sentence").inner_text().startswith("The sound fills 13 % of the clip; no layer")


def test_a_patch_is_pointed_at(elastic: Transformer):
    """In the mel or in a lane; the answer's share of it and what it attends to are said and drawn, and the server is not asked."""
    before, title = elastic.picture(ATTENTION), elastic.title()
    elastic.page.evaluate("window.adastrideLog.length = 0")
    elastic.hover("mel", 0.25, 0.9)
    tip = wait_for(lambda: elastic.tip.is_visible() and elastic.tip.inner_text())
    assert re.fullmatch(
        r"Patch at 1\.\d\d–1\.\d\d s \(160 ms\), 0–380 Hz: [\d.]+ % of the answer comes from it; in layer 3, mean of heads, "
        r"[\d.]+ % of its attention stays with it\.", tip,
    )
    wait_for(lambda: elastic.picture(ATTENTION) != before)
    assert re.fullmatch(r"What the patch at 1.1\d–1.2\d s, 0–380 Hz attends to", elastic.title())
    assert elastic.title() != title
    lit = [x / len(covered) for covered in [elastic.covered("wave")] for x, dark in enumerate(covered) if dark < 0.1]
    assert (min(lit), max(lit)) == pytest.approx((0.223, 0.255), abs=0.01), "its time is lit in the waveform"
    elastic.hover("lane", WORD, 0.1, POOLED)
    wait_for(lambda: "5.4–8.0 kHz" in elastic.title())
    assert not [kind for kind, *_ in elastic.page.evaluate("window.adastrideLog") if kind == "sent"]


def test_a_patch_is_chosen_with_keys(elastic: Transformer):
    mel = elastic.canvas("mel")
    mel.focus()
    assert "8 × 32 patches" in mel.get_attribute("aria-label")
    first = elastic.title()
    elastic.page.keyboard.press("ArrowRight")
    wait_for(lambda: elastic.title() != first)
    elastic.page.keyboard.press("ArrowLeft")
    wait_for(lambda: elastic.title() == first)
    elastic.page.keyboard.press("ArrowUp")
    wait_for(lambda: "Hz" in elastic.title() and elastic.title() != first)
    assert elastic.slider("sigma").is_hidden()


def test_a_layer_and_a_head_are_picked(elastic: Transformer):
    """Each has a picture of its own, the mean of heads is one more, and the choice stays while patches are pointed at."""
    seen = {elastic.picture(ATTENTION)}
    for which, index in (("head", 1), ("head", 2), ("layer", 0), ("layer", 1)):
        elastic.choose(which, index)
        wait_for(lambda: elastic.picture(ATTENTION) not in seen, why=f"{which} {index}")
        seen.add(elastic.picture(ATTENTION))
    elastic.hover("mel", 0.7, 0.4)
    wait_for(lambda: elastic.tip.is_visible() and "in layer 2, head 2," in elastic.tip.inner_text())
    checked = elastic.page.locator(".panel.lane .choice [aria-checked=true]").all_inner_texts()
    assert checked == ["2", "2"]


def test_hovering_repaints_within_a_frame(elastic: Transformer):
    took = elastic.canvas("mel").evaluate(_REPAINTS)
    work = sorted(value for kind, _, value in elastic.page.evaluate("window.adastrideLog") if kind == "attended")
    print(f"hover repaint: median {took[15]:.1f} ms, 90 % {took[27]:.1f} ms; the softmax {work[len(work) // 2]:.2f} ms")
    assert took[15] < 33


def test_the_length_is_dragged(elastic: Transformer):
    """Fewer tokens, another answer, what is not heard is dimmed, and the last value is delivered."""
    shares = elastic.shares()
    elastic.drag("length", 0.44)
    assert re.fullmatch(r"the first 2\.\d\d of 5\.00 s", elastic.said("length"))
    assert elastic.tokens() == 8 * 15
    assert elastic.shares() != shares
    assert elastic.dimmed() == pytest.approx(0.45, abs=0.02)
    assert elastic.query()["length"] == elastic.said("length").split()[2].rstrip("0")
    assert elastic.page.locator(".glance .sentence").inner_text().startswith("The sound fills")
    log = elastic.page.evaluate("window.adastrideLog")
    sent, followed = [[value for kind, _, value in log if kind == name] for name in ("sent", "followed")]
    assert followed[-1] == sent[-1]
    assert len(sent) <= 9, "a request for each step at the most, and one for queries and keys"
    elastic.page.locator("button.reset").click()
    elastic.settle()
    assert elastic.shares() == shares
    assert "length" not in elastic.query()


def test_the_resolution_is_dragged(elastic: Transformer):
    shares, mel = elastic.shares(), elastic.look()["mel"][0]["hash"]
    elastic.drag("resolution", 1.0)
    assert elastic.said("resolution") == "40.0 ms a frame · × 4.0"
    assert elastic.tokens() == 8 * 8
    assert elastic.shares() != shares
    assert elastic.look()["mel"][0]["hash"] != mel, "the mel is as coarse as it is heard"
    assert elastic.page.locator(".panel.mel .frames").inner_text() == "126 frames"
    assert elastic.query()["resolution"] == "4"
    elastic.press("resolution", "ArrowLeft")
    assert elastic.query()["resolution"] == "3.9"


def test_a_patch_that_was_chosen_stays_where_it_is(elastic: Transformer):
    elastic.hover("mel", WORD, 0.9)
    wait_for(lambda: "0–380 Hz" in elastic.title())
    elastic.away()
    elastic.drag("resolution", 0.34)
    assert "0–380 Hz" in elastic.title()
    begin, end = map(float, re.search(r"([\d.]+)–([\d.]+) s", elastic.title()).groups())
    assert begin < 5 * WORD < end
    assert end - begin == pytest.approx(0.32, abs=0.02)


def test_the_same_link_gives_the_same_picture(elastic: Transformer, page: Page, made_up: str):
    elastic.drag("length", 0.6)
    elastic.drag("resolution", 0.3)
    elastic.away()
    said, shares, facts, pictures = elastic.said("length"), elastic.shares(), elastic.facts(), elastic.pictures()
    again = opened(page, made_up, elastic.address())
    assert (again.said("length"), again.shares(), again.facts()) == (said, shares, facts)
    assert again.pictures() == pictures


def test_a_link_keeps_layer_head_and_patch(elastic: Transformer, page: Page, made_up: str):
    elastic.choose("layer", 0)
    elastic.choose("head", 1)
    elastic.hover("mel", 0.8)
    elastic.away()
    title, pictures = elastic.title(), elastic.pictures()
    elastic.page.locator(".explorer .link").click()
    elastic.away()
    assert "attend=1%2C1%2C" in elastic.address()
    again = opened(page, made_up, elastic.address())
    assert again.title() == title
    assert again.pictures() == pictures
    nonsense = opened(page, made_up, "?patches=elastic&attend=99,-1,x,1e999")
    assert nonsense.pictures()


def test_an_ast_says_what_it_cuts_off_and_pads(page: Page, made_up: str):
    ast = opened(page, made_up, "?patches=ast")
    assert ast.facts() == {"Tokens": "105 = 8 × 13 patches + 1", "Multiply-adds": "3.76 million, blocks", "Cut off": "3.00 s at the end"}
    assert ast.dimmed() == pytest.approx(0.4, abs=0.01)
    ast.drag("length", 0.2)
    assert ast.facts()["Padding"] == "48 tokens, 46 %"
    assert "Cut off" not in ast.facts()
    ast.hover("mel", 0.1)
    assert "goes to no part of the clip" in wait_for(lambda: ast.tip.is_visible() and ast.tip.inner_text())


def test_tokens_of_a_layer_in_front_follow_its_stride(page: Page, made_up: str):
    """σ and stride move the layer, its alignment stands above the patches, and a patch lights up the output frames it is made of."""
    front = opened(page, made_up, "?patches=front")
    kinds = page.locator(".panel").evaluate_all("(all) => all.map((each) => each.classList[1])")
    assert kinds == ["wave", "mel", "ticks", "layer", "profile", "lane", "lane", "axis"]
    assert front.tokens() == 128
    front.drag("stride", 3 / 7)
    assert front.tokens() == 8 * 8
    assert front.frames() == [(501, 126)]
    front.hover("mel", WORD)
    covered = wait_for(lambda: (found := front.covered("layer")) and max(found) > 0.3 and found)
    lit = [x / len(covered) for x, dark in enumerate(covered) if dark < 0.1]
    begin, end = front.tip_seconds()
    assert (5 * min(lit), 5 * max(lit)) == pytest.approx((begin, end), abs=0.1)


@pytest.mark.parametrize("kind", ["elastic", "ast", "front"])
def test_the_tables_have_what_it_costs(page: Page, made_up: str, kind: str):
    found = opened(page, made_up, f"?patches={kind}")
    page.locator("button.table").click()
    captions = wait_for(lambda: page.locator(".sheet caption").all_inner_texts())
    assert any(caption.startswith("Patches: what they cost") for caption in captions)
    assert any(caption.startswith("What the patch at") for caption in captions)
    assert any(caption.startswith("Layers.") for caption in captions) == (kind == "front")
    assert unbroken(found.page)


def test_answers_come_while_the_length_is_dragged(elastic: Transformer):
    """At most one request is under way; the mean time from request to picture is what a person waits for."""
    elastic.page.evaluate("window.adastrideLog.length = 0")
    x, y = elastic.grab("length")
    target = elastic.thumb("length", 0.3)[0]
    for step in range(1, 41):
        elastic.page.mouse.move(x + (target - x) * step / 40, y)
        time.sleep(0.02)
    elastic.page.mouse.up()
    elastic.settle()
    log = elastic.page.evaluate("window.adastrideLog")
    sent, followed = [{value: at for kind, at, value in log if kind == name} for name in ("sent", "followed")]
    took = sorted(followed[number] - at for number, at in sent.items() if number in followed)
    print(f"{len(took)} answers to a drag, median {took[len(took) // 2]:.0f} ms")
    assert max(followed) == max(sent)
    assert len(took) >= 3
    turns = [kind for kind, _, _ in log if kind in ("sent", "received")]
    assert turns == ["sent", "received"] * (len(turns) // 2)


def test_after_a_drag_another_network_brings_its_own_mel(page: Page, server: str, tmp_path: Path):
    """A browser that has the clip as a classifier hears it does not have it as a transformer does, with 128 bands."""
    path = tmp_path / "patches.safetensors"
    checkpoints.save_checkpoint(audio_transformer(), path, {})
    found = Transformer(page, server)
    found.open().drag("sigma", 0.6)
    mel = found.canvas("mel")
    assert mel.get_attribute("aria-label").endswith("80 bands")
    found.load_checkpoint(path.name, path.read_bytes())
    wait_for(lambda: page.locator(".panel.lane").count() == 2, 40)
    found.settle()
    assert "501 frames of 128 bands" in mel.get_attribute("aria-label")
    found.drag("resolution", 0.5)
    assert unbroken(page)


@pytest.mark.parametrize(("checkpoint", "width", "height", "scheme"), [
    ("speakers-elastic-adastride", 1400, 1000, "light"), ("speakers-elastic-adastride", 390, 844, "dark"), ("scenes-elastic", 1366, 680, "light"),
    ("speakers-ast", 1400, 1000, "dark"),
])
def test_shipped_networks_are_shown_whole(sized_page: Callable[..., Page], server: str, checkpoint: str, width: int, height: int, scheme: str):
    """In every size and theme: nothing is cut, and what they cost is said."""
    page = sized_page(width, height, color_scheme=scheme)
    page.add_init_script("window.adastrideLog = []")
    shown = opened(page, server, f"?checkpoint={checkpoint}&clip=sentence")
    assert shown.tokens() > 100
    assert shown.facts()["Multiply-adds"].endswith("blocks")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert unbroken(page)
    shoot_whole(page, f"patches-{checkpoint}-{scheme}-{width}")
