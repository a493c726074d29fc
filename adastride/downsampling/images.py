"""Downsampling of pictures, (batch, channels, height, width): any method of the registry, along the height and along the width.

Sources: the AdaStride paper's appendix I and figure 12, where AdaStride is "applied twice sequentially along the height and width axes";
DiffStride's section 2.3 for methods whose transform takes both axes at once. What happened along an axis is a `Downsampled` as along
time, with an alignment whose `axis` says which, so that whatever shows alignments shows these.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn

from adastride import alignment as maths
from adastride.downsampling.base import (
    AS_TRAINED,
    METHODS,
    Downsampled,
    Downsampler,
    LayerSettings,
    build,
    no_position_loss,
    where_float64_is,
    whole_stride,
)
from adastride.downsampling.effective import LinearDownsampler, OperatorAlignment
from adastride.downsampling.strided import TapAlignment

Axis = Literal["height", "width"]
AXES: tuple[Axis, Axis] = ("height", "width")
Both = Sequence[LayerSettings | None]


@dataclass(frozen=True, eq=False)
class DownsampledImage:
    """What a downsampling layer of pictures returns.

    values: (batch, channels, h, w). along: what happened along the height and along the width. Their values, (batch, channels, h) and
    (batch, channels, w), are those of a line, the mean over the other axis; their alignments hold for every line.
    """

    values: Tensor
    along: tuple[Downsampled, Downsampled]

    @property
    def position_loss(self) -> Tensor:
        """The sum of equation 5 over both axes, a scalar."""
        return self.along[0].position_loss + self.along[1].position_loss


class Along(nn.Module):
    """Brings a method for sequences to one axis of pictures.

    All lines of a picture get one alignment, so that the result is a picture again. A method that has positions or weights of its own
    works them out from the mean over the other axis, which for a score w . x is the mean of the scores. Lines of a method that is not
    linear, such as a strided convolution, are examples of their own.
    axis: "height" or "width". layer: the method, for the picture's channels. Raises ValueError for another axis.

    Shape: (batch, channels, height, width) -> the same with ceil(height / stride) rows, or so many columns; spectral methods have
    sizes of their own. Raises ValueError for an input of another shape, and for a result whose examples differ in size.

    >>> along = Along("width", build("avg-pool", channels=1, stride=2))
    >>> along(torch.tensor([[[[1.0, 3.0, 5.0, 7.0]]]]))[0]
    tensor([[[[2., 6.]]]])
    """

    def __init__(self, axis: Axis, layer: Downsampler):
        super().__init__()
        if axis not in AXES:
            raise ValueError(f'axis must be "height" or "width", got {axis!r}')
        self.axis, self.layer = axis, layer

    def forward(self, x: Tensor, settings: LayerSettings | None = None) -> tuple[Tensor, Downsampled]:
        """Downsamples x (batch, channels, height, width): the picture, and what happened along the axis; see `DownsampledImage`."""
        check_image(x, self.layer.channels)
        line = x.mean(dim=3 if self.axis == "height" else 2)
        down = self.layer(line, settings=settings)
        if len(set(maths.whole_numbers(down.lengths))) > 1:
            raise ValueError(f"{type(self.layer).__name__} makes pictures of unequal size of one batch; give it one picture at a time")
        down = replace(down, alignment=replace(cast(Any, down.alignment), axis=self.axis))
        if self.layer.linear:
            return self.shortcut(x, down), down
        return self._lines(x, lambda lines: self.layer(lines, settings=settings).values), down

    def shortcut(self, x: Tensor, down: Downsampled) -> Tensor:
        """Brings another picture of this size to the same rows or columns as `down`."""
        if not self.layer.linear:
            return self._lines(x, lambda lines: self.layer.shortcut(lines, _whole(lines), down))
        # What treats all channels alike takes the other axis for more channels.
        other = x.transpose(2, 3) if self.axis == "height" else x
        lines = other.reshape(x.shape[0], -1, other.shape[3])
        result = self.layer.shortcut(lines, _whole(lines), down)
        result = result.view(*other.shape[:3], result.shape[2])
        return result.transpose(2, 3).contiguous() if self.axis == "height" else result

    def _lines(self, x: Tensor, operate: Callable[[Tensor], Tensor]) -> Tensor:
        """Applies operate, (n, channels, time) -> (n, channels, L), to every line as an example of its own."""
        order = (0, 3, 1, 2) if self.axis == "height" else (0, 2, 1, 3)  # examples, lines, channels, time
        lines = x.permute(order)
        result = operate(lines.reshape(-1, *lines.shape[2:]))
        result = result.view(*lines.shape[:3], result.shape[2])
        return result.permute(*(order.index(axis) for axis in range(4))).contiguous()

    def extra_repr(self) -> str:
        return f"axis={self.axis!r}"


class ImageDownsampler(nn.Module, ABC):
    """A layer that makes pictures smaller.

    Shape: x (batch, channels, height, width), all of one size -> `DownsampledImage`. channels: channels of the input.
    Settings, one for the height and one for the width, replace the trained ones for a call only.
    """

    channels: int

    @property
    @abstractmethod
    def strides(self) -> tuple[float, float]:
        """Input rows per output row and input columns per output column, as built or as learned so far."""

    @abstractmethod
    def forward(self, x: Tensor, settings: Both = (None, None)) -> DownsampledImage:
        """Downsamples x. Raises ValueError for an input of another shape."""

    @abstractmethod
    def shortcut(self, x: Tensor, down: DownsampledImage) -> Tensor:
        """Brings the shortcut of a residual block, a picture of the input's size, to the size of `down` in the same way."""

    def stride_tensors(self) -> tuple[Tensor, Tensor]:
        """`strides` as scalars, with a gradient where they are learned, which passes as if none had been raised to 1."""
        height, width = self.strides
        return torch.tensor(height), torch.tensor(width)

    def nearest_stride(self, stride: float) -> float:
        """The stride nearest to the one asked for that this method can do. Raises ValueError for a stride below 1."""
        return maths.check_stride(stride)

    def extra_repr(self) -> str:
        return f"channels={self.channels}, strides=({self.strides[0]:g}, {self.strides[1]:g})"


class OneAxisAfterTheOther(ImageDownsampler):
    """A method for sequences along the height, and then along the width (the AdaStride paper's appendix I).

    height, width: layers of the method for the picture's channels, with parameters of their own.

    >>> layer = OneAxisAfterTheOther(build("adastride", 1, 2.0), build("adastride", 1, 4.0))
    >>> layer(torch.zeros(1, 1, 32, 32)).values.shape
    torch.Size([1, 1, 16, 8])
    """

    def __init__(self, height: Downsampler, width: Downsampler):
        super().__init__()
        self.channels = height.channels
        self.height, self.width = Along("height", height), Along("width", width)

    @property
    def strides(self) -> tuple[float, float]:
        return self.height.layer.stride, self.width.layer.stride

    def forward(self, x: Tensor, settings: Both = (None, None)) -> DownsampledImage:
        shorter, height = self.height(x, settings[0])
        values, width = self.width(shorter, settings[1])
        return DownsampledImage(values, (height, width))

    def shortcut(self, x: Tensor, down: DownsampledImage) -> Tensor:
        return self.width.shortcut(self.height.shortcut(x, down.along[0]), down.along[1])

    def nearest_stride(self, stride: float) -> float:
        return self.height.layer.nearest_stride(stride)


class BothAxesAtOnce(ImageDownsampler):
    """A spectral method whose transform takes both axes (DiffStride's section 2.3), with a stride for each.

    channels: channels of the input. module: what `Method.build_2d` makes. first: the centre of output row and column 0, see
    `UniformAlignment`. A learned stride below 1 counts as 1, and is put back to 1 in training.
    The alignment along an axis is what the method does to a picture that changes along this axis alone.

    >>> BothAxesAtOnce(1, METHODS["diffstride"].build_2d((2.0, 4.0)))(torch.zeros(1, 1, 32, 32)).values.shape
    torch.Size([1, 1, 24, 16])
    """

    def __init__(self, channels: int, module: nn.Module, first: float | None = 0.0):
        super().__init__()
        self.channels, self.module, self.first = channels, module, first

    @property
    def strides(self) -> tuple[float, float]:
        own = [float(stride) for stride in torch.as_tensor(self._own).detach()]
        return max(1.0, own[0]), max(1.0, own[-1])  # one stride may be shared

    def stride_tensors(self) -> tuple[Tensor, Tensor]:
        own = self._own
        if not isinstance(own, Tensor):
            return super().stride_tensors()
        raised = own + (own.clamp(min=1.0) - own).detach()
        return raised[0], raised[-1]

    @property
    def _own(self) -> Any:
        """The strides of the module, numbers or a parameter of one or two."""
        return self.module.strides

    def forward(self, x: Tensor, settings: Both = (None, None)) -> DownsampledImage:
        check_image(x, self.channels)
        strides = self._chosen(settings)
        values = self.module(x, strides)
        along = tuple(self._along(axis, x, values, strides[place]) for place, axis in enumerate(AXES))
        return DownsampledImage(values, cast(tuple[Downsampled, Downsampled], along))

    def shortcut(self, x: Tensor, down: DownsampledImage) -> Tensor:
        height, width = (cast(OperatorAlignment, each.alignment).stride for each in down.along)
        return self.module(x, (height, width))

    def _chosen(self, settings: Both) -> tuple[Any, Any]:
        """The strides of a run: numbers, or where they are learned tensors with a gradient."""
        own = self._own
        if isinstance(own, Tensor):
            if self.training and torch.is_grad_enabled():
                # An optimiser may have taken one below 1; left there, it would take as long to come back.
                with torch.no_grad():
                    own.clamp_(min=1.0)
            own = own.clone()  # alignments keep this value when the parameter is trained further
        height, width = ((each or AS_TRAINED).stride for each in settings)
        if isinstance(own, Tensor):
            return own[0] if height is None else own.new_tensor(height), own[-1] if width is None else own.new_tensor(width)
        return height or own[0], width or own[1]

    def _along(self, axis: Axis, x: Tensor, values: Tensor, stride: Any) -> Downsampled:
        place = 2 if axis == "height" else 3

        def operate(lines: Tensor, lengths: Tensor, stride: Any) -> Tensor:
            picture, strides = (lines[..., None], (stride, _one(stride))) if axis == "height" else (lines[..., None, :], (_one(stride), stride))
            return self.module(picture, strides).squeeze(3 if axis == "height" else 2)

        lengths, shorter = _whole(x, place), _whole(values, place)
        drawn = where_float64_is(lengths), where_float64_is(shorter)
        alignment = OperatorAlignment(
            operate=operate, stride=stride, lengths=drawn[0], output_lengths=drawn[1], time=x.shape[place],
            step=drawn[0].to(torch.float64) / drawn[1], first=self.first, dtype=x.dtype, axis=axis,
        )
        return Downsampled(values.mean(dim=5 - place), shorter, alignment, no_position_loss(x))


class StridedConvolutionOfImages(ImageDownsampler):
    """A 3 x 3 convolution evaluated at every stride-th row and column, with a strided 1 x 1 convolution for the shortcut.

    channels: input channels. strides: for height and width; fractions are rounded to the nearest whole number. out_channels: of both
    convolutions; as many as the input has if None. Raises ValueError for a stride below 1.

    >>> StridedConvolutionOfImages(4, (2, 3))(torch.zeros(1, 4, 9, 9)).values.shape
    torch.Size([1, 4, 5, 3])
    """

    def __init__(self, channels: int, strides: tuple[float, float] = (2.0, 2.0), out_channels: int | None = None):
        super().__init__()
        self.channels = channels
        self._strides = whole_stride(strides[0]), whole_stride(strides[1])
        self.convolution = nn.Conv2d(channels, out_channels or channels, 3, padding=1, bias=False)
        self.projection = nn.Conv2d(channels, out_channels or channels, 1, bias=False)

    @property
    def strides(self) -> tuple[float, float]:
        return self._strides

    def nearest_stride(self, stride: float) -> float:
        """The whole stride nearest to the one asked for."""
        return whole_stride(stride)

    def forward(self, x: Tensor, settings: Both = (None, None)) -> DownsampledImage:
        check_image(x, self.channels)
        strides = tuple(whole_stride((each or AS_TRAINED).stride or own) for each, own in zip(settings, self._strides, strict=True))
        values = nn.functional.conv2d(x, self.convolution.weight, stride=strides, padding=1)
        weights = self.convolution.weight.detach().abs()
        along = []
        for place, axis in enumerate(AXES, start=2):
            lengths, shorter = _whole(x, place), _whole(values, place)
            taps = where_float64_is(weights.sum(dim=(0, 1, 5 - place)))
            alignment = TapAlignment(taps, strides[place - 2], where_float64_is(lengths), where_float64_is(shorter), x.shape[place], axis)
            along.append(Downsampled(values.mean(dim=5 - place), shorter, alignment, no_position_loss(x)))
        return DownsampledImage(values, (along[0], along[1]))

    def shortcut(self, x: Tensor, down: DownsampledImage) -> Tensor:
        strides = tuple(cast(TapAlignment, each.alignment).stride for each in down.along)
        return nn.functional.conv2d(x, self.projection.weight, stride=strides)


def build_image_layer(key: str, channels: int, strides: tuple[float, float] = (2.0, 2.0), **parameters: float) -> ImageDownsampler:
    """Makes a layer of pictures of the method `key`; see `build`. Spectral methods take both axes at once, others one after the other.

    Raises ValueError for an unknown key or parameter, and for a stride below 1.

    >>> type(build_image_layer("adastride", 8)).__name__, type(build_image_layer("diffstride", 8)).__name__
    ('OneAxisAfterTheOther', 'BothAxesAtOnce')
    """
    height, width = (build(key, channels, stride, **parameters) for stride in strides)
    if key == "strided-conv":
        return StridedConvolutionOfImages(channels, strides)
    if make := METHODS[key].build_2d:
        return BothAxesAtOnce(channels, make(strides, **parameters), cast(LinearDownsampler, height).first)
    return OneAxisAfterTheOther(height, width)


def check_image(x: Tensor, channels: int) -> None:
    """Raises ValueError if x is not (batch, channels, height, width) with at least one row and column."""
    if x.dim() != 4 or x.shape[1] != channels or 0 in x.shape[2:]:
        raise ValueError(f"expected (batch, {channels}, height, width) with at least one row and column, got {tuple(x.shape)}")


def _whole(x: Tensor, axis: int = 2) -> Tensor:
    """The lengths of all examples along an axis on which none is padded: (batch,)."""
    return maths.known_lengths([x.shape[axis]] * len(x), x.device)


def _one(stride: Any) -> Any:
    """A stride of 1 of the same type."""
    return torch.ones_like(stride) if isinstance(stride, Tensor) else 1.0
