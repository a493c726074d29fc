"""The Images page in a real Chromium, with made-up networks: it follows the hand, shows what belongs together, and fits every window."""

from __future__ import annotations

import io
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import made_up_pictures as made_up
import numpy as np
import pytest
from browser import start_server, stop_server
from explorer import shoot_whole, unbroken, wait_for
from PIL import Image
from playwright.sync_api import Page, expect
from test_accessibility import axe_violations

pytestmark = pytest.mark.e2e
SIZES = [(1366, 680, "light", "adastride"), (1400, 900, "dark", "diffstride"), (390, 844, "light", "diffstride"), (390, 844, "dark", "adastride")]
LONG = 60_000
MEDIAN_MS = 400  # an answer takes 20 to 60 ms on a machine that does nothing else
# How much of a canvas is drawn, and a number that changes with it.
_CANVAS = """(canvas) => {
  const { width, height } = canvas, pixels = new Uint32Array(canvas.getContext("2d").getImageData(0, 0, width, height).data.buffer);
  let hash = 7, drawn = 0;
  for (const pixel of pixels) {
    hash = Math.imul(hash ^ pixel, 16777619) >>> 0;
    if (pixel >>> 24) drawn++;
  }
  return [hash, drawn / pixels.length];
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of a server with made-up networks of pictures."""
    folder = made_up.write(tmp_path_factory.mktemp("pictures"))
    variables = {made_up.FOLDER_VARIABLE: str(folder), "ADASTRIDE_DATA": str(tmp_path_factory.mktemp("no-data"))}
    process, server = start_server(script="tests/e2e/made_up_pictures_app.py", variables=variables)
    yield f"{server}/images"
    stop_server(process)


def opened(page: Page, address: str) -> Page:
    page.goto(address)
    page.locator(".images .bar-row").first.wait_for(timeout=LONG)
    return settled(page)


def settled(page: Page) -> Page:
    wait_for(lambda: page.locator(".images").get_attribute("data-state") == "settled", why="the picture never caught up with the sliders")
    page.wait_for_timeout(300)
    assert unbroken(page)
    return page


def query(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.evaluate("location.href")).query).items()}


def column(page: Page, layer: int):
    return page.locator(".images .column").nth(layer)


def sizes(page: Page) -> list[str]:
    return page.locator(".images .column h3 span").all_inner_texts()


def figure(page: Page, layer: int, which: str = "base") -> list[float]:
    return column(page, layer).locator(f".figure .{which}").evaluate(_CANVAS)


def test_the_first_picture_tells_the_story_and_follows_the_hand(sized_page: Callable[..., Page], address: str):
    page = opened(sized_page(1366, 680), address)
    assert sizes(page) == ["32 × 32 → 16 × 16", "16 × 16 → 8 × 8", "8 × 8 → 4 × 4"]
    for layer in range(3):
        assert figure(page, layer)[1] > 0.75, "the picture and both alignments are drawn"
        assert column(page, layer).locator(".figure").bounding_box()["y"] < 400
    assert page.locator(".images .bar-row").count() == 10
    assert query(page) == {"picture": "ship", "checkpoint": "made-up-adastride"}

    # A drag paints while it goes on, and ends on its last value.
    page.evaluate("window.adastrideLog = []")
    slider = column(page, 0).locator('.slider[data-name="1"] input')
    box = slider.bounding_box()
    y, left, room = box["y"] + box["height"] / 2, box["x"] + 8, box["width"] - 16
    page.mouse.move(left + room / 7, y)
    page.mouse.down()
    for step in range(1, 41):
        page.mouse.move(left + room * (1 / 7 + 0.5 * step / 40), y)
        page.wait_for_timeout(25)
    page.mouse.up()
    settled(page)
    log = page.evaluate("window.adastrideLog")
    asked, followed = ({number: at for kind, at, number in log if kind == name} for name in ("asked", "followed"))
    waits = [followed[number] - asked[number] for number in followed if number in asked]
    assert len(waits) >= 4, "it does not follow while the slider is dragged"
    assert statistics.median(waits) < MEDIAN_MS
    stride = float(slider.input_value())
    assert stride > 4
    assert float(query(page)["width"].split(",")[0]) == pytest.approx(stride, abs=1e-3)
    assert sizes(page)[0] == f"32 × 32 → 16 × {-(-32 // stride):.0f}"

    # Keys reach every slider, and "As trained" undoes all of it.
    column(page, 2).locator('.slider[data-name="sigma"] input').focus()
    before = figure(page, 2)[0]
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    settled(page)
    assert figure(page, 2)[0] != before
    assert query(page)["sigma"].startswith(",,")
    page.get_by_role("button", name="As trained").click()
    settled(page)
    assert "sigma" not in query(page)
    assert sizes(page)[0] == "32 × 32 → 16 × 16"

    # What belongs together lights up, under the pointer and by keys.
    base = column(page, 1).locator(".figure .base")
    box = base.bounding_box()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 0.6 * box["height"])
    tip = page.locator(".images .tip")
    expect(tip).to_contain_text("of 8, column")
    expect(tip).to_contain_text("Looks at pixel rows")
    wait_for(lambda: figure(page, 1, "cover")[1] > 0.3, why="the rest of the picture does not get dark")
    assert column(page, 1).locator(".seen .cover").evaluate(_CANVAS)[1] > 0
    page.mouse.move(5, 400)
    expect(tip).to_be_hidden()
    base.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(tip).to_contain_text("row 5 of 8, column 6 of 8")
    box, place, answers = base.bounding_box(), tip.bounding_box(), page.locator(".images .side").bounding_box()
    assert box["y"] < place["y"] < box["y"] + box["height"], "the tip stands at the cell"
    assert place["x"] < box["x"] + box["width"]
    assert place["x"] + place["width"] <= answers["x"], "and not over the answers"
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()

    # Files, the last one an ordinary picture.
    page.get_by_text("Upload", exact=True).first.click()
    uploader = page.locator('.st-key-images_upload input[type="file"]')
    uploader.wait_for(state="attached")
    for name, data, words in (("fake.png", b"no picture", "fake.png can't be read"), ("cut.png", png(60, 60)[:-40], "breaks off before its end")):
        uploader.set_input_files({"name": name, "mimeType": "image/png", "buffer": data})
        page.get_by_test_id("stAlert").get_by_text(words).wait_for(timeout=LONG)
        assert page.locator(".images .bar-row").count() == 10
    was = figure(page, 0)[0]
    uploader.set_input_files({"name": "wide.png", "mimeType": "image/png", "buffer": png(40, 160)})
    page.get_by_text("25 % of the picture").wait_for(timeout=LONG)
    wait_for(lambda: figure(page, 0)[0] != was, why="the uploaded picture is not shown")
    wait_for(lambda: query(page)["picture"] == "upload:wide.png", why="the link does not name the file")
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG figure").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")


def png(height: int, width: int) -> bytes:
    buffer = io.BytesIO()
    rows = np.linspace(0, 255, height)[:, None, None]
    Image.fromarray(np.broadcast_to(rows, (height, width, 3)).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("method", ["diffstride", "dct-diffstride"])
def test_the_mask_is_dragged_by_hand_and_a_link_brings_it_back(sized_page: Callable[..., Page], address: str, method: str):
    page = opened(sized_page(1400, 900), f"{address}?checkpoint=made-up-{method}&picture=truck&layer=1")
    assert page.locator(".images .column:visible").count() == 1
    box = column(page, 0).locator(".spectrum .base").bounding_box()
    middle, edge = (0.5 + 0.5 / 32, 0.75 + 0.5 / 32) if method == "diffstride" else (0.25, 0.5)
    page.mouse.move(box["x"] + edge * box["width"], box["y"] + (middle if method == "diffstride" else 0.2) * box["height"])
    page.mouse.down()
    target = edge - 0.12
    page.mouse.move(box["x"] + target * box["width"], box["y"] + middle * box["height"], steps=8)
    page.mouse.up()
    settled(page)
    chosen = float(column(page, 0).locator('.slider[data-name="1"] output').inner_text().split()[0])
    expected = 0.5 / (target - middle) if method == "diffstride" else 1 / target
    assert chosen == pytest.approx(expected, rel=0.1)
    assert column(page, 0).locator('.slider[data-name="0"] output').inner_text() == "2.00 rows"
    link, shown = page.evaluate("location.href"), sizes(page)[0]
    assert query(page)["layer"] == "1"
    opened(page, link)
    assert sizes(page)[0] == shown
    page.goto(f"{address}?picture=unicorn&height=99&layer=x&checkpoint=nobody")
    page.get_by_text("This link has picture").wait_for(timeout=LONG)
    settled(page)


@pytest.mark.parametrize(("width", "height", "scheme", "method"), SIZES)
def test_everything_fits(sized_page: Callable[..., Page], address: str, width: int, height: int, scheme: str, method: str):
    page = opened(sized_page(width, height, color_scheme=scheme), f"{address}?checkpoint=made-up-{method}&picture=frog")
    page.wait_for_timeout(500)
    for shown in ("All layers", "2"):
        page.locator(".images .scope").get_by_role("radio", name=shown, exact=True).click()
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth <= main.clientWidth")
        assert axe_violations(page) == []
        shoot_whole(page, f"images-{scheme}-{width}-{shown.split()[0].lower()}")


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_networks_side_by_side(sized_page: Callable[..., Page], address: str, width: int, scheme: str):
    page = sized_page(width, 900, color_scheme=scheme)
    page.goto(f"{address}?view=compare&networks=made-up-adastride,made-up-diffstride,made-up-strided-conv&picture=cat")
    page.locator(".js-plotly-plot").nth(5).wait_for(timeout=LONG)
    page.wait_for_timeout(800)
    assert page.get_by_text("PSNR", exact=False).count() >= 9
    assert page.locator("[data-testid=stImage] img").count() == 21
    assert query(page)["networks"].count(",") == 2
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth <= main.clientWidth")
    assert axe_violations(page) == []
    shoot_whole(page, f"images-compare-{scheme}-{width}")
    assert unbroken(page)


def test_a_shipped_network_knows_the_first_drawing(sized_page: Callable[..., Page], server: str):
    page = opened(sized_page(1400, 700, color_scheme="light"), f"{server}/images")
    assert page.locator(".images .top b").inner_text() == "ship"
    shoot_whole(page, "images-shipped-light-1400")


def test_presenting_keeps_it_in_the_window(sized_page: Callable[..., Page], address: str):
    page = opened(sized_page(1366, 768), f"{address}?presenter=1")
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth <= main.clientWidth")
    assert column(page, 2).locator(".figure .base").bounding_box()["y"] < 500
    shoot_whole(page, "images-presenter")


def test_without_networks_the_page_says_what_to_do(sized_page: Callable[..., Page], tmp_path: Path):
    process, server = start_server(script="tests/e2e/made_up_pictures_app.py", variables={made_up.FOLDER_VARIABLE: str(tmp_path)})
    try:
        page = sized_page(1366, 680)
        page.goto(f"{server}/images")
        page.get_by_text("No network of pictures is installed here").wait_for(timeout=LONG)
        assert unbroken(page)
        # A file of one's own is enough.
        made_up.write(tmp_path, ("avg-pool",))
        own = tmp_path / "made-up-avg-pool.safetensors"
        mine = own.rename(tmp_path / "mine.network")
        page.locator('.st-key-images_own input[type="file"]').set_input_files(
            {"name": "mine.safetensors", "mimeType": "application/octet-stream", "buffer": mine.read_bytes()},
        )
        page.locator(".images .bar-row").first.wait_for(timeout=LONG)
        wait_for(lambda: query(page).get("checkpoint") == "upload:mine.safetensors", why="the link does not name the file")
    finally:
        stop_server(process)
