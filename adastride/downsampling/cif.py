"""Continuous integrate-and-fire: weights add up, and an output frame is done whenever the sum crosses a whole number.

Source: Dong and Xu, "CIF: Continuous integrate-and-fire for end-to-end speech recognition" (2020), with its scaling
strategy always on: weights are scaled so that they add up to L and the threshold is 1. A frame in which the sum crosses
is split: what the threshold still needed goes to the frame that is done, the rest begins the next one.

On the line from 0 to L, frame t covers [c_{t-1}, c_t), c the running sum, and output frame i covers [i, i + 1). Cutting the
line at every c_t and every whole number leaves T + L - 1 segments, each in one input and one output frame, and a
segment's length is its weight. How many whole numbers lie below c_t says where it comes among the cuts, so nothing needs
sorting: the whole method is a running sum and a weighted one.
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor

from adastride import alignment as maths
from adastride.downsampling.base import Downsampled, Downsampler, LayerSettings, Method, no_position_loss, register, where_float64_is
from adastride.downsampling.effective import SegmentAlignment
from adastride.downsampling.score import Score


def integrate_and_fire(logarithms: Tensor, lengths: Tensor, output_lengths: Tensor, dtype: torch.dtype = torch.float32) -> SegmentAlignment:
    """The alignment that weights exp(logarithms) make when they are scaled to add up to L.

    Only differences of logarithms matter, so no weight overflows and they can't all vanish. Gradients flow to them.
    Shape: logarithms (batch, time), lengths and output_lengths (batch,) -> an alignment that pools (batch, channels, time).

    >>> alignment = integrate_and_fire(torch.tensor([[0.0, 0.0, 0.0]]), torch.tensor([3]), torch.tensor([2]))
    >>> alignment.dense()
    tensor([[[0.6667, 0.3333, 0.0000],
             [0.0000, 0.3333, 0.6667]]])
    """
    time, frames, device = logarithms.shape[1], max(maths.whole_numbers(output_lengths)), logarithms.device
    valid = maths.length_mask(lengths, time)
    logarithms = logarithms.to(torch.float64).masked_fill(~valid, -math.inf)
    weights = torch.exp(logarithms - logarithms.detach().amax(dim=1, keepdim=True))
    sums = weights.cumsum(dim=1)
    total = output_lengths.to(torch.float64)[:, None]
    ends = sums / sums[:, -1:] * total  # c_t
    # From the last valid frame on the line has ended; said exactly, so that padding weighs exactly nothing.
    ends = torch.where(maths.length_mask(lengths - 1, time), ends.minimum(total), total)
    thresholds = torch.arange(1, frames, dtype=torch.float64, device=device).minimum(total)

    # Cuts in order, a frame's end before a whole number it falls on. Segments count them, so that also where cuts coincide
    # a segment, then of length 0, knows its frames, and its slope is theirs.
    below = (ends.detach()[:, :-1].ceil() - 1).nan_to_num(0.0).clamp(min=0).long()
    is_end = torch.zeros(len(ends), time + frames - 2, dtype=torch.bool, device=device)
    is_end.scatter_(1, below + torch.arange(time - 1, device=device), True)
    sources, targets = (F.pad(marks.cumsum(dim=1), (1, 0)) for marks in (is_end, ~is_end))
    cuts = torch.where(is_end, ends.gather(1, sources[:, :-1]), targets[:, 1:].to(torch.float64).minimum(total))
    segments = torch.cat([cuts, total], dim=1) - F.pad(cuts, (1, 0))

    with torch.no_grad():
        starts = F.pad(ends[:, :-1], (1, 0))
        positions = ((starts + ends) / 2 - 0.5).clamp(min=0).minimum(total - 1)
        # Output frame i begins where the line reaches i, inside the frame that covers it.
        across = torch.searchsorted(ends, thresholds).clamp(max=time - 1)
        low, high = starts.gather(1, across), ends.gather(1, across)
        inner = across + ((thresholds - low) / (high - low).masked_fill(high <= low, 1.0)).clamp(0, 1)
        length = lengths.to(torch.float64)[:, None]
        inner = torch.where(maths.length_mask(output_lengths - 1, frames - 1), inner.minimum(length), length)
        edges = torch.cat([torch.zeros_like(length), inner, length], dim=1)
    return SegmentAlignment(
        sources=sources, targets=targets, weights=segments, edges=edges, input_positions=positions, lengths=lengths,
        output_lengths=output_lengths, time=time, dtype=dtype,
    )


class IntegrateAndFire(Downsampler):
    """Adds up learned weights, scaled to a sum of L. An output frame is done whenever the running sum crosses a whole number.

    channels: channels of the input. stride: input frames per output frame, any real number of at least 1.
    `score.weight` is the w of the frames' weights, sigmoid(w . x_t). It is zero at the start, so that strides are uniform.

    Shape: (batch, channels, time) -> (batch, channels, ceil(time / stride)).
    Raises ValueError for a stride below 1 or an input of another shape.

    >>> IntegrateAndFire(channels=1, stride=2.5)(torch.arange(5.0)[None, None]).values.detach()
    tensor([[[0.8000, 3.2000]]])
    """

    scored = True

    def __init__(self, channels: int, stride: float = 2.0):
        super().__init__()
        self.channels = channels
        self.stride = maths.check_stride(stride)
        self.score = Score(channels, always_float32=True)

    def forward(self, x: Tensor, lengths: Tensor | None = None, settings: LayerSettings | None = None) -> Downsampled:
        lengths = self.check(x, lengths)
        exact = x.dtype if x.dtype == torch.float64 else torch.float32
        scores = self.score(x.to(exact))[:, 0]
        shorter = self.output_lengths(lengths, settings)
        alignment = integrate_and_fire(where_float64_is(F.logsigmoid(scores)), where_float64_is(lengths), where_float64_is(shorter), exact)
        return Downsampled(alignment.pool(x), shorter, alignment, no_position_loss(x))

    def shortcut(self, x: Tensor, lengths: Tensor, downsampled: Downsampled) -> Tensor:
        """Pools the shortcut with the weights of the main path."""
        return cast(SegmentAlignment, downsampled.alignment).pool(x)


register(
    Method(
        key="cif",
        label="CIF (integrate and fire)",
        idea="Learned weights add up, and a frame is done whenever their sum crosses a whole number.",
        formula=r"a_{ij} = \left|\,[i, i + 1) \cap [c_{j-1}, c_j)\,\right|,"
                r"\quad c_j = L\, \frac{\sum_{n \le j} \alpha_n}{\sum_n \alpha_n},\quad Y = A X",
        citation="Dong and Xu, 2020",
        complexity="O(T)",
        kind="adaptive",
        parameters={},
        build=IntegrateAndFire,
    )
)
