"""Parts that networks of log-mels are built of: batch normalisation that sees valid frames only, and residual blocks that downsample."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from adastride import alignment as maths
from adastride.downsampling import Downsampler

# Natural-log mel runs from -11.5 (the floor) to about 2; these centre it without looking at the clip.
CENTRE, SPREAD = -5.0, 4.0


class MaskedBatchNorm(nn.BatchNorm1d):
    """Batch normalisation whose statistics count valid frames only: (batch, channels, time) and a (batch, time) mask."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        if not self.training or mask is None:
            return super().forward(x)
        frames = x.transpose(1, 2)
        normalised = frames.new_zeros(frames.shape)
        normalised[mask] = super().forward(frames[mask])
        return normalised.transpose(1, 2)


class ResidualBlock(nn.Module):
    """A pre-activation residual block (the AdaStride paper's figure 7).

    Its main path is norm, ReLU, convolution, downsampler, norm, ReLU, convolution; the shortcut is added to that. width: channels.
    downsampler: None for a block that keeps the length. convolve: whether there is a first convolution, whose place a downsampler
    that convolves itself takes.
    """

    def __init__(self, width: int, downsampler: Downsampler | None = None, convolve: bool = True):
        super().__init__()
        self.norm1, self.norm2 = MaskedBatchNorm(width), MaskedBatchNorm(width)
        self.conv1 = nn.Conv1d(width, width, 3, padding=1, bias=False) if convolve else None
        self.conv2 = nn.Conv1d(width, width, 3, padding=1, bias=False)
        self.downsampler = downsampler

    def before(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """Runs the main path up to the downsampler, where nothing depends on the settings of the block."""
        hidden = masked(F.relu(self.norm1(x, mask)), mask)
        return hidden if self.conv1 is None else masked(self.conv1(hidden), mask)

    def after(self, hidden: Tensor, shortcut: Tensor, mask: Tensor | None) -> Tensor:
        """Runs the rest of the main path and adds the shortcut to it."""
        hidden = masked(F.relu(self.norm2(hidden, mask)), mask)
        return masked(shortcut + self.conv2(hidden), mask)


def masked(x: Tensor, mask: Tensor | None) -> Tensor:
    """x (batch, channels, time) with zeros outside of a (batch, time) mask; None stands for a mask of ones."""
    return x if mask is None else x * mask[:, None]


def padding_mask(lengths: Tensor, time: int) -> Tensor | None:
    """The (batch, time) mask of valid frames, or None where no example is padded."""
    return None if min(maths.whole_numbers(lengths)) == time else maths.length_mask(lengths, time)


def centred(mel: Tensor) -> Tensor:
    """A natural-log mel of any shape as networks take it in, about 0 and about as large as 1."""
    return (mel - CENTRE) / SPREAD
