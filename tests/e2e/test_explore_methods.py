"""Networks of every method, and the picker that chooses them, in a real Chromium."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
from explorer import Explorer, wait_for
from playwright.sync_api import BrowserContext, Page
from test_explore_files import burst, download, wav

from adastride.checkpoints import save_checkpoint
from adastride.downsampling import METHODS
from adastride.models import Classifier, ClassifierConfig

pytestmark = pytest.mark.e2e
NETWORKS = {key: (key,) * 3 for key in METHODS} | {"adastride-s": ("strided-conv", "strided-conv", "adastride")}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """A checkpoint file of a small network with random weights, for every method."""
    path, made = tmp_path_factory.mktemp("networks") / "network.safetensors", {}
    for key, methods in NETWORKS.items():
        torch.manual_seed(0)
        model = Classifier(ClassifierConfig(tuple("abcde"), methods, width=16)).eval()
        for layer in model.downsamplers:
            if hasattr(layer, "score"):
                torch.nn.init.normal_(layer.score.weight)
        save_checkpoint(model, path, {})
        made[key] = path.read_bytes()
    return made


@pytest.fixture(scope="module")
def visit(visitor: BrowserContext, server: str) -> Iterator[tuple[Explorer, list[str]]]:
    page, errors = visitor.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield Explorer(page, server).open(), errors
    page.close()


@pytest.fixture
def show(visit: tuple[Explorer, list[str]], files: dict[str, bytes]) -> Iterator[Callable[[str], Explorer]]:
    """Shows a network of a method, as trained; the page is one that all tests of this file use."""
    explorer, errors = visit
    errors.clear()

    def load(key: str) -> Explorer:
        explorer.page.bring_to_front()
        load_method(explorer, files, key)
        if explorer.page.locator("button.reset").is_enabled():
            explorer.page.locator("button.reset").click()
        explorer.page.locator("button.fit").click()
        return explorer.settle()

    yield load
    assert not errors, errors


def load_method(explorer: Explorer, files: dict[str, bytes], key: str) -> Explorer:
    explorer.load_checkpoint(f"{key}.safetensors", files[key])
    return explorer.wait_methods(*("AdaStride-F" if each == "adastride-f" else METHODS[each].label for each in NETWORKS[key]))


# ------------------------------------------------------------------ every method


@pytest.mark.parametrize("key", ["strided-conv", "spectral-pool", "dct-diffstride", "blur-pool", "lpf-adastride", "cif", "a-tome", "adastride-s"])
def test_every_method_draws_every_layer(show: Callable[[str], Explorer], key: str):
    """Three matrices that are not empty, each with its largest weights, and strides below them; hovering lights them up."""
    explorer = show(key)
    look = explorer.look()
    for layer in range(3):
        weights = explorer.weights(layer)
        assert weights["high"] > 0.002
        assert 0.1 < weights["low"] < 0.999
        assert look["profile"][layer]["drawn"] > 0.1
    frames = explorer.frames()
    assert [before for before, _ in frames[1:]] == [after for _, after in frames[:-1]]
    assert sum(look["probabilities"]) == pytest.approx(1, abs=1e-3)
    explorer.hover("layer", 0.5, 0.5, index=2)
    wait_for(explorer.tip.is_visible)
    assert "weights over" in explorer.tip.inner_text()
    for index in range(3):
        wait_for(lambda index=index: 0 < np.mean(np.array(explorer.covered("layer", index)) < 0.3) < 0.5, why=f"no beam in layer {index + 1}")
    lit = np.flatnonzero(np.array(explorer.covered("wave")) < 0.2)
    assert abs(lit.mean() / len(explorer.covered("wave")) - 0.5) < 0.12
    explorer.away()


@pytest.mark.parametrize("key", ["spectral-pool", "diffstride", "cif", "avg-pool", "adastride-s"])
def test_dragging_the_stride_paints_and_ends_on_the_last_value(show: Callable[[str], Explorer], key: str):
    """With the button still down the pictures change; after it the link, opened afresh, would run the same."""
    explorer = show(key)
    x, y = explorer.grab("stride")
    seen = set()
    for step in range(30):
        explorer.page.mouse.move(x + 4 * step, y)
        seen.add(explorer.look()["layer"][2]["hash"])
    explorer.page.mouse.up()
    explorer.settle()
    assert len(seen) >= 4
    stride = float(explorer.query()["stride"].split(",")[-1])
    assert stride == pytest.approx(float(explorer.slider("stride").input_value()), abs=0.02)
    assert explorer.setting("stride ")[2] == pytest.approx(stride, abs=0.006)
    before, after = explorer.frames()[2]
    assert after == pytest.approx(before / stride, abs=11 if key == "diffstride" else 1)  # DiffStride makes up to 2 R + 2 more
    assert explorer.page.locator(".panel.catching-up").count() == 0


def test_layers_without_sigma_say_so(show: Callable[[str], Explorer]):
    """No slider that does nothing: a few words in its place, and the keys that move it do nothing."""
    explorer = show("spectral-pool")
    sigma = explorer.page.locator('.slider[data-name="sigma"]')
    assert sigma.locator("output").inner_text() == "Spectral pooling has none"
    assert not explorer.slider("sigma").is_visible()
    assert not explorer.page.locator(".variant").is_visible()
    before = explorer.look()
    explorer.canvas("layer").focus()
    explorer.page.keyboard.press("ArrowUp")
    assert explorer.settle().look()["layer"] == before["layer"]
    assert "sigma" not in explorer.query()
    assert show("lpf-adastride").slider("sigma").is_visible()


def test_whole_strides_snap_and_say_so(show: Callable[[str], Explorer]):
    """Max pooling has no stride of 2.4: the slider only stops at what there is, with the mouse and with the keys."""
    explorer = show("max-pool")
    output = explorer.page.locator('.slider[data-name="stride"] output')
    assert "whole strides only" in output.inner_text()
    explorer.drag("stride", 0.3)
    assert explorer.query()["stride"] == explorer.slider("stride").input_value() == "3"
    explorer.press("stride", "ArrowRight")
    assert explorer.setting("stride ") == [4, 4, 4]
    assert [after for _, after in explorer.frames()] == [math.ceil(before / 4) for before, _ in explorer.frames()]


def test_mixed_networks_move_together(show: Callable[[str], Explorer]):
    """AdaStride-S: the stride of all layers, rounded where it must be; sigma moves the layer that has one."""
    explorer = show("adastride-s")
    explorer.drag("stride", (2.6 - 1) / 7)
    assert explorer.setting("stride ") == pytest.approx([3, 3, 2.6], abs=0.03)
    assert "whole strides in layers 1, 2: 3" in explorer.page.locator('.slider[data-name="stride"] output').inner_text()
    before = explorer.look()
    explorer.drag("sigma", 0.8)
    after = explorer.look()
    assert "layer 3 only" in explorer.page.locator('.slider[data-name="sigma"] output').inner_text()
    assert [a["hash"] == b["hash"] for a, b in zip(before["layer"], after["layer"], strict=True)] == [True, True, False]


def test_pin_and_sound_work_with_a_matrix(show: Callable[[str], Explorer]):
    """The outline stays while the stride goes, and the clip can be heard."""
    explorer = show("cif")
    explorer.page.locator("button.pin").click()
    profile = explorer.look()["profile"][0]["hash"]
    explorer.drag("stride", 0.4)
    assert explorer.look()["profile"][0]["hash"] != profile
    assert explorer.page.locator(".bar-row .ghost").first.is_visible()
    explorer.page.locator("button.pin").click()
    explorer.page.mouse.click(*explorer.at("layer", 0.5))
    wait_for(lambda: explorer.clock() > 2.6)
    explorer.play.click()


def test_exports_hold_the_matrix(show: Callable[[str], Explorer]):
    """What is drawn can be taken away: the arrays have the shapes of the headers, rows sum to 1."""
    explorer = show("diffstride")
    explorer.drag("stride", 0.3)
    with np.load(io.BytesIO(download(explorer, "NPZ")[1]), allow_pickle=False) as arrays:
        for layer, (before, after) in enumerate(explorer.frames()):
            assert arrays[f"alignment_{layer}"].shape == (after, before)
            assert arrays[f"alignment_{layer}"].sum(axis=1) == pytest.approx(1, abs=1e-3)
        assert {each["method"] for each in json.loads(str(arrays["settings"]))} == {"diffstride"}
    assert download(explorer, "PNG")[1].startswith(b"\x89PNG")


@pytest.mark.parametrize("key", ["spectral-pool", "cif"])
def test_zooming_into_a_long_clip_asks_for_the_part(page: Page, server: str, files: dict[str, bytes], key: str):
    """Three minutes: all of them at first, the matrix of the window after zooming, few bytes each, one request at a time."""
    sizes: list[int] = []
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: sizes.append(len(frame))))
    explorer = load_method(Explorer(page, server).open(), files, key)
    explorer.choose_file("long.wav", wav(burst(16_000, 1, 180.0)))
    explorer.wait_title("long.wav")
    page.evaluate("() => { window.adastrideLog = [] }")
    sizes.clear()
    explorer.wheel("layer", 0.5, -8)
    wait_for(lambda: page.evaluate("window.adastrideLog.some((entry) => entry[0] === 'followed')"), why="the window was never asked for")
    explorer.settle()
    explorer.hover("layer", 0.5, 0.5, index=0)
    wait_for(lambda: "weights over" in explorer.tip.inner_text(), why="the part has no weights of its own")
    explorer.away()
    assert explorer.weights(0)["high"] > 0.002
    log = page.evaluate("window.adastrideLog")
    sent, followed = ([number for kind, _, number in log if kind == each] for each in ("sent", "followed"))
    assert sent == followed  # each is answered, in turn
    assert len(sent) < 8  # than the wheel turned
    assert max(sizes) < 2_000_000
    explorer.page.locator("button.fit").click()
    wait_for(lambda: page.evaluate("window.adastrideLog.filter((entry) => entry[0] === 'followed').length") > len(sent))
    assert explorer.settle().weights(0)["high"] > 0.001


# ------------------------------------------------------------------ the picker


def test_the_picker_works_by_keyboard(explorer: Explorer):
    """Tab, arrows and Enter choose one's own file; the uploader is there, and the picture stays until there is one."""
    before = explorer.look()
    explorer.page.locator(".st-key-explore_task input").focus()
    explorer.page.keyboard.press("ArrowDown")
    explorer.page.keyboard.press("End")
    explorer.page.keyboard.type("own")
    explorer.page.keyboard.press("Enter")
    wait_for(lambda: explorer.page.locator(".st-key-explore_own").is_visible(), why="the keyboard chose nothing")
    assert explorer.settle().look()["layer"] == before["layer"]


def test_an_own_network_is_named_in_the_link(page: Page, server: str, files: dict[str, bytes]):
    """The link says which file it was; whoever opens it is told, and sees the shipped network."""
    explorer = load_method(Explorer(page, server).open(), files, "cif")
    wait_for(lambda: explorer.query()["checkpoint"] == "upload:cif.safetensors")
    assert "does not carry it" in explorer.sidebar.inner_text()
    explorer.open(explorer.address())
    toast = page.get_by_test_id("stToast")
    wait_for(lambda: toast.count() == 1)
    assert "cif.safetensors" in toast.inner_text()
    assert explorer.look()["names"][0].endswith("AdaStride")
    assert explorer.query()["checkpoint"] == "digits-adastride"


def test_a_wrong_checkpoint_file_is_explained(page: Page, server: str):
    """One sentence under the uploader; the picture stays."""
    explorer = Explorer(page, server).open()
    before = explorer.look()
    explorer.load_checkpoint("holiday.safetensors", b"not a checkpoint")
    alert = explorer.sidebar.get_by_role("alert")
    wait_for(lambda: alert.count() == 1)
    assert "holiday.safetensors" in alert.inner_text()
    assert explorer.settle().look()["layer"] == before["layer"]


@pytest.mark.parametrize(("name", "width", "scheme"), [("light-1400", 1400, "light"), ("dark-1400", 1400, "dark"), ("light-390", 390, "light")])
def test_matrices_in_both_themes_and_on_a_phone(
    sized_page: Callable[..., Page], server: str, files: dict[str, bytes], name: str, width: int, scheme: str
):
    """The same colours as positions have, and nothing wider than the screen."""
    page = sized_page(width, 900, color_scheme=scheme)
    explorer = Explorer(page, server).open()
    if width < 800:
        page.get_by_test_id("stExpandSidebarButton").click()
    load_method(explorer, files, "spectral-pool")
    explorer.shoot(f"explore-picker-{name}")
    if width < 800:
        page.get_by_test_id("stSidebarCollapseButton").locator("button").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    light = explorer.settle().weights(0)["light"]
    assert (light > 0.8) == (scheme == "light")
    explorer.shoot(f"explore-matrix-{name}", full_page=True)


@pytest.mark.parametrize("checkpoint", ["commands-adastride", "scenes-strided-conv"])
def test_bars_of_long_names_begin_at_one_place(explorer: Explorer, checkpoint: str):
    """Bars are compared with each other, and every name can be read."""
    explorer.open(f"?checkpoint={checkpoint}")
    rows = explorer.root.evaluate("""(root) => [...root.querySelectorAll(".bar-row")].map((row) => {
      const name = row.querySelector(".name");
      return [row.querySelector(".rail").getBoundingClientRect().left, name.scrollWidth - name.clientWidth, row.querySelector(".rail").clientWidth];
    })""")
    assert len(rows) >= 10
    assert len({round(left, 1) for left, _, _ in rows}) == 1
    assert all(cut <= 0 for _, cut, _ in rows)
    assert all(width > 40 for _, _, width in rows)
