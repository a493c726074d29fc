"""Downsampling in the frequency domain: spectral pooling, DiffStride and DCT-DiffStride, along time or along two axes.

Sources: Rippel, Snoek and Adams, "Spectral representations for convolutional neural networks" (2015); Riad, Teboul,
Grangier and Zeghidour, "Learning strides in convolutional neural networks" (2022), equations 3-6 and algorithm 1, and
its code; "DCT-DiffStride: differentiable strides with real-valued data".

Sizes follow the code published with DiffStride, not ceil(T / s):

- spectral pooling: max(floor(T / s), 2) frames; along the height of an image made even.
- DiffStride: the bins whose mask is above 0 stay, and n bins make 2 (n - 1) frames: 2 ceil(T / 2s + R), at most
  2 floor(T / 2). At stride 2, 313 frames become 166.
- DCT-DiffStride: every coefficient that stays makes a frame: ceil(T / s + R + 1), at most T.
- Both take T / s for at least 2.
- One frame stays one frame.

All of them keep the mean of the signal: a transform back to L frames is scaled by L / T (an orthonormal one by its
root), where the published code divides by the size of the output alone.

A learned stride is kept at 1 or more; DiffStride further raises it to T / (T - R), below which the mask's slope has left
the spectrum and no gradient would come back. The layer raises it for the run, not in place, because T differs between
the examples of a batch; the gradient goes to the stride as if nothing had been raised.

Transforms see the whole signal, so every distinct length of a batch is transformed on its own.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn

from adastride import alignment as maths
from adastride.downsampling.base import AS_TRAINED, LayerSettings, Method, Stride, by_length, exact, register
from adastride.downsampling.cosine import cosine_transform, inverse_cosine_transform
from adastride.downsampling.effective import LinearDownsampler
from adastride.downsampling.fourier import through_mask


def spectral_frames(time: int, stride: float) -> int:
    """The number of output frames of spectral pooling: max(floor(T / s), 2), but 1 for one frame. At stride 2, 313 frames become 156."""
    # The published code divides in float32; T / s that is whole but for rounding must fall to the same side.
    return min(max(int(np.float32(time) / np.float32(stride)), 2), time)


def spectral_pool(x: Tensor, stride: float) -> Tensor:
    """Keeps the lowest frequencies of x (..., time) and as many frames as they need: (..., `spectral_frames`).

    >>> spectral_pool(torch.tensor([1.0, 1.0, 1.0, 1.0, 1.0, 1.0]), 2)
    tensor([1., 1., 1.])
    """
    time = x.shape[-1]
    frames = spectral_frames(time, stride)
    bins = torch.fft.rfft(exact(x))[..., : frames // 2 + 1]
    return (torch.fft.irfft(bins, n=frames) * (frames / time)).to(x.dtype)


def soft_mask(places: Tensor, passed: Tensor, smoothness: float) -> Tensor:
    """DiffStride's mask: 1 on places up to `passed`, then falling to 0 over the next `smoothness` places."""
    return ((smoothness + passed - places) / smoothness).clamp(0, 1)


def raised_stride(stride: Tensor, time: int, smoothness: float) -> Tensor:
    """The stride, raised to at least 1 and to T / (T - R) where that exists. Gradients pass as if it had not been raised."""
    lowest = time / (time - smoothness) if time > smoothness else 1.0
    return stride + (stride.clamp(min=max(lowest, 1.0)) - stride).detach()


def _shorter(time: int, stride: Tensor, smoothness: float) -> Tensor:
    """T / s in the type of the stride. It is at least 2, as in the published code, so that something is left."""
    return (time / raised_stride(exact(stride).reshape(()), time, smoothness)).clamp(min=2.0)


def diff_stride_mask(time: int, stride: Tensor, smoothness: float) -> Tensor:
    """The mask (equation 4) over the floor(T / 2) + 1 bins of T frames, in the type of the stride, a tensor of one element."""
    return soft_mask(torch.arange(time // 2 + 1, device=stride.device), _shorter(time, stride, smoothness) / 2 + 1, smoothness)


def vertical_mask(height: int, stride: Tensor, smoothness: float) -> tuple[Tensor, Tensor]:
    """The mask (equation 3) over the rows of a spectrum, in two parts: the frequencies 0, 1, ..., and the negative ones with -1 last.

    The published code shifts its places by half the height, but rounds it in the other direction than the spectrum does. So frequency
    -k has the mask of k - 1 and, where the height is odd, frequency k has that of k + 1. A test compares with the code's numbers.
    """
    passed = _shorter(height, stride, smoothness) / 2
    positive = torch.arange((height + 1) // 2, device=stride.device) + height % 2
    negative = torch.arange(height // 2, device=stride.device).flip(0)
    return soft_mask(positive, passed, smoothness), soft_mask(negative, passed, smoothness)


def dct_diff_stride_mask(time: int, stride: Tensor, smoothness: float) -> Tensor:
    """The mask over the T coefficients of T frames, in the type of the stride, a tensor of one element."""
    return soft_mask(torch.arange(time, device=stride.device), _shorter(time, stride, smoothness) + 1, smoothness)


def count_passed(mask: Tensor) -> int:
    """The number of lowest frequencies that a mask lets through. The mask never rises."""
    return int((mask > 0).sum())


def frames_of_bins(bins: int) -> int:
    """The number of frames that n bins of a real transform make: 2 (n - 1), but 1 for one bin."""
    return max(2 * (bins - 1), 1)


def diff_stride(x: Tensor, stride: Tensor, smoothness: float = 4.0) -> Tensor:
    """DiffStride along the last axis: spectral pooling through a soft mask, differentiable in the stride.

    x: (..., time). stride: a tensor of one element.
    Shape: -> (..., 2 * ceil(T / (2 s) + R)), at most 2 * floor(T / 2).

    >>> diff_stride(torch.ones(313), torch.tensor(2.0)).shape
    torch.Size([166])
    """
    time, signal = x.shape[-1], exact(x)
    mask = diff_stride_mask(time, stride, smoothness)
    bins = count_passed(mask)
    frames = frames_of_bins(bins)
    spectrum = torch.fft.rfft(signal)[..., :bins] * mask[:bins].to(signal.dtype)
    return (torch.fft.irfft(spectrum, n=frames) * (frames / time)).to(x.dtype)


def dct_diff_stride(x: Tensor, stride: Tensor, smoothness: float = 4.0) -> Tensor:
    """DiffStride with cosines, which fit a signal that does not end as it began: T / s of its T coefficients stay.

    x: (..., time). stride: a tensor of one element. Shape: -> (..., ceil(T / s + R + 1)), at most time.

    >>> dct_diff_stride(torch.ones(313), torch.tensor(2.0)).shape
    torch.Size([162])
    """
    time, signal = x.shape[-1], exact(x)
    mask = dct_diff_stride_mask(time, stride, smoothness)
    frames = count_passed(mask)
    coefficients = cosine_transform(signal, frames)
    passed = mask[:frames] * math.sqrt(frames / time)
    return inverse_cosine_transform(coefficients * passed.to(signal.dtype)).to(x.dtype)


def complexity(strides: Iterable[Tensor], weight: float = 1.0) -> Tensor:
    """DiffStride's regulariser (equation 6): what the layers above cost, as a share of their cost at stride 1.

    strides: one tensor for each layer, lowest first, that holds its stride along time or its strides along height and width, as
    learned (`DiffStride.learned_stride`, `DiffStride2d.strides`). weight: the equation's lambda. Returns a scalar to be added to a
    loss: weight * (1 / S_1 + 1 / (S_1 S_2) + ...), where S_l is the product of a layer's strides.
    Raises ValueError where there is no stride.

    >>> complexity([torch.tensor([2.0, 2.0]), torch.tensor([1.0, 4.0])])
    tensor(0.3125)
    """
    areas = [stride.prod() for stride in strides]
    if not areas:
        raise ValueError("expected the strides of at least one layer, got none")
    return weight * torch.stack(areas).reciprocal().cumprod(dim=0).sum()


def _check_smoothness(smoothness: float) -> float:
    smoothness = float(smoothness)
    if not (math.isfinite(smoothness) and smoothness > 0):
        raise ValueError(f"smoothness must be a finite number above 0, got {smoothness:g}")
    return smoothness


class Spectral(LinearDownsampler):
    """The base class of the three methods along time. A subclass resizes examples of one length and says how long they become."""

    @abstractmethod
    def resize(self, x: Tensor, stride: Stride) -> Tensor:
        """Applies the method to examples of one length. Shape: (batch, channels, time) -> (batch, channels, L)."""

    @abstractmethod
    def frames(self, time: int, stride: Stride) -> int:
        """The output length L of a signal of `time` frames."""

    def operate(self, x: Tensor, lengths: Tensor, stride: Stride) -> Tensor:
        return by_length(x, lengths, lambda group: self.resize(group, stride))

    def output_lengths(self, lengths: Tensor, settings: LayerSettings | None = None) -> Tensor:
        """The output length for every input length: (batch,) int64. This module's docstring has the formulas."""
        stride = self.chosen_stride(settings)
        return maths.known_lengths([self.frames(length, stride) for length in maths.whole_numbers(lengths)], lengths.device)

    def step(self, lengths: Tensor, output_lengths: Tensor, stride: Stride) -> Tensor:
        """T / L for every example, because output frames lie evenly over the signal, whatever the stride was."""
        return lengths.to(torch.float64) / output_lengths


class SpectralPool(Spectral):
    """Keeps the lowest frequencies of the whole signal. A stride of 1 is the identity.

    channels: channels of the input. stride: input frames per output frame, any real number of at least 1.

    Shape: (batch, channels, time) -> (batch, channels, max(floor(time / stride), 2)); one frame stays one.
    Raises ValueError for a stride below 1 or an input of another shape.

    >>> SpectralPool(channels=4, stride=2)(torch.zeros(1, 4, 313)).values.shape
    torch.Size([1, 4, 156])
    """

    def __init__(self, channels: int, stride: float = 2.0):
        super().__init__()
        self.channels = channels
        self.stride = maths.check_stride(stride)

    def resize(self, x: Tensor, stride: float) -> Tensor:
        return spectral_pool(x, stride)

    def frames(self, time: int, stride: float) -> int:
        return spectral_frames(time, stride)


class DiffStride(Spectral):
    """Spectral pooling through a soft mask whose edge, the stride, is learned.

    channels: channels of the input. stride: the stride to begin with, at least 1. smoothness: R, the bins over which the
    mask falls. `learned_stride` (1,) is the parameter, `stride` its value. Settings with a stride replace it for a run.

    Shape: (batch, channels, time) -> (batch, channels, 2 * ceil(time / (2 * stride) + R)), at most 2 * floor(time / 2).
    Raises ValueError for a stride below 1, a smoothness that is not above 0, or an input of another shape.

    >>> DiffStride(channels=4, stride=2)(torch.zeros(1, 4, 313)).values.shape
    torch.Size([1, 4, 166])
    """

    def __init__(self, channels: int, stride: float = 2.0, smoothness: float = 4.0):
        super().__init__()
        self.channels = channels
        self.smoothness = _check_smoothness(smoothness)
        self.learned_stride = nn.Parameter(torch.tensor([maths.check_stride(stride)]))

    @property
    def stride(self) -> float:  # type: ignore[override]
        """The stride as learned so far, at least 1."""
        return max(1.0, float(self.learned_stride.detach()))

    def chosen_stride(self, settings: LayerSettings | None = None) -> Tensor:
        """The stride of the settings or else the learned one with its gradient: (1,)."""
        requested = (settings or AS_TRAINED).stride
        if requested is not None:
            return torch.full_like(self.learned_stride, requested, requires_grad=False)
        if self.training and torch.is_grad_enabled() and float(self.learned_stride.detach()) < 1:
            # An optimiser may have taken it below 1; left there, it would take as long to come back.
            with torch.no_grad():
                self.learned_stride.clamp_(min=1.0)
        return self.learned_stride.clone()  # the alignment keeps this value when the parameter is trained further

    def resize(self, x: Tensor, stride: Tensor) -> Tensor:
        return diff_stride(x, stride, self.smoothness)

    def frames(self, time: int, stride: Tensor) -> int:
        return frames_of_bins(count_passed(diff_stride_mask(time, stride.detach(), self.smoothness)))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, smoothness={self.smoothness:g}"


class DCTDiffStride(DiffStride):
    """DiffStride with the cosine transform in place of Fourier's. Parameters, settings and errors are those of `DiffStride`.

    Shape: (batch, channels, time) -> (batch, channels, ceil(time / stride + R + 1)), at most time.

    >>> DCTDiffStride(channels=4, stride=2)(torch.zeros(1, 4, 313)).values.shape
    torch.Size([1, 4, 162])
    """

    first = None  # cosines describe frames by their middles, as windows side by side have them

    def resize(self, x: Tensor, stride: Tensor) -> Tensor:
        return dct_diff_stride(x, stride, self.smoothness)

    def frames(self, time: int, stride: Tensor) -> int:
        return count_passed(dct_diff_stride_mask(time, stride.detach(), self.smoothness))


def _check_strides(strides: Iterable[float]) -> tuple[float, float]:
    strides = tuple(maths.check_stride(stride) for stride in strides)
    if len(strides) != 2:
        raise ValueError(f"expected strides for the height and the width, got {len(strides)}")
    return strides


def _check_image(x: Tensor) -> None:
    if x.dim() != 4 or 0 in x.shape[2:]:
        raise ValueError(f"expected (batch, channels, height, width) with at least one row and column, got {tuple(x.shape)}")


class SpectralPool2d(nn.Module):
    """Spectral pooling of pictures, such as spectrograms. The lowest frequencies along both axes stay.

    strides: (height, width), each at least 1.

    Shape: (batch, channels, height, width) -> (batch, channels, h, w), w = max(floor(width / stride), 2). h is worked out in the same
    way and made even, as in the published code, but a stride of 1 leaves its axis alone. All examples are of one size.
    Raises ValueError for a stride below 1 or an input of another shape.

    >>> SpectralPool2d(strides=(2, 3))(torch.ones(1, 1, 8, 9))[0, 0].round(decimals=5)
    tensor([[1., 1., 1.],
            [1., 1., 1.],
            [1., 1., 1.],
            [1., 1., 1.]])
    """

    def __init__(self, strides: tuple[float, float] = (2.0, 2.0)):
        super().__init__()
        self.strides = _check_strides(strides)

    def forward(self, x: Tensor, strides: tuple[float, float] | None = None) -> Tensor:
        """Downsamples x. strides: others than its own, for this call."""
        _check_image(x)
        height, width = x.shape[2:]
        vertical, horizontal = self.strides if strides is None else _check_strides(strides)
        rows, columns = spectral_frames(height, vertical), spectral_frames(width, horizontal)
        if vertical > 1 and height > 1:
            rows -= rows % 2
        signal = exact(x)
        above, below, right = (signal.new_ones(count) for count in ((rows + 1) // 2, rows // 2, columns // 2 + 1))
        return through_mask(signal, above, below, right, (rows, columns)).to(x.dtype)

    def extra_repr(self) -> str:
        return f"strides={self.strides}"


class DiffStride2d(nn.Module):
    """DiffStride of pictures: one learned stride for each axis, or one for both.

    strides: the strides (height, width) to begin with, each at least 1. smoothness: R. cropping: whether to leave out the frequencies
    whose mask is 0, which makes the result smaller; without that the picture is only filtered. shared: whether both axes have one
    stride, for which the two given must agree. `strides` (2,), or (1,) if shared, is the parameter.

    Shape: (batch, channels, height, width) -> (batch, channels, h, w). w is worked out as in `diff_stride`, and h is the number of
    vertical frequencies whose mask is above 0. All examples are of one size.
    Raises ValueError for a stride below 1, a smoothness that is not above 0, or an input of another shape.

    >>> DiffStride2d(strides=(2, 2))(torch.zeros(1, 1, 32, 32)).shape
    torch.Size([1, 1, 24, 24])
    """

    def __init__(self, strides: tuple[float, float] = (2.0, 2.0), smoothness: float = 4.0, cropping: bool = True, shared: bool = False):
        super().__init__()
        strides = _check_strides(strides)
        if shared and strides[0] != strides[1]:
            raise ValueError(f"a shared stride is the same for both axes, got {strides[0]:g} and {strides[1]:g}")
        self.smoothness = _check_smoothness(smoothness)
        self.cropping, self.shared = cropping, shared
        self.strides = nn.Parameter(torch.tensor(strides[:1] if shared else strides))

    def forward(self, x: Tensor, strides: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Downsamples x. strides: others than the learned ones, for this call, each a tensor of one element."""
        _check_image(x)
        (height, width), signal = x.shape[2:], exact(x)
        vertical, horizontal = (self.strides[0], self.strides[-1]) if strides is None else strides
        if self.shared:
            vertical = horizontal = raised_stride(raised_stride(vertical, height, self.smoothness), width, self.smoothness)
        above, below = (mask.to(signal.dtype) for mask in vertical_mask(height, vertical, self.smoothness))
        right = diff_stride_mask(width, horizontal, self.smoothness).to(signal.dtype)
        h, w = height, width
        if self.cropping:
            upper, lower, bins = count_passed(above), count_passed(below), count_passed(right)
            above, below, right = above[:upper], below[len(below) - lower :], right[:bins]
            h, w = upper + lower, frames_of_bins(bins)
        return through_mask(signal, above, below, right, (h, w)).to(x.dtype)

    def extra_repr(self) -> str:
        return f"strides={tuple(round(stride, 4) for stride in self.strides.tolist())}, smoothness={self.smoothness:g}"


class DCTDiffStride2d(nn.Module):
    """DCT-DiffStride of pictures, with a learned stride for each axis. A cosine transform can be done along one axis after the other.

    strides: the strides (height, width) to begin with, each at least 1. smoothness: R. `strides` (2,) is the parameter.

    Shape: (batch, channels, height, width) -> (batch, channels, h, w), both worked out as in `dct_diff_stride`. All examples are of
    one size.
    Raises ValueError for a stride below 1, a smoothness that is not above 0, or an input of another shape.

    >>> DCTDiffStride2d(strides=(2, 4))(torch.zeros(1, 1, 32, 32)).shape
    torch.Size([1, 1, 21, 13])
    """

    def __init__(self, strides: tuple[float, float] = (2.0, 2.0), smoothness: float = 4.0):
        super().__init__()
        self.smoothness = _check_smoothness(smoothness)
        self.strides = nn.Parameter(torch.tensor(_check_strides(strides)))

    def forward(self, x: Tensor, strides: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Downsamples x. strides: others than the learned ones, for this call, each a tensor of one element."""
        _check_image(x)
        vertical, horizontal = self.strides if strides is None else strides
        x = dct_diff_stride(x, horizontal, self.smoothness)
        return dct_diff_stride(x.transpose(2, 3), vertical, self.smoothness).transpose(2, 3).contiguous()

    def extra_repr(self) -> str:
        return f"strides={tuple(round(stride, 4) for stride in self.strides.tolist())}, smoothness={self.smoothness:g}"


_SMOOTHNESS = {"smoothness": (1.0, 16.0, 4.0)}

register(
    Method(
        key="spectral-pool",
        label="Spectral pooling",
        idea="The lowest frequencies of the whole signal, and no more frames than they need.",
        formula=r"y = \mathcal{F}^{-1}\left(\operatorname{crop}(\mathcal{F}(x))\right)",
        citation="Rippel, Snoek and Adams, 2015",
        complexity="O(T log T)",
        kind="fixed",
        parameters={},
        build=SpectralPool,
        build_2d=SpectralPool2d,
    )
)
register(
    Method(
        key="diffstride",
        label="DiffStride",
        idea="Spectral pooling through a soft mask, so that the stride can be learned.",
        formula=r"m_n = \min\left(\max\left(\tfrac{1}{R}\left(R + \tfrac{T}{2s} + 1 - n\right), 0\right), 1\right),\quad"
                r" y = \mathcal{F}^{-1}\left(\operatorname{crop}(m \odot \mathcal{F}(x))\right)",
        citation="Riad, Teboul, Grangier and Zeghidour, 2022, equation 4",
        complexity="O(T log T)",
        kind="learned",
        parameters=_SMOOTHNESS,
        build=DiffStride,
        build_2d=DiffStride2d,
    )
)
register(
    Method(
        key="dct-diffstride",
        label="DCT-DiffStride",
        idea="DiffStride with cosines, which fit a signal that does not end as it began.",
        formula=r"m_n = \min\left(\max\left(\tfrac{1}{R}\left(R + \tfrac{T}{s} + 1 - n\right), 0\right), 1\right),\quad"
                r" y = \mathcal{C}^{-1}\left(\operatorname{crop}(m \odot \mathcal{C}(x))\right)",
        citation="DCT-DiffStride: differentiable strides with real-valued data",
        complexity="O(T log T)",
        kind="learned",
        parameters=_SMOOTHNESS,
        build=DCTDiffStride,
        build_2d=DCTDiffStride2d,
    )
)
