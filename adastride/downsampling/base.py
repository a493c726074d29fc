"""What every downsampling layer has in common: the contract, its result, one run's settings, and the registry.

A family of methods is one file of this package. It defines a `Downsampler` and registers a `Method` that says in data
what pages, the command line and the docs show. Nothing else needs to know that the method exists.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from adastride import alignment as maths
from adastride.alignment import AnyAlignment, check_sigma, check_stride

# A number, or where it is learned a tensor of one element that carries its gradient.
Stride = Any


@dataclass(frozen=True)
class LayerSettings:
    """Settings of one layer for one run; None means as trained. The layer itself is never changed.

    sigma: width of an alignment row in output frames. stride: input frames per output frame, at least 1.
    variant: registry key of the adaptive method to run with the layer's weights, "adastride" or "adastride-f".
    """

    sigma: float | None = None
    stride: float | None = None
    variant: str | None = None

    def __post_init__(self) -> None:
        if self.sigma is not None:
            object.__setattr__(self, "sigma", float(check_sigma(self.sigma)))
        if self.stride is not None:
            object.__setattr__(self, "stride", check_stride(self.stride))
        if self.variant is not None and self.variant not in VARIANTS:
            raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {self.variant!r}")


VARIANTS = ("adastride", "adastride-f")
AS_TRAINED = LayerSettings()


@dataclass(frozen=True, eq=False)
class Downsampled:
    """What a downsampling layer returns.

    values: (batch, channels, L), zero past each example's length. lengths: (batch,) int64 output lengths.
    alignment: where the frames went; never None. A method without positions of its own has an effective one, |dy_i / dx_j|.
    position_loss: scalar (equation 5) in float32 at least, whatever the type of the values; zero for a method without positions.
    """

    values: Tensor
    lengths: Tensor
    alignment: AnyAlignment
    position_loss: Tensor


def whole_stride(stride: float) -> int:
    """The whole stride nearest to the one asked for (halves go to the even one); ValueError for a stride below 1."""
    return max(1, round(check_stride(stride)))


def no_position_loss(x: Tensor) -> Tensor:
    """The position loss of a method without positions: 0, in float32 at least."""
    return x.new_zeros((), dtype=torch.promote_types(x.dtype, torch.float32))


def where_float64_is(x: Tensor) -> Tensor:
    """x itself, or a copy on the CPU of what is on Metal, which has no float64: positions and the like are worked out there."""
    return x.cpu() if x.device.type == "mps" else x


def zero_padding(x: Tensor, lengths: Tensor, value: float = 0.0) -> Tensor:
    """x (batch, channels, time), all that lies past each example's length set to `value`; x itself if nothing does."""
    if min(maths.whole_numbers(lengths)) == x.shape[2]:
        return x
    return x.masked_fill(~maths.length_mask(lengths.to(x.device), x.shape[2])[:, None], value)


def by_length(x: Tensor, lengths: Tensor, operate: Callable[[Tensor], Tensor]) -> Tensor:
    """Applies `operate` to the examples of each length apart, so that a transform of the whole signal never sees padding.

    Shape: x (batch, channels, time), operate: (group, channels, T_b) -> (group, channels, L_b). Returns
    (batch, channels, L), zero past each example's own L_b. Its cost is one call for every distinct length.
    """
    numbers = maths.whole_numbers(lengths)
    distinct = sorted(set(numbers))
    if len(distinct) == 1:
        return operate(x[..., : distinct[0]])
    # Sorted and split once: to index every group by itself would cost a gradient of the size of x for each of them.
    order = torch.tensor(sorted(range(len(numbers)), key=numbers.__getitem__)).to(x.device, non_blocking=True)
    counts = [numbers.count(length) for length in distinct]
    results = [operate(part[..., :length]) for part, length in zip(x[order].split(counts), distinct, strict=True)]
    frames = max(result.shape[2] for result in results)
    stacked = torch.cat([nn.functional.pad(result, (0, frames - result.shape[2])) for result in results])
    return stacked[order.argsort()]


class Downsampler(nn.Module, ABC):
    """A layer that makes a sequence shorter.

    Shape: x (batch, channels, time), lengths (batch,) whole numbers or None (all of time) -> `Downsampled`.
    Frames past an example's length never change its result.
    channels: channels of the input. stride: input frames per output frame, as built or as learned so far.
    linear: with its weights held, the layer is linear and treats all channels alike, and `shortcut` applies these weights.
    scored: its positions or weights come from scores, one number a frame: w . x_t, of its convolution `score`.
    """

    channels: int
    stride: float
    linear = True
    scored = False

    @abstractmethod
    def forward(self, x: Tensor, lengths: Tensor | None = None, settings: LayerSettings | None = None) -> Downsampled:
        """Downsamples x; settings override the trained ones for this call only."""

    @abstractmethod
    def shortcut(self, x: Tensor, lengths: Tensor, downsampled: Downsampled) -> Tensor:
        """Brings the shortcut path of a residual block to the same frames as `downsampled`, (batch, channels, L)."""

    def nearest_stride(self, stride: float) -> float:
        """The stride this method can do that is nearest to the one asked for; ValueError for one below 1."""
        return check_stride(stride)

    def chosen_stride(self, settings: LayerSettings | None = None) -> Stride:
        """The stride of a run with these settings."""
        return self.nearest_stride((settings or AS_TRAINED).stride or self.stride)

    def output_lengths(self, lengths: Tensor, settings: LayerSettings | None = None) -> Tensor:
        """L for input lengths (batch,), int64: ceil(T / stride), but the spectral methods have sizes of their own."""
        return maths.output_lengths(lengths, self.chosen_stride(settings))

    def check(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """The lengths of x, (batch,) int64; ValueError if x is not (batch, channels, time) or a length does not fit it."""
        lengths = maths.check_lengths(lengths, x)
        if x.shape[1] != self.channels:
            raise ValueError(f"expected (batch, {self.channels}, time), got {tuple(x.shape)}")
        return lengths

    def extra_repr(self) -> str:
        return f"channels={self.channels}, stride={self.stride:g}"


@dataclass(frozen=True)
class Method:
    """A registry entry: how to build a method, and what a person should read about it.

    kind is "fixed", "learned" or "adaptive". formula is LaTeX. complexity in input frames T, for one channel.
    parameters maps a keyword of `build` to (lowest, highest, default); where these are ints, only whole numbers will do.
    replaces_convolution: the layer convolves itself, so a residual block leaves its own convolution out.
    whole_strides: it rounds a fractional stride to the nearest whole one (`Downsampler.nearest_stride`).
    build_2d: makes the module for (batch, channels, height, width) from strides=(height, width) and the same parameters,
    for the methods that have one.
    """

    key: str
    label: str
    idea: str
    formula: str
    citation: str
    complexity: str
    kind: str
    parameters: dict[str, tuple[float, float, float]]
    build: Callable[..., Downsampler]
    replaces_convolution: bool = False
    whole_strides: bool = False
    build_2d: Callable[..., nn.Module] | None = None


METHODS: dict[str, Method] = {}


def register(method: Method) -> None:
    """Adds a method to `METHODS`; ValueError if its key is taken."""
    if method.key in METHODS:
        raise ValueError(f"method {method.key!r} is already registered")
    METHODS[method.key] = method


def build(key: str, channels: int, stride: float, **parameters: float) -> Downsampler:
    """Makes the layer `key` of the registry for `channels` channels; ValueError for an unknown key or parameter."""
    if key not in METHODS:
        raise ValueError(f"unknown method {key!r}; choose one of {', '.join(METHODS)}")
    unknown = set(parameters) - set(METHODS[key].parameters)
    if unknown:
        raise ValueError(f"{key} takes no parameter {', '.join(sorted(unknown))}")
    return METHODS[key].build(channels, stride=stride, **parameters)
