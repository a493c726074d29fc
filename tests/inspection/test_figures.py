"""The publication figure: what it shows, that it fits, that its files open, and that long clips stay cheap."""

import io
import re
import threading
import tracemalloc
from xml.etree import ElementTree

import matplotlib
import matplotlib.image
import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

from adastride.alignment import Alignment
from adastride.downsampling import LayerSettings
from adastride.inspection import figures, tracing
from adastride.models import Classifier, ClassifierConfig


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
