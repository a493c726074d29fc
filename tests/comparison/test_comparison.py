"""The comparison engine: its numbers against direct computation, its bounds, and what it refuses."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from adastride import audio, checkpoints
from adastride.alignment import Alignment
from adastride.comparison import core as comparison
from adastride.comparison.core import compare, peak_bytes
from adastride.comparison.features import Features, choose_scores, interesting_part, mel_features, traced_features
from adastride.comparison.figure import comparison_figure
from adastride.comparison.settings import DRAWN_POINTS, WINDOW_FRAMES, ComparisonSettings, Pin
from adastride.downsampling import METHODS, AdaStride, build
from adastride.downsampling.spectral import SpectralPool2d
from adastride.inspection import analysis, figures
from adastride.inspection.tracing import trace
from adastride.samples import samples

ALL = list(METHODS)
PAIRS = [(ALL[i], ALL[(i + 1) % len(ALL)]) for i in range(0, len(ALL), 2)]


@pytest.fixture(scope="module")
def waveform():
    return audio.read(samples()["seven"].path)


@pytest.fixture(scope="module")
def mel(waveform) -> Features:
    return mel_features(waveform)


@pytest.fixture(scope="module")
def network():
    return checkpoints.load("digits-adastride", torch.device("cpu"))


@pytest.fixture(scope="module")
def traced(network, waveform):
    return trace(network, waveform)


def noise(frames: int, channels: int = 8) -> Features:
    values = torch.randn(1, channels, frames, generator=torch.Generator().manual_seed(1))
    return Features("mel", values, np.linspace(0, frames / 62.5, frames + 1), True, None, f"noise {frames}")


# ------------------------------------------------------------------ numbers


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("stride", [1.0, 2.5, 4.0])
def test_every_method_gives_pictures_that_fit(mel: Features, pair: tuple[str, str], stride: float):
    """Shapes, edges and finite numbers of all methods."""
    for column in compare(mel, ComparisonSettings(pair, stride=stride, scores="energy")).columns:
        frames = column.numbers.frames
        assert column.output.shape == (80, frames)
        assert column.reconstruction.shape == column.error.shape == (80, mel.frames)
        assert column.edges.shape == (frames + 1,)
        assert (np.diff(column.edges) >= 0).all()
        assert column.edges[[0, -1]] == pytest.approx([mel.edges[0], mel.edges[-1]])
        assert math.isfinite(column.numbers.error)
        low, weights = column.rows(0, mel.frames)
        assert low == 0
        assert weights.shape == (frames, mel.frames)
        assert weights.max() == pytest.approx(1, abs=1e-6)


def test_numbers_are_those_of_the_library(mel: Features):
    """Average pooling by hand: output, reconstruction, errors of the whole, the loud and the quiet part, aliasing, shift."""
    column = compare(mel, ComparisonSettings(("avg-pool", "max-pool"), stride=3), settled=True, budget=math.inf).columns[0]
    layer, x = build("avg-pool", 80, 3.0), mel.values
    down = layer(x)
    restored = analysis.reconstruct(down.values, down.alignment, mel.frames)
    loud = analysis.loud_mask(analysis.frame_energy(x, logarithmic=True))
    shift = analysis.shift_change(layer, x, range(11))
    numbers = column.numbers
    assert np.allclose(column.output, down.values[0], atol=1e-6)
    assert np.allclose(column.error, (restored - x)[0].abs() * 20 / math.log(10), atol=1e-4)
    expected = [
        analysis.error_db(x, restored),
        analysis.error_db(x, restored, loud),
        analysis.error_db(x, restored, ~loud),
        analysis.aliased_energy(layer, x),
        shift.mean,
        shift.worst,
    ]
    found = [numbers.error, numbers.error_loud, numbers.error_quiet, numbers.aliased, numbers.shift_mean, numbers.shift_worst]
    assert found == pytest.approx([float(each) for each in expected], rel=1e-5)
    assert column.output.nbytes <= numbers.peak_bytes < 20 * x.numel() * 4


def test_strided_convolution_picks_frames(mel: Features):
    column = compare(mel, ComparisonSettings(("strided-conv", "avg-pool"), stride=4)).columns[0]
    assert np.array_equal(column.output, mel.values[0, :, ::4])
    assert any("every 4th frame" in note for note in column.notes)


def test_adastride_takes_the_scores_as_they_are(mel: Features):
    """Positions are those of equation 3 from the energy scores, and the score channel is in no result."""
    column = compare(mel, ComparisonSettings(("adastride", "cif"), stride=4, scores="energy")).columns[0]
    steps = np.exp(choose_scores(mel, "energy"))[1:]
    expected = np.concatenate([[0.0], np.cumsum(steps) / steps.sum()])
    assert isinstance(column.alignment, Alignment)
    assert np.abs(column.alignment.unit_positions[0].numpy() - expected).max() < 1e-5
    by_hand = column.alignment.dense()[0] @ mel.values[0].T
    assert np.allclose(column.output, by_hand.T, atol=1e-4)


def test_all_that_adapt_share_the_scores(mel: Features):
    """AdaStride, AdaStride-F and LPF + AdaStride have about the same positions; CIF follows them."""
    result = compare(mel, ComparisonSettings(("adastride", "adastride-f", "lpf-adastride", "cif"), stride=4, scores="energy"))
    first = result.columns[0].alignment.positions[0].numpy()
    for column, most in zip(result.columns[1:], (1e-6, 2.0, 2.0), strict=True):
        assert np.abs(column.alignment.positions[0].numpy() - first).max() < most


def test_checkpoint_scores_are_the_checkpoint_s(traced, network):
    """With the network's own score, AdaStride on the mel has the positions of the network's first layer."""
    features = traced_features("mel", traced, network)
    column = compare(features, ComparisonSettings(("adastride", "avg-pool"), stride=2)).columns[0]
    assert np.abs(column.alignment.positions[0].numpy() - traced.layers[0].positions).max() < 0.01


@pytest.mark.parametrize("layer", [1, 2, 3])
def test_inner_features_are_what_the_layer_sees(traced, network, layer: int):
    """At the network's own stride and sigma, AdaStride does to the features what the trained layer does."""
    features = traced_features(f"layer {layer}", traced, network)
    settings = traced.layers[layer - 1].settings
    column = compare(
        features, ComparisonSettings(("adastride", "avg-pool"), settings.stride, settings.sigma, source=f"layer {layer}")
    ).columns[0]
    assert features.frames == traced.layers[layer - 1].input_frames
    with torch.inference_mode():
        trained = network.downsamplers[layer - 1](traced._resumes[layer - 1].hidden)
    assert np.allclose(column.output, trained.values[0], atol=2e-3)
    # A trace looks inside of an input frame, at what the layers below made it of. A column knows where it begins and ends.
    boundaries = np.interp(traced.layers[layer - 1].boundaries, np.arange(features.frames + 1), features.edges)
    assert column.edges == pytest.approx(boundaries, abs=1e-4)
    frame = np.diff(features.edges).max()
    assert column.edges == pytest.approx(traced.boundary_seconds(layer - 1), abs=frame / 2)
    assert features.unit == "feature units"


def test_both_axes(mel: Features):
    """Spectral pooling in time and frequency is the library's 2-D layer; methods without one stay as they are."""
    result = compare(mel, ComparisonSettings(("spectral-pool", "avg-pool"), stride=4, both_axes=True))
    column = result.columns[0]
    assert np.allclose(column.output, SpectralPool2d((4, 4))(mel.values[:, None])[0, 0], atol=1e-5)
    assert column.reconstruction.shape == (80, mel.frames)
    assert "in time and frequency" in column.notes
    assert not result.columns[1].both_axes
    assert result.columns[1].notes == ("in time only",)
    again = compare(mel, ComparisonSettings(("spectral-pool", "avg-pool"), stride=4), previous=result)
    assert again.columns[1].notes == ()


@pytest.mark.parametrize("method", [key for key in ALL if METHODS[key].build_2d])
def test_constant_stays_constant_on_both_axes(method: str):
    features = replace(noise(120, 80), values=torch.full((1, 80, 120), 3.0))
    column = compare(features, ComparisonSettings((method, "avg-pool"), stride=2.5, both_axes=True)).columns[0]
    assert np.abs(column.reconstruction - 3).max() < 1e-3


def test_whole_strides_say_so(mel: Features):
    result = compare(mel, ComparisonSettings(("max-pool", "avg-pool"), stride=2.6))
    assert [column.stride for column in result.columns] == [3.0, 2.6]
    assert result.columns[0].notes == ("whole strides only: 3 is shown",)
    assert result.columns[1].notes == ()


def test_scores():
    """Energy is standardised, flux is about its median, uniform is flat, a drawn curve goes through its points."""
    features = noise(500)
    energy = choose_scores(features, "energy")
    assert energy.mean() == pytest.approx(0, abs=1e-9)
    assert energy.std() == pytest.approx(1)
    assert np.median(choose_scores(features, "flux")) == pytest.approx(0, abs=1e-9)
    assert not choose_scores(replace(features, values=torch.ones(1, 8, 500)), "flux").any()
    assert not choose_scores(features, "uniform").any()
    assert not choose_scores(replace(features, values=torch.ones(1, 8, 500)), "energy").any()
    curve = tuple(np.linspace(-3, 3, DRAWN_POINTS))
    drawn = choose_scores(features, "drawn", curve)
    assert (np.diff(drawn) >= 0).all()
    assert drawn[[0, -1]] == pytest.approx([-3, 3])


def test_an_onset_leaves_output_frames_to_the_rest(mel: Features):
    """Spectral flux of a word in silence: no single frame takes more than a tenth of the output."""
    column = compare(mel, ComparisonSettings(("adastride", "avg-pool"), scores="flux")).columns[0]
    assert np.diff(column.alignment.unit_positions[0].numpy()).max() < 0.1


def test_a_pin_keeps_its_column(mel: Features):
    pin = Pin(stride=2, sigma=1.0, scores="flux")
    settings = ComparisonSettings(("adastride", "avg-pool"), stride=6, scores="energy", pins=(pin, None))
    result = compare(mel, settings)
    alone = compare(mel, ComparisonSettings(("adastride", "avg-pool"), 2, 1.0, scores="flux"))
    assert [column.pinned for column in result.columns] == [True, False]
    assert np.array_equal(result.columns[0].output, alone.columns[0].output)
    assert result.columns[1].stride == 6


def test_nothing_is_computed_twice(mel: Features):
    """A column whose settings have not changed is the same object; slow numbers come one column at a time."""
    settings = ComparisonSettings(("adastride", "avg-pool"), stride=4, scores="energy")
    first = compare(mel, settings)
    assert first.pending
    assert compare(mel, replace(settings, sigma=2.0), previous=first).columns[1].output is first.columns[1].output
    second = compare(mel, settings, settled=True, previous=first, budget=0)
    assert [column.numbers.complete for column in second.columns] == [True, False]
    third = compare(mel, settings, settled=True, previous=second, budget=0)
    assert not third.pending
    assert third.columns[0].numbers == second.columns[0].numbers


# ------------------------------------------------------------------ bounds


def test_a_long_clip_is_bounded():
    """Ten minutes: linear methods see all of it, the others a window around the view, and say so; no matrix is too large."""
    features = noise(37_500, 80)
    settings = ComparisonSettings(("avg-pool", "a-tome", "dct-diffstride", "lpf-adastride"), stride=4, scores="energy")
    result = compare(features, settings, view=(100.0, 104.0), settled=True, budget=math.inf)
    assert result.columns[0].scope == (0, 37_500)
    for column in result.columns[1:]:
        first, stop = column.scope
        assert stop - first == WINDOW_FRAMES
        assert features.edges[first] < 100 < 104 < features.edges[stop]
        assert any("only: too slow for the whole clip" in note for note in column.notes)
        assert column.edges[0] == pytest.approx(features.edges[first])
    assert not result.pending
    assert result.columns[0].rows(0, 37_500) is None
    low, weights = result.columns[0].rows(6000, 6250)
    assert low == 1500
    assert weights.shape == (63, 250)


@pytest.mark.parametrize("loudest", [0, 20_000, 37_499])
def test_a_long_clip_opens_where_every_method_runs(loudest: int):
    """What is first in view lies within the window of the methods that see no more, wherever the clip is loudest."""
    features = noise(37_500, 4)
    features.values[..., loudest] += 20
    begin, end = interesting_part(features)
    assert 10 < end - begin < 33
    assert begin <= features.edges[loudest + 1]
    assert end >= features.edges[loudest]
    column = compare(features, ComparisonSettings(("a-tome", "avg-pool"), scores="energy"), view=(begin, end)).columns[0]
    assert features.edges[column.scope[0]] <= begin
    assert end <= features.edges[column.scope[1]]


@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("frames", [1, 2, 5])
def test_very_short_clips(pair: tuple[str, str], frames: int):
    """One frame goes through everything, slow numbers included."""
    result = compare(noise(frames), ComparisonSettings(pair, stride=8, scores="energy"), settled=True, budget=math.inf)
    assert not result.pending
    assert all(np.isfinite(column.output).all() for column in result.columns)


def test_silence():
    features = replace(noise(200, 80), values=torch.full((1, 80, 200), math.log(1e-5)))
    for pair in PAIRS:
        result = compare(features, ComparisonSettings(pair, scores="energy"), settled=True, budget=math.inf)
        assert all(np.isfinite(column.error).all() for column in result.columns)
    comparison.to_csv(result)


# ------------------------------------------------------------------ what is refused


BAD = [
    ({"methods": ("avg-pool",)}, "2 to 4 different methods"),
    ({"methods": ()}, "2 to 4 different methods"),
    ({"methods": ALL[:5]}, "2 to 4 different methods"),
    ({"methods": ("avg-pool", "avg-pool")}, "2 to 4 different methods"),
    ({"methods": ("avg-pool", "nope")}, "no method 'nope'"),
    ({"stride": 0.5}, "stride must be a number from 1 to 8"),
    ({"stride": math.nan}, "stride must be a number from 1 to 8"),
    ({"sigma": 0.0}, "sigma must be a number from 0.01 to 100"),
    ({"source": "layer 9"}, "no source"),
    ({"scores": "loudness"}, "no scores"),
    ({"scores": "drawn", "drawn": (1.0, 2.0)}, "64 values"),
    ({"scores": "drawn", "drawn": (math.nan,) * DRAWN_POINTS}, "64 values"),
    ({"pins": (None,)}, "one pin or None"),
]


@pytest.mark.parametrize(("wrong", "said"), BAD)
def test_bad_settings_get_a_sentence(wrong: dict, said: str):
    with pytest.raises(ValueError, match=said):
        ComparisonSettings(**{"methods": ("avg-pool", "adastride"), **wrong})


def test_no_scores_get_a_sentence(mel: Features):
    with pytest.raises(ValueError, match="no learned scores"):
        compare(mel, ComparisonSettings(("adastride", "avg-pool"), scores="checkpoint"))
    compare(mel, ComparisonSettings(("max-pool", "avg-pool"), scores="checkpoint"))  # nobody asks for them


# ------------------------------------------------------------------ exports


def test_csv_has_a_line_for_every_method(mel: Features):
    result = compare(
        mel, ComparisonSettings(("adastride", "max-pool", "a-tome"), stride=2.5, scores="energy"), settled=True, budget=math.inf
    )
    rows = list(csv.DictReader(io.StringIO(comparison.to_csv(result))))
    assert [row["method"] for row in rows] == ["adastride", "max-pool", "a-tome"]
    assert float(rows[0]["error_db"]) == pytest.approx(result.columns[0].numbers.error, rel=1e-5)
    assert (rows[1]["stride"], rows[1]["asked_stride"], rows[1]["scores"]) == ("2", "2.5", "")
    assert int(rows[2]["output_frames"]) == result.columns[2].numbers.frames
    assert {row["device"] for row in rows} == {"CPU"}


@pytest.mark.parametrize("count", [2, 4])
def test_figure_renders_the_same_bytes(mel: Features, count: int):
    result = compare(mel, ComparisonSettings(tuple(ALL[:count]), scores="energy"), settled=True, budget=math.inf)
    title = "a title with $x_1$ and <tags>"
    once, again = (
        figures.render(comparison_figure(result, mel.values[0].numpy(), audio.PRESETS["classification"], title), "svg") for _ in range(2)
    )
    assert once == again
    assert all(METHODS[key].label.encode() in once for key in ALL[:count])
    png = figures.render(comparison_figure(result, mel.values[0].numpy(), audio.PRESETS["classification"], title), "png")
    assert png.startswith(b"\x89PNG")


def test_figure_of_a_window_says_which(mel: Features):
    """The seconds in view stand in the title and under the panels; all of the clip needs no seconds."""
    pin = Pin(stride=2, sigma=1.0, scores="flux")
    result = compare(mel, ComparisonSettings(("adastride", "avg-pool"), scores="energy", pins=(pin, None)), settled=True, budget=math.inf)
    preset = audio.PRESETS["classification"]
    zoomed = comparison_figure(result, mel.values[0].numpy(), preset, "seven", (1.5, 2.25))
    assert zoomed.axes[0].get_title(loc="left") == "seven, 1.50–2.25 s"
    assert all(axes.get_xlim() == (1.5, 2.25) for axes in zoomed.axes if axes.images and axes.get_xlabel() == "Time (s)")
    assert b"places frames by spectral flux" in figures.render(zoomed, "svg")
    whole = comparison_figure(result, mel.values[0].numpy(), preset, "seven", (0.0, 5.0))
    assert whole.axes[0].get_title(loc="left") == "seven"


def test_peak_memory_counts_the_weights_of_an_alignment():
    """They lie in NumPy's arrays: windows of 84 input frames or so for blocks of 32 output frames, 4 bytes each."""
    layer = build("adastride", 1, 2.0).eval()
    with torch.inference_mode():
        assert peak_bytes(layer, torch.randn(1, 1, 20_000)) > 10_000 * 64 * 4


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("both_axes", [False, True])
@pytest.mark.parametrize("pair", PAIRS)
def test_cuda_gives_the_numbers_of_the_cpu(mel: Features, pair: tuple[str, str], both_axes: bool):
    settings = ComparisonSettings(pair, stride=2.5, scores="energy", both_axes=both_axes)
    here, there = (compare(mel, settings, settled=True, budget=math.inf, device=torch.device(name)) for name in ("cpu", "cuda"))
    for ours, theirs in zip(here.columns, there.columns, strict=True):
        assert np.allclose(ours.output, theirs.output, atol=1e-3)
        assert ours.numbers.error == pytest.approx(theirs.numbers.error, abs=0.05)
        assert theirs.numbers.peak_bytes >= theirs.output.nbytes
        assert np.allclose(ours.rows(0, 50)[1], theirs.rows(0, 50)[1], atol=1e-2)
    assert there.device_name == torch.cuda.get_device_name()


def test_layers_are_not_changed(mel: Features):
    """Shared layers keep their weights: the library's own layer still begins with uniform strides."""
    compare(mel, ComparisonSettings(("adastride", "cif"), scores="energy"), settled=True, budget=math.inf)
    assert not AdaStride(80).score.weight.any()
