"""The downsampling layers, one file for each family. `METHODS` lists them, and `build(key, channels, stride)` makes one."""

# Importing a family registers its methods. Their order here is the order people see them in.
# isort: off
from adastride.downsampling import strided as strided
from adastride.downsampling import pooling as pooling
from adastride.downsampling import blur as blur
from adastride.downsampling import spectral as spectral
from adastride.downsampling import adastride as adastride
from adastride.downsampling import lowpass as lowpass
from adastride.downsampling import cif as cif
from adastride.downsampling import merging as merging
# isort: on

from adastride.downsampling.adastride import AdaStride, AdaStrideF
from adastride.downsampling.base import METHODS, VARIANTS, Downsampled, Downsampler, LayerSettings, Method, build, register
from adastride.downsampling.effective import EffectiveAlignment
from adastride.downsampling.images import Along, DownsampledImage, ImageDownsampler, build_image_layer
from adastride.downsampling.spectral import DCTDiffStride2d, DiffStride2d, SpectralPool2d
from adastride.downsampling.strided import StridedConvolution

__all__ = [
    "METHODS", "VARIANTS", "AdaStride", "AdaStrideF", "Along", "DCTDiffStride2d", "DiffStride2d", "Downsampled", "DownsampledImage",
    "Downsampler", "EffectiveAlignment", "ImageDownsampler", "LayerSettings", "Method", "SpectralPool2d", "StridedConvolution", "build",
    "build_image_layer", "register",
]
