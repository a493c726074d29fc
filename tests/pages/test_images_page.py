"""The Images page without a browser: pictures of all kinds, networks, links, and networks side by side."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import made_up_pictures as made_up
import numpy as np
import pytest
from app_pages import opened, said, set_
from made_up_codecs import codec
from PIL import Image
from streamlit.testing.v1 import AppTest

from adastride import checkpoints
from adastride.downsampling import LayerSettings
from adastride.inspection.pictures import as_trained
from adastride.samples import drawings
from adastride.training.datasets import DATA_ROOT_VARIABLE
from adastride.ui.images.link import parse
from adastride.ui.images.viewer import _request

PAGE = "pages/images.py"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'


@pytest.fixture(autouse=True)
def no_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked for here is the same on a machine with data sets."""
    monkeypatch.setenv(DATA_ROOT_VARIABLE, str(tmp_path / "no-data"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_up.write(tmp_path_factory.mktemp("pictures"), ("adastride", "diffstride", "strided-conv"))


@pytest.fixture
def networks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The page's networks are made-up ones."""
    entries = made_up.catalogue(folder)
    monkeypatch.setattr(checkpoints, "picture_catalogue", lambda: entries)
    return folder


def file_of(pixels: np.ndarray, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def trace(app: AppTest):
    return app.session_state["images_viewer_state"]["trace"]


def with_picture(data: bytes, name: str = "mine.png") -> AppTest:
    app = opened(PAGE)
    app = set_(app.segmented_control(key="images_kind"), "upload")
    return set_(app.file_uploader(key="images_upload"), (name, data, "image/png"))


def test_without_a_network_the_page_says_how_to_train_one(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(checkpoints, "picture_catalogue", dict)
    app = opened(PAGE)
    assert "train --task images" in app.info[0].value
    assert not app.error


def test_the_first_visit_shows_the_first_drawing_and_the_first_network(networks: Path):
    app = opened(PAGE)
    assert not app.error
    assert app.selectbox(key="images_drawing").value == next(iter(drawings()))
    assert trace(app).method == "adastride"
    assert trace(app).pixels.shape == (32, 32, 3)
    assert "All of it is seen: 160 × 160 pixels, resized to 32 × 32." in said(app)
    first = trace(app).pixels
    set_(app.selectbox(key="images_drawing"), "frog")
    assert not np.array_equal(trace(app).pixels, first)
    set_(app.selectbox(key="images_checkpoint"), "made-up-strided-conv")
    assert trace(app).method == "strided-conv"


def test_a_link_restores_picture_network_and_settings(networks: Path):
    app = opened(PAGE, picture="cat", checkpoint="made-up-adastride", height="3,,1.5", width="2", sigma="0.2,,")
    assert app.selectbox(key="images_drawing").value == "cat"
    heights = [both[0].stride for both in trace(app).settings]
    assert heights == [3, 2, 1.5]
    assert [both[1].sigma for both in trace(app).settings] == pytest.approx([0.2, 5**-0.5, 5**-0.5])
    assert not app.toast
    wrong = opened(PAGE, picture="unicorn", checkpoint="upload:mine.safetensors", height="0.5", sigma="x", layer="9", view="three")
    assert len(wrong.toast) == 6
    assert trace(wrong).settings == as_trained(made_up.network("adastride"))


def test_links_are_read():
    link = parse({"layer": "2", "width": "4", "view": "compare", "networks": "a,b,z"}, ("ship",), ("seven",), {"images": ("a", "b"), "spectrogram": ("c",)})
    assert (link.layer, link.side_by_side, link.networks) == (1, True, ("a", "b"))
    assert [both[1].stride for both in link.settings] == [4, 4, 4]
    assert link.settings[0][0] == LayerSettings()
    assert len(link.problems) == 1


@pytest.mark.parametrize(("data", "words"), [
    (b"", "is empty"), (b"no picture at all", "damaged or not a PNG, JPEG or WebP"), (SVG, "is an SVG file"),
    (file_of(np.zeros((64, 64, 3), np.uint8))[:-30], "breaks off before its end"), (file_of(np.zeros((9, 9, 3), np.uint8), "GIF"), "is a GIF file"),
    (file_of(np.zeros((7000, 7200), np.uint8), compress_level=1), "million of them"),
], ids=["empty", "text", "svg", "truncated", "gif", "50 megapixels"])
def test_what_is_no_picture_is_said_and_the_last_one_stays(networks: Path, data: bytes, words: str):
    app = with_picture(data)
    assert words in app.error[0].value
    assert len(app.error) == 1
    assert trace(app).labels == made_up.LABELS


@pytest.mark.parametrize(("pixels", "options", "words"), [
    (np.full((40, 60), 99, np.uint8), {}, "67 % of the picture"), (np.full((1, 1, 3), 9, np.uint8), {}, "All of it is seen: 1 × 1 pixels"),
    (np.full((5000, 1, 3), 9, np.uint8), {}, "1 × 5,000 pixels the square in the middle is seen, less than 1 %"),
    (np.zeros((20, 20, 4), np.uint8), {}, "All of it is seen"),
], ids=["grey", "one pixel", "tall", "transparent"])
def test_odd_pictures_are_shown_and_what_is_kept_is_said(networks: Path, pixels: np.ndarray, options: dict, words: str):
    app = with_picture(file_of(pixels, **options))
    assert not app.error
    assert words in said(app)
    if pixels.ndim == 3 and pixels.shape[2] == 4:
        assert trace(app).pixels.min() == 255, "what is transparent lies on white"


def test_a_picture_is_turned_upright_and_an_animation_shows_its_first(networks: Path):
    half = np.zeros((32, 32, 3), np.uint8)
    half[:16] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = with_picture(file_of(half, "JPEG", exif=exif, quality=95), "turned.jpg")
    assert trace(turned).pixels[:, 16:].mean() > 240
    assert trace(turned).pixels[:, :16].mean() < 15
    frames = [Image.fromarray(half), Image.fromarray(255 - half)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    moving = with_picture(buffer.getvalue(), "moving.webp")
    assert "first picture of an animation" in said(moving)
    assert trace(moving).pixels[0].min() > 240


def test_a_file_of_a_person_s_own_is_used_and_what_is_none_is_said(networks: Path, tmp_path: Path):
    def loaded(name: str, data: bytes) -> AppTest:
        app = opened(PAGE)
        return set_(app.file_uploader(key="images_own"), [(name, data, "application/octet-stream")])

    made_up.write(tmp_path, ("avg-pool",))
    app = loaded("mine.safetensors", (tmp_path / "made-up-avg-pool.safetensors").read_bytes())
    assert not app.error
    assert trace(app).method == "avg-pool"
    assert "a link names the file and does not carry it" in said(app)
    checkpoints.save_checkpoint(codec("adastride"), tmp_path / "sound.safetensors", {})
    assert "hears sound" in loaded("sound.safetensors", (tmp_path / "sound.safetensors").read_bytes()).error[0].value
    assert "can't be read as safetensors" in loaded("junk.safetensors", b"x" * 99).error[0].value
    checkpoints.save_checkpoint(made_up.network("avg-pool", size=512), tmp_path / "large.safetensors", {})
    assert "512 × 512" in loaded("large.safetensors", (tmp_path / "large.safetensors").read_bytes()).error[0].value


def test_networks_side_by_side(networks: Path):
    app = opened(PAGE, view="compare", networks="made-up-adastride,made-up-diffstride", picture="truck")
    assert not app.error
    assert tuple(app.multiselect(key="images_networks").value) == ("made-up-adastride", "made-up-diffstride")
    text = said(app)
    assert text.count("PSNR **") == 6
    assert "**AdaStride** says" in text
    assert "24 × 24 pixels" in text
    set_(app.multiselect(key="images_networks"), ["made-up-adastride"])
    assert "Choose 2 to 4 networks" in app.info[0].value
    set_(app.segmented_control(key="images_view"), "one")
    assert trace(app).method == "adastride"


@pytest.mark.parametrize("change", [
    lambda r: None, lambda r: {**r, "sequence": "x"}, lambda r: {**r, "sequence": -1}, lambda r: {**r, "settings": []},
    lambda r: {**r, "settings": [{"strides": [0, 2], "sigma": None}] * 3}, lambda r: {**r, "settings": [{"strides": [2, 99], "sigma": None}] * 3},
    lambda r: {**r, "settings": [{"strides": [2, float("nan")], "sigma": None}] * 3}, lambda r: {**r, "settings": [{"strides": [2], "sigma": None}] * 3},
    lambda r: {**r, "settings": [{"strides": [2, 2], "sigma": 1e9}] * 3}, lambda r: {**r, "settings": [{"strides": [2, None], "sigma": 1}] * 3},
    lambda r: {**r, "settings": [{"strides": ["2", "2"], "sigma": {}}] * 3}, lambda r: [r],
])
def test_requests_that_no_browser_of_ours_sends_count_as_none(change: Callable):
    network = made_up.network("adastride")
    request = {"sequence": 4, "revision": "r", "settings": [{"strides": [2, 3.5], "sigma": 0.3}] * 3}
    read = _request(request, network, as_trained(network))
    assert read is not None
    assert read["settings"][2] == (LayerSettings(0.3, 2.0), LayerSettings(0.3, 3.5))
    assert _request(change(request), network, as_trained(network)) is None
