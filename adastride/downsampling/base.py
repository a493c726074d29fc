"""What all downsampling layers have in common: their contract, their result, the settings of one run, and the registry.

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
    """The settings of one layer for one run, in which None stands for as trained. The layer itself is never changed.

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
    alignment: where the frames went. A method without positions of its own has an effective alignment, |dy_i / dx_j|.
    position_loss: a scalar (equation 5) in float32 at least, whatever the type of the values; zero for a method without positions.
    """

    values: Tensor
    lengths: Tensor
    alignment: AnyAlignment
    position_loss: Tensor


def whole_stride(stride: float) -> int:
    """The whole stride nearest to the one asked for, the even one of two. Raises ValueError for a stride below 1."""
    return max(1, round(check_stride(stride)))


def no_position_loss(x: Tensor) -> Tensor:
    """The position loss of a method without positions: a scalar 0 in float32 at least, on the device of x."""
    return x.new_zeros((), dtype=torch.promote_types(x.dtype, torch.float32))


def where_float64_is(x: Tensor) -> Tensor:
    """Returns x itself, or a copy on the CPU if x is on Metal, which has no float64. Positions and the like are then worked out there."""
    return x.cpu() if x.device.type == "mps" else x


def exact(x: Tensor) -> Tensor:
    """Converts x to a type that Fourier and cosine transforms take: half precision and whole numbers become float32."""
    return x if x.dtype in (torch.float32, torch.float64) else x.float()


def zero_padding(x: Tensor, lengths: Tensor, value: float = 0.0) -> Tensor:
    """Sets x (batch, channels, time) to `value` past each example's length. Returns x itself where nothing lies past it."""
    if min(maths.whole_numbers(lengths)) == x.shape[2]:
        return x
    return x.masked_fill(~maths.length_mask(lengths.to(x.device), x.shape[2])[:, None], value)


def by_length(x: Tensor, lengths: Tensor, operate: Callable[[Tensor], Tensor]) -> Tensor:
    """Applies `operate` to the examples of each length separately, so that a transform of the whole signal never sees padding.

    operate: takes (group, channels, T_b) to (group, channels, L_b) and is called once for every distinct length.
    Shape: x (batch, channels, time), lengths (batch,) -> (batch, channels, L), zero past each example's own L_b.
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
    linear: whether the layer with its weights held is linear and treats all channels alike, and `shortcut` applies these weights.
    scored: whether its positions or weights come from scores w . x_t, one number a frame, which its convolution `score` works out.
    """

    channels: int
    stride: float
    linear = True
    scored = False

    @abstractmethod
    def forward(self, x: Tensor, lengths: Tensor | None = None, settings: LayerSettings | None = None) -> Downsampled:
        """Downsamples x. Settings replace the trained ones for this call only."""

    @abstractmethod
    def shortcut(self, x: Tensor, lengths: Tensor, downsampled: Downsampled) -> Tensor:
        """Brings the shortcut path of a residual block to the same frames as `downsampled`, (batch, channels, L)."""

    def nearest_stride(self, stride: float) -> float:
        """The stride nearest to the one asked for that this method can do. Raises ValueError for a stride below 1."""
        return check_stride(stride)

    def chosen_stride(self, settings: LayerSettings | None = None) -> Stride:
        """The stride of a run with these settings."""
        return self.nearest_stride((settings or AS_TRAINED).stride or self.stride)

    def output_lengths(self, lengths: Tensor, settings: LayerSettings | None = None) -> Tensor:
        """The output length for every input length, (batch,) int64: ceil(T / stride), but spectral methods have sizes of their own."""
        return maths.output_lengths(lengths, self.chosen_stride(settings))

    def check(self, x: Tensor, lengths: Tensor | None) -> Tensor:
        """The lengths of x, (batch,) int64. Raises ValueError if x is not (batch, channels, time) or a length does not fit it."""
        lengths = maths.check_lengths(lengths, x)
        if x.shape[1] != self.channels:
            raise ValueError(f"expected (batch, {self.channels}, time), got {tuple(x.shape)}")
        return lengths

    def extra_repr(self) -> str:
        return f"channels={self.channels}, stride={self.stride:g}"


@dataclass(frozen=True)
class Method:
    """An entry of the registry: how to build a method, and what a person should read about it.

    kind: "fixed", "learned" or "adaptive", which is what its strides are. formula: LaTeX. complexity: in input frames T, for one
    channel. parameters: (lowest, highest, default) by keyword of `build`; where these are ints, only whole numbers are allowed.
    replaces_convolution: whether the layer convolves itself, so that a residual block leaves its own convolution out.
    whole_strides: whether it rounds a fractional stride to the nearest whole one (`Downsampler.nearest_stride`).
    build_2d: makes the module for (batch, channels, height, width) from strides=(height, width) and the same parameters; None for a
    method without one.
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
    """Adds a method to `METHODS`. Raises ValueError if its key is taken."""
    if method.key in METHODS:
        raise ValueError(f"method {method.key!r} is already registered")
    METHODS[method.key] = method


def build(key: str, channels: int, stride: float, **parameters: float) -> Downsampler:
    """Makes a layer of the method `key` for `channels` channels. Raises ValueError for an unknown key or parameter."""
    if key not in METHODS:
        raise ValueError(f"unknown method {key!r}; choose one of {', '.join(METHODS)}")
    unknown = set(parameters) - set(METHODS[key].parameters)
    if unknown:
        raise ValueError(f"{key} takes no parameter {', '.join(sorted(unknown))}")
    return METHODS[key].build(channels, stride=stride, **parameters)
