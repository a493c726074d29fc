"""One protocol for alignments: how each method's is drawn, that the drawing is the matrix, and that an alignment is itself alone."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from adastride.alignment import AnyAlignment, Picture, Positions, Reversible, Taps, weights_of_positions
from adastride.downsampling import METHODS, build

EVERY_METHOD = pytest.mark.parametrize("key", METHODS)
POSITIONS, REVERSIBLE = ("adastride", "adastride-f", "lpf-adastride"), ("adastride", "adastride-f", "lpf-adastride", "cif", "a-tome")


def made(key: str) -> AnyAlignment:
    """A method's alignment of two examples, 30 and 17 frames."""
    torch.manual_seed(0)
    layer = build(key, 3, 2.5).double()
    for name, parameter in layer.named_parameters():
        if "score" in name:
            torch.nn.init.normal_(parameter)
    return layer(torch.randn(2, 3, 30, dtype=torch.float64), torch.tensor([30, 17])).alignment


def drawn(alignment: AnyAlignment) -> np.ndarray:
    """The matrix of example 0 as a browser would make it, (L, time): from the drawing and lengths alone."""
    drawing, frames, time = alignment.drawing(), int(alignment.output_lengths[0]), int(alignment.lengths[0])
    index = np.arange(frames)[:, None]
    if isinstance(drawing, Positions):
        positions = drawing.unit * (frames - 1)
        weights = np.exp(-(drawing.sigma**-2) * (positions - index) ** 2)
        if drawing.nearest:
            weights = weights * (np.round(positions) == index)
    elif isinstance(drawing, Taps):
        tap = np.arange(time) - drawing.stride * index + len(drawing.taps) // 2
        weights = np.where((tap >= 0) & (tap < len(drawing.taps)), drawing.taps[tap.clip(0, len(drawing.taps) - 1)], 0.0)
    else:
        weights = alignment.rows(range(frames)).detach().numpy()
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-30)


@EVERY_METHOD
def test_the_drawing_is_the_matrix(key: str):
    alignment = made(key)
    expected = Positions if key in POSITIONS else Taps if key == "strided-conv" else Picture
    assert isinstance(alignment.drawing(), expected)
    np.testing.assert_allclose(drawn(alignment), alignment.dense()[0, : int(alignment.output_lengths[0])].detach(), atol=1e-9)


@EVERY_METHOD
def test_rows_centres_and_relative_weights(key: str):
    alignment = made(key)
    dense, frames = alignment.dense().detach(), int(alignment.output_lengths[1])
    torch.testing.assert_close(alignment.rows(range(0, frames, 3), 1), dense[1, :frames:3], rtol=1e-9, atol=1e-9, check_dtype=False)
    relative = dense[0] / dense[0].amax(dim=1, keepdim=True).clamp(min=1e-30)
    every, rows = np.arange(30), np.arange(int(alignment.output_lengths[0]))
    np.testing.assert_allclose(alignment.relative_weights(rows, every, every), relative, atol=1e-6)
    pairs = alignment.relative_weights(rows, every[::2], every[1::2])
    np.testing.assert_allclose(pairs, relative.unflatten(1, (-1, 2)).amax(dim=2), atol=1e-6)
    centres = alignment.centres()
    assert centres.shape == (2, alignment.frames)
    assert (centres[1, :frames].diff() >= 0).all()


def test_weights_of_a_long_clip_cost_what_the_rows_reach():
    """Columns that the rows don't reach are zero without being worked out: asked for 1000 rows of an hour, the work is theirs alone."""
    frames = 225_000
    positions = np.linspace(0, frames / 2 - 1, frames)
    rows, columns = np.arange(50_000, 51_000), np.arange(0, frames, 5)
    began = time.process_time()
    weights = weights_of_positions(positions, 5**-0.5, False, rows, columns, np.minimum(columns + 4, frames - 1))
    assert time.process_time() - began < 1.0  # all 45 000 columns take 5 s
    touched = np.flatnonzero(weights.any(axis=0))
    assert positions[columns[touched[0]]] == pytest.approx(50_000, abs=6)
    assert positions[columns[touched[-1]]] == pytest.approx(51_000, abs=6)
    assert (weights.max(axis=1) == 1).all()


@EVERY_METHOD
def test_where_a_picture_has_too_many_rows_positions_say_where_frames_lie(key: str):
    alignment = made(key)
    drawing = alignment.drawing()
    if isinstance(drawing, Picture):
        np.testing.assert_array_equal(drawing.positions, alignment.positions[0])


@EVERY_METHOD
def test_reversible_alignments_pool_and_upsample(key: str):
    alignment = made(key)
    assert isinstance(alignment, Reversible) == (key in REVERSIBLE)
    if isinstance(alignment, Reversible):
        x = torch.randn(2, 4, 30, dtype=torch.float64)
        torch.testing.assert_close(alignment.pool(x), x @ alignment.dense().transpose(1, 2))
        assert alignment.upsample(alignment.pool(x)).shape == x.shape


@EVERY_METHOD
def test_an_alignment_runs_along_time_unless_told_otherwise(key: str):
    alignment = made(key)
    assert alignment.axis == "time"
    other = replace(alignment, axis="height")
    assert other.axis == "height"
    torch.testing.assert_close(other.dense(), alignment.dense())


@EVERY_METHOD
def test_an_alignment_equals_itself_alone_and_can_be_a_key(key: str):
    one, other = made(key), made(key)
    assert one == one
    assert one != other
    assert {one: 1, other: 2}[one] == 1
