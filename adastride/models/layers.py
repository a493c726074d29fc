"""What the configurations of networks say about their downsampling layers: the same checks, and the same way of building one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from torch import nn

from adastride.downsampling import METHODS, Downsampler, build
from adastride.models.blocks import ResidualBlock


class ParameterFields(Protocol):
    """The fields of a configuration that say what its methods are and which parameters they get; see `ClassifierConfig`."""

    @property
    def methods(self) -> tuple[str, ...]: ...

    @property
    def sigma(self) -> float: ...

    @property
    def learn_sigma(self) -> bool: ...

    @property
    def parameters(self) -> Mapping[str, float]: ...


class LayerFields(ParameterFields, Protocol):
    """The fields of a configuration that its downsampling layers are built from; see `ClassifierConfig`."""

    @property
    def strides(self) -> tuple[float, ...]: ...

    @property
    def width(self) -> int: ...


def check_parameters(config: ParameterFields) -> None:
    """Raises ValueError for a sigma that can't be learned, and for parameters that no method takes or that are out of range."""
    listed = ", ".join(config.methods)
    if type(config.learn_sigma) is not bool:
        raise ValueError(f"learn_sigma must be true or false, got {config.learn_sigma!r}")
    if config.learn_sigma and not any("sigma" in METHODS[method].parameters for method in config.methods):
        raise ValueError(f"there is no sigma to learn in {listed}")
    for name, value in config.parameters.items():
        ranges = [METHODS[method].parameters[name] for method in config.methods if name in METHODS[method].parameters]
        if name == "sigma" or not ranges:
            raise ValueError(f"none of the methods {listed} takes a parameter {name!r} here")
        low, high, default = ranges[0]
        whole = isinstance(default, int)
        if not low <= float(value) <= high or (whole and not float(value).is_integer()):
            raise ValueError(f"{name} must be a {'whole ' * whole}number from {low:g} to {high:g}, got {value}")


def parameters_of(config: ParameterFields, key: str) -> dict[str, float]:
    """The parameters that a configuration has for the method `key`, its sigma among them where the method takes one."""
    return {name: value for name, value in {**config.parameters, "sigma": config.sigma}.items() if name in METHODS[key].parameters}


def build_layer(config: LayerFields, key: str, stride: float, channels: int | None = None) -> Downsampler:
    """Builds the layer of the method `key` with the parameters that a configuration has for it. channels: the width if None."""
    channels, parameters = config.width if channels is None else channels, parameters_of(config, key)
    if config.learn_sigma and "sigma" in parameters:
        return METHODS[key].build(channels, stride=stride, learn_sigma=True, **parameters)
    return build(key, channels, stride, **parameters)


def build_blocks(config: LayerFields, block: type[ResidualBlock], count: int, downsampling: Sequence[int]) -> nn.ModuleList:
    """Builds `count` residual blocks, those in the places of `downsampling` with the configuration's layers, lowest first."""
    layers = dict(zip(downsampling, zip(config.methods, config.strides, strict=True), strict=True))
    blocks = []
    for place in range(count):
        if place not in layers:
            blocks.append(block(config.width))
            continue
        key, stride = layers[place]
        blocks.append(block(config.width, build_layer(config, key, stride), convolve=not METHODS[key].replaces_convolution))
    return nn.ModuleList(blocks)
