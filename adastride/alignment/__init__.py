"""Vector positioning and the alignment it makes: the maths of AdaStride as pure functions, linear in time.

Source: "AdaStride: Using Adaptive Strides in Sequential Data for Effective Downsampling" (equations 3-7).

Every frame of a sequence gets a position on the line from 0 to L - 1 (L output frames), never out of order. Output
frame i is the softmax-weighted mean of the frames near position i:

    a_ij = softmax_j( -sigma^-2 (p_j - i)^2 ),    Y = A X.

Because positions are sorted, the weights of one output frame that matter lie in one contiguous window of input
frames. `Alignment.pool` therefore works on blocks of output frames and the window each block needs, one small matrix
product a block: time and memory grow with T, not with T * L. `Alignment.dense` writes A out, for looking at it.

Positions are float64 whatever the input: a float32 cumulative sum drifts by 1e-2 over 150 000 frames.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from adastride.alignment.checks import (
    SIGMA_LIMITS,
    check_lengths,
    check_sigma,
    check_stride,
    known_lengths,
    length_mask,
    number,
    output_lengths,
    refuse_transforms,
    whole_numbers,
)
from adastride.alignment.positions import position_loss, unit_positions
from adastride.alignment.product import TAIL, Blocks, softmax_product
from adastride.alignment.protocol import AnyAlignment, Drawing, Picture, Positions, Reversible, Taps, weights_of_positions

__all__ = [
    "SIGMA_LIMITS", "Alignment", "AnyAlignment", "Drawing", "Picture", "Positions", "Reversible", "Taps", "check_lengths", "check_sigma",
    "check_stride", "known_lengths", "length_mask", "output_lengths", "position_loss", "refuse_transforms", "unit_positions", "whole_numbers",
]


@dataclass(frozen=True, eq=False)
class Alignment(Reversible):
    """Says where each input frame of a layer went. Positions, lengths and sigma are all it holds; everything else follows from them.

    unit_positions: (batch, time) float64 in [0, 1], see `unit_positions`.
    lengths, output_lengths: (batch,) int64, the numbers of valid input and output frames.
    sigma: width of a row in output frames, a number or a scalar tensor, to which gradients then flow.
    nearest: whether each frame counts only for its nearest output frame round(p), as in AdaStride-F (half to even, as torch rounds).
    dtype: the type in which matrices are returned. axis: what frames run along, see `AnyAlignment`.
    Two alignments are equal only if they are one and the same object, so they can be keys of a dictionary.
    """

    unit_positions: Tensor
    lengths: Tensor
    output_lengths: Tensor
    sigma: float | Tensor
    nearest: bool = False
    dtype: torch.dtype = torch.float32
    axis: str = "time"
    positions: Tensor = field(init=False, repr=False)
    _plans: dict = field(init=False, repr=False, default_factory=dict)

    def __post_init__(self) -> None:
        counts = whole_numbers(self.output_lengths)
        alike = min(counts, default=1) == max(counts, default=1)  # a number is multiplied in one step, a column of them in three
        last = counts[0] - 1.0 if counts and alike else (self.output_lengths - 1).to(torch.float64)[:, None]
        object.__setattr__(self, "positions", self.unit_positions * last)

    @property
    def frames(self) -> int:
        """Padded output length: the longest of `output_lengths`."""
        return max(whole_numbers(self.output_lengths))

    def _indices(self) -> Tensor:
        """The output indices q_i = i for every example: (batch, L) float64."""
        return torch.arange(self.frames, dtype=torch.float64, device=self.positions.device).expand(len(self.lengths), -1)

    def _inverse_variance(self) -> Tensor:
        return torch.as_tensor(self.sigma, dtype=torch.float64, device=self.positions.device).reshape(()) ** -2

    def pool(self, x: Tensor) -> Tensor:
        """Y = A X (equations 4 and 7), in O(time).

        Shape: x (batch, channels, time) -> (batch, channels, L), zero past each example's output length and, for
        `nearest`, where no frame rounds to an index. Differentiable in x, the positions and sigma, once: a second
        derivative, torch.vmap and the transforms of torch.func raise RuntimeError, and so does a backward pass for which
        positions were changed in place.
        """
        self._check(x, self.positions.shape[1], "time")
        return self._product(x, up=False)

    def upsample(self, y: Tensor) -> Tensor:
        """A_up^T Y, which brings y back to input time, as in the VQ-VAE.

        A_up is worked out from the same distances as A, with a softmax over the output frames for every input frame.

        Shape: y (batch, channels, L) -> (batch, channels, time), zero past each example's length.
        """
        self._check(y, self.frames, "output frames")
        return self._product(y, up=True)

    def _product(self, values: Tensor, up: bool) -> Tensor:
        """Softmax-weighted means of `values`; half precision is summed in float32."""
        refuse_transforms(values)
        exact = values if values.dtype in TAIL else values.float()
        inverse_variance = self._inverse_variance() if isinstance(self.sigma, Tensor) else None
        return softmax_product(exact, self.positions, inverse_variance, self._plan(exact.dtype, up), up).to(values.dtype)

    def _plan(self, dtype: torch.dtype, up: bool = False) -> Blocks:
        """The blocks and windows of a product. They are worked out once and used for every signal that is pooled with this alignment."""
        key = dtype, up, None if self.positions.is_inference() else self.positions._version
        if key not in self._plans:
            keys, queries = (self._indices(), self.positions) if up else (self.positions, self._indices())
            counts = whole_numbers(self.lengths), whole_numbers(self.output_lengths)
            self._plans[key] = Blocks(keys.detach(), queries.detach(), number(self.sigma) ** 2, *(counts[::-1] if up else counts), self.nearest, dtype)
        return self._plans[key]

    @torch.no_grad()
    def compose(self, rows: Tensor) -> Tensor:
        """R A: rows of weights over this layer's output frames, such as those of the layer above, in this layer's input frames.

        Shape: rows (batch, n, L) -> (batch, n, time). The result carries no gradient.
        """
        self._check(rows, self.frames, "output frames")
        exact = rows if rows.dtype in TAIL else rows.float()
        blocks = self._plan(exact.dtype)
        result = exact.new_zeros(rows.shape[0], rows.shape[1], self.positions.shape[1])
        for group in blocks.groups:
            blocks.scatter_windows(group, exact, result)
        return result.to(rows.dtype)

    def dense(self) -> Tensor:
        """A itself, worked out plainly from its formula: (batch, L, time), zero in rows past an example's output length.

        It is meant for looking at A; `pool` never builds it.
        """
        return self._plain_rows(self._indices(), slice(None))

    def rows(self, frames: Tensor | Sequence[int], example: int = 0) -> Tensor:
        """Some rows of one example's matrix as `dense` has them: (n, time) for output frames (n,)."""
        indices = torch.as_tensor(frames, device=self.positions.device).to(torch.float64)
        return self._plain_rows(indices[None], slice(example, example + 1))[0]

    def _plain_rows(self, indices: Tensor, examples: slice) -> Tensor:
        """Rows (examples, n, time) of A for output frames (examples, n)."""
        positions, indices = self.positions[examples, None, :], indices[:, :, None]
        logits = -self._inverse_variance() * (positions - indices).square()
        keep = length_mask(self.lengths[examples], positions.shape[2])[:, None, :] & (indices < self.output_lengths[examples, None, None])
        if self.nearest:
            keep = keep & (positions.round() == indices)
        logits = logits.masked_fill(~keep, -math.inf)
        top = logits.amax(dim=2, keepdim=True)
        weights = torch.exp(logits - top.masked_fill(torch.isneginf(top), 0.0))
        return (weights / weights.sum(dim=2, keepdim=True).clamp(min=1e-300)).to(self.dtype)

    def drawing(self) -> Positions:
        """The positions of example 0, from which whoever draws makes the rows that are in view."""
        return Positions(self.unit_positions[0].detach().cpu().numpy(), number(self.sigma), self.nearest)

    def relative_weights(self, rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """See `AnyAlignment.relative_weights`."""
        positions = self.positions[0, : int(self.lengths[0])].detach().cpu().numpy()
        return weights_of_positions(positions, number(self.sigma), self.nearest, rows, first, last)

    @torch.no_grad()
    def window(self, start: int, stop: int, example: int = 0) -> tuple[int, Tensor]:
        """The part of A that belongs to input frames start..stop-1 of one example, without building the rest.

        Its rows are the output frames whose boundaries overlap that window (with a wide sigma others reach into it too).
        Returns (first output frame, rows (n, stop - start)); rows are normalised over all frames, as in `dense`.
        """
        frames, time = int(self.output_lengths[example]), int(self.lengths[example])
        edges = self.boundaries()[example, : frames + 1]
        first = int(torch.searchsorted(edges, float(start), right=True)) - 1
        first = min(max(first, 0), frames - 1)
        last = min(max(int(torch.searchsorted(edges, float(stop))), first + 1), frames)
        queries = torch.arange(first, last, dtype=torch.float64, device=edges.device)[None]
        counts = (time,), (last - first,)
        blocks = Blocks(self.positions[example : example + 1], queries, number(self.sigma) ** 2, *counts, self.nearest, self.dtype)
        rows = torch.zeros(last - first, stop - start, dtype=self.dtype, device=edges.device)
        for group in blocks.groups:
            for matrix, (_, row, count, begin) in zip(blocks.band(group).matrix, blocks.spans(group), strict=True):
                left, right = max(start, begin), min(stop, begin + group.width)
                if left < right:
                    rows[row : row + count, left - start : right - start] = matrix[:count, left - begin : right - begin]
        return first, rows

    def boundaries(self) -> Tensor:
        """Where, in input frames, one output frame ends and the next begins: where the position passes i + 1/2.

        Shape: (batch, L + 1) float64 from 0 to T_b, rising; frame j occupies [j, j + 1). Past an example's output length T_b repeats.
        Boundaries depend on the positions alone, not on sigma.
        """
        time = self.positions.shape[1]
        lengths = self.lengths.to(torch.float64)[:, None]
        halves = self._indices()[:, :-1] + 0.5
        reached = self.positions.masked_fill(~length_mask(self.lengths, time), math.inf)
        after = torch.searchsorted(reached, halves).clamp(min=1, max=max(time - 1, 1))
        if time > 1:
            high, low = self.positions.gather(1, after), self.positions.gather(1, after - 1)
            gap = (high - low).masked_fill(high <= low, 1.0)
            inner = after.to(torch.float64) - 0.5 + (halves - low) / gap
        else:
            inner = halves
        valid = length_mask(self.output_lengths - 1, self.frames - 1)
        inner = torch.where(valid, inner, lengths)
        return torch.cat([torch.zeros_like(lengths), inner, lengths], dim=1)

    def centres(self) -> Tensor:
        """The middle of what each output frame spans: (batch, L) float64 input frames."""
        edges = self.boundaries()
        return (edges[:, :-1] + edges[:, 1:] - 1) / 2

    def strides(self) -> Tensor:
        """How many input frames each output frame stands for, the differences of `boundaries`.

        Shape: (batch, L) float64; the strides of an example sum to T_b and are zero past its output length.
        """
        return self.boundaries().diff(dim=1)

    @torch.no_grad()
    def entropy(self) -> Tensor:
        """The entropy of each row of A in nats: (batch, L). It is ln(n) for the plain mean of n frames, and 0 for a single frame."""
        blocks = self._plan(self.dtype)
        result = self.positions.new_zeros(len(self.lengths) * blocks.per_example, blocks.rows)
        for group in blocks.groups:
            result[blocks.members(group, result)] = torch.special.entr(torch.as_tensor(blocks.band(group).weights)).sum(dim=2).to(result.dtype)
        return result.view(len(self.lengths), -1)[:, : self.frames]

    def _check(self, x: Tensor, size: int, unit: str) -> None:
        if x.dim() != 3 or x.shape[0] != len(self.lengths) or x.shape[2] != size:
            raise ValueError(f"expected ({len(self.lengths)}, channels, {size} {unit}), got {tuple(x.shape)}")
