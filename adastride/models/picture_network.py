"""The contract of networks of pictures: layers that make pictures smaller along two axes, and one answer or several.

A spectrogram is a picture, too, of one channel. Whatever looks at these networks knows this contract and no class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from adastride.downsampling import DownsampledImage, ImageDownsampler
from adastride.downsampling.images import Both
from adastride.models.network import Model, ModelConfig


class Head(NamedTuple):
    """A question that a network answers. task: what it is called, "" where it is the only one. labels: the answers it chooses from."""

    task: str
    labels: tuple[str, ...]


class PictureConfig(ModelConfig):
    """The configuration of a network of pictures, a frozen dataclass with these fields.

    method: the registry key of all layers. strides: (height, width) of each of them, lowest first; learned ones begin there. sigma: width of
    an alignment row in output rows or columns, for the methods that take one. parameters: values for other parameters that the registry
    lists for the method.
    """

    method: str
    strides: tuple[tuple[float, float], ...]
    sigma: float
    parameters: dict[str, float]

    @property
    @abstractmethod
    def input_channels(self) -> int:
        """Channels of a picture."""

    @property
    @abstractmethod
    def heads(self) -> tuple[Head, ...]:
        """The questions that the network answers, in the order of its logits."""

    @property
    @abstractmethod
    def picture_size(self) -> tuple[int, int]:
        """Height and width of the pictures that it learns from, in pixels."""


@dataclass(frozen=True)
class ImageResume:
    """The state of a network just before a downsampling layer, at which a later run with other settings of it can start.

    hidden: (batch, channels, height, width), the input of the layer. shortcut: what its shortcut path begins with, of the same size;
    `hidden` itself where there is no shortcut.
    """

    hidden: Tensor
    shortcut: Tensor


@dataclass(frozen=True)
class ImageOutput:
    """What a run of a network of pictures returns.

    head: the logits, (batch, classes), those of one head after those of another. downsampled: the result of each downsampling layer that
    this run computed, lowest first; a resumed run does not compute all of them. position_loss: a scalar, the sum over these layers.
    resumes: one for every layer, those that were handed in included.
    """

    head: Tensor
    downsampled: tuple[DownsampledImage, ...]
    position_loss: Tensor
    resumes: tuple[ImageResume, ...]


class PictureNetwork(Model, ABC):
    """A network of pictures. A subclass sets `config` and defines `layers` and `forward`."""

    config: PictureConfig

    @property
    @abstractmethod
    def layers(self) -> list[ImageDownsampler]:
        """The downsampling layers, lowest first."""

    @abstractmethod
    def forward(
        self, pictures: Tensor, settings: Sequence[Both | None] | None = None, resumes: Sequence[ImageResume] = (),
    ) -> ImageOutput:
        """Runs the network on pictures (batch, channels, height, width), see `standardised`, all of one size.

        settings: for each layer those of its height and its width, None for as trained. resumes: the first few of an earlier output's;
        the run starts at the last of them and does not look at the pictures.
        Raises ValueError for settings of another number of layers, and for pictures of another shape.
        """

    def check_settings(self, settings: Sequence[Both | None] | None) -> list[Both | None]:
        """The settings of every layer. Raises ValueError where there are more or fewer of them than layers."""
        layers = len(self.layers)
        found: list[Both | None] = [None] * layers if settings is None else list(settings)
        if len(found) != layers:
            raise ValueError(f"expected settings for {layers} layers, got {len(found)}")
        return found

    def cost(self) -> Tensor:
        """J of DiffStride's equation 6: sum over layers of prod 1 / (S_h S_w), a scalar, with a gradient to learned strides.

        It is proportional to what the network computes and remembers above its first layer, and 1/4 + 1/16 + 1/64 for three strides of 2.
        """
        weight = next(self.parameters())
        share, total = weight.new_ones(()), weight.new_zeros(())
        for layer in self.layers:
            for stride in layer.stride_tensors():
                share = share / stride
            total = total + share
        return total


def standardised(pixels: Tensor) -> Tensor:
    """Pixels (..., height, width) of 8 bits as a network's input: float32 about 0 and about as large as 1.

    >>> standardised(torch.tensor([0, 255], dtype=torch.uint8))
    tensor([-2.,  2.])
    """
    return pixels.float() / 63.75 - 2.0


def probabilities_of(heads: Sequence[Head], logits: Tensor) -> Tensor:
    """The probabilities of every head's labels, which sum to 1 for each head: (batch, classes) -> the same.

    >>> probabilities_of((Head("a", ("x", "y")), Head("b", ("u", "v"))), torch.zeros(1, 4))
    tensor([[0.5000, 0.5000, 0.5000, 0.5000]])
    """
    return torch.cat([part.softmax(dim=1) for part in logits.split([len(head.labels) for head in heads], dim=1)], dim=1)
