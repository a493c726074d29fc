"""Looks into a network of pictures: what every downsampling layer does along the height and along the width, down to the pixels.

Sources: the AdaStride paper's appendix I and figure 12, two alignments and their outer product over the picture; DiffStride's figure 1,
the spectrum and the mask over it. Pictures are small here, so matrices are whole ones: nothing is worked out row by row.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from adastride.alignment import AnyAlignment
from adastride.downsampling import METHODS, DownsampledImage, ImageDownsampler, LayerSettings
from adastride.downsampling.cosine import cosine_transform
from adastride.downsampling.effective import OperatorAlignment, normalise_rows
from adastride.downsampling.images import AXES, BothAxesAtOnce
from adastride.downsampling.spectral import DCTDiffStride2d, dct_diff_stride_mask, diff_stride_mask, vertical_mask
from adastride.models.picture_network import Head, ImageResume, PictureNetwork, probabilities_of, standardised

MOST_PIXELS = 128  # height and width of a picture that is looked at
_SMOOTHNESS = 1e-3  # weight of squared differences between neighbours beside squared errors: it decides what nothing else does
_FLOOR = 1e-6  # of a spectrum's magnitude: -120 dB

Both = tuple[LayerSettings, LayerSettings]
Settings = tuple[Both, ...]


class PictureError(ValueError):
    """A network or a picture that can't be looked at; the message is one sentence that says what to do."""


@dataclass(frozen=True, eq=False)
class AxisTrace:
    """What a layer did along one axis, which has N input and L output rows (or columns) and `pixels` pixels in the picture.

    axis: "height" or "width". settings: those it ran with. alignment: (L, N) float32, its matrix as it is drawn, rows that sum to 1.
    operator: (L, N) float32, what the layer multiplies rows by, with signs; where there is no such matrix it is `alignment`.
    composite: (L, pixels) float32, the product of the alignments of this layer and those below it. edges: (L + 1,) where one output row
    ends and the next begins, in pixels. mask: (N,) what a spectral method lets through of each frequency that `LayerPicture.spectrum`
    has along this axis, 0 to 1; None for other methods.
    """

    axis: str
    settings: LayerSettings
    alignment: np.ndarray
    operator: np.ndarray
    composite: np.ndarray
    edges: np.ndarray
    mask: np.ndarray | None

    @property
    def input_size(self) -> int:
        """N."""
        return self.alignment.shape[1]

    @property
    def output_size(self) -> int:
        """L."""
        return self.alignment.shape[0]

    @property
    def density(self) -> np.ndarray:
        """How many output rows each row of pixels gets, (pixels,): 1 / stride where the alignment is even."""
        return self.composite.sum(axis=0)


@dataclass(frozen=True, eq=False)
class LayerPicture:
    """A downsampling layer of a run. along: its two axes, height first.

    seen: (h, w, 3) uint8, the picture as it would be if the layers up to this one were all that happened to it. features: (h, w)
    float32, the mean magnitude over channels of what the layer returns. spectrum: (H, W) float32, of what it is given, the mean over
    channels of magnitudes in dB about a constant of 1. cosine: whether these are coefficients of cosines, lowest first, or Fourier's
    with the frequency 0 in the middle, at H // 2 and W // 2.
    """

    along: tuple[AxisTrace, AxisTrace]
    seen: np.ndarray
    features: np.ndarray
    spectrum: np.ndarray
    cosine: bool


@dataclass(frozen=True, eq=False)
class PictureTrace:
    """A run of a network on one picture.

    pixels: (height, width, 3) uint8, what it was given. settings: for each layer those along the height and along the width, with no
    None where the method has such a setting. heads: the questions that were answered. probabilities: (classes,) float32, those of one head
    after those of another, which sum to 1 for each. resumes: see `ImageOutput`. fingerprint: the network's.
    unrounded: the picture and what each layer sees of it, (1, 3, h, w), on which the next layer's goes on.
    """

    pixels: np.ndarray
    method: str
    heads: tuple[Head, ...]
    settings: Settings
    layers: tuple[LayerPicture, ...]
    probabilities: np.ndarray
    resumes: tuple[ImageResume, ...]
    fingerprint: str
    unrounded: tuple[Tensor, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes of all heads, one head's after another's."""
        return tuple(label for head in self.heads for label in head.labels)

    @property
    def answers(self) -> tuple[tuple[str, str, float], ...]:
        """For each head its task, its most probable class and that one's probability."""
        ends = np.cumsum([len(head.labels) for head in self.heads])
        found = []
        for head, part in zip(self.heads, np.split(self.probabilities, ends[:-1]), strict=True):
            best = int(part.argmax())
            found.append((head.task, head.labels[best], float(part[best])))
        return tuple(found)

    @property
    def answer(self) -> tuple[str, float]:
        """The most probable class of the first head, and its probability."""
        return self.answers[0][1:]

    @cached_property
    def reconstructions(self) -> tuple[Reconstruction, ...]:
        """What can be had back of the picture after each layer."""
        return tuple(_reconstruction(self.pixels, self.layers[: place + 1]) for place in range(len(self.layers)))


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """The picture as it can be had back from what a layer sees of it, by least squares, and of all such pictures the smoothest.

    Along each axis x minimises |C x - y|^2 + 0.001 |D x|^2, C being the product of the layers' operators and D the differences between
    neighbours. pixels: (height, width, 3) uint8. psnr: 10 log10(255^2 / mean squared error) in dB, infinite where nothing is lost.
    response: for height and width the share of a wave's amplitude that comes back at its own frequency, (n,) float64 each, at
    `frequencies` from 0 to 0.5 cycles per pixel.
    """

    pixels: np.ndarray
    psnr: float
    frequencies: np.ndarray
    response: tuple[np.ndarray, np.ndarray]


def as_trained(network: PictureNetwork) -> Settings:
    """The settings that a network was trained with, see `resolve_settings`."""
    return resolve_settings(network, None)


def resolve_settings(network: PictureNetwork, settings: Sequence[Sequence[LayerSettings | None] | None] | None) -> Settings:
    """Replaces every None in the settings by what the network was trained with, and a stride by the nearest that the method can do.

    Raises ValueError for settings of another number of layers.
    """
    given = [None] * len(network.layers) if settings is None else list(settings)
    if len(given) != len(network.layers):
        raise ValueError(f"expected settings for {len(network.layers)} layers, got {len(given)}")
    takes_sigma = "sigma" in METHODS[network.config.method].parameters
    resolved = []
    for layer, both in zip(network.layers, given, strict=True):
        resolved.append(tuple(
            LayerSettings(
                sigma=((each and each.sigma) or network.config.sigma) if takes_sigma else None,
                stride=float(layer.nearest_stride((each and each.stride) or own)),
            )
            for each, own in zip(both or (None, None), layer.strides, strict=True)
        ))
    return cast(Settings, tuple(resolved))


def trace_image(
    network: PictureNetwork, pixels: np.ndarray, settings: Sequence[Sequence[LayerSettings | None] | None] | None = None,
    previous: PictureTrace | None = None,
) -> PictureTrace:
    """Runs a network on a picture and looks into all of its layers.

    pixels: (height, width, 3) uint8, of at most MOST_PIXELS along each axis. settings: for each layer those of height and width; None
    stands for as trained. previous: an earlier trace; the layers below the first one that runs otherwise are not computed again.
    Raises PictureError for a larger picture and for a network whose answer is not numbers, ValueError for another shape or other
    settings.
    """
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        raise ValueError(f"expected uint8 (height, width, 3), got {pixels.dtype} {pixels.shape}")
    if max(pixels.shape) > MOST_PIXELS:
        raise PictureError(f"A picture of {pixels.shape[1]} × {pixels.shape[0]} pixels is more than the {MOST_PIXELS} that are looked at: make it smaller.")
    resolved = resolve_settings(network, settings)
    begin, kept = 0, tuple[ImageResume, ...]()
    if previous is not None and previous.fingerprint == network.fingerprint and np.array_equal(previous.pixels, pixels):
        changed = [place for place, (one, other) in enumerate(zip(resolved, previous.settings, strict=True)) if one != other]
        if not changed:
            return previous
        begin = changed[0]
        kept = previous.resumes[: begin + 1]
    with torch.no_grad(), network.evaluating():
        output = network(_input(pixels, network.config.input_channels).to(network.device), resolved, kept)
        probabilities = probabilities_of(network.config.heads, output.head)[0].cpu().numpy()
        if not np.isfinite(probabilities).all():
            raise PictureError("The network's results for this picture are not numbers: choose another network.")
        layers = list(previous.layers[:begin]) if previous is not None else []
        first = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float()
        unrounded = list(previous.unrounded[: begin + 1]) if begin and previous is not None else [first]
        for place, down in enumerate(output.downsampled, start=begin):
            axes = _axes(network, down, output.resumes[place].hidden, resolved[place], layers[-1] if layers else None)
            unrounded.append(_seen(network.layers[place], down, axes, unrounded[-1]))
            layers.append(_looked_into(network, axes, down, output.resumes[place].hidden, unrounded[-1]))
    return PictureTrace(
        pixels, network.config.method, network.config.heads, resolved, tuple(layers), probabilities, output.resumes, network.fingerprint,
        tuple(unrounded),
    )


def _input(pixels: np.ndarray, channels: int) -> Tensor:
    """Pixels (height, width, 3) as a network takes them, (1, channels, height, width). Raises PictureError for other channels than 1 and 3."""
    picture = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None]
    if channels == 1:
        return standardised(picture.float().mean(dim=1, keepdim=True))
    if channels != 3:
        raise PictureError(f"The network takes {channels} channels, and a picture has 3: choose another network.")
    return standardised(picture)


def _seen(layer: ImageDownsampler, down: DownsampledImage, axes: tuple[AxisTrace, AxisTrace], picture: Tensor) -> Tensor:
    """A picture (1, 3, height, width) made smaller as the layer made its input smaller.

    The layer's own operation is that of one axis after the other, but for Fourier's transform of both: its rows of negative frequencies
    have another mask than those of positive ones, so that it is no product.
    """
    if isinstance(layer, BothAxesAtOnce) and not isinstance(layer.module, DCTDiffStride2d):
        return layer.shortcut(picture.to(down.values.device), down).cpu()
    height, width = (torch.from_numpy(axis.operator) for axis in axes)
    return height @ picture @ width.T


def _matrices(alignment: AnyAlignment) -> tuple[np.ndarray, np.ndarray]:
    """The alignment of a layer along an axis as it is drawn, and what it multiplies rows by, with signs: (L, N) each."""
    if not isinstance(alignment, OperatorAlignment):
        dense = alignment.dense()[0].detach().float().cpu().numpy()
        return dense, dense
    # Unit vectors, each in a channel of its own: at these sizes one run forwards is cheaper than one backwards.
    units = torch.eye(alignment.time, device=alignment.lengths.device)[None]
    operator = alignment.operate(units, alignment.lengths[:1], alignment.stride)[0].T.float()
    return normalise_rows(operator).cpu().numpy(), operator.cpu().numpy()


def _axes(
    network: PictureNetwork, down: DownsampledImage, hidden: Tensor, settings: Both, below: LayerPicture | None,
) -> tuple[AxisTrace, AxisTrace]:
    axes = []
    masks = _masks(network, settings, (hidden.shape[2], hidden.shape[3]))
    for number, each in enumerate(down.along):
        alignment, operator = _matrices(each.alignment)
        edges = each.alignment.boundaries()[0].detach().cpu().numpy().astype(np.float64)
        lower = below.along[number] if below else None
        axes.append(AxisTrace(
            axis=AXES[number], settings=settings[number], alignment=alignment, operator=operator,
            composite=alignment @ lower.composite if lower else alignment,
            edges=np.interp(edges, np.arange(len(lower.edges)), lower.edges) if lower else edges,
            mask=masks[number] if masks else None,
        ))
    return axes[0], axes[1]


def _looked_into(
    network: PictureNetwork, axes: tuple[AxisTrace, AxisTrace], down: DownsampledImage, hidden: Tensor, seen: Tensor,
) -> LayerPicture:
    cosine = network.config.method == "dct-diffstride"
    return LayerPicture(
        along=axes, seen=seen[0].permute(1, 2, 0).round().clamp(0, 255).byte().numpy(),
        features=down.values[0].abs().mean(dim=0).float().cpu().numpy(), spectrum=_spectrum(hidden[0].float(), cosine), cosine=cosine,
    )


def _spectrum(x: Tensor, cosine: bool) -> np.ndarray:
    """The mean over channels of magnitudes in dB, see `LayerPicture`: x (channels, H, W) -> (H, W)."""
    height, width = x.shape[1:]
    if cosine:
        bins = cosine_transform(cosine_transform(x, width).transpose(1, 2), height).transpose(1, 2) / (height * width) ** 0.5
    else:
        bins = torch.fft.fft2(x) / (height * width)
    levels = (20 * bins.abs().clamp(min=_FLOOR).log10()).mean(dim=0)
    return (levels if cosine else torch.fft.fftshift(levels)).cpu().numpy()  # shifted last: one picture instead of all channels


def _masks(network: PictureNetwork, settings: Both, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray] | None:
    """What a spectral method lets through along each axis of an input (H, W), (H,) and (W,); None for other methods."""
    method, (height, width) = network.config.method, size
    strides = [torch.tensor(float(each.stride or 1.0)) for each in settings]
    smoothness = float(network.config.parameters.get("smoothness", METHODS[method].parameters.get("smoothness", (0, 0, 0))[2]))
    if method == "dct-diffstride":
        return cast(Any, tuple(dct_diff_stride_mask(n, stride, smoothness).numpy() for n, stride in zip(size, strides, strict=True)))
    if method == "diffstride":
        above, below = vertical_mask(height, strides[0], smoothness)
        right = diff_stride_mask(width, strides[1], smoothness)
        return torch.cat([below, above]).numpy(), right[(torch.arange(width) - width // 2).abs()].numpy()
    if method == "spectral-pool":
        return cast(Any, tuple(
            (np.abs(np.arange(n) - n // 2) <= n / float(stride) / 2).astype(np.float32) for n, stride in zip(size, strides, strict=True)
        ))
    return None


def _reconstruction(pixels: np.ndarray, layers: Sequence[LayerPicture]) -> Reconstruction:
    inverses, responses = [], []
    frequencies = np.linspace(0, 0.5, 33)
    for number in range(2):
        operator = functools.reduce(lambda below, layer: layer.along[number].operator @ below, layers, np.eye(pixels.shape[number]))
        differences = np.diff(np.eye(operator.shape[1]), axis=0)
        inverse = np.linalg.solve(operator.T @ operator + _SMOOTHNESS * differences.T @ differences, operator.T)
        inverses.append(inverse)
        waves = np.exp(2j * np.pi * np.outer(np.arange(operator.shape[1]), frequencies))
        back = inverse @ (operator @ waves)
        responses.append(np.abs((waves.conj() * back).mean(axis=0)))
    restored = np.einsum("ih,hwc,jw->ijc", inverses[0], layers[-1].seen.astype(np.float64), inverses[1])
    restored = np.clip(np.round(restored), 0, 255).astype(np.uint8)
    error = float(np.mean((restored.astype(np.float64) - pixels) ** 2))
    psnr = float("inf") if error == 0 else 10 * float(np.log10(255**2 / error))
    return Reconstruction(restored, psnr, frequencies, (responses[0], responses[1]))
