"""Alignments as pictures of a bounded size, whatever the length of the clip.

A (L, T) matrix of a ten-minute clip has 700 million elements. A picture of it has half a million pixels, and what a
pixel shows is the largest weight among the output frames of its row and the input frames of its column. For an
`Alignment` the weights fall with the distance of positions that are sorted, so one look-up finds the input frame that
decides; the matrix itself never exists. Methods without positions are asked for some of their rows at a time, and of a
linear operation whose matrix would be too much to work out a few rows stand for all: they are the same, moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np
import torch

from adastride.alignment import Alignment
from adastride.downsampling.effective import OperatorAlignment, SegmentAlignment, WindowAlignment
from adastride.downsampling.strided import TapAlignment
from adastride.inspection.tracing import LayerTrace, Trace

# Output frames looked at together: at 1000 columns 4 MB an array.
_CHUNK = 512
_ELEMENTS = 1 << 21  # of whole rows held at a time
_EXACT_ELEMENTS = 1 << 21  # of a linear operation's rows that are all worked out: a quarter of a second
_SAMPLED_ROWS = 16  # that stand for all of them where there are more
_WHOLE_PICTURE = 1 << 18  # a matrix of so many elements is a picture as it is


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


@relative_weights.register(WindowAlignment)
@relative_weights.register(SegmentAlignment)
def _(alignment: WindowAlignment | SegmentAlignment, rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    sources, targets, weights = (each[0].detach().cpu().numpy() for each in alignment.entries())
    place = np.full(alignment.frames, -1)
    place[rows] = np.arange(len(rows))
    chosen = (place[targets] >= 0) & (weights > 0)
    result = np.zeros((len(rows), len(first)))
    if not chosen.any():
        return result
    sources, targets = sources[chosen], place[targets[chosen]]
    begin, stop = int(sources.min()), int(sources.max()) + 1  # neighbouring rows are made of neighbouring frames
    width = stop - begin + 1  # and a zero behind the last: reduceat needs an index for the end of a range, too
    matrix = np.bincount(targets * width + sources - begin, weights[chosen], len(rows) * width).reshape(len(rows), width)
    matrix /= np.maximum(matrix.max(axis=1, keepdims=True), 1e-30)
    seen = np.flatnonzero((first < stop) & (last >= begin))
    ranges = np.stack([np.maximum(first[seen], begin), np.minimum(last[seen] + 1, stop)], axis=1).reshape(-1) - begin
    if len(seen):
        result[:, seen] = np.maximum.reduceat(matrix, ranges, axis=1)[:, ::2]
    return result


def _pooled(alignment, row_edges: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Relative weights, the largest of every group of output frames and range of input frames.

    row_edges: (rows + 1,) output frames, rising. first, last: (columns,) as in `relative_weights`. Shape: -> (rows, columns) float32.
    """
    height, frames = len(row_edges) - 1, int(row_edges[-1] - row_edges[0])
    if isinstance(alignment, OperatorAlignment) and frames * int(alignment.lengths[0]) > _EXACT_ELEMENTS:
        return _pooled_samples(alignment, row_edges, first, last)
    picture = np.empty((height, len(first)), np.float32)
    step = max(1, _CHUNK * height // frames)
    for begin in range(0, height, step):
        chosen = row_edges[begin : begin + step + 1]
        weights = relative_weights(alignment, np.arange(chosen[0], chosen[-1]), first, last)
        picture[begin : begin + step] = np.maximum.reduceat(weights, chosen[:-1] - chosen[0], axis=0)
    return picture


def _pooled_samples(alignment: OperatorAlignment, row_edges: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """`_pooled` of a linear operation, from a few of its rows: the others are these, moved to their own centres.

    A weight is looked up by its distance from its row's centre, at whole frames; there the largest of the rows worked out
    counts. What differs from row to row, the part of a frame by which centres miss whole frames and the ends of the signal,
    is lost: less than the height of a pixel where many output frames share one.
    """
    frames, total = int(alignment.lengths[0]), int(alignment.output_lengths[0])
    centres = np.floor(alignment.centres()[0, :total].cpu().numpy()).astype(np.int64).clip(0, frames - 1)
    sampled = np.unique(np.linspace(0, total - 1, min(total, _SAMPLED_ROWS)).round().astype(np.int64))
    every, profile = np.arange(frames), np.zeros(2 * frames)  # of distances -frames..frames - 1
    for row, weights in zip(sampled, relative_weights(alignment, sampled, every, every), strict=True):
        here = profile[frames - centres[row] : 2 * frames - centres[row]]
        np.maximum(here, weights, out=here)
    # tops[k][n] is the largest of the 2 ** k distances from n on: any range is covered by two of them.
    tops = [profile]
    while 2 * (half := 1 << (len(tops) - 1)) <= len(profile):
        tops.append(np.append(np.maximum(tops[-1][:-half], tops[-1][half:]), tops[-1][-half:]))
    tops = np.stack(tops)
    begin = np.maximum(first - centres[row_edges[1:] - 1][:, None], -frames) + frames
    end = np.minimum(last - centres[row_edges[:-1]][:, None], frames - 1) + frames
    level = np.log2(end - begin + 1).astype(np.int64)
    return np.maximum(tops[level, begin], tops[level, end + 1 - (1 << level)]).astype(np.float32)


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

    height = min(layer.output_frames, rows)
    return _pooled(layer.alignment, np.arange(height + 1) * layer.output_frames // height, first, last)


@dataclass(frozen=True)
class Picture:
    """Part of an alignment, no finer than the screen it is for.

    weights: (rows, columns) uint8, 255 for the largest of an output frame, lowest output frame first. Row r shows output frames
    low + r * n // rows up to low + (r + 1) * n // rows, n = high - low. columns: (columns + 1,) int64 input frames at which
    columns begin, and the end of the last. A pixel shows the largest weight in it. whole: nothing is left out and nothing
    shares a pixel.
    """

    weights: np.ndarray
    low: int
    high: int
    columns: np.ndarray
    whole: bool


def picture(layer: LayerTrace, edges: np.ndarray, begin: float, end: float, columns: int, rows: int) -> Picture:
    """The alignment of a layer from `begin` to `end` seconds, with at most so many columns and rows; all of it where it is small.

    edges: (T + 1,) seconds, see `input_edges`.
    """
    total, frames = layer.output_frames, layer.input_frames
    if total * frames <= _WHOLE_PICTURE:
        low, high, cuts, height = 0, total, np.arange(frames + 1), total
    else:
        start = int(np.clip(np.searchsorted(edges, begin, side="right") - 1, 0, frames - 1))
        stop = int(np.clip(np.searchsorted(edges, end), start + 1, frames))
        low = int(np.clip(np.searchsorted(layer.boundaries, start, side="right") - 1, 0, total - 1))
        high = int(np.clip(np.searchsorted(layer.boundaries, stop), low + 1, total))
        height = min(high - low, rows)
        cuts = np.arange(start, stop + 1)
        if stop - start > columns:  # frames whose middles share a column of the screen share one here
            middles = (edges[start:stop] + edges[start + 1 : stop + 1]) / 2
            cuts = start + np.searchsorted(middles, np.linspace(begin, end, columns + 1)[1:-1])
            cuts = np.unique(np.concatenate([[start], cuts, [stop]]))
    row_edges = low + np.arange(height + 1) * (high - low) // height
    weights = _pooled(layer.alignment, row_edges, cuts[:-1], cuts[1:] - 1)
    whole = (height, len(cuts) - 1) == (total, frames)
    return Picture(np.round(weights * 255).astype("u1"), low, high, cuts, whole)
