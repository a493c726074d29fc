"""Alignments as pictures: the same numbers as the dense matrix, and nothing lost where many frames share a pixel."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
import torch

from adastride.alignment import Alignment
from adastride.downsampling import METHODS as REGISTRY
from adastride.downsampling import LayerSettings
from adastride.downsampling.effective import EffectiveAlignment
from adastride.downsampling.strided import TapAlignment
from adastride.inspection import raster, tracing
from adastride.models import Classifier, ClassifierConfig

METHODS = {"adaptive": ("adastride",) * 3, "strided": ("strided-conv", "strided-conv", "adastride")}


def network(methods, std=1.0):
    torch.manual_seed(0)
    model = Classifier(ClassifierConfig(("a", "b"), methods=methods, width=16)).eval()
    for layer in model.downsamplers:
        if hasattr(layer, "score"):
            torch.nn.init.normal_(layer.score.weight, std=std)
    return model


def noise(seconds):
    return np.random.default_rng(0).standard_normal(int(16_000 * seconds)).astype(np.float32) * 0.1


def dense(layer):
    """The matrix itself, every row relative to its largest."""
    matrix = layer.alignment.dense()[0].double().numpy()
    return matrix / np.maximum(matrix.max(axis=1, keepdims=True), 1e-30)


@pytest.mark.parametrize("variant", ["adastride", "adastride-f"])
@pytest.mark.parametrize("sigma", [0.01, 5**-0.5, 100.0])
@pytest.mark.parametrize("methods", METHODS)
@pytest.mark.parametrize("seconds", [0.05, 1.5])
def test_relative_weights_are_those_of_the_dense_matrix(seconds, methods, sigma, variant):
    model = network(METHODS[methods], std=3.0)
    trace = tracing.trace(model, noise(seconds), LayerSettings(sigma=sigma, stride=2.3, variant=variant))
    for layer in trace.layers:
        every = np.arange(layer.input_frames)
        weights = layer.alignment.relative_weights(np.arange(layer.output_frames), every, every)
        np.testing.assert_allclose(weights, dense(layer), atol=1e-6)


def test_an_output_frame_nobody_rounds_to_is_empty():
    trace = tracing.trace(network(METHODS["adaptive"], std=3.0), noise(1.5), LayerSettings(variant="adastride-f", stride=1))
    empty = [~np.isin(np.arange(layer.output_frames), np.round(layer.positions)) for layer in trace.layers]
    assert any(rows.any() for rows in empty)
    for layer, rows in zip(trace.layers, empty, strict=True):
        picture = raster.rasterise(layer, np.linspace(0, 1, layer.input_frames + 1), 1.0, 50, layer.output_frames)
        assert (picture.max(axis=1) == 0).tolist() == rows.tolist()


@pytest.mark.parametrize("methods", METHODS)
def test_a_pixel_shows_the_largest_weight_in_it(methods):
    trace = tracing.trace(network(METHODS[methods]), noise(3.0))
    for layer in trace.layers:
        time, frames = layer.input_frames, layer.output_frames
        height, columns = frames // 3, 9
        picture = raster.rasterise(layer, np.arange(time + 1) / time, 1.0, columns, height)
        matrix = dense(layer)
        rows = np.arange(height + 1) * frames // height
        middles = (np.arange(time) + 0.5) / time
        for row in range(height):
            for column in range(columns):
                here = (middles > column / columns) & (middles < (column + 1) / columns)
                expected = matrix[rows[row] : rows[row + 1]][:, here].max()
                assert picture[row, column] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("methods", METHODS)
def test_a_long_clip_takes_little_memory(monkeypatch, methods):
    trace = tracing.trace(network(METHODS[methods]), noise(300.0))
    for kind in (Alignment, TapAlignment):
        monkeypatch.setattr(kind, "dense", lambda self: pytest.fail("a picture must not write the matrix out"))
    for index, layer in enumerate(trace.layers):
        edges = raster.input_edges(trace, index)
        tracemalloc.start()
        picture = raster.rasterise(layer, edges, trace.waveform.seconds, 700, 200)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert picture.shape == (200, 700)
        assert peak < 60e6
        assert (picture.max(axis=1) > 0.99).all()  # every output frame is seen
        assert (picture.max(axis=0) > 0.05).all()  # and so is every moment


def test_wide_frames_keep_sharp_edges():
    trace = tracing.trace(network(METHODS["adaptive"]), noise(0.1))
    layer = trace.layers[0]
    edges = raster.input_edges(trace, 0)
    columns = 400
    picture = raster.rasterise(layer, edges, trace.waveform.seconds, columns, 50)
    middles = (np.arange(columns) + 0.5) * trace.waveform.seconds / columns
    frame = np.clip(np.searchsorted(edges, middles, side="right") - 1, 0, layer.input_frames - 1)
    np.testing.assert_allclose(picture, dense(layer)[:, frame], atol=1e-6)


def test_input_frames_of_an_upper_layer_are_output_frames_of_the_one_below():
    trace = tracing.trace(network(METHODS["adaptive"]), noise(1.5))
    for index, layer in enumerate(trace.layers):
        edges = raster.input_edges(trace, index)
        assert edges.shape == (layer.input_frames + 1,)
        assert edges[0] == 0
        assert trace.waveform.seconds - edges[-1] < 0.5 / trace.preset.frames_per_second
        assert (np.diff(edges) >= 0).all()
    np.testing.assert_array_equal(raster.input_edges(trace, 2), trace.boundary_seconds(1))
    # Mel frame j is centred on j hops.
    middles = np.convolve(raster.input_edges(trace, 0)[1:-1], [0.5, 0.5], "valid")
    np.testing.assert_allclose(middles, np.arange(1, len(middles) + 1) * 256 / 16_000)


class Rows(EffectiveAlignment):
    """An alignment of another method: all that is drawn of it are its rows."""

    def __init__(self, layer):
        self.lengths, self.output_lengths = layer.alignment.lengths, layer.alignment.output_lengths
        self.time, self.dtype = layer.input_frames, torch.float32
        self.layer = layer

    @property
    def positions(self):
        return self.layer.alignment.positions

    def boundaries(self):
        return self.layer.alignment.boundaries()

    def dense(self):
        return self.layer.alignment.dense()

    def rows(self, frames, example=0):
        return self.dense()[example, frames]


def test_any_alignment_that_has_rows_can_be_drawn(monkeypatch):
    monkeypatch.setattr("adastride.alignment.protocol._ELEMENTS", 1000)
    trace = tracing.trace(network(METHODS["adaptive"]), noise(1.5))
    for index, layer in enumerate(trace.layers):
        edges = raster.input_edges(trace, index)
        drawn = raster.rasterise(replace(layer, alignment=Rows(layer)), edges, 1.5, 30, 20)
        np.testing.assert_allclose(drawn, raster.rasterise(layer, edges, 1.5, 30, 20), atol=1e-6)


EVERY = {key: (key,) * 3 for key in REGISTRY} | {"adastride-s": ("strided-conv", "strided-conv", "adastride")}


@pytest.mark.parametrize("methods", EVERY)
def test_the_picture_of_a_short_clip_is_the_matrix(methods):
    """Whatever window is asked for: what is small is sent whole."""
    trace = tracing.trace(network(EVERY[methods]), noise(1.5), LayerSettings(stride=2.3))
    for index, layer in enumerate(trace.layers):
        seen = raster.picture(layer, raster.input_edges(trace, index), 0.3, 0.4, 30, 20)
        assert seen.whole
        assert (seen.low, seen.high) == (0, layer.output_frames)
        np.testing.assert_array_equal(seen.columns, np.arange(layer.input_frames + 1))
        np.testing.assert_allclose(seen.weights / 255, dense(layer), atol=0.003)


@pytest.mark.parametrize("methods", EVERY)
def test_the_picture_of_a_part_is_pooled_to_the_screen(methods, monkeypatch):
    """Every pixel is the largest weight of the frames it covers; the part covers the window that was asked for."""
    monkeypatch.setattr(raster, "_WHOLE_PICTURE", 0)
    trace = tracing.trace(network(EVERY[methods]), noise(3.0))
    for index, layer in enumerate(trace.layers):
        edges = raster.input_edges(trace, index)
        seen = raster.picture(layer, edges, 1.0, 2.0, 20, 7)
        rows, columns = seen.weights.shape
        assert rows <= 7
        assert columns <= 20
        assert edges[seen.columns[0]] <= 1.0
        assert edges[seen.columns[-1]] >= 2.0
        row_edges = seen.low + np.arange(rows + 1) * (seen.high - seen.low) // rows
        assert trace.boundary_seconds(index)[seen.low] <= 1.0
        assert trace.boundary_seconds(index)[seen.high] >= 2.0
        matrix = dense(layer)
        for row in range(rows):
            for column in range(columns):
                part = matrix[row_edges[row] : row_edges[row + 1], seen.columns[column] : seen.columns[column + 1]]
                assert seen.weights[row, column] / 255 == pytest.approx(part.max(), abs=0.003)


@pytest.mark.parametrize("methods", ["avg-pool", "blur-pool", "spectral-pool", "diffstride", "dct-diffstride"])
def test_a_few_rows_stand_for_all_of_a_linear_operation(methods, monkeypatch):
    """Where many output frames share a pixel, sampled rows make nearly the picture that all of them would."""
    trace = tracing.trace(network(EVERY[methods]), noise(30.0), LayerSettings(stride=2.3))
    layer, edges = trace.layers[0], raster.input_edges(trace, 0)
    monkeypatch.setattr(raster, "_WHOLE_PICTURE", 0)
    exact = raster.picture(layer, edges, 0.0, 30.0, 300, 50).weights / 255
    monkeypatch.setattr(raster, "_EXACT_ELEMENTS", 0)
    sampled = raster.picture(layer, edges, 0.0, 30.0, 300, 50).weights / 255
    assert np.abs(sampled - exact).mean() < 0.005
    assert (np.abs(sampled - exact) > 0.1).mean() < 0.01
    assert (sampled.max(axis=1) > 0.99).all()
    assert (sampled.max(axis=0) > 0.99).all()


@pytest.mark.parametrize("methods", EVERY)
def test_ten_minutes_are_a_small_picture(methods):
    """However long the clip, a picture has no more bytes than the screen has pixels, and little memory is needed for it."""
    trace = tracing.trace(network(EVERY[methods]), noise(600.0))
    edges = raster.input_edges(trace, 0)
    tracemalloc.start()
    whole = raster.picture(trace.layers[0], edges, 0.0, 600.0, 1000, 112)
    part = raster.picture(trace.layers[0], edges, 300.0, 302.0, 1000, 112)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert whole.weights.size <= 112_000
    assert part.weights.size <= 112_000
    assert peak < 100e6
    assert (whole.weights.max(axis=1) == 255).all()
    assert (whole.weights.max(axis=0) > 10).all()
