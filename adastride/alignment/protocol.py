"""The contract of alignments, which say where the frames of a layer went, and the three ways in which one is drawn.

There are three kinds of alignment: AdaStride's has positions (`adastride.alignment.Alignment`), a strided convolution's has taps,
and others are matrices that are worked out row by row (`adastride.downsampling.effective`). Whatever shows an alignment asks it how
it is drawn, never of which class it is.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

_ELEMENTS = 1 << 21  # of whole rows held at a time
_TAIL = 40.0  # weights below exp(-tail) of a row's largest count as none


@dataclass(frozen=True, eq=False)
class Positions:
    """An alignment that is drawn from positions: row i weighs frame j by exp(-sigma^-2 (unit_j (L - 1) - i)^2) over the row's sum.

    unit: (time,) float64 from 0 to 1, see `adastride.alignment.unit_positions`. sigma: in output frames. nearest: whether only frames
    whose position rounds to i take part in row i.
    """

    unit: np.ndarray
    sigma: float
    nearest: bool


@dataclass(frozen=True, eq=False)
class Taps:
    """An alignment that is drawn from taps: row i weighs frame i * stride + n - K // 2 by taps_n over the sum of those in the signal.

    taps: (K,), not negative. stride: in whole input frames.
    """

    taps: np.ndarray
    stride: int


@dataclass(frozen=True, eq=False)
class Picture:
    """An alignment that is drawn from its rows, which have to be asked for.

    positions: (time,) float64 output frames, where each input frame lies; they are drawn where the rows would be too many. alike:
    whether all rows are about the same, moved to their own centres, so that a few can stand for all. Each such row costs an
    application of the operation.
    """

    positions: np.ndarray
    alike: bool


Drawing = Positions | Taps | Picture


class AnyAlignment(Protocol):
    """What every alignment offers to those who look at it.

    axis: what frames run along, "time" as a rule, "height" or "width" for one axis of an image. lengths, output_lengths: (batch,)
    int64, the numbers of valid input and output frames. frames: the largest of `output_lengths`, to which outputs are padded.
    positions: (batch, time) float64 from 0 to L - 1, where each input frame lies on the output axis. dtype: the type in which
    matrices are returned.
    """

    @property
    def axis(self) -> str: ...

    @property
    def lengths(self) -> Tensor: ...

    @property
    def output_lengths(self) -> Tensor: ...

    @property
    def frames(self) -> int: ...

    @property
    def positions(self) -> Tensor: ...

    @property
    def dtype(self) -> torch.dtype: ...

    def boundaries(self) -> Tensor:
        """Where one output frame ends and the next begins: (batch, L + 1) float64 input frames from 0 to T_b, rising."""

    def centres(self) -> Tensor:
        """Where each output frame belongs on the input axis: (batch, L) float64 input frames."""

    def strides(self) -> Tensor:
        """How many input frames each output frame stands for: (batch, L) float64. The strides of an example sum to T_b."""

    def entropy(self) -> Tensor:
        """The entropy of each row of the matrix in nats: (batch, L)."""

    def rows(self, frames: Tensor | Sequence[int], example: int = 0) -> Tensor:
        """Some rows of one example's matrix, without the rest: (n, time) for output frames (n,). A row sums to 1 or is zero."""

    def dense(self) -> Tensor:
        """The matrix: (batch, L, time), zero in rows past an example's output length. It is for looking, not for computing."""

    def drawing(self) -> Drawing:
        """What example 0 is drawn from."""

    def relative_weights(self, rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """The largest weight of some output frames of example 0 in ranges of input frames, relative to the largest of the row.

        rows: (n,) output frames. first, last: (columns,) the first and the last input frame of each range, from 0 to T - 1.
        Shape: -> (n, columns) float64 from 0 to 1; 0 in a row without any weight, which AdaStride-F may have.
        """


class Reversible(ABC):
    """An alignment that can compute as well: it takes signals to output frames and back again in O(time)."""

    @abstractmethod
    def pool(self, x: Tensor) -> Tensor:
        """Computes Y = A X. Shape: x (batch, channels, time) -> (batch, channels, L), zero past each example's output length."""

    @abstractmethod
    def upsample(self, y: Tensor) -> Tensor:
        """Brings y back to input frames. Shape: y (batch, channels, L) -> (batch, channels, time), zero past each example's length."""


def weights_of_positions(
    positions: np.ndarray, sigma: float, nearest: bool, rows: np.ndarray, first: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """`AnyAlignment.relative_weights` for an alignment with positions (T,), all of them valid.

    Positions are sorted and weights fall with the distance, so one look-up finds the frame of a range whose weight is the largest,
    and no row is ever worked out. Ranges where every weight is below exp(-40) of the largest of its row are left at 0: what a few
    neighbouring rows reach of an hour of sound is a narrow band.
    """
    frames = len(positions)
    index = np.asarray(rows, np.float64)[:, None]
    begin, stop = np.zeros((len(rows), 1), np.int64), np.full((len(rows), 1), frames)
    if nearest:
        rounded = np.round(positions)
        begin, stop = np.searchsorted(rounded, index), np.searchsorted(rounded, index, side="right")
    following = np.searchsorted(positions, index)

    def nearest_distance(low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """The distance of the row's closest frame among low..high, which is one of the two on either side of the row's index."""
        either = (np.clip(following - 1, low, high), np.clip(following, low, high))
        return np.minimum(*(np.abs(positions[frame] - index) for frame in either))

    closest = nearest_distance(begin, stop - 1)
    radius = math.sqrt(float(np.max(closest, initial=0.0, where=begin < stop)) ** 2 + _TAIL * sigma**2)
    touched = np.flatnonzero((positions[last] >= index.min(initial=np.inf) - radius) & (positions[first] <= index.max(initial=-np.inf) + radius))
    low, high = np.maximum(first[touched], begin), np.minimum(last[touched], stop - 1)
    distance = np.where(low <= high, nearest_distance(low, high), np.inf)
    result = np.zeros((len(first), len(rows))).T  # a column at a time, so that only what is touched takes memory and time
    # (d - d_min)(d + d_min): the difference of two large squares would lose the digits that a small sigma multiplies.
    result[:, touched] = np.exp(-(sigma**-2) * (distance - closest) * (distance + closest))
    return result


def weights_of_taps(
    taps: np.ndarray, stride: int, frames: int, rows: np.ndarray, first: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """`AnyAlignment.relative_weights` for an alignment that has the same taps (K,) at every stride-th of `frames` input frames."""
    taps = taps.astype(np.float64)
    touched = stride * np.asarray(rows)[:, None] + np.arange(len(taps)) - len(taps) // 2  # (n, K) input frames
    weights = np.where((touched >= 0) & (touched < frames), taps, 0.0)
    weights = weights / np.maximum(weights.max(axis=1, keepdims=True), 1e-30)
    result = np.zeros((len(rows), len(first)))
    for tap in range(len(taps)):
        inside = (touched[:, tap, None] >= first) & (touched[:, tap, None] <= last)
        np.maximum(result, weights[:, tap, None], out=result, where=inside)
    return result


def weights_of_entries(
    sources: np.ndarray, targets: np.ndarray, weights: np.ndarray, frames: int, rows: np.ndarray, first: np.ndarray, last: np.ndarray
) -> np.ndarray:
    """`AnyAlignment.relative_weights` for a matrix with few entries.

    sources, targets, weights: (S,) input frames, output frames and weights of the entries. frames: how many output frames there are.
    """
    row_of = np.full(frames, -1)
    row_of[rows] = np.arange(len(rows))
    needed = (row_of[targets] >= 0) & (weights > 0)
    result = np.zeros((len(rows), len(first)))
    if not needed.any():
        return result
    sources, targets = sources[needed], row_of[targets[needed]]
    begin, stop = int(sources.min()), int(sources.max()) + 1  # neighbouring rows are made of neighbouring frames
    width = stop - begin + 1  # and a zero behind the last: reduceat needs an index for the end of a range, too
    matrix = np.bincount(targets * width + sources - begin, weights[needed].astype(np.float64), len(rows) * width).reshape(len(rows), width)
    matrix = matrix / np.maximum(matrix.max(axis=1, keepdims=True), 1e-30)
    touched = np.flatnonzero((first < stop) & (last >= begin))
    ranges = np.stack([np.maximum(first[touched], begin), np.minimum(last[touched] + 1, stop)], axis=1).reshape(-1) - begin
    if len(touched):
        result[:, touched] = np.maximum.reduceat(matrix, ranges, axis=1)[:, ::2]
    return result


def weights_of_rows(alignment: AnyAlignment, rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
    """`AnyAlignment.relative_weights` for any alignment, worked out from whole rows, of which a bounded number is held at a time."""
    frames = int(alignment.lengths[0])
    result = np.empty((len(rows), len(first)))
    step = max(1, _ELEMENTS // frames)
    for begin in range(0, len(rows), step):
        # A zero behind the last frame: reduceat needs an index for the end of a range, too.
        weights = np.zeros((len(rows[begin : begin + step]), frames + 1))
        weights[:, :-1] = alignment.rows(torch.from_numpy(rows[begin : begin + step]))[:, :frames].detach().cpu().numpy()
        weights /= np.maximum(weights.max(axis=1, keepdims=True), 1e-30)
        ranges = np.stack([first, last + 1], axis=1).reshape(-1)
        result[begin : begin + step] = np.maximum.reduceat(weights, ranges, axis=1)[:, ::2]
    return result
