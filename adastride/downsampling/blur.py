"""BlurPool: a binomial low-pass filter, then every stride-th frame.

Source: Zhang, "Making convolutional networks shift-invariant again" (2019). Each example is reflected at its own ends; one that is
too short for its reflection is reflected again.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from adastride import alignment as maths
from adastride.downsampling.base import Method, register, whole_stride, zero_padding
from adastride.downsampling.effective import LinearDownsampler

SMALLEST_FILTER, LARGEST_FILTER = 2, 7


def blur_pool(x: Tensor, lengths: Tensor, stride: int, filter_size: int = 3) -> Tensor:
    """Takes binomial means of `filter_size` frames around every stride-th frame.

    Shape: x (batch, channels, time), lengths (batch,) -> (batch, channels, ceil(time / stride)), zero past each L_b.

    >>> blur_pool(torch.tensor([[[0.0, 4.0, 0.0, 0.0, 8.0]]]), torch.tensor([5]), 2)
    tensor([[[2., 1., 4.]]])
    """
    shorter = maths.output_lengths(lengths, stride)
    frames, left = max(maths.whole_numbers(shorter)), (filter_size - 1) // 2
    stride = min(stride, x.shape[2])
    needed = torch.arange((frames - 1) * stride + filter_size, device=x.device) - left
    if len(set(maths.whole_numbers(lengths))) == 1:
        around = x.index_select(2, _reflect(needed, lengths[:1]))
    else:
        around = x.gather(2, _reflect(needed, lengths[:, None])[:, None].expand(-1, x.shape[1], -1))
    sums = sum(
        math.comb(filter_size - 1, tap) / 2 ** (filter_size - 1) * around[..., tap : tap + (frames - 1) * stride + 1 : stride]
        for tap in range(filter_size)
    )
    return zero_padding(sums, shorter)


def _reflect(index: Tensor, lengths: Tensor) -> Tensor:
    """Frame numbers folded into 0..length - 1, as in a hall of mirrors; the end frames are not repeated."""
    period = (2 * (lengths - 1)).clamp(min=1)
    folded = index.abs() % period
    return torch.minimum(folded, period - folded).minimum(lengths - 1)


class BlurPool(LinearDownsampler):
    """Applies a binomial filter and keeps every stride-th frame. It can only do whole strides and rounds others to the nearest.

    channels: channels of the input. stride: input frames per output frame. filter_size: frames the filter spans, 2 to 7.

    Shape: (batch, channels, time) -> (batch, channels, ceil(time / round(stride))).
    Raises ValueError for a stride below 1, a filter size that is not a whole number from 2 to 7, or an input of another shape.

    >>> BlurPool(channels=1, stride=2)(torch.arange(5.0)[None, None]).values
    tensor([[[0.5000, 2.0000, 3.5000]]])
    """

    def __init__(self, channels: int, stride: float = 2.0, filter_size: int = 3):
        super().__init__()
        if not (SMALLEST_FILTER <= filter_size <= LARGEST_FILTER and float(filter_size).is_integer()):
            raise ValueError(f"filter_size must be a whole number from {SMALLEST_FILTER} to {LARGEST_FILTER}, got {filter_size:g}")
        self.channels = channels
        self.stride = self.nearest_stride(stride)
        self.filter_size = int(filter_size)
        self.first = 0.0 if filter_size % 2 else 0.5  # an even filter lies between two frames

    def nearest_stride(self, stride: float) -> int:
        """The whole stride nearest to the one asked for."""
        return whole_stride(stride)

    def operate(self, x: Tensor, lengths: Tensor, stride: int) -> Tensor:
        return blur_pool(x, lengths, stride, self.filter_size)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, filter_size={self.filter_size}"


register(
    Method(
        key="blur-pool",
        label="BlurPool",
        idea="A small binomial low-pass filter before taking every s-th frame.",
        formula=r"y_i = \sum_{k=0}^{n-1} 2^{1-n} \binom{n-1}{k}\, x_{si + k - \lfloor (n-1)/2 \rfloor}",
        citation="Zhang, 2019",
        complexity="O(T)",
        kind="fixed",
        parameters={"filter_size": (SMALLEST_FILTER, LARGEST_FILTER, 3)},
        build=BlurPool,
        whole_strides=True,
    )
)
