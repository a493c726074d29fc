"""The figure of networks side by side: what it shows, on which scales, that nothing is cut, and that its files open."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import made_up_recognisers
import made_up_transformers
import matplotlib.image
import numpy as np
import pytest
import torch
from made_up_codecs import codec, speech
from made_up_networks import unsettle
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from adastride.comparison.networks import Answer, table_of
from adastride.comparison.networks_figure import networks_figure
from adastride.inspection.figures import render
from adastride.inspection.tracing import trace
from adastride.models import Classifier, ClassifierConfig
from adastride.tasks.classification import percent

METHODS = ("strided-conv", "spectral-pool", "adastride")
LONG = "a file whose name says everything that anybody could want to know of it " * 3 + "x" * 150


@pytest.fixture(scope="module")
def codecs() -> list[Answer]:
    return [Answer(method, trace(codec(method), speech(1.5))) for method in METHODS]


@pytest.fixture(scope="module")
def recognisers() -> list[Answer]:
    clip = made_up_recognisers.sound(2.0)
    return [Answer(method, trace(made_up_recognisers.recogniser(methods=(method,) * 2), clip)) for method in ("strided-conv", "adastride")]


@pytest.fixture(scope="module")
def classifiers() -> list[Answer]:
    def network(method: str) -> Classifier:
        torch.manual_seed(0)
        network = Classifier(ClassifierConfig(("yes", "no"), methods=(method,) * 3, width=8)).eval()
        unsettle(network)
        return network

    return [Answer(method, trace(network(method), speech(1.2))) for method in (*METHODS, "diffstride")]


def texts(figure: Figure) -> list[Text]:
    """All that is written on the page. Ticks beside the view exist, too, and are not drawn."""
    FigureCanvasAgg(figure).draw()
    found = [*figure.texts]
    for ax in figure.axes:
        found += ax.texts if ax.axison else []
        for axis in (ax.xaxis, ax.yaxis) if ax.axison else ():
            low, high = sorted(axis.get_view_interval())
            ticks = [tick for tick in axis.get_major_ticks() if low - 1e-9 <= tick.get_loc() <= high + 1e-9]
            found += [axis.label, *(label for tick in ticks for label in (tick.label1, tick.label2))]
    return [each for each in found if each.get_visible() and each.get_text().strip()]


def said(figure: Figure) -> str:
    return " ".join(each.get_text() for each in texts(figure))


def panels(figure: Figure) -> list[Axes]:
    """What has a time axis, from top to bottom."""
    return [ax for ax in figure.axes if ax.get_xlim() == figure.axes[0].get_xlim()]


def whole(figure: Figure) -> None:
    """Every text is on the page, and none is written over another."""
    found, page = texts(figure), figure.bbox
    boxes = [each.get_window_extent() for each in found]
    for box, text in zip(boxes, found, strict=True):
        assert min(box.x0, box.y0, page.x1 - box.x1, page.y1 - box.y1) >= 0, text
    for place, box in enumerate(boxes):
        for other, text in zip(boxes[place + 1 :], found[place + 1 :], strict=True):
            across, up = min(box.x1, other.x1) - max(box.x0, other.x0), min(box.y1, other.y1) - max(box.y0, other.y0)
            assert min(across, up) < 3, (found[place], text)


def no_space(text: str) -> str:
    return "".join(text.split())


def test_it_shows_what_the_page_shows(codecs: list[Answer]):
    figure = networks_figure(codecs, "A clip")
    words = [each.get_text() for each in texts(figure)]
    assert {"A clip", "Log-mel of the clip", "Codes", "Reconstruction", "Mel error, mean over bands (dB)", "Time (s)"} <= set(words)
    assert len(panels(figure)) == 1 + 4 * 3
    assert [words.count(method) for method in METHODS] == [1 + 4] * 3, "in the table and over each panel"
    assert all(ax.get_xlim() == (0.0, 1.5) for ax in panels(figure))
    everything = no_space(said(figure))
    for row in table_of(codecs):
        assert no_space(row.label) in everything
        assert all(no_space(text) in everything for text in row.texts)
    whole(figure)


def test_rows_of_one_kind_have_one_scale(codecs: list[Answer]):
    shown = panels(networks_figure(codecs, "A clip"))
    mel, reconstructions, curves = shown[0], shown[7:10], shown[10:13]
    assert {ax.images[0].get_clim() for ax in (mel, *reconstructions)} == {mel.images[0].get_clim()}
    assert len({ax.get_ylim() for ax in curves}) == 1
    low, high = curves[0].get_ylim()
    for ax, answer in zip(curves, codecs, strict=True):
        values = answer.prediction.lanes[2].values
        assert low <= values.min()
        assert values.max() <= high
        np.testing.assert_allclose(ax.lines[0].get_ydata(), values)
    assert len({ax.lines[0].get_color() for ax in curves}) == 3


def test_the_time_in_view(codecs: list[Answer]):
    """It is named, and an alignment shows the frames of that time."""
    figure = networks_figure(codecs, "A clip", (0.5, 0.75))
    assert "A clip, 0.50–0.75 s" in said(figure)
    assert all(ax.get_xlim() == (0.5, 0.75) for ax in panels(figure))
    for ax, answer in zip(panels(figure)[1:4], codecs, strict=True):
        ends = answer.trace.boundary_seconds(2)
        low, high = (round(value + 0.5) for value in ax.get_ylim())
        assert ends[low] <= 0.5 < ends[low + 1]
        assert ends[high - 1] < 0.75 <= ends[high]
    whole(figure)
    assert "A clip," not in said(networks_figure(codecs, "A clip", (0.0, 9.0)))
    assert "A clip," not in said(networks_figure(codecs, "A clip", (3.0, 4.0))), "what is no part of the clip is all of it"


def test_words_of_recognisers(recognisers: list[Answer]):
    figure = networks_figure(recognisers, "A clip")
    lanes = panels(figure)[3:5]
    for ax, answer in zip(lanes, recognisers, strict=True):
        words = [segment.text for segment in answer.prediction.lanes[0].segments]
        assert len(words) > 2
        shown = [each.get_text() for each in ax.texts]
        assert shown
        assert set(shown) <= set(words), "none is abbreviated"
        assert no_space(answer.prediction.headline) in no_space(said(figure))
    whole(figure)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_one_to_four_networks_that_have_no_lanes(classifiers: list[Answer], count: int):
    figure = networks_figure(classifiers[:count], "A clip")
    assert len(panels(figure)) == 1 + count
    assert all(percent(answer.prediction.values["yes"]) in said(figure) for answer in classifiers[:count])
    whole(figure)


def test_a_network_without_a_layer_has_lanes_alone(classifiers: list[Answer]):
    answers = [Answer(name, trace(made_up_transformers.audio_transformer(name), speech(1.2))) for name in ("elastic", "front")]
    figure = networks_figure([*answers, classifiers[0]], "A clip")
    assert len(panels(figure)) == 1 + 2 + 2, "the mel, two alignments, and where two answers come from"
    assert "no downsampling layer" in said(figure)
    whole(figure)


def test_kinds_can_be_mixed(codecs: list[Answer], recognisers: list[Answer], classifiers: list[Answer]):
    figure = networks_figure([codecs[2], recognisers[1], classifiers[0]], "A clip")
    assert "none" in said(figure)
    whole(figure)


def test_long_names_are_broken_and_not_cut(codecs: list[Answer]):
    named: Sequence[Answer] = [replace(answer, name=f"{place} {LONG}") for place, answer in enumerate(codecs[:2])]
    figure = networks_figure(named, f"Title {LONG}")
    assert no_space(f"Title {LONG}") in no_space(said(figure))
    assert no_space(said(figure)).count(no_space(f"1 {LONG}")) >= 4
    whole(figure)


def test_files_open_and_are_the_same_each_time(codecs: list[Answer]):
    first, second = (render(networks_figure(codecs, "A clip & <more>"), "svg") for _ in range(2))
    assert first == second
    assert ElementTree.fromstring(first).tag.endswith("svg")
    png = matplotlib.image.imread(io.BytesIO(render(networks_figure(codecs, "A clip"), "png")), format="png")
    assert png.shape[1] == 1400
    assert png[:3, :3, :3].min() == 1.0, "on white"


def test_a_long_clip_makes_no_larger_pictures():
    answers = [Answer(method, trace(codec(method), speech(60.0))) for method in METHODS[1:]]
    figure = networks_figure(answers, "A minute")
    pictures = [image.get_array().shape for ax in figure.axes for image in ax.images]
    assert max(columns for _, columns in pictures) == 600
    assert max(rows for rows, _ in pictures) <= 200
    assert len(render(figure, "svg")) < 6_000_000


def test_panels_stand_under_each_other(codecs: list[Answer]):
    boxes = [ax.get_position() for ax in panels(networks_figure(codecs, "A clip"))]
    assert len({(round(box.x0, 4), round(box.x1, 4)) for box in boxes}) == 1
    assert all(above.y0 > below.y1 for above, below in pairwise(boxes))
