"""Downsampling layers, one file a family. `METHODS` lists them; `build(key, channels, stride)` makes one."""

# The families in the order people see them in; importing one is all it takes to register its methods.
# isort: off
from adastride.downsampling import strided
from adastride.downsampling import pooling
from adastride.downsampling import blur
from adastride.downsampling import spectral
from adastride.downsampling import adastride
from adastride.downsampling import lowpass
from adastride.downsampling import cif
from adastride.downsampling import merging
# isort: on

from adastride.downsampling.adastride import AdaStride, AdaStrideF
from adastride.downsampling.base import METHODS, VARIANTS, Downsampled, Downsampler, LayerSettings, Method, build, register
from adastride.downsampling.effective import EffectiveAlignment
from adastride.downsampling.spectral import DCTDiffStride2d, DiffStride2d, SpectralPool2d
from adastride.downsampling.strided import StridedConvolution

__all__ = [
    "METHODS", "VARIANTS", "AdaStride", "AdaStrideF", "DCTDiffStride2d", "DiffStride2d", "Downsampled", "Downsampler", "EffectiveAlignment",
    "LayerSettings", "Method", "SpectralPool2d", "StridedConvolution", "adastride", "blur", "build", "cif", "lowpass", "merging", "pooling",
    "register", "spectral", "strided",
]
