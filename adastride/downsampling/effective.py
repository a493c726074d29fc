"""Effective alignments, by which methods without positions of their own can be drawn and compared like AdaStride.

The effective alignment of a layer is |dy_i / dx_j|, summed over channels and normalised per output frame. Every class
here is an `adastride.alignment.AnyAlignment`.

- `OperatorAlignment`: a linear operation that treats all channels alike. Its matrix is the operation applied to unit
  vectors, worked out only when somebody looks, and only for the rows that are looked at.
- `WindowAlignment`: windows side by side whose weights depend on the signal (max pooling, SoftPool).
- `SegmentAlignment`: methods that cut the signal into segments of their own choosing (CIF, merging). It is sparse, at
  most T + L entries, and can `pool` and `upsample` in O(T).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from adastride import alignment as maths
from adastride.alignment import Drawing, Picture, Reversible
from adastride.alignment.protocol import weights_of_entries, weights_of_rows
from adastride.downsampling.base import Downsampled, Downsampler, LayerSettings, Stride, no_position_loss, where_float64_is, zero_padding

# Elements of a matrix worked out at a time: it bounds memory whatever the lengths.
_CHUNK_ELEMENTS = 1 << 22
# Rows an entropy is worked out for; a matrix with more of them is looked at in as many places, evenly.
_ENTROPY_ROWS = 256


def normalise_rows(rows: Tensor) -> Tensor:
    """Divides |rows| by their sums along the last axis; a row of zeros stays zero."""
    rows = rows.abs()
    return rows / rows.sum(dim=-1, keepdim=True).clamp(min=1e-30)


def operator_rows(operate: Callable[[Tensor], Tensor], example: Tensor, frames: Tensor) -> Tensor:
    """Works out rows dy_i / dx_j of a linear operation that treats all channels alike, by one backward pass.

    Each row gets a channel of its own, so that together they cost one application of the operation to as many channels. operate:
    takes (batch, n, time) to (batch, n, L) for any n. example: a tensor (batch, 1, time) with the size, type and device of the
    signal. frames: (n,) the output frames whose rows are wanted.
    Shape: -> (batch, n, time), with their signs.
    """
    with torch.inference_mode(False), torch.enable_grad():
        batch, _, time = example.shape
        zeros = torch.zeros(batch, len(frames), time, dtype=example.dtype, device=example.device, requires_grad=True)
        result = operate(zeros)
        selection = torch.zeros_like(result)
        selection[:, torch.arange(len(frames), device=example.device), frames] = 1.0
        return torch.autograd.grad(result, zeros, selection)[0]


def chunks(frames: int, time: int) -> list[Tensor]:
    """Splits the output frames 0..frames - 1 into runs, so that rows of `time` elements for a run fit a bounded piece of memory."""
    return list(torch.arange(frames).split(max(1, _CHUNK_ELEMENTS // max(time, 1))))


class EffectiveAlignment(ABC):
    """The base class of all alignments without positions of their own.

    lengths, output_lengths: (batch,) int64, the numbers of valid input and output frames. time: padded input frames.
    dtype: the type in which matrices are returned. axis: what frames run along, see `AnyAlignment`.
    Two alignments are equal only if they are one and the same object.
    """

    lengths: Tensor
    output_lengths: Tensor
    time: int
    dtype: torch.dtype
    axis: str = "time"
    _alike = False  # see `Picture.alike`

    @property
    def frames(self) -> int:
        """Padded output length: the longest of `output_lengths`."""
        return max(maths.whole_numbers(self.output_lengths))

    @property
    @abstractmethod
    def positions(self) -> Tensor:
        """Where each input frame lies on the output axis, (batch, time) float64 from 0 to L - 1, never falling."""

    @abstractmethod
    def boundaries(self) -> Tensor:
        """Where one output frame ends and the next begins: (batch, L + 1) float64 input frames from 0 to T_b, rising."""

    @abstractmethod
    def rows(self, frames: Tensor | Sequence[int], example: int = 0) -> Tensor:
        """Some rows of one example's matrix, without the rest: (n, time) for output frames (n,)."""

    @abstractmethod
    def dense(self) -> Tensor:
        """The matrix: (batch, L, time). Rows sum to 1, but are zero past an example's output length and where there are no weights."""

    def centres(self) -> Tensor:
        """Where each output frame belongs in input time: (batch, L) float64 input frames, the middle of what it spans."""
        edges = self.boundaries()
        return (edges[:, :-1] + edges[:, 1:] - 1) / 2

    def strides(self) -> Tensor:
        """How many input frames each output frame stands for: (batch, L) float64. The strides of an example sum to T_b."""
        return self.boundaries().diff(dim=1)

    def drawing(self) -> Drawing:
        """A picture of rows, unless a class knows better."""
        return Picture(self.positions[0].detach().cpu().numpy(), self._alike)

    def relative_weights(self, rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """See `AnyAlignment.relative_weights`."""
        return weights_of_rows(self, rows, first, last)

    @torch.no_grad()
    def entropy(self) -> Tensor:
        """The entropy of each row in nats: (batch, L) float64.

        It is worked out for at most 256 rows of an example, spread evenly; the others get that of a row nearby.
        """
        result = torch.zeros(len(self.lengths), self.frames, dtype=torch.float64, device=self.lengths.device)
        for example, frames in enumerate(self.output_lengths.tolist()):
            looked_at = torch.linspace(0, frames - 1, min(frames, _ENTROPY_ROWS)).round().long()
            parts = looked_at.split(max(1, _CHUNK_ELEMENTS // self.time))
            values = [torch.special.entr(self.rows(part, example)).sum(dim=1) for part in parts]
            nearest = torch.searchsorted(looked_at, torch.arange(frames)).clamp(max=len(looked_at) - 1)
            result[example, :frames] = torch.cat(values).to(result.dtype)[nearest.to(result.device)]
        return result


class UniformAlignment(EffectiveAlignment):
    """An alignment whose output frames lie at equal distances.

    step: (batch,) float64 input frames from one output frame to the next. first: the centre of output frame 0 in input frames; None
    for windows side by side, whose centres are the middles of what they span.
    """

    step: Tensor
    first: float | None

    @property
    def positions(self) -> Tensor:
        """Input frame j counted in steps from the first centre, within 0..L - 1; past the length the last one repeats."""
        step, last = self.step[:, None], (self.output_lengths - 1).to(torch.float64)[:, None]
        first = (step - 1) / 2 if self.first is None else self.first
        frame = torch.arange(self.time, dtype=torch.float64, device=self.lengths.device)
        frame = frame.minimum((self.lengths - 1).to(torch.float64)[:, None])
        return ((frame - first) / step).clamp(min=0).minimum(last)

    def boundaries(self) -> Tensor:
        """Multiples of the step, the last one at the example's length."""
        index = torch.arange(self.frames + 1, dtype=torch.float64, device=self.lengths.device)
        edges = (index * self.step[:, None]).minimum(self.lengths.to(torch.float64)[:, None])
        ended = index >= self.output_lengths[:, None]
        return torch.where(ended, self.lengths.to(torch.float64)[:, None], edges)

    def centres(self) -> Tensor:
        """Where each output frame belongs: (batch, L) float64 input frames, multiples of the step from `first` on, or windows' middles."""
        if self.first is None:
            return super().centres()
        centres = self.first + torch.arange(self.frames, dtype=torch.float64, device=self.lengths.device) * self.step[:, None]
        return centres.minimum((self.lengths - 1).to(torch.float64)[:, None])


@dataclass(frozen=True, eq=False)
class OperatorAlignment(UniformAlignment):
    """The matrix of a linear operation, worked out only where somebody looks.

    operate: takes x (batch, n, time), lengths and stride to (batch, n, L), for any n. stride: the stride it ran with, a number, or a
    tensor where the stride is learned.
    """

    operate: Callable[[Tensor, Tensor, Stride], Tensor]
    stride: Stride
    lengths: Tensor
    output_lengths: Tensor
    time: int
    step: Tensor
    first: float | None
    dtype: torch.dtype
    axis: str = "time"
    _alike = True

    def rows(self, frames: Tensor | Sequence[int], example: int = 0) -> Tensor:
        length = self.lengths[example : example + 1]
        signal = torch.empty(1, 1, int(length), dtype=self.dtype, device=length.device)
        stride = self.stride.detach().to(length.device) if isinstance(self.stride, Tensor) else self.stride
        frames = torch.as_tensor(frames, device=length.device)
        rows = operator_rows(lambda x: self.operate(x, length, stride), signal, frames)[0]
        return F.pad(normalise_rows(rows), (0, self.time - int(length)))

    @torch.no_grad()
    def dense(self) -> Tensor:
        result = torch.zeros(len(self.lengths), self.frames, self.time, dtype=self.dtype, device=self.lengths.device)
        for length in self.lengths.unique():
            examples = (self.lengths == length).nonzero()[:, 0]
            for frames in chunks(int(self.output_lengths[examples[0]]), self.time):
                result[examples, frames[0] : frames[-1] + 1] = self.rows(frames, int(examples[0]))
        return result


class _SparseAlignment(EffectiveAlignment):
    """An alignment whose matrix has few entries: sources, targets and weights, (batch, S) each. Entries at one place add up."""

    @abstractmethod
    def entries(self) -> tuple[Tensor, Tensor, Tensor]:
        """Input frames, output frames and weights of the entries; a row's weights sum to 1 or are all zero."""

    def rows(self, frames: Tensor | Sequence[int], example: int = 0) -> Tensor:
        sources, targets, weights = (tensor[example] for tensor in self.entries())
        frames = torch.as_tensor(frames, device=targets.device)
        row_of = torch.full((self.frames,), len(frames), device=targets.device)
        row_of[frames] = torch.arange(len(frames), device=targets.device)
        result = weights.new_zeros((len(frames) + 1) * self.time)  # the last row takes what was not asked for
        result.index_add_(0, row_of[targets] * self.time + sources, weights.detach())
        return result.view(-1, self.time)[:-1].to(self.dtype)

    def dense(self) -> Tensor:
        sources, targets, weights = self.entries()
        result = weights.new_zeros(len(self.lengths), self.frames * self.time)
        return result.scatter_add(1, targets * self.time + sources, weights).view(-1, self.frames, self.time).to(self.dtype)

    def relative_weights(self, rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """See `AnyAlignment.relative_weights`."""
        sources, targets, weights = (entries[0].detach().cpu().numpy() for entries in self.entries())
        return weights_of_entries(sources, targets, weights, self.frames, rows, first, last)

    def entropy(self) -> Tensor:
        """The entropy of each row in nats: (batch, L)."""
        _, targets, weights = self.entries()
        weights = weights.detach()
        return weights.new_zeros(len(self.lengths), self.frames).scatter_add(1, targets, torch.special.entr(weights))


@dataclass(frozen=True, eq=False)
class WindowAlignment(UniformAlignment, _SparseAlignment):
    """The alignment of windows side by side, `stride` frames each, whose weights depend on the signal.

    weigh: returns the non-negative weights of every input frame in its window, (batch, time), zero past an example's length. It is
    called only when somebody looks at the alignment.
    """

    weigh: Callable[[], Tensor]
    stride: int
    lengths: Tensor
    output_lengths: Tensor
    time: int
    dtype: torch.dtype
    axis: str = "time"
    first = None

    @property
    def step(self) -> Tensor:  # type: ignore[override]
        return torch.full((len(self.lengths),), float(self.stride), dtype=torch.float64, device=self.lengths.device)

    @cached_property
    def _weights(self) -> Tensor:
        return self.weigh()

    def entries(self) -> tuple[Tensor, Tensor, Tensor]:
        weights = self._weights
        sources = torch.arange(self.time, device=weights.device).expand(weights.shape)
        targets = (sources // self.stride).clamp(max=self.frames - 1)
        totals = weights.new_zeros(len(weights), self.frames).scatter_add(1, targets, weights)
        return sources, targets, weights / totals.gather(1, targets).clamp(min=1e-30)


@dataclass(frozen=True, eq=False)
class SegmentAlignment(_SparseAlignment, Reversible):
    """An alignment of segments, each of which is a part of one input frame that goes into one output frame.

    sources, targets: (batch, S) int64, the input and output frames of the segments. They never fall along S, and every input frame
    is named at least once. weights: (batch, S), zero where a segment is padding; those of a row sum to 1. Gradients flow to them.
    edges: (batch, L + 1) float64, see `boundaries`. input_positions: (batch, time) float64, see `positions`.
    """

    sources: Tensor
    targets: Tensor
    weights: Tensor
    edges: Tensor
    input_positions: Tensor
    lengths: Tensor
    output_lengths: Tensor
    time: int
    dtype: torch.dtype
    axis: str = "time"

    @property
    def positions(self) -> Tensor:
        return self.input_positions

    def boundaries(self) -> Tensor:
        return self.edges

    def entries(self) -> tuple[Tensor, Tensor, Tensor]:
        return self.sources, self.targets, self.weights

    def pool(self, x: Tensor) -> Tensor:
        """Computes Y = A X in O(T), differentiable in x and the weights.

        Shape: x (batch, channels, time) -> (batch, channels, L), zero past each example's output length.
        """
        self._check(x, self.time, "time")
        return _weighted_sums(zero_padding(x, self.lengths), self.sources, self.targets, self.weights, self.frames)

    def upsample(self, y: Tensor) -> Tensor:
        """Brings y back to input time. An input frame is the mean of the output frames it went into, weighted by the share each got of it.

        Shape: y (batch, channels, L) -> (batch, channels, time), zero past each example's length.
        """
        self._check(y, self.frames, "output frames")
        shares = self.weights
        totals = shares.new_zeros(len(shares), self.time).scatter_add(1, self.sources, shares)
        counts = shares.new_zeros(len(shares), self.time).scatter_add(1, self.sources, torch.ones_like(shares))
        lost = totals.gather(1, self.sources) == 0  # a frame of no weight goes to where it lies
        shares = torch.where(lost, 1 / counts.gather(1, self.sources), shares / totals.gather(1, self.sources).masked_fill(lost, 1.0))
        return zero_padding(_weighted_sums(y, self.targets, self.sources, shares, self.time), self.lengths)

    def _check(self, x: Tensor, size: int, unit: str) -> None:
        if x.dim() != 3 or x.shape[0] != len(self.lengths) or x.shape[2] != size:
            raise ValueError(f"expected ({len(self.lengths)}, channels, {size} {unit}), got {tuple(x.shape)}")


def _weighted_sums(values: Tensor, sources: Tensor, targets: Tensor, weights: Tensor, frames: int) -> Tensor:
    """Sums weight * values[..., source] into out[..., target], over segments whose targets never fall.

    Shape: values (batch, channels, n), the segments (batch, S) -> (batch, channels, frames). An embedding bag does it in one pass
    and keeps no copy of the values for every segment.
    """
    exact = values if values.dtype in (torch.float32, torch.float64) else values.float()
    batch, channels, size = exact.shape
    sources, targets, weights = sources.to(values.device), targets.to(values.device), weights.to(exact.dtype).to(values.device)
    example = torch.arange(batch, device=values.device)[:, None]
    bag = (targets + example * frames).reshape(-1)
    counts = torch.bincount(bag, minlength=batch * frames)
    sums = F.embedding_bag(
        (sources + example * size).reshape(-1), exact.transpose(1, 2).reshape(batch * size, channels), counts.cumsum(0) - counts,
        mode="sum", per_sample_weights=weights.reshape(-1),
    )
    return sums.view(batch, frames, channels).transpose(1, 2).contiguous().to(values.dtype)


class LinearDownsampler(Downsampler):
    """A method that is one linear operation on each channel. A subclass defines `operate`, and the rest follows from it.

    first: the centre of output frame 0, see `UniformAlignment`.
    """

    first: float | None = 0.0

    @abstractmethod
    def operate(self, x: Tensor, lengths: Tensor, stride: Stride) -> Tensor:
        """Applies the operation.

        Shape: x (batch, channels, time) with any number of channels, lengths (batch,) -> (batch, channels, L), zero past each L_b.
        """

    def step(self, lengths: Tensor, output_lengths: Tensor, stride: Stride) -> Tensor:
        """How many input frames lie from one output frame to the next: (batch,) float64."""
        return torch.full((len(lengths),), float(stride), dtype=torch.float64, device=lengths.device)

    def forward(self, x: Tensor, lengths: Tensor | None = None, settings: LayerSettings | None = None) -> Downsampled:
        lengths = self.check(x, lengths)
        stride = self.chosen_stride(settings)
        shorter = self.output_lengths(lengths, settings)
        drawn = where_float64_is(lengths), where_float64_is(shorter)
        alignment = OperatorAlignment(
            operate=self.operate, stride=stride, lengths=drawn[0], output_lengths=drawn[1], time=x.shape[2],
            step=self.step(*drawn, stride), first=self.first, dtype=x.dtype,
        )
        return Downsampled(self.operate(x, lengths, stride), shorter, alignment, no_position_loss(x))

    def shortcut(self, x: Tensor, lengths: Tensor, downsampled: Downsampled) -> Tensor:
        """Applies the same operation with the same stride to the shortcut."""
        return self.operate(x, lengths, cast(OperatorAlignment, downsampled.alignment).stride)
