"""Strided convolution: the baseline every paper of this field compares with.

Source: Radford, Metz and Chintala, "Unsupervised representation learning with deep convolutional generative
adversarial networks" (2016); the AdaStride paper's residual block uses it as its baseline (appendix C, figure 7).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from adastride import alignment as maths
from adastride.alignment import Taps
from adastride.alignment.protocol import weights_of_taps
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
from adastride.downsampling.effective import UniformAlignment, normalise_rows


@dataclass(frozen=True, eq=False)
class TapAlignment(UniformAlignment):
    """The effective alignment of a strided convolution: every row has the same taps, moved by the stride.

    taps: (K,) the kernel's absolute weights summed over channels, |dy_i / dx_j|. A row is normalised where it is drawn.
    """

    taps: Tensor
    stride: int
    lengths: Tensor
    output_lengths: Tensor
    time: int
    axis: str = "time"
    first = 0.0

    @property
    def dtype(self) -> torch.dtype:  # type: ignore[override]
        return self.taps.dtype

    @property
    def step(self) -> Tensor:  # type: ignore[override]
        return torch.full((len(self.lengths),), float(self.stride), dtype=torch.float64, device=self.lengths.device)

    def rows(self, frames: Tensor | Sequence[int], example: int = 0) -> Tensor:
        """Rows of taps, cut at the edges of the signal and normalised: (n, time)."""
        frames = torch.as_tensor(frames, device=self.taps.device)
        offset = torch.arange(self.time, device=self.taps.device) - self.stride * frames[:, None]
        tap = offset + len(self.taps) // 2
        rows = self.taps[tap.clamp(0, len(self.taps) - 1)].masked_fill((tap < 0) | (tap >= len(self.taps)), 0.0)
        return normalise_rows(rows * maths.length_mask(self.lengths[example : example + 1], self.time))

    def drawing(self) -> Taps:
        """The taps, from which the rows in view can be drawn."""
        return Taps(self.taps.cpu().numpy(), self.stride)

    def relative_weights(self, rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """See `AnyAlignment.relative_weights`."""
        return weights_of_taps(self.taps.cpu().numpy(), self.stride, int(self.lengths[0]), rows, first, last)

    def dense(self) -> Tensor:
        all_frames = torch.arange(self.frames, device=self.taps.device)
        rows = torch.stack([self.rows(all_frames, example) for example in range(len(self.lengths))])
        return rows * maths.length_mask(self.output_lengths, self.frames)[:, :, None]

    def entropy(self) -> Tensor:
        """The entropy of the rows in nats: (batch, L). Rows that are cut at an edge count as whole ones."""
        inner_entropy = torch.special.entr(self.taps / self.taps.sum()).sum()
        return inner_entropy * maths.length_mask(self.output_lengths, self.frames)


class StridedConvolution(Downsampler):
    """A convolution evaluated at every stride-th frame. It can only take whole strides and rounds others to the nearest.

    channels: input and output channels. stride: input frames per output frame. kernel_size: odd number of taps.

    Shape: (batch, channels, time) -> (batch, channels, ceil(time / round(stride))).
    Raises ValueError for a stride below 1, an even kernel, or an input of another shape.

    >>> import torch
    >>> StridedConvolution(channels=4, stride=2)(torch.zeros(1, 4, 9)).values.shape
    torch.Size([1, 4, 5])
    """

    linear = False

    def __init__(self, channels: int, stride: float = 2.0, kernel_size: int = 3):
        super().__init__()
        if kernel_size % 2 != 1:
            raise ValueError(f"kernel_size must be odd, got {kernel_size}")
        self.channels = channels
        self.stride = self.nearest_stride(stride)
        self.convolution = nn.Conv1d(channels, channels, kernel_size, padding=kernel_size // 2, bias=False)
        self.projection = nn.Conv1d(channels, channels, 1, bias=False)

    def nearest_stride(self, stride: float) -> int:
        """The whole stride nearest to the one asked for."""
        return whole_stride(stride)

    def forward(self, x: Tensor, lengths: Tensor | None = None, settings: LayerSettings | None = None) -> Downsampled:
        lengths = self.check(x, lengths)
        stride = self.chosen_stride(settings)
        shorter = maths.output_lengths(lengths, stride)
        padding = self.convolution.kernel_size[0] // 2
        values = nn.functional.conv1d(zero_padding(x, lengths), self.convolution.weight, stride=stride, padding=padding)
        values = zero_padding(values[..., : max(maths.whole_numbers(shorter))], shorter)
        taps = where_float64_is(self.convolution.weight.detach().abs().sum(dim=(0, 1)))
        alignment = TapAlignment(taps, stride, where_float64_is(lengths), where_float64_is(shorter), x.shape[2])
        return Downsampled(values, shorter, alignment, no_position_loss(x))

    def shortcut(self, x: Tensor, lengths: Tensor, downsampled: Downsampled) -> Tensor:
        """Applies a strided 1x1 convolution to the shortcut, as residual networks do."""
        frames = downsampled.values.shape[2]
        values = nn.functional.conv1d(x, self.projection.weight, stride=cast(TapAlignment, downsampled.alignment).stride)[..., :frames]
        return zero_padding(values, downsampled.lengths)


register(
    Method(
        key="strided-conv",
        label="Strided convolution",
        idea="A convolution that looks at every s-th frame only.",
        formula=r"y_i = \sum_k W_k\, x_{si + k}",
        citation="Radford, Metz and Chintala, 2016",
        complexity="O(T)",
        kind="fixed",
        parameters={},
        build=StridedConvolution,
        replaces_convolution=True,
        whole_strides=True,
    )
)
