"""Strided convolution: the baseline every paper of this field compares with.

Source: Radford, Metz and Chintala, "Unsupervised representation learning with deep convolutional generative
adversarial networks" (2016); the AdaStride paper's residual block uses it as its baseline (appendix C, figure 7).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from adastride import alignment as maths
from adastride.downsampling.base import AS_TRAINED, Downsampled, Downsampler, LayerSettings, Method, register


@dataclass(frozen=True)
class TapAlignment:
    """The effective alignment of a strided convolution: every row has the same taps, moved by the stride.

    taps: (K,) the kernel's absolute weights summed over channels (|dy_i / dx_j|), normalised per row where it is drawn.
    Offers what `Alignment` offers to those who look: positions, boundaries, strides, dense, entropy.
    """

    taps: Tensor
    stride: int
    lengths: Tensor
    output_lengths: Tensor
    time: int

    @property
    def positions(self) -> Tensor:
        """Frame j sits at j / stride: (batch, time) float64, the last valid position repeated past the length."""
        frame = torch.arange(self.time, dtype=torch.float64, device=self.lengths.device)
        return frame.minimum((self.lengths - 1).to(torch.float64)[:, None]) / self.stride

    def boundaries(self) -> Tensor:
        """(batch, L + 1) float64: multiples of the stride, the last one at the example's length."""
        edges = torch.arange(int(self.output_lengths.max()) + 1, dtype=torch.float64, device=self.lengths.device) * self.stride
        return edges.minimum(self.lengths.to(torch.float64)[:, None])

    def strides(self) -> Tensor:
        """(batch, L) float64 input frames per output frame; they sum to the example's length."""
        return self.boundaries().diff(dim=1)

    def dense(self) -> Tensor:
        """(batch, L, time): rows of taps, cut at the edges and normalised; zero past an example's output length."""
        frames = int(self.output_lengths.max())
        offset = torch.arange(self.time, device=self.taps.device) - self.stride * torch.arange(frames, device=self.taps.device)[:, None]
        tap = offset + len(self.taps) // 2
        rows = self.taps[tap.clamp(0, len(self.taps) - 1)].masked_fill((tap < 0) | (tap >= len(self.taps)), 0.0)
        keep = maths.length_mask(self.lengths, self.time)[:, None, :] & maths.length_mask(self.output_lengths, frames)[:, :, None]
        rows = rows * keep
        return rows / rows.sum(dim=2, keepdim=True).clamp(min=1e-30)

    def entropy(self) -> Tensor:
        """(batch, L) entropy of the rows in nats; rows cut at an edge are taken as whole."""
        whole = torch.special.entr(self.taps / self.taps.sum()).sum()
        return whole * maths.length_mask(self.output_lengths, int(self.output_lengths.max()))


class StridedConvolution(Downsampler):
    """A convolution evaluated at every stride-th frame. It can only take whole strides and rounds others to the nearest.

    channels: input and output channels. stride: input frames per output frame. kernel_size: odd number of taps.

    Shape: (batch, channels, time) -> (batch, channels, ceil(time / round(stride))).
    Raises ValueError for a stride below 1, an even kernel, or an input of another shape.

    >>> import torch
    >>> StridedConvolution(channels=4, stride=2)(torch.zeros(1, 4, 9)).values.shape
    torch.Size([1, 4, 5])
    """

    def __init__(self, channels: int, stride: float = 2.0, kernel_size: int = 3):
        super().__init__()
        if kernel_size % 2 != 1:
            raise ValueError(f"kernel_size must be odd, got {kernel_size}")
        self.channels = channels
        self.stride = self.nearest_stride(stride)
        self.convolution = nn.Conv1d(channels, channels, kernel_size, padding=kernel_size // 2, bias=False)
        self.projection = nn.Conv1d(channels, channels, 1, bias=False)

    @staticmethod
    def nearest_stride(stride: float) -> int:
        """The whole stride nearest to the one asked for."""
        return max(1, round(maths.check_stride(stride)))

    def forward(self, x: Tensor, lengths: Tensor | None = None, settings: LayerSettings | None = None) -> Downsampled:
        lengths = maths.check_lengths(lengths, x)
        if x.shape[1] != self.channels:
            raise ValueError(f"expected (batch, {self.channels}, time), got {tuple(x.shape)}")
        stride = self.nearest_stride((settings or AS_TRAINED).stride or self.stride)
        shorter = maths.output_lengths(lengths, stride)
        x = x * maths.length_mask(lengths, x.shape[2])[:, None]
        padding = self.convolution.padding[0]
        values = nn.functional.conv1d(x, self.convolution.weight, stride=stride, padding=padding)[..., : int(shorter.max())]
        values = values * maths.length_mask(shorter, values.shape[2])[:, None]
        taps = self.convolution.weight.detach().abs().sum(dim=(0, 1))
        return Downsampled(values, shorter, TapAlignment(taps, stride, lengths, shorter, x.shape[2]), x.new_zeros(()))

    def shortcut(self, x: Tensor, lengths: Tensor, downsampled: Downsampled) -> Tensor:
        """A strided 1x1 convolution, as residual networks do."""
        frames = downsampled.values.shape[2]
        values = nn.functional.conv1d(x, self.projection.weight, stride=downsampled.alignment.stride)[..., :frames]
        return values * maths.length_mask(downsampled.lengths, frames)[:, None]

    def extra_repr(self) -> str:
        return f"channels={self.channels}, stride={self.stride}"


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
    )
)
