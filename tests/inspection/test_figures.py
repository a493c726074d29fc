"""The publication figure: what it shows, that it fits, that its files open, and that long clips stay cheap."""

import io
import re
import threading
import tracemalloc
from itertools import pairwise
from xml.etree import ElementTree

import matplotlib
import matplotlib.image
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from adastride.alignment import Alignment
from adastride.downsampling import LayerSettings
from adastride.inspection import figures, tracing
from adastride.models import Classifier, ClassifierConfig
from adastride.tasks.prediction import Segment, SegmentLane


def network(methods=("adastride",) * 3, labels=("yes", "no", "maybe"), sure=0.0):
    torch.manual_seed(0)
    model = Classifier(ClassifierConfig(labels, methods=methods, width=16)).eval()
    for layer in model.downsamplers:
        if hasattr(layer, "score"):
            torch.nn.init.normal_(layer.score.weight, std=0.5)
    with torch.no_grad():
        model.classifier.bias[0] += sure
    model.name = "tiny"
    return model


def clip(seconds):
    samples = np.random.default_rng(0).standard_normal(int(16_000 * seconds)).astype(np.float32) * 0.01
    samples[samples.size // 3 : samples.size // 2] *= 20
    return samples


@pytest.fixture(scope="module")
def trace():
    return tracing.trace(network(), clip(2.0))


def texts(figure):
    FigureCanvasAgg(figure).draw()
    return [t for t in figure.findobj(matplotlib.text.Text) if t.get_visible() and t.get_text()]


def words(figure):
    return [t.get_text() for t in texts(figure)]


def panels(figure):
    """The axes that share the time axis, from top to bottom."""
    first = figure.axes[0]
    return [ax for ax in figure.axes if ax is first or ax.get_shared_x_axes().joined(ax, first)]


def test_it_says_what_it_shows(trace):
    said = words(figures.publication_figure(trace, title="A clip"))
    assert "A clip" in said
    assert "2.00 s · checkpoint tiny" in said
    for layer in trace.layers:
        assert f"{layer.name.capitalize()} · AdaStride" in said
        facts = f"{layer.input_frames} → {layer.output_frames} frames · σ⁻² = 5 · stride 2 · position loss "
        assert any(text.startswith(facts) for text in said)
    for label, probability in trace.prediction.values.items():
        assert label in said
        assert f"{100 * probability:.1f} %" in said
    assert {"Time (s)", "Frequency\n(kHz)", "log-mel (dB)", "weight / row's largest", "uniform stride"} <= set(said)


def test_all_panels_share_one_time_axis(trace):
    figure = figures.publication_figure(trace)
    FigureCanvasAgg(figure).draw()
    shared = panels(figure)
    assert len(shared) == 3 + 2 * len(trace.layers)
    for ax in shared:
        assert ax.get_xlim() == (0.0, trace.waveform.seconds)
        assert ax.get_position().x0 == pytest.approx(shared[0].get_position().x0)
        assert ax.get_position().x1 == pytest.approx(shared[0].get_position().x1)


def test_stride_profiles_and_ticks_are_the_traces_own(trace):
    shared = panels(figures.publication_figure(trace))
    drawn = np.array([segment[0, 0] for segment in shared[2].collections[0].get_segments()])
    np.testing.assert_allclose(drawn, trace.boundary_seconds(0))
    for index, layer in enumerate(trace.layers):
        steps = shared[4 + 2 * index].lines[0]
        assert steps.get_drawstyle() == "steps-post"
        np.testing.assert_allclose(steps.get_xdata(), trace.boundary_seconds(index))
        np.testing.assert_allclose(steps.get_ydata()[:-1], layer.strides)


def test_the_mel_is_in_decibels(trace):
    picture = panels(figures.publication_figure(trace))[1].images[0]
    np.testing.assert_allclose(picture.get_array(), trace.mel * 20 / np.log(10), rtol=1e-5)


def test_the_most_probable_class_stands_out(trace):
    said = {t.get_text(): t for t in texts(figures.publication_figure(trace))}
    assert {label for label in trace.prediction.values if said[label].get_fontweight() == "bold"} == {trace.top}


def test_many_classes_are_the_best_and_the_others():
    labels = tuple(f"word {i}" for i in range(35))
    trace = tracing.trace(network(labels=labels), clip(0.5))
    said = words(figures.publication_figure(trace))
    assert "24 others" in said
    best = sorted(labels, key=trace.prediction.values.__getitem__)[-11:]
    assert {label for label in labels if label in said} == set(best)


ODD_SETTINGS = [LayerSettings(sigma=0.01), LayerSettings(sigma=100.0, stride=7.9), LayerSettings(variant="adastride-f")]
CASES = {
    "a sure network": lambda: (tracing.trace(network(labels=tuple("0123456789"), sure=30.0), clip(1.0)), "Sure"),
    "12 long labels": lambda: (tracing.trace(network(labels=tuple(f"a rather long label {i}" for i in range(12))), clip(1.0)), "W" * 200),
    "a tenth of a second": lambda: (tracing.trace(network(), clip(0.1)), None),
    "two samples": lambda: (tracing.trace(network(), clip(2 / 16_000)), "Two samples"),
    "silence": lambda: (tracing.trace(network(), np.zeros(16_000, np.float32)), "Silence"),
    "strided convolution": lambda: (tracing.trace(network(("strided-conv", "strided-conv", "adastride")), clip(1.0)), "AdaStride-S"),
    "odd settings": lambda: (tracing.trace(network(), clip(1.0), ODD_SETTINGS), "Settings"),
    "awkward words": lambda: (tracing.trace(network(labels=("$x_2$", "$", "a\x07<&>")), clip(1.0)), "50 $ & <b> \x00 \udce9 $\\frac$"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.filterwarnings("error")
def test_everything_lies_inside_the_page(case):
    trace, title = CASES[case]()
    figure = figures.publication_figure(trace, title)
    FigureCanvasAgg(figure).draw()
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert drawn.x0 >= 0
    assert drawn.y0 >= 0
    assert drawn.x1 <= width
    assert drawn.y1 <= height
    widths = {round(ax.get_position().width, 3) for ax in panels(figure)}
    assert len(widths) == 1
    assert widths.pop() > 0.5
    ElementTree.fromstring(figures.render(figure, "svg"))


def test_png_opens_at_200_dpi(trace):
    figure = figures.publication_figure(trace, "A clip")
    data = figures.render(figure, "png")
    picture = matplotlib.image.imread(io.BytesIO(data), format="png")
    width, height = figure.get_size_inches()
    assert picture.shape[1] == pytest.approx(200 * width, abs=1)
    assert picture.shape[0] == pytest.approx(200 * height, abs=1)
    assert len(np.unique(picture[..., 0])) > 50


def test_svg_keeps_its_text_and_holds_its_pictures(trace):
    root = ElementTree.fromstring(figures.render(figures.publication_figure(trace, "Größe <1>"), "svg"))
    said = {"".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")}
    assert {"Größe <1>", "Layer 1 · AdaStride", "Time (s)"} <= said
    images = list(root.iter("{http://www.w3.org/2000/svg}image"))
    assert len(images) >= 1 + len(trace.layers)
    assert all(node.get("{http://www.w3.org/1999/xlink}href").startswith("data:image/png;base64,") for node in images)


@pytest.mark.parametrize("kind", figures.FORMATS)
def test_the_same_trace_gives_the_same_bytes(trace, kind):
    once = figures.render(figures.publication_figure(trace, "A clip"), kind)
    again = figures.render(figures.publication_figure(trace, "A clip"), kind)
    assert once == again
    assert not re.search(rb"<dc:date>", once)


def test_an_unknown_kind_of_file_is_a_value_error(trace):
    with pytest.raises(ValueError, match="png, svg, got 'pdf'"):
        figures.render(figures.publication_figure(trace), "pdf")


def test_the_callers_matplotlib_settings_are_neither_used_nor_changed(trace):
    plain = figures.render(figures.publication_figure(trace), "png")
    with matplotlib.rc_context({"axes.facecolor": "black", "font.size": 30, "text.usetex": True, "lines.linewidth": 9}):
        before = dict(matplotlib.rcParams)
        assert figures.render(figures.publication_figure(trace), "png") == plain
        assert dict(matplotlib.rcParams) == before


def test_threads_do_not_disturb_each_other(trace):
    expected = figures.render(figures.publication_figure(trace, "A clip"), "svg")
    results = []

    def make():
        results.append(figures.render(figures.publication_figure(trace, "A clip"), "svg"))

    threads = [threading.Thread(target=make) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [expected] * 2


def test_ten_minutes_never_become_a_dense_matrix(monkeypatch):
    trace = tracing.trace(network(), clip(600.0))
    assert trace.layers[0].output_frames * trace.layers[0].input_frames > 700_000_000
    monkeypatch.setattr(Alignment, "dense", lambda self: pytest.fail("a figure must not write the matrix out"))
    tracemalloc.start()
    try:
        data = figures.render(figures.publication_figure(trace, "Ten minutes"), "png")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 150e6
    assert matplotlib.image.imread(io.BytesIO(data), format="png").shape[2] == 4


def drawn_segments(*segments, width=300.0):
    """The text, size, and the place in points of all words of a lane of ten seconds."""
    with figures.styled():
        figure = Figure()
        ax = figure.add_subplot()
        ax.set_xlim(0.0, 10.0)
        figures.draw_segments(ax, SegmentLane("Words", tuple(Segment(*each) for each in segments)), width)
    return [(text.get_text(), text.get_fontsize(), text.get_position()[0] * width / 10) for text in ax.texts]


def test_words_stand_in_their_box_or_beside_it():
    """30 points a second: a word that has no room in its box is behind it, or smaller, or before it, or nowhere, never cut."""
    assert drawn_segments((1.0, 4.0, "seven"), (6.0, 6.1, "nine"))[0][2] > 30
    (behind,) = drawn_segments((6.0, 6.1, "nine"))
    assert behind[1] == 7
    assert behind[2] == pytest.approx(184)
    start = 6.1 + (figures.text_width("nine", 6) + 3) / 30
    small = drawn_segments((6.0, 6.1, "nine"), (start, start + 0.1, "six"))[0]
    assert small[:2] == ("nine", 6)
    before, _ = drawn_segments((6.0, 6.1, "nine"), (6.2, 6.3, "six"))
    assert before[:2] == ("nine", 7)
    assert before[2] < 180
    crowd = drawn_segments(*((0.1 * number, 0.1 * number + 0.05, "eleven") for number in range(100)))
    assert len(crowd) < 2
    assert {text for text, *_ in crowd} <= {"eleven"}


def test_words_are_never_written_over_each_other():
    rng = np.random.default_rng(0)
    for _ in range(20):
        bounds = np.sort(rng.uniform(0, 10, 40)).reshape(-1, 2)
        shown = drawn_segments(*((begin, end, rng.choice(["a", "four", "seventeen"])) for begin, end in bounds))
        for (text, size, place), (_, _, following) in pairwise(shown):
            assert place + figures.text_width(text, size) <= following


def test_only_what_is_in_view_is_drawn():
    assert drawn_segments((-5.0, -1.0, "early"), (-1.0, 3.0, "begun"), (12.0, 13.0, "late"))[0][0] == "begun"
    assert len(drawn_segments((-5.0, -1.0, "early"), (-1.0, 3.0, "begun"), (12.0, 13.0, "late"))) == 1


@pytest.mark.parametrize("text", ["", "one", "one two three four five six seven", "x" * 90, f"a {'y' * 50} b", "tab\tand\nline"])
def test_lines_are_as_wide_as_asked_and_lose_nothing(text):
    lines = figures.wrapped(text, 60.0, 7)
    assert all(figures.text_width(line, 7) <= 60 for line in lines)
    assert "".join("".join(lines).split()) == "".join(figures.printable(text).split())
