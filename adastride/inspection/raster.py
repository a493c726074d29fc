"""Alignments as pictures of a bounded size, whatever the length of the clip.

The (L, T) matrix of a ten-minute clip has 700 million elements; a picture of it has half a million pixels. A pixel shows the
largest weight among the output frames of its row and the input frames of its column, and an alignment works these weights out
without building its matrix (`AnyAlignment.relative_weights`). Where the rows of a linear operation would be too many to work out,
a few of them stand for all, because the rows differ only in their place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from adastride.alignment import AnyAlignment
from adastride.alignment import Picture as DrawnFromRows
from adastride.inspection.tracing import LayerTrace, Trace

# Output frames looked at together: at 1000 columns 4 MB an array.
_CHUNK = 512
_EXACT_ELEMENTS = 1 << 21  # of a linear operation's rows that are all worked out: a quarter of a second
_SAMPLED_ROWS = 16  # that stand for all of them where there are more
_WHOLE_PICTURE = 1 << 18  # a matrix of so many elements is a picture as it is


def _pooled(alignment: AnyAlignment, row_edges: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """The largest relative weight in every group of output frames and range of input frames: (rows, columns) float32.

    row_edges: (rows + 1,) output frames at which the groups begin, rising, and the end of the last. first, last: (columns,) input
    frames, as in `AnyAlignment.relative_weights`.
    """
    height, frames = len(row_edges) - 1, int(row_edges[-1] - row_edges[0])
    drawing = alignment.drawing()
    if isinstance(drawing, DrawnFromRows) and drawing.alike and frames * int(alignment.lengths[0]) > _EXACT_ELEMENTS:
        return _pooled_samples(alignment, row_edges, first, last)
    picture = np.empty((height, len(first)), np.float32)
    step = max(1, _CHUNK * height // frames)
    for begin in range(0, height, step):
        edges = row_edges[begin : begin + step + 1]
        weights = alignment.relative_weights(np.arange(edges[0], edges[-1]), first, last)
        picture[begin : begin + step] = np.maximum.reduceat(weights, edges[:-1] - edges[0], axis=0)
    return picture


def _pooled_samples(alignment: AnyAlignment, row_edges: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """`_pooled` for a linear operation, worked out from a few of its rows; the others are these, moved to their own centres.

    A weight is looked up by its distance from the centre of its row in whole frames, and the largest weight among the rows that
    were worked out counts. What differs between rows is lost: the part of a frame by which centres miss whole frames, and the ends of
    the signal. That is less than the height of a pixel where many output frames share one.
    """
    frames, total = int(alignment.lengths[0]), int(alignment.output_lengths[0])
    centres = np.floor(alignment.centres()[0, :total].cpu().numpy()).astype(np.int64).clip(0, frames - 1)
    sampled = np.unique(np.linspace(0, total - 1, min(total, _SAMPLED_ROWS)).round().astype(np.int64))
    all_frames, profile = np.arange(frames), np.zeros(2 * frames)  # of distances -frames..frames - 1
    for row, weights in zip(sampled, alignment.relative_weights(sampled, all_frames, all_frames), strict=True):
        around_centre = profile[frames - centres[row] : 2 * frames - centres[row]]
        np.maximum(around_centre, weights, out=around_centre)
    # tops[k][n] is the largest of the 2 ** k distances from n on: any range is covered by two of them.
    tops = [profile]
    while 2 * (half := 1 << (len(tops) - 1)) <= len(profile):
        tops.append(np.append(np.maximum(tops[-1][:-half], tops[-1][half:]), tops[-1][-half:]))
    table = np.stack(tops)
    begin = np.maximum(first - centres[row_edges[1:] - 1][:, None], -frames) + frames
    end = np.minimum(last - centres[row_edges[:-1]][:, None], frames - 1) + frames
    level = np.log2(end - begin + 1).astype(np.int64)
    return np.maximum(table[level, begin], table[level, end + 1 - (1 << level)]).astype(np.float32)


def input_edges(trace: Trace, layer: int) -> np.ndarray:
    """The times at which the input frames of a layer (0 is the lowest) begin and end in the clip: (T + 1,) seconds, never falling."""
    return trace.boundary_seconds(layer - 1)


def rasterise(layer: LayerTrace, edges: np.ndarray, seconds: float, columns: int, rows: int) -> np.ndarray:
    """Makes a picture of a layer's alignment whose columns are equal times from 0 to `seconds`.

    edges: (T + 1,) seconds, see `input_edges`; an input frame is as wide as the time it stands for.
    Returns (min(L, rows), columns) float32 with output frame 0 first; weights are relative to the largest of their row. A pixel
    shows the largest weight in it, so that no frame is lost, however many share the pixel. It needs O(T + columns * rows) memory.
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
    """A part of an alignment, no finer than the screen it is for.

    weights: (rows, columns) uint8 with the lowest output frame first; 255 stands for the largest weight of an output frame, and a
    pixel shows the largest weight in it. low, high: the output frames low..high - 1 are shown. Row r shows those from
    low + r * n // rows up to low + (r + 1) * n // rows, where n = high - low. columns: (columns + 1,) int64 input frames at which the
    columns begin, and the end of the last. whole: whether the picture is the whole matrix, with a pixel for each element.
    """

    weights: np.ndarray
    low: int
    high: int
    columns: np.ndarray
    whole: bool


def picture(layer: LayerTrace, edges: np.ndarray, begin: float, end: float, columns: int, rows: int) -> Picture:
    """Makes a picture of a layer's alignment from `begin` to `end` seconds, with at most so many columns and rows.

    A small alignment is shown whole. edges: (T + 1,) seconds, see `input_edges`.
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
