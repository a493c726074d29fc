"""Links to the Explore page and visitors beside each other, in a real Chromium."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest
from explorer import Explorer, unbroken, wait_for
from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.e2e
SEVEN = "One word in silence: seven"


# ------------------------------------------------------------------ permalinks


def test_a_link_restores_everything(explorer: Explorer, new_page: Callable[..., Page], server: str):
    """Sent to a colleague: the same clip, each layer's own σ, stride and variant, and the same answer."""
    explorer.choose_sample("Clicks in noise")
    explorer.scope(1)
    explorer.drag("sigma", 0.7)
    explorer.drag("stride", 0.3)
    explorer.variant(1)
    wait_for(lambda: "variant" in explorer.query())
    before, told = explorer.settle().look(), explorer.told()
    assert [name.endswith("AdaStride-F") for name, _ in told] == [False, True, False]
    other = Explorer(new_page(), server).open(explorer.address())
    after = other.look()
    assert after["title"] == before["title"] == "Clicks in noise"
    assert other.told() == told
    assert after["percent"] == before["percent"]
    assert after["layer"] == before["layer"]
    assert other.address() == explorer.address()
    assert "Clicks in noise" in other.page.locator(".st-key-source_sample input").input_value()


def test_a_linked_clip_goes_along_to_other_pages(explorer: Explorer):
    """What a link has chosen is what the next page looks at, and the one after that."""
    explorer.open("?clip=counting")
    chosen = explorer.page.locator(".st-key-source_sample input")
    title = chosen.input_value()
    for name, shown in (("Compare", ".compare .method"), ("Explore", ".bar-row")):
        explorer.page.get_by_role("link", name=name).click()
        explorer.page.locator(shown).first.wait_for(timeout=30_000)
        wait_for(lambda: chosen.count() == 1 and chosen.input_value() == title)
    assert "counting" in explorer.address() or title in explorer.settle().look()["title"]


def test_a_link_sets_the_sliders(explorer: Explorer):
    """The sliders of a linked page stand where the values are, layer by layer, and As trained leads back."""
    explorer.open("?clip=birds&sigma=0.2,,5&stride=3")
    for layer, sigma in enumerate((0.2, 5**-0.5, 5)):
        explorer.scope(layer)
        wait_for(lambda sigma=sigma: abs(10 ** float(explorer.slider("sigma").input_value()) / sigma - 1) < 0.03)
        assert float(explorer.slider("stride").input_value()) == pytest.approx(3)
    assert explorer.setting("stride ") == [3.0] * 3
    explorer.page.locator("button.reset").click()
    wait_for(lambda: "sigma" not in explorer.query())
    assert explorer.settle().setting("stride ") == [2.0] * 3


def test_copy_link_copies_the_link(explorer: Explorer, visitor: BrowserContext):
    """The button puts on the clipboard what the address bar shows."""
    visitor.grant_permissions(["clipboard-read", "clipboard-write", "microphone"])
    explorer.drag("sigma", 0.8)
    button = explorer.page.locator("button.link")
    text = button.inner_text()
    button.click()
    wait_for(lambda: button.inner_text() != text)
    copied = explorer.page.evaluate("navigator.clipboard.readText()")
    assert copied == explorer.address()
    assert "sigma=" in copied
    wait_for(lambda: button.inner_text() == text)


def test_an_old_link_does_not_stick(explorer: Explorer):
    """A link counts once: choosing another sample afterwards must not bring the linked settings or clip back."""
    explorer.open("?clip=birds&sigma=10")
    explorer.page.locator("button.reset").click()
    wait_for(lambda: "sigma" not in explorer.query())
    explorer.choose_sample("Clicks in noise")
    wait_for(lambda: explorer.query()["clip"] == "clicks")
    assert explorer.setting("σ = ") == pytest.approx([5**-0.5] * 3, rel=0.01)


@pytest.fixture(scope="module")
def default(visitor: BrowserContext, server: str) -> dict:
    """What the default page looks like."""
    page = visitor.new_page()
    look = Explorer(page, server).open().look()
    page.close()
    return look


BAD = {
    "sigma=0": "sigma",
    "sigma=abc": "sigma",
    "sigma=1,2": "sigma",
    "stride=1e999": "stride",
    "stride=": "stride",
    "variant=xyz": "variant",
    "checkpoint=nope": "checkpoint",
    "clip=nope": "clip",
    "clip=../../etc/passwd": "clip",
    f"clip={quote('[click](https://example.com) **bold** <b>x</b> :smile: $x$')}": "clip",
    f"clip={quote('see www.example.com _now_ or')}": "clip",
    f"clip={'a' * 6000}": "clip",
    f"sigma={'9' * 6000}": "sigma",
}


@pytest.mark.parametrize(("query", "about"), BAD.items(), ids=[query[:24] for query in BAD])
def test_a_bad_link_gets_a_sentence(page: Page, server: str, default: dict, query: str, about: str):
    """One sentence says what is wrong with the link, and the default picture is there."""
    explorer = Explorer(page, server).open(f"?{query}")
    toast = page.get_by_test_id("stToast")
    wait_for(lambda: toast.count() == 1, why="no word about what is wrong with the link")
    text = toast.get_by_test_id("stMarkdownContainer").inner_text().strip()
    assert about in text
    assert 20 < len(text) < 260
    assert text.endswith(".")
    assert not re.search(r"\. [A-Z]", text)
    assert toast.locator("a[href], strong, b, em, .katex").count() == 0
    look = explorer.look()
    assert look["title"] == SEVEN
    assert look["layer"] == default["layer"]
    assert look["percent"] == default["percent"]
    assert unbroken(page)


@pytest.mark.parametrize("query", ["sigma=banana", "clip=upload:interview.wav"])
def test_the_sentence_is_not_cut(page: Page, server: str, query: str):
    """A toast has three lines: what does not fit hides behind "view more", and so does what to do."""
    Explorer(page, server).open(f"?{query}")
    wait_for(lambda: page.get_by_test_id("stToast").count() == 1)
    time.sleep(0.5)
    assert page.get_by_test_id("stToast").get_by_role("button", name="view more").count() == 0


def test_one_wrong_part_leaves_the_rest(page: Page, server: str):
    """A link with one mistake is still good for what it says right."""
    explorer = Explorer(page, server).open("?clip=birds&sigma=banana&stride=4")
    wait_for(lambda: page.get_by_test_id("stToast").count() == 1)
    assert explorer.look()["title"] == "Bird song with trills"
    assert explorer.setting("stride ") == [4.0] * 3
    assert explorer.setting("σ = ") == pytest.approx([5**-0.5] * 3, rel=0.01)


def test_three_mistakes_get_three_sentences(page: Page, server: str):
    """Every mistake is told, each once."""
    Explorer(page, server).open("?clip=nope&sigma=banana&variant=xyz")
    wait_for(lambda: page.get_by_test_id("stToast").count() == 3)


def test_values_at_the_limits_are_good(page: Page, server: str):
    """The ends of the sliders can be linked to, and nobody complains."""
    explorer = Explorer(page, server).open("?sigma=0.01,100,0.01&stride=1,8,1")
    assert explorer.setting("σ = ") == [0.01, 100.0, 0.01]
    assert explorer.setting("stride ") == [1.0, 8.0, 1.0]
    time.sleep(0.3)
    assert page.get_by_test_id("stToast").count() == 0


# ------------------------------------------------------------------ coming again


def test_reloading_keeps_the_settings(explorer: Explorer):
    """F5 is harmless: clip, sliders and picture are there again."""
    explorer.choose_sample("Bird song with trills")
    explorer.drag("sigma", 0.75)
    before, told = explorer.look(), explorer.told()
    explorer.page.reload()
    after = explorer.ready().look()
    assert explorer.told() == told
    assert after["title"] == before["title"]
    assert after["layer"] == before["layer"]
    assert after["percent"] == before["percent"]


def test_a_second_visit_starts_afresh(explorer: Explorer):
    """The plain address shows the default again, whatever was done last time."""
    before = explorer.look()
    explorer.drag("sigma", 0.75)
    explorer.page.goto("about:blank")
    after = explorer.open().look()
    assert after["layer"] == before["layer"]
    assert after["percent"] == before["percent"]


# ------------------------------------------------------------------ two visitors


@pytest.fixture
def pair(new_page: Callable[..., Page], server: str) -> Iterator[tuple[Explorer, Explorer]]:
    """Two visitors in browsers of their own."""
    return Explorer(new_page(), server).open(), Explorer(new_page(), server).open()


def test_two_sessions_never_mix(pair: tuple[Explorer, Explorer]):
    """Both drag σ at the same time, to opposite ends: neither ever sees a value of the other."""
    one, two = pair
    (x1, y1), (x2, y2) = one.grab("sigma"), two.grab("sigma")
    for step in range(1, 41):
        one.page.mouse.move(x1 - 3 * step, y1)
        two.page.mouse.move(x2 + 3 * step, y2)
        if step % 5 == 0:
            assert max(one.setting("σ = ")) < 0.447
            assert min(two.setting("σ = ")) > 0.447
    for each in pair:
        each.page.mouse.up()
        each.settle()
    assert max(one.setting("σ = ")) < 0.3
    assert min(two.setting("σ = ")) > 0.6
    for each in pair:  # what each shows is what a visitor alone would see
        shown = each.look()
        assert each.open(each.address()).look()["percent"] == shown["percent"]


def test_a_third_visitor_sees_the_trained_settings(explorer: Explorer, new_page: Callable[..., Page], server: str):
    """One visitor's σ, stride and variant change nothing for those who come later: the shared model is never touched."""
    before = explorer.look()
    explorer.press("sigma", "End")
    explorer.press("stride", "End")
    explorer.variant(1)
    wait_for(lambda: "variant" in explorer.query())
    other = Explorer(new_page(), server).open().look()
    assert other["layer"] == before["layer"]
    assert other["percent"] == before["percent"]


# ------------------------------------------------------------------ the page beside its viewer


@pytest.mark.parametrize("first", ["slider", "choice"])
@pytest.mark.parametrize("path", ["", "compare", "sigma"])
def test_a_choice_in_the_moment_of_a_drag_is_followed(page: Page, server: str, path: str, first: str):
    """Streamlit then sends one message for both, which asks for the viewer's part of the page alone."""
    page.goto(f"{server}/{path}")
    slider = page.locator('.slider[data-name="sigma"] input').first
    slider.wait_for(timeout=60_000)
    page.wait_for_timeout(1500)  # the first requests are answered
    slider.evaluate("""(slider, [choice, first]) => {
      const drag = () => { slider.value = Number(slider.min) + 0.3 * (slider.max - slider.min); slider.dispatchEvent(new Event("input", { bubbles: true })); };
      const [begin, end] = first === "slider" ? [drag, () => choice.click()] : [() => choice.click(), drag];
      begin();
      end();
    }""", [page.locator(".st-key-source_kind").get_by_role("radio", name="Upload").element_handle(), first])
    page.locator(".st-key-source_upload").wait_for(timeout=20_000)
    assert unbroken(page)
