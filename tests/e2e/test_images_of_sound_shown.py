"""The Images page with sound in a real Chromium, with made-up networks: spectrograms with their units, strides that follow the hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import made_up_pictures as made_up
import numpy as np
import pytest
from browser import start_server, stop_server
from explorer import shoot_whole, unbroken, wait_for
from playwright.sync_api import Page, expect
from sound_made_here import samples, wav
from test_accessibility import axe_violations
from test_images_shown import LONG, column, figure, opened, query, settled, sizes

pytestmark = pytest.mark.e2e
SIZES = [(1366, 680, "light", "diffstride"), (1400, 1000, "dark", "adastride"), (390, 844, "light", "strided-conv"), (390, 844, "dark", "diffstride")]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of a server with made-up networks, on sound."""
    folder = made_up.write_sound(made_up.write(tmp_path_factory.mktemp("sound"), ("adastride",)), ("diffstride", "adastride", "strided-conv"))
    process, server = start_server(script="tests/e2e/made_up_pictures_app.py", variables={made_up.FOLDER_VARIABLE: str(folder)})
    yield f"{server}/images"
    stop_server(process)


def drag(page: Page, selector, begin: float, end: float) -> None:
    """Drags a slider from one share of its way to another."""
    box = selector.bounding_box()
    y, left, room = box["y"] + box["height"] / 2, box["x"] + 8, box["width"] - 16
    page.mouse.move(left + room * begin, y)
    page.mouse.down()
    for step in range(1, 21):
        page.mouse.move(left + room * (begin + (end - begin) * step / 20), y)
        page.wait_for_timeout(25)
    page.mouse.up()


def units(page: Page, layer: int, axis: int) -> str:
    return column(page, layer).locator(f'.slider[data-name="{axis}"] .units').inner_text()


def test_a_second_of_sound_is_shown_with_its_units_and_follows_the_hand(sized_page: Callable[..., Page], address: str):
    page = opened(sized_page(1366, 680), f"{address}?what=sound&checkpoint=sound-diffstride&clip=sentence")
    shown = sizes(page)
    assert len(shown) == 4
    assert shown[0].startswith("64 × 100 → ")
    for layer in range(4):
        assert figure(page, layer)[1] > 0.5, "the spectrogram and both alignments are drawn"
    expect(page.locator(".images .level")).to_contain_text("dB")
    expect(page.locator(".images .head")).to_have_count(4)
    assert units(page, 0, 1).endswith("ms a column, up to 25 Hz")
    assert units(page, 0, 0).endswith("bands a row, to 0.25 cycles/band")

    # All of it fits: the spectrogram under its grid, four layers, and the answers.
    for layer in range(4):
        box = column(page, layer).locator(".figure .base").bounding_box()
        assert box["y"] + box["height"] <= 680
    for head in page.locator(".images .head").all():
        assert head.bounding_box()["y"] < 300
    wide = column(page, 0).locator(".seen .base").bounding_box()
    assert wide["height"] == pytest.approx(0.64 * wide["width"], abs=1.5)

    # A stride of time is dragged: the columns, the picture, the layers above and the numbers follow.
    before = [figure(page, layer)[0] for layer in (0, 3)]
    page.evaluate("window.adastrideLog = []")
    drag(page, column(page, 0).locator('.slider[data-name="1"] input'), 1 / 7, 0.6)
    settled(page)
    asked, followed = ({number: at for kind, at, number in page.evaluate("window.adastrideLog") if kind == name} for name in ("asked", "followed"))
    assert len([number for number in followed if number in asked]) >= 3, "it does not follow while the slider is dragged"
    assert all(figure(page, layer)[0] != was for layer, was in zip((0, 3), before, strict=True))
    stride = float(column(page, 0).locator('.slider[data-name="1"] input').input_value())
    assert stride > 4
    assert float(query(page)["width"].split(",")[0]) == pytest.approx(stride, abs=1e-3)
    assert float(units(page, 0, 1).split("up to ")[1].split()[0]) == pytest.approx(50 / stride, abs=0.6)
    page.get_by_role("button", name="As trained").click()
    settled(page)
    assert sizes(page) == shown

    # What belongs together lights up, in kHz and seconds.
    box = column(page, 1).locator(".figure .base").bounding_box()
    page.mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.6 * box["height"])
    expect(page.locator(".images .tip")).to_contain_text("kHz,")
    wait_for(lambda: figure(page, 1, "cover")[1] > 0.2, why="the rest of the spectrogram does not get dark")
    page.mouse.move(5, 400)

    # Another second, by the keys of the slider.
    was, second = figure(page, 0)[0], float(query(page)["second"])
    thumb = page.locator(".st-key-images_second").get_by_role("slider")
    thumb.focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    wait_for(lambda: float(query(page)["second"]) > second + 0.1, why="the link does not follow the slider")
    settled(page)
    assert figure(page, 0)[0] != was
    link = page.evaluate("location.href")
    opened(page, link)
    assert query(page)["second"] == link.split("second=")[1].split("&")[0]


def test_the_box_of_modulations_is_dragged(sized_page: Callable[..., Page], address: str):
    page = opened(sized_page(1400, 1000), f"{address}?what=sound&checkpoint=sound-diffstride&clip=birds&layer=1")
    box = column(page, 0).locator(".spectrum .base").bounding_box()
    assert box["height"] == pytest.approx(0.64 * box["width"], abs=1.5)
    page.mouse.move(box["x"] + 0.755 * box["width"], box["y"] + 0.5 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.63 * box["width"], box["y"] + 0.5 * box["height"], steps=8)
    page.mouse.up()
    settled(page)
    chosen = float(column(page, 0).locator('.slider[data-name="1"] output').inner_text().split()[1])
    assert chosen == pytest.approx(0.5 / 0.125, rel=0.12)
    assert column(page, 0).locator('.slider[data-name="0"] output').inner_text() == "stride 2.00"
    assert "keeps modulations up to" in units(page, 0, 1)


def test_clips_of_all_lengths_and_pictures_beside_them(sized_page: Callable[..., Page], address: str):
    page = opened(sized_page(1366, 680), f"{address}?what=sound&checkpoint=sound-strided-conv")
    page.get_by_text("Upload", exact=True).first.click()
    uploader = page.locator('.st-key-source_upload input[type="file"]')
    uploader.wait_for(state="attached")
    uploader.set_input_files({"name": "one.wav", "mimeType": "audio/wav", "buffer": wav(np.zeros(1, np.float32))})
    page.get_by_test_id("stAlert").get_by_text("one.wav holds 1 sample").wait_for(timeout=LONG)
    uploader.set_input_files({"name": "short.wav", "mimeType": "audio/wav", "buffer": wav(samples(0.4, 0.0))})
    page.get_by_text("0.40 s in the middle of silence").wait_for(timeout=LONG)
    wait_for(lambda: query(page)["clip"] == "upload:short.wav", why="the link does not name the file")
    settled(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="PNG figure").click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    page.get_by_text("Pictures", exact=True).click()
    wait_for(lambda: len(sizes(page)) == 3, why="pictures are not shown")
    wait_for(lambda: "what" not in query(page) and "clip" not in query(page), why="the link still names the clip")
    assert query(page)["picture"] == "ship"
    expect(page.locator(".images .level")).to_be_hidden()
    assert unbroken(page)


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_networks_of_sound_side_by_side(sized_page: Callable[..., Page], address: str, width: int, scheme: str):
    page = sized_page(width, 900, color_scheme=scheme)
    page.goto(f"{address}?what=sound&view=compare&networks=sound-adastride,sound-diffstride&clip=counting&second=0.5")
    page.locator(".js-plotly-plot").nth(7).wait_for(timeout=LONG)
    page.wait_for_timeout(800)
    assert page.locator("[data-testid=stImage] img").count() == 18
    wait_for(lambda: query(page)["second"] == "0.5" and query(page)["view"] == "compare", why="the link is not written")
    assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth <= main.clientWidth")
    assert axe_violations(page) == []
    shoot_whole(page, f"images-sound-compare-{scheme}-{width}")
    assert unbroken(page)
    page.get_by_text("One network", exact=True).click()
    page.locator(".images .bar-row").first.wait_for(timeout=LONG)
    wait_for(lambda: "view" not in query(page), why="the link still compares")


@pytest.mark.parametrize(("width", "height", "scheme", "method"), SIZES)
def test_everything_of_sound_fits(sized_page: Callable[..., Page], address: str, width: int, height: int, scheme: str, method: str):
    page = opened(sized_page(width, height, color_scheme=scheme), f"{address}?what=sound&checkpoint=sound-{method}&clip=counting")
    page.wait_for_timeout(500)
    for shown in ("All layers", "2"):
        page.locator(".images .scope").get_by_role("radio", name=shown, exact=True).click()
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.get_by_test_id("stMain").evaluate("(main) => main.scrollWidth <= main.clientWidth")
        assert axe_violations(page) == []
        shoot_whole(page, f"images-sound-{scheme}-{width}-{shown.split()[0].lower()}")
