"""AdaStride and AdaStride-F: strides that adapt to the signal.

Source: "AdaStride: Using Adaptive Strides in Sequential Data for Effective Downsampling", equations 2-7, algorithms 1-2.
Its printed equations 6 and 7 show a ceiling sign where the text says, and the algorithm does, rounding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from adastride import alignment as maths
from adastride.alignment import Alignment
from adastride.downsampling.base import AS_TRAINED, Downsampled, Downsampler, LayerSettings, Method, register
from adastride.ranges import SIGMA_RANGE

_FLOAT32_FRAMES = 4096  # positions stay right to 1e-4 up to here
_PART_CHANNELS = 32
_CITATION = "AdaStride: Using Adaptive Strides in Sequential Data for Effective Downsampling, equations 2-7"


class _Scores(torch.autograd.Function):
    """w.x_t: x (batch, channels, time), weight (1, channels, 1) -> (batch, time); gradients in the type of x."""

    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        short = x.shape[2] <= _FLOAT32_FRAMES or x.device.type == "mps"
        exact = torch.float32 if short and x.dtype != torch.float64 else torch.float64
        row = weight[:, :, 0].to(exact)
        if x.dtype == exact:
            return torch.matmul(row, x)[:, 0]
        parts = zip(row.split(_PART_CHANNELS, dim=1), x.split(_PART_CHANNELS, dim=1), strict=True)
        return sum(torch.matmul(some, part.to(exact)) for some, part in parts)[:, 0]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        grad = grad.to(x.dtype)
        to_x = weight.to(x.dtype) * grad[:, None] if ctx.needs_input_grad[0] else None
        to_weight = torch.matmul(x, grad[:, :, None]).sum(dim=0, keepdim=True).to(weight.dtype) if ctx.needs_input_grad[1] else None
        return to_x, to_weight


class AdaStride(Downsampler):
    """Places frames on a line by a learned score and takes softmax-weighted means around the whole numbers.

    channels: channels of the input. stride: input frames per output frame, any real number of at least 1.
    sigma: width of a row in output frames; the paper's sigma^-2 = 5 is 5 ** -0.5.
    `score.weight` holds the numbers w of equation 3, zero at the start (then strides are uniform); a bias would cancel.

    Shape: (batch, channels, time) -> (batch, channels, L), L = ceil(time / stride).
    Raises ValueError for a stride below 1, a sigma that is not above 0, or an input of another shape.

    >>> layer = AdaStride(channels=4, stride=2.5)
    >>> layer(torch.zeros(1, 4, 10)).values.shape
    torch.Size([1, 4, 4])
    """

    variant = "adastride"
    scored = True

    def __init__(self, channels: int, stride: float = 2.0, sigma: float = 5**-0.5):
        super().__init__()
        self.channels = channels
        self.stride = maths.check_stride(stride)
        self.sigma = float(maths.check_sigma(sigma))
        self.score = nn.Conv1d(channels, 1, kernel_size=1, bias=False)
        nn.init.zeros_(self.score.weight)

    def forward(self, x: Tensor, lengths: Tensor | None = None, settings: LayerSettings | None = None) -> Downsampled:
        lengths = maths.check_lengths(lengths, x)
        if x.shape[1] != self.channels:
            raise ValueError(f"expected (batch, {self.channels}, time), got {tuple(x.shape)}")
        settings = settings or AS_TRAINED
        if min(lengths.tolist(), default=0) < x.shape[2]:  # whatever the padding holds, NaN included, takes no part
            x = x.masked_fill(~maths.length_mask(lengths, x.shape[2])[:, None], 0.0)
        aligned = self.align(x, lengths, settings)
        loss = maths.position_loss(aligned.positions, aligned.lengths)
        return Downsampled(aligned.pool(x), aligned.output_lengths.to(x.device), aligned, loss.to(x.device, x.dtype))

    def align(self, x: Tensor, lengths: Tensor, settings: LayerSettings = AS_TRAINED) -> Alignment:
        """The alignment alone: where this layer would put the frames of x (batch, channels, time)."""
        scores = self.scores(x)
        if scores.device.type == "mps":  # positions need float64, which Metal lacks
            scores, lengths = scores.cpu(), lengths.cpu()
        return Alignment(
            maths.unit_positions(scores, lengths),
            lengths,
            maths.output_lengths(lengths, settings.stride or self.stride),
            settings.sigma or self.sigma,
            nearest=(settings.variant or self.variant) == "adastride-f",
            dtype=x.dtype if x.dtype == torch.float64 else torch.float32,
        )

    def scores(self, x: Tensor) -> Tensor:
        """w.x_t for every frame: x (batch, channels, time) -> (batch, time).

        A rounded score moves a position by about 4e-8 of the output length, so long sequences are summed in float64
        (float32 on Metal, which lacks it), a few channels at a time, so that no second copy of x is in memory.
        """
        return _Scores.apply(x, self.score.weight)

    def shortcut(self, x: Tensor, lengths: Tensor, downsampled: Downsampled) -> Tensor:
        """The alignment of the main path, used again (the paper's appendix C)."""
        return downsampled.alignment.pool(x)

    def extra_repr(self) -> str:
        return f"channels={self.channels}, stride={self.stride:g}, sigma={self.sigma:.4g}"


class AdaStrideF(AdaStride):
    """AdaStride-F: a frame counts for its nearest output frame alone, so a column of A has one entry.

    Weights are normalised inside each output frame; one that no frame is nearest to stays zero. Parameters, shapes
    and errors are AdaStride's.

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
