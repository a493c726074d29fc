"""AdaStride and AdaStride-F: strides that adapt to the signal.

Source: "AdaStride: Using Adaptive Strides in Sequential Data for Effective Downsampling", equations 2-7, algorithms 1-2.
Its printed equations 6 and 7 show a ceiling sign where the text says, and the algorithm does, rounding.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from adastride import alignment as maths
from adastride.alignment import Alignment
from adastride.downsampling.base import (
    AS_TRAINED,
    Downsampled,
    Downsampler,
    LayerSettings,
    Method,
    register,
    where_float64_is,
    zero_padding,
)
from adastride.downsampling.score import Score
from adastride.ranges import SIGMA_RANGE

_CITATION = "AdaStride: Using Adaptive Strides in Sequential Data for Effective Downsampling, equations 2-7"


class AdaStride(Downsampler):
    """Places frames on a line by a learned score and takes softmax-weighted means around the whole numbers.

    channels: channels of the input. stride: input frames per output frame, any real number of at least 1.
    sigma: width of a row in output frames; the paper's sigma^-2 = 5 is 5 ** -0.5.
    learn_sigma: whether sigma is a parameter that begins at `sigma`. It is kept as its logarithm, `log_sigma`, so that it stays
    above 0; `sigma` reads as the number learned so far. Settings with a sigma replace it for a run.
    `score.weight` holds the numbers w of equation 3. They are zero at the start, so that strides are uniform; a bias would cancel.

    Shape: (batch, channels, time) -> (batch, channels, L), L = ceil(time / stride).
    Raises ValueError for a stride below 1, a sigma that is not above 0, or an input of another shape. torch.compile works, with a
    break of its graph here, and so does torch.func.functional_call. A second derivative, torch.vmap and the transforms of torch.func
    raise RuntimeError.

    >>> layer = AdaStride(channels=4, stride=2.5)
    >>> layer(torch.zeros(1, 4, 10)).values.shape
    torch.Size([1, 4, 4])
    """

    variant = "adastride"
    log_sigma: nn.Parameter | None
    scored = True

    def __init__(self, channels: int, stride: float = 2.0, sigma: float = 5**-0.5, learn_sigma: bool = False):
        super().__init__()
        self.channels = channels
        self.stride = maths.check_stride(stride)
        self.register_parameter("log_sigma", nn.Parameter(torch.zeros(())) if learn_sigma else None)
        self.sigma = sigma
        self.score = Score(channels)

    @property
    def sigma(self) -> float:
        """The width of a row in output frames, as built or as learned so far."""
        return self._sigma if self.log_sigma is None else float(self.log_sigma.detach().exp())

    @sigma.setter
    def sigma(self, value: float) -> None:
        self._sigma = float(maths.check_sigma(value))
        if self.log_sigma is not None:
            self.log_sigma.data.fill_(math.log(self._sigma))

    def forward(self, x: Tensor, lengths: Tensor | None = None, settings: LayerSettings | None = None) -> Downsampled:
        if torch.compiler.is_compiling():  # nothing here is for a compiler, and to find that out step by step takes it long
            return torch.compiler.disable(self._downsample)(x, lengths, settings)
        return self._downsample(x, lengths, settings)

    def _downsample(self, x: Tensor, lengths: Tensor | None, settings: LayerSettings | None) -> Downsampled:
        lengths = self.check(x, lengths)
        x = zero_padding(x, lengths)  # whatever the padding holds, NaN included, takes no part
        aligned = self.align(x, lengths, settings or AS_TRAINED)
        loss = maths.position_loss(aligned.positions, aligned.lengths)
        return Downsampled(aligned.pool(x), aligned.output_lengths.to(x.device), aligned, loss.to(x.device, aligned.dtype))

    def align(self, x: Tensor, lengths: Tensor, settings: LayerSettings = AS_TRAINED) -> Alignment:
        """The alignment of x (batch, channels, time) with these settings, without pooling x."""
        scores = where_float64_is(self.scores(x))
        if scores.device != lengths.device:
            lengths = maths.known_lengths(maths.whole_numbers(lengths), scores.device)
        return Alignment(
            maths.unit_positions(scores, lengths),
            lengths,
            maths.output_lengths(lengths, settings.stride or self.stride),
            settings.sigma or (self.sigma if self.log_sigma is None else where_float64_is(self.log_sigma.exp())),
            nearest=(settings.variant or self.variant) == "adastride-f",
            dtype=x.dtype if x.dtype == torch.float64 else torch.float32,
        )

    def scores(self, x: Tensor) -> Tensor:
        """The score w.x_t of every frame. Shape: x (batch, channels, time) -> (batch, time)."""
        return self.score(x).squeeze(1)

    def shortcut(self, x: Tensor, lengths: Tensor, downsampled: Downsampled) -> Tensor:
        """Pools the shortcut with the alignment of the main path (the paper's appendix C)."""
        return cast(Alignment, downsampled.alignment).pool(x)

    def extra_repr(self) -> str:
        return f"channels={self.channels}, stride={self.stride:g}, sigma={self.sigma:.4g}"


class AdaStrideF(AdaStride):
    """AdaStride-F: an input frame counts for its nearest output frame alone, so a column of A has one entry.

    Weights are normalised inside each output frame. An output frame that no input frame is nearest to stays zero. Parameters, shapes
    and errors are those of `AdaStride`.

    >>> AdaStrideF(channels=4)(torch.ones(1, 4, 7)).values.shape
    torch.Size([1, 4, 4])
    """

    variant = "adastride-f"


_PARAMETERS = {"sigma": (*SIGMA_RANGE, 5**-0.5)}

register(
    Method(
        key="adastride",
        label="AdaStride",
        idea="Learned positions spread informative frames over many output frames and squeeze the rest.",
        formula=r"a_{ij} = \operatorname{softmax}_j\left(-\sigma^{-2}(p^*_j - i)^2\right),\quad Y = A X",
        citation=_CITATION,
        complexity="O(T)",
        kind="adaptive",
        parameters=_PARAMETERS,
        build=AdaStride,
    )
)
register(
    Method(
        key="adastride-f",
        label="AdaStride-F",
        idea="AdaStride with each frame counted only for its nearest output frame.",
        formula=r"y_i = \sum_{j:\,\operatorname{round}(p^*_j) = i} w_j x_j",
        citation=_CITATION,
        complexity="O(T)",
        kind="adaptive",
        parameters=_PARAMETERS,
        build=AdaStrideF,
    )
)
