"""Alignments as pictures of a bounded size, whatever the length of the clip.

A (L, T) matrix of a ten-minute clip has 700 million elements. A picture of it has half a million pixels, and what a
pixel shows is the largest weight among the output frames of its row and the input frames of its column. For an
`Alignment` the weights fall with the distance of positions that are sorted, so one look-up finds the input frame that
decides; the matrix itself never exists. Methods without positions are asked for some of their rows at a time.
"""

from __future__ import annotations

from functools import singledispatch

import numpy as np
import torch

from adastride.alignment import Alignment
from adastride.downsampling.strided import TapAlignment
from adastride.tracing import LayerTrace, Trace

# Output frames looked at together: at 1000 columns 4 MB an array.
_CHUNK = 512
_ELEMENTS = 1 << 21  # of whole rows held at a time


@singledispatch
def relative_weights(alignment, rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Weights of some output frames, each relative to the largest of its row, by the most among a range of input frames.

    alignment: the first example of it is looked at. rows: (n,) output frames. first, last: (columns,) input frames, both
    counted, from 0 to T - 1.
    Shape: -> (n, columns) float64 from 0 to 1; a row without any weight (AdaStride-F has such) is 0.

    This implementation does for every alignment with a method rows(frames (n,)) -> (n, time).
    """
    frames = int(alignment.lengths[0])
    result = np.empty((len(rows), len(first)))
    step = max(1, _ELEMENTS // frames)
    for begin in range(0, len(rows), step):
        # A zero behind the last frame: reduceat needs an index for the end of a range, too.
        weights = np.zeros((len(rows[begin : begin + step]), frames + 1))
        weights[:, :-1] = alignment.rows(torch.from_numpy(rows[begin : begin + step]))[:, :frames].cpu().numpy()
        weights /= np.maximum(weights.max(axis=1, keepdims=True), 1e-30)
        ranges = np.stack([first, last + 1], axis=1).reshape(-1)
        result[begin : begin + step] = np.maximum.reduceat(weights, ranges, axis=1)[:, ::2]
    return result


@relative_weights.register
def _(alignment: Alignment, rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    frames = int(alignment.lengths[0])
    positions = alignment.positions[0, :frames].cpu().numpy()
    index = np.asarray(rows, np.float64)[:, None]
    begin, stop = np.zeros((len(rows), 1), np.int64), np.full((len(rows), 1), frames)
    if alignment.nearest:
        rounded = np.round(positions)
        begin, stop = np.searchsorted(rounded, index), np.searchsorted(rounded, index, side="right")
    following = np.searchsorted(positions, index)

    def nearest_distance(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Distance of the row's closest frame among low..high: one of the two on either side of the row's index."""
        either = (np.clip(following - 1, low, high), np.clip(following, low, high))
        return np.minimum(*(np.abs(positions[frame] - index) for frame in either))

    low, high = np.maximum(first, begin), np.minimum(last, stop - 1)
    distance = np.where(low <= high, nearest_distance(low, high), np.inf)
    closest = nearest_distance(begin, stop - 1)
    # (d - d_min)(d + d_min): the difference of two large squares would lose the digits that a small sigma multiplies.
    return np.exp(-float(alignment.sigma) ** -2 * (distance - closest) * (distance + closest))


@relative_weights.register
def _(alignment: TapAlignment, rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    frames = int(alignment.lengths[0])
    taps = alignment.taps.cpu().numpy().astype(np.float64)
    touched = alignment.stride * np.asarray(rows)[:, None] + np.arange(len(taps)) - len(taps) // 2  # (n, K) input frames
    weights = np.where((touched >= 0) & (touched < frames), taps, 0.0)
    weights = weights / np.maximum(weights.max(axis=1, keepdims=True), 1e-30)
    result = np.zeros((len(rows), len(first)))
    for tap in range(len(taps)):
        inside = (touched[:, tap, None] >= first) & (touched[:, tap, None] <= last)
        np.maximum(result, weights[:, tap, None], out=result, where=inside)
    return result


def input_edges(trace: Trace, layer: int) -> np.ndarray:
    """Where the input frames of a layer (0 is the lowest) begin and end in the clip: (T + 1,) seconds, never falling."""
    if layer:
        return trace.boundary_seconds(layer - 1)
    edges = (np.arange(trace.mel.shape[1] + 1) - 0.5) / trace.preset.frames_per_second
    return np.clip(edges, 0.0, trace.waveform.seconds)


def rasterise(layer: LayerTrace, edges: np.ndarray, seconds: float, columns: int, rows: int) -> np.ndarray:
    """The alignment of a layer as a picture whose columns are equal times, from 0 to `seconds`.

    edges: (T + 1,) seconds, see `input_edges`; an input frame is as wide as the time it stands for.
    Shape: -> (min(L, rows), columns) float32, output frame 0 first; weights relative to the largest of their row. A pixel
    shows the largest weight in it, so that no frame is lost however many share the pixel. Memory: O(T + columns * rows).
    """
    pixel_edges = np.linspace(0.0, seconds, columns + 1)
    centres = (edges[1:] + edges[:-1]) / 2
    # Frames whose middle lies in the pixel, and the one that covers the middle of the pixel: where frames are wider than
    # pixels that is one frame, and no frame's edge gets blurred.
    covering = np.searchsorted(edges, (pixel_edges[1:] + pixel_edges[:-1]) / 2, side="right") - 1
    covering = np.clip(covering, 0, len(centres) - 1)
    first = np.minimum(np.searchsorted(centres, pixel_edges[:-1]), covering)
    last = np.maximum(np.searchsorted(centres, pixel_edges[1:]) - 1, covering)

    frames = layer.output_frames
    height = min(frames, rows)
    row_edges = np.arange(height + 1) * frames // height
    picture = np.empty((height, columns), np.float32)
    step = max(1, _CHUNK * height // frames)
    for begin in range(0, height, step):
        chosen = row_edges[begin : begin + step + 1]
        weights = relative_weights(layer.alignment, np.arange(chosen[0], chosen[-1]), first, last)
        picture[begin : begin + step] = np.maximum.reduceat(weights, chosen[:-1] - chosen[0], axis=0)
    return picture
