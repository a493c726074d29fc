"""Networks of pictures: a pre-activation residual network whose three shortcut blocks downsample by any method.

Sources: He, Zhang, Ren and Sun, "Identity mappings in deep residual networks" (2016b), the pre-activation block; Riad et al. (2022),
figure 2, section 2.4.1 and equation 6, downsampling that main path and shortcut share, and its cost; the AdaStride paper's appendix I.
Where the papers' ResNet-18 has a width of 64 and two blocks to a stage, both are settings here.
The settings of one run are arguments; a run never changes the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from adastride import alignment as maths
from adastride.downsampling import METHODS, DownsampledImage, ImageDownsampler, build_image_layer
from adastride.downsampling.images import Both, StridedConvolutionOfImages, check_image
from adastride.models.layers import check_parameters, parameters_of
from adastride.models.picture_network import Head, ImageOutput, ImageResume, PictureConfig, PictureNetwork

STAGES = 3  # shortcut blocks, each with twice the channels of what is below it
AS_TRAINED: Both = (None, None)


@dataclass(frozen=True)
class ImageConfig(PictureConfig):
    """Everything that is needed to build an `ImageClassifier` again.

    labels: the classes. method: the registry key of all three layers. strides: (height, width) of each of them, lowest first; learned
    ones begin there. width: channels of the first block, which double with every layer. blocks: residual blocks after the stem and after
    each layer, of which the first after a layer is its shortcut block. channels: of a picture, 3 for colours, 1 for a spectrogram.
    sigma: width of an alignment row in output rows or columns, for the methods that take one. parameters: values for other parameters
    that the registry lists for the method. size: height and width of the pictures that it learns from, in pixels; it takes others, too.
    Raises ValueError for a method, size or value that is not allowed.
    """

    kind: ClassVar[str] = "images"

    labels: tuple[str, ...]
    method: str = "adastride"
    strides: tuple[tuple[float, float], ...] = ((2.0, 2.0),) * STAGES
    width: int = 16
    blocks: int = 2
    channels: int = 3
    sigma: float = 5**-0.5
    parameters: dict[str, float] = field(default_factory=dict, hash=False)
    size: int = 32
    learn_sigma: ClassVar[bool] = False  # what `check_parameters` asks for: no layer of pictures learns it

    def __post_init__(self) -> None:
        object.__setattr__(self, "labels", tuple(str(label) for label in self.labels))
        object.__setattr__(self, "strides", tuple(tuple(maths.check_stride(s) for s in pair) for pair in self.strides))
        object.__setattr__(self, "parameters", dict(self.parameters))
        maths.check_sigma(self.sigma)
        if self.method not in METHODS:
            raise ValueError(f"unknown method {self.method!r}; choose one of {', '.join(METHODS)}")
        if [len(pair) for pair in self.strides] != [2] * STAGES:
            raise ValueError(f"expected a stride for the height and one for the width of each of {STAGES} layers, got {self.strides}")
        if len(self.labels) < 2 or len(set(self.labels)) != len(self.labels):
            raise ValueError("labels must be at least two different names")
        for name, value, most in (("width", self.width, 512), ("blocks", self.blocks, 8), ("channels", self.channels, 64), ("size", self.size, 4096)):
            if type(value) is not int or not 1 <= value <= most:
                raise ValueError(f"{name} must be a whole number from 1 to {most}, got {value}")
        check_parameters(self)

    @property
    def methods(self) -> tuple[str, ...]:
        """The registry key of every layer, lowest first."""
        return (self.method,) * STAGES

    @property
    def heads(self) -> tuple[Head, ...]:
        """Its one question."""
        return (Head("", self.labels),)

    @property
    def input_channels(self) -> int:
        """Channels of a picture."""
        return self.channels

    @property
    def picture_size(self) -> tuple[int, int]:
        """Height and width of the pictures that it learns from, in pixels."""
        return self.size, self.size


class _Block(nn.Module):
    """A pre-activation residual block (He et al. 2016b, figure 4e), or with a layer the shortcut block of DiffStride's figure 2."""

    def __init__(self, channels: int, out_channels: int, layer: ImageDownsampler | None = None):
        super().__init__()
        self.norm1, self.norm2 = nn.BatchNorm2d(channels), nn.BatchNorm2d(out_channels)
        self.layer = layer
        # A strided convolution widens both of its paths itself.
        itself = isinstance(layer, StridedConvolutionOfImages)
        self.conv1 = None if itself else nn.Conv2d(channels, out_channels, 3, padding=1, bias=False)
        self.widen = None if itself or layer is None else nn.Conv2d(channels, out_channels, 1, bias=False)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False)

    def before(self, x: Tensor) -> ImageResume:
        """Both paths up to the layer. The shortcut of a shortcut block begins with the normalised input, as published."""
        active = F.relu(self.norm1(x))
        hidden = active if self.conv1 is None else self.conv1(active)
        if self.layer is None:
            return ImageResume(hidden, x)
        return ImageResume(hidden, active if self.widen is None else self.widen(active))

    def after(self, hidden: Tensor, shortcut: Tensor) -> Tensor:
        """The rest of the main path, added to the shortcut."""
        return shortcut + self.conv2(F.relu(self.norm2(hidden)))


class ImageClassifier(PictureNetwork):
    """The network. Pictures are (batch, channels, height, width), see `standardised`, all of one size.

    >>> network = ImageClassifier(ImageConfig(("cat", "dog"), method="avg-pool", width=4, blocks=1)).eval()
    >>> output = network(torch.zeros(1, 3, 32, 32))
    >>> output.head.shape, [tuple(down.values.shape[2:]) for down in output.downsampled], float(network.cost())
    (torch.Size([1, 2]), [(16, 16), (8, 8), (4, 4)], 0.328125)
    """

    config: ImageConfig

    def __init__(self, config: ImageConfig):
        super().__init__(config)
        widths = [config.width * 2**stage for stage in range(STAGES + 1)]
        parameters = parameters_of(config, config.method)
        self.stem = nn.Conv2d(config.channels, config.width, 3, padding=1, bias=False)
        blocks = [_Block(config.width, config.width) for _ in range(config.blocks)]
        for below, width, strides in zip(widths, widths[1:], config.strides, strict=False):
            layer: ImageDownsampler
            if config.method == "strided-conv":
                layer = StridedConvolutionOfImages(below, strides, width)
            else:
                layer = build_image_layer(config.method, width, strides, **parameters)
            blocks += [_Block(below, width, layer), *(_Block(width, width) for _ in range(config.blocks - 1))]
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.BatchNorm2d(widths[-1])
        self.classifier = nn.Linear(widths[-1], len(config.labels))

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
        if kept:
            first = [place for place, block in enumerate(self._stack) if block.layer is not None][len(kept) - 1]
            x = kept[-1].shortcut
        else:
            check_image(pictures, self.config.channels)
            x = self.stem(pictures)
        for block in self._stack[first:]:
            if block.layer is None:
                resume = block.before(x)
                x = block.after(resume.hidden, resume.shortcut)
                continue
            place = len(results) + max(0, len(resumes) - 1)
            if place == len(kept):
                kept.append(block.before(x))
            down = block.layer(kept[place].hidden, settings[place] or AS_TRAINED)
            results.append(down)
            x = block.after(down.values, block.layer.shortcut(kept[place].shortcut, down))
        pooled = F.relu(self.norm(x)).mean(dim=(2, 3))
        loss = torch.stack([down.position_loss for down in results]).sum()
        return ImageOutput(self.classifier(pooled), tuple(results), loss, tuple(kept))
