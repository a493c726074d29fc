"""A convolutional network on log-mel spectrograms that downsamples along time and along frequency, for one task or for several at once.

Source: Riad et al. (2022), section 3.1, after Tagliasacchi et al. (2019): blocks of a convolution along time (3 x 1) and one along
frequency (1 x 3), each followed by a ReLU and batch normalisation; "the output of the CNN passes through a global max-pooling and feeds
into a single linear classification layer for single-task, and multiple classification layers for multi-task classification". Of its six
blocks those whose published stride is 2 downsample here; the other two keep what they are given. Its channels (64, 128, 256, 256, 512,
512) are `width` times (1, 2, 4, 4, 8, 8).
A spectrogram is a picture of one channel and 8 bits: frequency is its height, the highest band on top, time is its width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adastride import alignment as maths
from adastride.audio import LOG_FLOOR, MelPreset
from adastride.downsampling import METHODS, DownsampledImage, ImageDownsampler, build_image_layer
from adastride.downsampling.base import Downsampled, no_position_loss, where_float64_is, whole_stride
from adastride.downsampling.images import AXES, Both, check_image
from adastride.downsampling.strided import TapAlignment
from adastride.models.layers import check_parameters, parameters_of
from adastride.models.picture_network import Head, ImageOutput, ImageResume, PictureConfig, PictureNetwork

LAYERS = 4
_CHANNELS = (1, 2, 4, 4, 8, 8)  # times the width
_DOWNSAMPLES = (True, True, False, True, False, True)  # the paper's strides ((2, 2), (2, 2), (1, 1), (2, 2), (1, 1), (2, 2))
_MEL = MelPreset(16_000, window=400, hop=160, n_mels=64)
_LOUDEST = 1.0  # of the log-mel, where 8 bits end: a sine of full scale has 0.7; they begin at its floor


def picture_of_mel(mel: Tensor) -> Tensor:
    """A log-mel spectrogram as a picture of 8 bits: natural log (bands, frames) -> uint8 (bands, frames), the highest band on top.

    A step is 0.049, or 0.43 dB.

    >>> picture_of_mel(torch.tensor([[math.log(1e-5)], [1.0]]))
    tensor([[255],
            [  0]], dtype=torch.uint8)
    """
    floor = math.log(LOG_FLOOR)
    return ((mel - floor) * (255 / (_LOUDEST - floor))).round().clamp(0, 255).to(torch.uint8).flip(-2)


def decibels_of_level(level: float) -> float:
    """What a level of `picture_of_mel`, from 0 to 255, stands for: dB about a magnitude of 1 in a mel band.

    >>> decibels_of_level(0), round(decibels_of_level(255), 1)
    (-100.0, 8.7)
    """
    floor = math.log(LOG_FLOOR)
    return round((floor + level * (_LOUDEST - floor) / 255) * 20 / math.log(10), 6)


@dataclass(frozen=True)
class SpectrogramConfig(PictureConfig):
    """Everything that is needed to build a `SpectrogramClassifier` again.

    tasks: what its heads are called. labels: the classes of each of them. method: the registry key of all four layers. strides:
    (frequency, time) of each of them, lowest first; learned ones begin there. width: channels of the first block. sigma: width of an
    alignment row in output rows or columns, for the methods that take one. parameters: values for other parameters that the registry lists
    for the method. frames: of a window that it learns from; it takes others, too. mel: the front end.
    Raises ValueError for a method, size or value that is not allowed.
    """

    kind: ClassVar[str] = "spectrogram"
    learn_sigma: ClassVar[bool] = False  # what `check_parameters` asks for

    tasks: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    method: str = "diffstride"
    strides: tuple[tuple[float, float], ...] = ((2.0, 2.0),) * LAYERS
    width: int = 16
    sigma: float = 5**-0.5
    parameters: dict[str, float] = field(default_factory=dict, hash=False)
    frames: int = 100
    mel: MelPreset = _MEL

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", tuple(map(str, self.tasks)))
        object.__setattr__(self, "labels", tuple(tuple(map(str, labels)) for labels in self.labels))
        object.__setattr__(self, "strides", tuple(tuple(maths.check_stride(s) for s in pair) for pair in self.strides))
        object.__setattr__(self, "parameters", dict(self.parameters))
        maths.check_sigma(self.sigma)
        if self.method not in METHODS:
            raise ValueError(f"unknown method {self.method!r}; choose one of {', '.join(METHODS)}")
        if [len(pair) for pair in self.strides] != [2] * LAYERS:
            raise ValueError(f"expected a stride for frequency and one for time of each of {LAYERS} layers, got {self.strides}")
        if not self.tasks or len(self.tasks) != len(self.labels) or len(set(self.tasks)) != len(self.tasks):
            raise ValueError("tasks must be at least one name, no two alike, and each must have its labels")
        if any(len(labels) < 2 or len(set(labels)) != len(labels) for labels in self.labels):
            raise ValueError("labels of a task must be at least two different names")
        for name, value, most in (("width", self.width, 512), ("frames", self.frames, 128), ("bands", self.mel.n_mels, 128)):
            if type(value) is not int or not 1 <= value <= most:
                raise ValueError(f"{name} must be a whole number from 1 to {most}, got {value}")
        check_parameters(self)

    @property
    def methods(self) -> tuple[str, ...]:
        """The registry key of every layer, lowest first."""
        return (self.method,) * LAYERS

    @property
    def heads(self) -> tuple[Head, ...]:
        """A question for each task."""
        return tuple(map(Head, self.tasks, self.labels))

    @property
    def input_channels(self) -> int:
        """A spectrogram has one."""
        return 1

    @property
    def picture_size(self) -> tuple[int, int]:
        """Bands, and frames of a window."""
        return self.mel.n_mels, self.frames

    @property
    def seconds(self) -> float:
        """How long a window is."""
        return self.frames / self.mel.frames_per_second


class _Convolution(nn.Module):
    """A convolution with a ReLU and batch normalisation, in the paper's order."""

    def __init__(self, channels: int, out_channels: int, kernel: tuple[int, int]):
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels, kernel, padding=(kernel[0] // 2, kernel[1] // 2), bias=False)
        self.norm = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor, strides: tuple[int, int] = (1, 1)) -> Tensor:
        return self.norm(F.relu(F.conv2d(x, self.conv.weight, stride=strides, padding=self.conv.padding)))


class _StridedConvolutions(ImageDownsampler):
    """A block's two convolutions with strides of their own, as published: whole ones, to which others are rounded."""

    def __init__(self, channels: int, strides: tuple[float, float], out_channels: int):
        super().__init__()
        self.channels = channels
        self._strides = whole_stride(strides[0]), whole_stride(strides[1])
        self.time, self.frequency = _Convolution(channels, out_channels, (1, 3)), _Convolution(out_channels, out_channels, (3, 1))

    @property
    def strides(self) -> tuple[float, float]:
        return self._strides

    def nearest_stride(self, stride: float) -> float:
        """The whole stride nearest to the one asked for."""
        return whole_stride(stride)

    def forward(self, x: Tensor, settings: Both = (None, None)) -> DownsampledImage:
        check_image(x, self.channels)
        strides = tuple(whole_stride((each and each.stride) or own) for each, own in zip(settings, self._strides, strict=True))
        values = self.frequency(self.time(x, (1, strides[1])), (strides[0], 1))
        along = []
        for place, (axis, part) in enumerate(zip(AXES, (self.frequency, self.time), strict=True), start=2):
            taps = where_float64_is(part.conv.weight.detach().abs().sum(dim=(0, 1, 5 - place)))
            lengths, shorter = (torch.full((x.shape[0],), each.shape[place], device=x.device) for each in (x, values))
            alignment = TapAlignment(taps, strides[place - 2], where_float64_is(lengths), where_float64_is(shorter), x.shape[place], axis)
            along.append(Downsampled(values.mean(dim=5 - place), shorter, alignment, no_position_loss(x)))
        return DownsampledImage(values, (along[0], along[1]))

    def shortcut(self, x: Tensor, down: DownsampledImage) -> Tensor:
        """Its alignments applied to another picture: the network itself has no shortcut."""
        height, width = (each.alignment.dense()[0].to(x.dtype) for each in down.along)
        return height @ x @ width.T


class _Block(nn.Module):
    """A convolution along time, one along frequency, and the layer; or a layer that is both convolutions itself."""

    def __init__(self, channels: int, out_channels: int, layer: ImageDownsampler | None):
        super().__init__()
        itself = isinstance(layer, _StridedConvolutions)
        self.time = None if itself else _Convolution(channels, out_channels, (1, 3))
        self.frequency = None if itself else _Convolution(out_channels, out_channels, (3, 1))
        self.layer = layer

    def before(self, x: Tensor) -> Tensor:
        """What the layer is given."""
        return x if self.time is None or self.frequency is None else self.frequency(self.time(x))


class SpectrogramClassifier(PictureNetwork):
    """The network. Spectrograms are (batch, 1, bands, frames), see `picture_of_mel` and `standardised`, all of one size.

    >>> config = SpectrogramConfig(("word", "mood"), (("yes", "no"), ("glad", "sad", "calm")), "avg-pool", width=2)
    >>> output = SpectrogramClassifier(config).eval()(torch.zeros(1, 1, 64, 100))
    >>> output.head.shape, [tuple(down.values.shape[2:]) for down in output.downsampled]
    (torch.Size([1, 5]), [(32, 50), (16, 25), (8, 13), (4, 7)])
    """

    config: SpectrogramConfig

    def __init__(self, config: SpectrogramConfig):
        super().__init__(config)
        parameters, strides = parameters_of(config, config.method), iter(config.strides)
        blocks, below = list[_Block](), 1
        for times, downsamples in zip(_CHANNELS, _DOWNSAMPLES, strict=True):
            channels = times * config.width
            layer: ImageDownsampler | None = None
            if downsamples and config.method == "strided-conv":
                layer = _StridedConvolutions(below, next(strides), channels)
            elif downsamples:
                layer = build_image_layer(config.method, channels, next(strides), **parameters)
            blocks.append(_Block(below, channels, layer))
            below = channels
        self.blocks = nn.ModuleList(blocks)
        self.classifier = nn.Linear(below, sum(map(len, config.labels)))

    @property
    def layers(self) -> list[ImageDownsampler]:
        """The downsampling layers, lowest first."""
        return [block.layer for block in self._stack if block.layer is not None]

    @property
    def _stack(self) -> list[_Block]:
        return [block for block in self.blocks if isinstance(block, _Block)]

    def forward(
        self, pictures: Tensor, settings: Sequence[Both | None] | None = None, resumes: Sequence[ImageResume] = (),
    ) -> ImageOutput:
        settings = self.check_settings(settings)
        kept, results, first = list(resumes), list[DownsampledImage](), 0
        x = kept[-1].hidden if kept else pictures
        if kept:
            first = [place for place, block in enumerate(self._stack) if block.layer is not None][len(kept) - 1]
        else:
            check_image(pictures, self.config.input_channels)
        for place, block in enumerate(self._stack[first:]):
            if place or not kept:
                x = block.before(x)
            if block.layer is None:
                continue
            layer = len(results) + max(0, len(resumes) - 1)
            if layer == len(kept):
                kept.append(ImageResume(x, x))
            down = block.layer(x, settings[layer] or (None, None))
            results.append(down)
            x = down.values
        loss = torch.stack([down.position_loss for down in results]).sum()
        return ImageOutput(self.classifier(x.amax(dim=(2, 3))), tuple(results), loss, tuple(kept))
