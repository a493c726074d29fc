"""Downsampling layers, one file a family. `METHODS` lists them; `build(key, channels, stride)` makes one."""

from adastride.downsampling import strided
from adastride.downsampling.adastride import AdaStride, AdaStrideF
from adastride.downsampling.base import METHODS, Downsampled, Downsampler, LayerSettings, Method, build, register
from adastride.downsampling.strided import StridedConvolution

__all__ = [
    "METHODS", "AdaStride", "AdaStrideF", "Downsampled", "Downsampler", "LayerSettings", "Method", "StridedConvolution",
    "build", "register", "strided",
]
