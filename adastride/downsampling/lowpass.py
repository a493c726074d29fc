"""LPF + AdaStride: a low-pass filter that removes the upper half of the band, then AdaStride.

Source: "AdaStride: Using Adaptive Strides in Sequential Data for Effective Downsampling", LPFAdaStride (table 8). The
filter is the ideal one: of the floor(T / 2) + 1 bins of a signal those above T / 4, half the Nyquist frequency, become
zero, at each example's own length. The cut stays there whatever the stride, as the paper has it.
"""

from __future__ import annotations

import torch
from torch import Tensor

from adastride.downsampling.adastride import AdaStride
from adastride.downsampling.base import METHODS, Downsampled, LayerSettings, Method, by_length, register


def low_pass(x: Tensor) -> Tensor:
    """Removes the upper half of the band of x (..., time). The mean stays.

    >>> low_pass(torch.tensor([2.0, 0.0, 2.0, 0.0]))
    tensor([1., 1., 1., 1.])
    """
    time = x.shape[-1]
    bins = torch.fft.rfft(x if x.dtype in (torch.float32, torch.float64) else x.float())
    kept = torch.arange(bins.shape[-1], device=x.device) <= time / 4
    return torch.fft.irfft(bins * kept, n=time).to(x.dtype)


class LowPassAdaStride(AdaStride):
    """Removes the upper half of the band, then applies AdaStride. The scores are taken of the filtered signal, too.

    channels: channels of the input. stride: input frames per output frame. sigma: width of a row in output frames.
    The alignment says where the filtered frames went; `shortcut` filters its signal and uses the same alignment.

    Shape: (batch, channels, time) -> (batch, channels, L), L = ceil(time / stride).
    Raises ValueError for a stride below 1, a sigma that is not above 0, or an input of another shape.

    >>> LowPassAdaStride(channels=4, stride=2.5)(torch.zeros(1, 4, 10)).values.shape
    torch.Size([1, 4, 4])
    """

    def forward(self, x: Tensor, lengths: Tensor | None = None, settings: LayerSettings | None = None) -> Downsampled:
        lengths = self.check(x, lengths)
        return super().forward(self._filter(x, lengths), lengths, settings)

    def shortcut(self, x: Tensor, lengths: Tensor, downsampled: Downsampled) -> Tensor:
        """Filters the shortcut, then pools it with the alignment of the main path."""
        return super().shortcut(self._filter(x, lengths), lengths, downsampled)

    def _filter(self, x: Tensor, lengths: Tensor) -> Tensor:
        filtered = by_length(x, lengths, low_pass)
        return torch.nn.functional.pad(filtered, (0, x.shape[2] - filtered.shape[2]))


register(
    Method(
        key="lpf-adastride",
        label="LPF + AdaStride",
        idea="The upper half of the band removed, then AdaStride.",
        formula=r"Y = A\, \mathcal{F}^{-1}\left(\mathbb{1}_{n \le T/4} \odot \mathcal{F}(X)\right)",
        citation="AdaStride: Using Adaptive Strides in Sequential Data for Effective Downsampling, LPFAdaStride (table 8)",
        complexity="O(T log T)",
        kind="adaptive",
        parameters=METHODS["adastride"].parameters,
        build=LowPassAdaStride,
    )
)
