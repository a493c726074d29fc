"""Exports: the arrays, the table and the summary say what the trace says, and say it the same way every time."""

import csv
import io
import itertools
import json

import numpy as np
import pytest
import torch

from adastride.alignment import Alignment
from adastride.downsampling import METHODS, LayerSettings
from adastride.inspection import export, tracing
from adastride.models import Classifier, ClassifierConfig

ADASTRIDE, ADASTRIDE_S = ("adastride",) * 3, ("strided-conv", "strided-conv", "adastride")


def make_trace(methods=ADASTRIDE, seconds=1.5, settings=None):
    torch.manual_seed(0)
    model = Classifier(ClassifierConfig(("yes", "no", "maybe"), methods=methods, width=16)).eval()
    for layer in model.downsamplers:
        if hasattr(layer, "score"):
            torch.nn.init.normal_(layer.score.weight, std=1.0)
    model.name = "tiny"
    return tracing.trace(model, np.random.default_rng(0).standard_normal(int(16_000 * seconds)).astype(np.float32) * 0.1, settings)


def load(data):
    return np.load(io.BytesIO(data), allow_pickle=False)


@pytest.mark.parametrize(
    ("methods", "sigma"),
    [*itertools.product([ADASTRIDE, ADASTRIDE_S], [0.01, 5**-0.5, 100.0]), *(((key,) * 3, None) for key in METHODS if key != "adastride-f")],
)
def test_npz_holds_the_trace(methods, sigma):
    trace = make_trace(methods, settings=LayerSettings(sigma=sigma, stride=2.4))
    arrays = load(export.to_npz(trace))
    np.testing.assert_array_equal(arrays["mel"], trace.mel)
    for index, layer in enumerate(trace.layers):
        matrix = arrays[f"alignment_{index}"]
        assert matrix.dtype == np.float32
        assert matrix.shape == (layer.output_frames, layer.input_frames)
        np.testing.assert_allclose(matrix, layer.alignment.dense()[0].numpy(), atol=1e-6)
        np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-5)
        assert arrays[f"positions_{index}"].dtype == np.float64
        np.testing.assert_array_equal(arrays[f"positions_{index}"], layer.positions)
        np.testing.assert_array_equal(arrays[f"strides_{index}"], layer.strides)
        np.testing.assert_array_equal(arrays[f"boundaries_seconds_{index}"], trace.boundary_seconds(index))
        assert (f"taps_{index}" in arrays) == (layer.method == "strided-conv")
    assert dict(zip(arrays["labels"].tolist(), arrays["probabilities"].tolist(), strict=True)) == trace.prediction.values
    assert json.loads(arrays["settings"].item()) == [
        {"method": layer.method, "sigma": layer.settings.sigma, "stride": layer.settings.stride, "variant": layer.settings.variant}
        for layer in trace.layers
    ]
    assert "note" not in arrays


@pytest.mark.parametrize(("methods", "variant"), [(ADASTRIDE, "adastride"), (ADASTRIDE, "adastride-f"), (ADASTRIDE_S, None)])
def test_the_note_says_how_to_rebuild_what_is_left_out(monkeypatch, methods, variant):
    trace = make_trace(methods, settings=LayerSettings(variant=variant))
    monkeypatch.setattr(export, "MAX_ELEMENTS", 100)
    arrays = load(export.to_npz(trace))
    assert not [name for name in arrays if name.startswith("alignment")]
    assert arrays["note"].shape == (1,)
    assert "more than the 100" in arrays["note"][0]
    settings = json.loads(arrays["settings"].item())
    for index, layer in enumerate(trace.layers):
        positions, setting, i = arrays[f"positions_{index}"], settings[index], np.arange(layer.output_frames)[:, None]
        if f"taps_{index}" in arrays:
            taps = arrays[f"taps_{index}"]
            tap = np.arange(len(positions)) - i * int(setting["stride"]) + len(taps) // 2
            rebuilt = np.where((tap >= 0) & (tap < len(taps)), taps[np.clip(tap, 0, len(taps) - 1)], 0)
        else:
            rebuilt = np.exp(-(setting["sigma"] ** -2) * (positions - i) ** 2)
            if setting["method"] == "adastride-f":
                rebuilt *= np.round(positions) == i
        rebuilt /= np.maximum(rebuilt.sum(axis=1, keepdims=True), 1e-300)
        np.testing.assert_allclose(rebuilt, layer.alignment.dense()[0].numpy(), atol=1e-6)


def test_a_long_clip_is_exported_without_its_matrices(monkeypatch):
    trace = make_trace(seconds=170.0)
    monkeypatch.setattr(Alignment, "dense", lambda self: pytest.fail("an export must not write the matrix out at once"))
    data = export.to_npz(trace)
    assert "note" in load(data)
    assert len(data) < 20e6


@pytest.mark.parametrize("methods", [ADASTRIDE, ADASTRIDE_S])
def test_csv_has_a_row_for_every_output_frame(methods):
    trace = make_trace(methods)
    rows = list(csv.DictReader(io.StringIO(export.to_csv(trace))))
    assert list(rows[0]) == ["layer", "output_frame", "start_seconds", "end_seconds", "input_frames"]
    for index, layer in enumerate(trace.layers):
        mine = [row for row in rows if row["layer"] == str(index + 1)]
        assert [int(row["output_frame"]) for row in mine] == list(range(layer.output_frames))
        assert sum(float(row["input_frames"]) for row in mine) == pytest.approx(layer.input_frames, abs=1e-3)
        np.testing.assert_allclose([float(row["input_frames"]) for row in mine], layer.strides, atol=1e-6)
        np.testing.assert_allclose([float(row["start_seconds"]) for row in mine], trace.boundary_seconds(index)[:-1], atol=1e-6)
        assert [row["start_seconds"] for row in mine[1:]] == [row["end_seconds"] for row in mine[:-1]]
    assert "\r" not in export.to_csv(trace)


def test_summary_is_the_json_of_the_command_line():
    trace = make_trace(ADASTRIDE_S)
    summary = export.summary(trace)
    assert list(summary) == ["checkpoint", "seconds", "sample_rate", "mel_frames", "labels", "probabilities", "top", "layers"]
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert (summary["checkpoint"], summary["seconds"], summary["sample_rate"]) == ("tiny", 1.5, 16_000)
    assert summary["mel_frames"] == trace.mel.shape[1] == trace.layers[0].input_frames
    assert summary["labels"] == ["yes", "no", "maybe"]
    assert summary["probabilities"] == trace.prediction.values
    assert summary["top"] == trace.top
    for entry, layer in zip(summary["layers"], trace.layers, strict=True):
        assert entry == {
            "name": layer.name, "method": layer.method, "input_frames": layer.input_frames, "output_frames": layer.output_frames,
            "stride_min": layer.strides.min(), "stride_median": np.median(layer.strides), "stride_max": layer.strides.max(),
            "entropy": layer.entropy, "position_loss": layer.position_loss, "milliseconds": layer.milliseconds,
        }


def test_the_same_trace_gives_the_same_bytes():
    trace = make_trace()
    assert export.to_npz(trace) == export.to_npz(trace)
    assert export.to_csv(trace) == export.to_csv(trace)
