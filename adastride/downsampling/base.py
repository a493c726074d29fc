"""What every downsampling layer has in common: the contract, its result, one run's settings, and the registry.

A family of methods is one file of this package. It defines a `Downsampler` and registers a `Method` that says in data
what pages, the command line and the docs show. Nothing else needs to know that the method exists.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from adastride.alignment import Alignment, check_sigma, check_stride


@dataclass(frozen=True)
class LayerSettings:
    """Settings of one layer for one run; None means as trained. The layer itself is never changed.

    sigma: width of an alignment row in output frames. stride: input frames per output frame, at least 1.
    variant: registry key of the adaptive method to run with the layer's weights, "adastride" or "adastride-f".
    """

    sigma: float | None = None
    stride: float | None = None
    variant: str | None = None

    def __post_init__(self):
        if self.sigma is not None:
            object.__setattr__(self, "sigma", float(check_sigma(self.sigma)))
        if self.stride is not None:
            object.__setattr__(self, "stride", check_stride(self.stride))
        if self.variant is not None and self.variant not in VARIANTS:
            raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {self.variant!r}")


VARIANTS = ("adastride", "adastride-f")
AS_TRAINED = LayerSettings()


@dataclass(frozen=True)
class Downsampled:
    """What a downsampling layer returns.

    values: (batch, channels, L), zero past each example's length. lengths: (batch,) int64 output lengths.
    alignment: where the frames went; effective, |dy_i / dx_j|, for a method that has no positions of its own.
    position_loss: scalar (equation 5), zero for a method without positions.
    """

    values: Tensor
    lengths: Tensor
    alignment: Alignment | Any
    position_loss: Tensor


class Downsampler(nn.Module, ABC):
    """A layer that makes a sequence shorter.

    Shape: x (batch, channels, time), lengths (batch,) whole numbers or None (all of time) -> `Downsampled`.
    Frames past an example's length never change its result.
    """

    stride: float

    @abstractmethod
    def forward(self, x: Tensor, lengths: Tensor | None = None, settings: LayerSettings | None = None) -> Downsampled:
        """Downsamples x; settings override the trained ones for this call only."""

    @abstractmethod
    def shortcut(self, x: Tensor, lengths: Tensor, downsampled: Downsampled) -> Tensor:
        """Brings the shortcut path of a residual block to the same frames as `downsampled`, (batch, channels, L)."""


@dataclass(frozen=True)
class Method:
    """A registry entry: how to build a method, and what a person should read about it.

    kind is "fixed", "learned" or "adaptive". formula is LaTeX. parameters maps a keyword of `build` to (lowest, highest,
    default). replaces_convolution: the layer convolves itself, so a residual block leaves its own convolution out.
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
