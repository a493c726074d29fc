"""Adjacent-frame merging: the two most similar neighbours become their mean, again and again, until L frames remain.

Source: Li, Wu, Li and Liu, "Accelerating transducers through adjacent token merging" (A-ToMe, 2023). There, pairs above
a threshold or a share of all pairs are merged at once between the layers of a transformer, by the similarity of their
keys. Here one layer merges one pair at a time, by the cosine of the frames themselves, until exactly L are left.

A merged frame is the mean of all the input frames in it, so sizes count. Only decisions are made in the loop, T - L of
them off a heap, each O(channels + log T); the result is one weighted sum, and gradients flow through the means alone.
"""

from __future__ import annotations

import heapq
from typing import cast

import numpy as np
import torch
from torch import Tensor

from adastride import alignment as maths
from adastride.downsampling.base import Downsampled, Downsampler, LayerSettings, Method, no_position_loss, register, where_float64_is
from adastride.downsampling.effective import SegmentAlignment

# Similarities that agree in so many decimals are equal: then the smaller pair goes first, and the earlier of two of one
# size, rather than whichever rounding prefers. A constant signal gets uniform strides that way.
_DECIMALS = 9


def merge_sizes(frames: np.ndarray, count: int) -> np.ndarray:
    """How many neighbours are merged into each of `count` frames: (count,) int64, which add up to T.

    frames: (T, channels) float64, T >= count >= 1. Two frames of zeros are as similar as can be.

    >>> merge_sizes(np.array([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0], [0.0, 1.0]]), 2)
    array([2, 2])
    """
    total = len(frames)
    sums = np.array(frames, dtype=np.float64)  # of each group's frames: their cosine is that of the means
    lengths = np.sqrt(np.einsum("tc,tc->t", sums, sums)).tolist()
    sizes = [1] * total
    following, preceding = list(range(1, total + 1)), list(range(-1, total - 1))
    stamps = [0] * total  # of the pair that begins at a frame; an entry of the heap with another stamp is out of date

    def entry(left: int, right: int, product: float) -> tuple[float, int, int, int]:
        scale = lengths[left] * lengths[right]
        similarity = product / scale if scale > 0 else float(lengths[left] == lengths[right])
        return -round(similarity, _DECIMALS), sizes[left] + sizes[right], left, stamps[left]

    products = np.einsum("tc,tc->t", sums[:-1], sums[1:]).tolist()
    heap = [entry(left, left + 1, product) for left, product in enumerate(products)]
    heapq.heapify(heap)
    for _ in range(total - count):
        _, _, left, stamp = heapq.heappop(heap)
        while stamp != stamps[left]:
            _, _, left, stamp = heapq.heappop(heap)
        right = following[left]
        merged = sums[left]
        merged += sums[right]
        lengths[left] = float(merged @ merged) ** 0.5
        sizes[left] += sizes[right]
        sizes[right] = 0
        stamps[left] += 1
        stamps[right] = -1  # it begins no pair any more
        before, after = preceding[left], following[right]
        following[left] = after
        if after < total:
            preceding[after] = left
            heapq.heappush(heap, entry(left, after, float(merged @ sums[after])))
        if before >= 0:
            stamps[before] += 1
            heapq.heappush(heap, entry(before, left, float(sums[before] @ merged)))
    return np.array([size for size in sizes if size], dtype=np.int64)


def merge(x: Tensor, lengths: Tensor, output_lengths: Tensor) -> SegmentAlignment:
    """The alignment that merges the most similar neighbours of x until output_lengths remain.

    Shape: x (batch, channels, time), lengths and output_lengths (batch,) -> an alignment that pools (batch, channels, time).
    """
    maths.refuse_transforms(x)
    batch, _, time = x.shape
    frames = max(maths.whole_numbers(output_lengths))
    targets = np.full((batch, time), frames - 1)
    weights = np.zeros((batch, time))
    edges = np.zeros((batch, frames + 1))
    signals = x.detach().cpu().to(torch.float64).transpose(1, 2).numpy()
    for example, (length, count) in enumerate(zip(maths.whole_numbers(lengths), maths.whole_numbers(output_lengths), strict=True)):
        sizes = merge_sizes(signals[example, :length], count)
        targets[example, :length] = np.repeat(np.arange(count), sizes)
        weights[example, :length] = np.repeat(1 / sizes, sizes)
        edges[example, 1:] = length
        edges[example, 1 : count + 1] = sizes.cumsum()
    lengths, output_lengths = where_float64_is(lengths), where_float64_is(output_lengths)
    indices, shares, ends = (torch.from_numpy(numbers).to(lengths.device) for numbers in (targets, weights, edges))
    return SegmentAlignment(
        sources=torch.arange(time, device=lengths.device).expand(batch, time), targets=indices, weights=shares, edges=ends,
        input_positions=indices.minimum(output_lengths[:, None] - 1).to(torch.float64), lengths=lengths, output_lengths=output_lengths,
        time=time, dtype=x.dtype,
    )


class AdjacentMerging(Downsampler):
    """Merges the two most similar neighbouring frames again and again, until L frames remain. It has no weights to learn.

    channels: channels of the input. stride: input frames per output frame, any real number of at least 1.

    Shape: (batch, channels, time) -> (batch, channels, ceil(time / stride)).
    Raises ValueError for a stride below 1 or an input of another shape.

    >>> AdjacentMerging(channels=2, stride=2)(torch.tensor([[[1.0, 1.0, 0.0, 0.0], [0.0, 0.2, 1.0, 1.0]]])).values
    tensor([[[1.0000, 0.0000],
             [0.1000, 1.0000]]])
    """

    def __init__(self, channels: int, stride: float = 2.0):
        super().__init__()
        self.channels = channels
        self.stride = maths.check_stride(stride)

    def forward(self, x: Tensor, lengths: Tensor | None = None, settings: LayerSettings | None = None) -> Downsampled:
        lengths = self.check(x, lengths)
        shorter = self.output_lengths(lengths, settings)
        alignment = merge(x, lengths, shorter)
        return Downsampled(alignment.pool(x), shorter, alignment, no_position_loss(x))

    def shortcut(self, x: Tensor, lengths: Tensor, downsampled: Downsampled) -> Tensor:
        """Merges the frames of the shortcut in the groups of the main path."""
        return cast(SegmentAlignment, downsampled.alignment).pool(x)


register(
    Method(
        key="a-tome",
        label="A-ToMe (adjacent merging)",
        idea="The two most similar neighbours become their mean, again and again, until L frames remain.",
        formula=r"i^* = \operatorname{arg\,max}_i \cos(y_i, y_{i+1}),\quad y_{i^*} \leftarrow"
                r" \frac{n_{i^*} y_{i^*} + n_{i^*+1} y_{i^*+1}}{n_{i^*} + n_{i^*+1}}",
        citation="Li, Wu, Li and Liu, 2023",
        complexity="O(T log T)",
        kind="adaptive",
        parameters={},
        build=AdjacentMerging,
    )
)
