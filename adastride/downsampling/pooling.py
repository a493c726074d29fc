"""Pooling over windows side by side: average, max and SoftPool.

Sources: average and max pooling as in every network since LeCun et al., "Gradient-based learning applied to document
recognition" (1998), and Boureau, Ponce and LeCun, "A theoretical analysis of feature pooling" (2010). SoftPool:
Stergiou, Poppe and Kalliatakis, "Refining activation downsampling with SoftPool" (2021).

Output frame i looks at input frames [i s, (i + 1) s), the last window at what is left of it, so L = ceil(T / s). At a
stride of 1 all three are the identity. For the average, s may be any number: a window of 2.5 frames takes half of its
third frame.
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from adastride import alignment as maths
from adastride.downsampling.base import (
    Downsampled,
    Downsampler,
    LayerSettings,
    Method,
    no_position_loss,
    register,
    where_float64_is,
    whole_stride,
    zero_padding,
)
from adastride.downsampling.effective import LinearDownsampler, WindowAlignment


def average_pool(x: Tensor, lengths: Tensor, stride: float) -> Tensor:
    """Takes means over windows of `stride` frames, any real number of at least 1. A frame counts by the part of it in the window.

    Shape: x (batch, channels, time), lengths (batch,) -> (batch, channels, ceil(time / stride)), zero past each L_b.

    >>> average_pool(torch.tensor([[[0.0, 1.0, 2.0, 3.0, 4.0]]]), torch.tensor([5]), 2.5)
    tensor([[[0.8000, 3.2000]]])
    """
    time = x.shape[2]
    shorter = maths.output_lengths(lengths, stride)
    frames = max(maths.whole_numbers(shorter))
    x = zero_padding(x, lengths)
    if float(stride).is_integer():
        window = min(int(stride), time)
        sums = F.avg_pool1d(F.pad(x, (0, frames * window - time)), window) * window
        covered = (lengths[:, None] - window * torch.arange(frames, device=x.device)).clamp(0, window)
    else:
        # Windows are pulled back by a hair: where T / s rounds up past a whole number, the last one would begin at T.
        ends = where_float64_is(lengths)[:, None, None]
        edges = torch.arange(frames + 1, dtype=torch.float64, device=ends.device) * (stride * (1 - 1e-12))
        begin, end = edges[:-1, None], edges[1:, None]
        frame = begin.floor().long() + torch.arange(min(math.ceil(stride) + 1, time), device=ends.device)  # (L, K), K meet a window
        overlap = (torch.minimum(frame + 1, end) - torch.maximum(frame, begin)).clamp(min=0).masked_fill(frame >= time, 0.0)
        gathered = x.index_select(2, frame.clamp(max=time - 1).reshape(-1).to(x.device)).unflatten(2, frame.shape)
        sums = (gathered * overlap.to(x.dtype).to(x.device)).sum(dim=3)
        covered = (overlap * (frame < ends)).sum(dim=2)
    covered = covered.masked_fill(covered == 0, 1).to(x.dtype).to(x.device)
    return zero_padding(sums / covered[:, None], shorter)


def _windows(x: Tensor, lengths: Tensor, stride: int, fill: float) -> tuple[Tensor, Tensor]:
    """Cuts x into windows side by side. Returns them, (batch, channels, L, window), and the output lengths L_b, (batch,).

    A window holds `fill` where it goes past the length. Windows that lie wholly in padding are zero, so that nothing in them is
    infinite.
    """
    time = x.shape[2]
    shorter = maths.output_lengths(lengths, stride)
    frames, window = max(maths.whole_numbers(shorter)), min(stride, time)
    windows = F.pad(zero_padding(x, lengths, fill), (0, frames * window - time), value=fill).unflatten(2, (frames, window))
    covered = maths.known_lengths([count * window for count in maths.whole_numbers(shorter)], x.device)
    return zero_padding(windows.flatten(2), covered).view(windows.shape), shorter


def max_pool(x: Tensor, lengths: Tensor, stride: int) -> Tensor:
    """Takes the largest value of every window of `stride` frames.

    Shape: x (batch, channels, time), lengths (batch,) -> (batch, channels, ceil(time / stride)), zero past each L_b.

    >>> max_pool(torch.tensor([[[0.0, 3.0, 2.0, 1.0, -4.0]]]), torch.tensor([5]), 2)
    tensor([[[ 3.,  2., -4.]]])
    """
    windows, _ = _windows(x, lengths, stride, -math.inf)
    return F.max_pool1d(windows.flatten(2), windows.shape[3])


def soft_pool(x: Tensor, lengths: Tensor, stride: int) -> Tensor:
    """Takes means over windows of `stride` frames, weighted by exp(x), for each channel on its own.

    Shape: x (batch, channels, time), lengths (batch,) -> (batch, channels, ceil(time / stride)), zero past each L_b.

    >>> soft_pool(torch.tensor([[[0.0, 0.0, 0.0, 2.0, 5.0]]]), torch.tensor([5]), 2)
    tensor([[[0.0000, 1.7616, 5.0000]]])
    """
    windows, _ = _windows(x, lengths, stride, torch.finfo(x.dtype).min)  # of weight 0, and 0 times it is 0
    values, window = windows.flatten(2), windows.shape[3]
    # A softmax along so short an axis is slow; two poolings are not. What is taken off the exponent cancels in the quotient.
    top = F.max_pool1d(values.detach(), window).repeat_interleave(window, dim=2)
    weights = torch.exp(values - top)
    return F.avg_pool1d(weights * values, window) / F.avg_pool1d(weights, window)


class AveragePool(LinearDownsampler):
    """Takes the mean of every window of `stride` frames, at any real stride.

    channels: channels of the input. stride: input frames per output frame.

    Shape: (batch, channels, time) -> (batch, channels, ceil(time / stride)).
    Raises ValueError for a stride below 1 or an input of another shape.

    >>> AveragePool(channels=1, stride=2)(torch.arange(5.0)[None, None]).values
    tensor([[[0.5000, 2.5000, 4.0000]]])
    """

    first = None

    def __init__(self, channels: int, stride: float = 2.0):
        super().__init__()
        self.channels = channels
        self.stride = maths.check_stride(stride)

    def operate(self, x: Tensor, lengths: Tensor, stride: float) -> Tensor:
        return average_pool(x, lengths, stride)


class MaxPool(Downsampler):
    """Takes the largest value of every window of `stride` frames. It can only do whole strides and rounds others to the nearest.

    channels: channels of the input. stride: input frames per output frame.

    Shape: (batch, channels, time) -> (batch, channels, ceil(time / round(stride))).
    Raises ValueError for a stride below 1 or an input of another shape.

    >>> MaxPool(channels=1, stride=2)(torch.arange(5.0)[None, None]).values
    tensor([[[1., 3., 4.]]])
    """

    linear = False

    def __init__(self, channels: int, stride: float = 2.0):
        super().__init__()
        self.channels = channels
        self.stride = self.nearest_stride(stride)

    def nearest_stride(self, stride: float) -> int:
        """The whole stride nearest to the one asked for."""
        return whole_stride(stride)

    def pool(self, x: Tensor, lengths: Tensor, stride: int) -> Tensor:
        """Pools x. Shape: (batch, channels, time) -> (batch, channels, L)."""
        return max_pool(x, lengths, stride)

    def slopes(self, x: Tensor, lengths: Tensor, stride: int) -> Tensor:
        """The slopes |dy_i / dx_j| of every input frame j in its window i, summed over channels: (batch, time)."""
        windows, _ = _windows(x, lengths, stride, -math.inf)
        slopes = F.one_hot(windows.argmax(dim=3), windows.shape[3]).sum(dim=1).flatten(1)
        return _fit(slopes.to(x.dtype), lengths, x.shape[2])

    def forward(self, x: Tensor, lengths: Tensor | None = None, settings: LayerSettings | None = None) -> Downsampled:
        lengths = self.check(x, lengths)
        stride = min(self.chosen_stride(settings), x.shape[2])  # a window longer than the signal is one of all of it
        shorter = maths.output_lengths(lengths, stride)
        alignment = WindowAlignment(
            weigh=torch.no_grad()(lambda: where_float64_is(self.slopes(x.detach(), lengths, stride))), stride=stride,
            lengths=where_float64_is(lengths), output_lengths=where_float64_is(shorter), time=x.shape[2], dtype=x.dtype,
        )
        return Downsampled(self.pool(x, lengths, stride), shorter, alignment, no_position_loss(x))

    def shortcut(self, x: Tensor, lengths: Tensor, downsampled: Downsampled) -> Tensor:
        """Pools the shortcut in the same windows; each path picks its own frames."""
        return self.pool(x, lengths, cast(WindowAlignment, downsampled.alignment).stride)


def _fit(weights: Tensor, lengths: Tensor, time: int) -> Tensor:
    """Extends the weights of whole windows, (batch, n), to (batch, time), zero past each example's length."""
    weights = F.pad(weights, (0, time - weights.shape[1]))
    return weights.masked_fill(~maths.length_mask(lengths, time), 0.0)


class SoftPool(MaxPool):
    """Takes the mean of every window, weighted by exp(x), which lies between the mean and the maximum. It can only do whole strides.

    channels: channels of the input. stride: input frames per output frame; others are rounded to the nearest whole one.

    Shape: (batch, channels, time) -> (batch, channels, ceil(time / round(stride))).
    Raises ValueError for a stride below 1 or an input of another shape.

    >>> SoftPool(channels=1, stride=2)(torch.arange(5.0)[None, None]).values
    tensor([[[0.7311, 2.7311, 4.0000]]])
    """

    def pool(self, x: Tensor, lengths: Tensor, stride: int) -> Tensor:
        return soft_pool(x, lengths, stride)

    def slopes(self, x: Tensor, lengths: Tensor, stride: int) -> Tensor:
        # y = sum w x with w = softmax(x), so dy / dx_j = w_j (1 + x_j - y): a frame far below the others may count against y.
        weights = _windows(x, lengths, stride, -math.inf)[0].softmax(dim=3)
        values = _windows(x, lengths, stride, 0.0)[0]
        slopes = weights * (1 + values - (weights * values).sum(dim=3, keepdim=True))
        return _fit(slopes.abs().sum(dim=1).flatten(1), lengths, x.shape[2])


register(
    Method(
        key="avg-pool",
        label="Average pooling",
        idea="The mean of every window of s frames.",
        formula=r"y_i = \frac{1}{s} \int_{si}^{s(i+1)} x_{\lfloor t \rfloor}\, dt",
        citation="LeCun, Bottou, Bengio and Haffner, 1998",
        complexity="O(T)",
        kind="fixed",
        parameters={},
        build=AveragePool,
    )
)
register(
    Method(
        key="max-pool",
        label="Max pooling",
        idea="The largest value of every window of s frames, for each channel on its own.",
        formula=r"y_i = \max_{si \le j < s(i+1)} x_j",
        citation="Boureau, Ponce and LeCun, 2010",
        complexity="O(T)",
        kind="fixed",
        parameters={},
        build=MaxPool,
        whole_strides=True,
    )
)
register(
    Method(
        key="soft-pool",
        label="SoftPool",
        idea="A mean over every window of s frames in which larger values weigh exponentially more.",
        formula=r"y_i = \sum_{j=si}^{s(i+1)-1} \frac{e^{x_j}}{\sum_k e^{x_k}}\, x_j",
        citation="Stergiou, Poppe and Kalliatakis, 2021",
        complexity="O(T)",
        kind="fixed",
        parameters={},
        build=SoftPool,
        whole_strides=True,
    )
)
