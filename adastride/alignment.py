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
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

# Weights below exp(-tail) of a row's largest are left out; the tail grows with log(T) so that all of them together
# stay below the rounding error of the type the product is computed in.
_TAIL = {torch.float32: 18.0, torch.float64: 40.0}
# Elements of block weights computed at a time: it bounds memory whatever the positions, and a group stays in the cache.
_GROUP_ELEMENTS = 1 << 20
# Weights of up to this many elements are kept for the next product (the shortcut's, the backward pass's).
_KEPT_ELEMENTS = 1 << 22


def check_stride(stride: float) -> float:
    """Returns `stride` as a float; ValueError unless it is a finite number of at least 1."""
    stride = float(stride)
    if not (math.isfinite(stride) and stride >= 1):
        raise ValueError(f"stride must be a finite number of at least 1, got {stride:g}")
    return stride


SIGMA_LIMITS = (1e-4, 1e6)


def check_sigma(sigma: float | Tensor) -> float | Tensor:
    """Returns `sigma` (a length in output frames) unchanged; ValueError unless it lies in `SIGMA_LIMITS`.

    Below, a row is one frame anyway; beyond either limit sigma^2 would leave the range of float32.
    """
    number = _number(sigma)
    if not SIGMA_LIMITS[0] <= number <= SIGMA_LIMITS[1]:
        raise ValueError(f"sigma must be a number from {SIGMA_LIMITS[0]:g} to {SIGMA_LIMITS[1]:g}, got {number:g}")
    return sigma


def _number(value: float | Tensor) -> float:
    return float(value.detach()) if isinstance(value, Tensor) else float(value)


def check_lengths(lengths: Tensor | None, x: Tensor) -> Tensor:
    """Valid lengths of a (batch, channels, time) tensor: (batch,) int64 on its device, all of `time` where None.

    Raises ValueError if x is not three-dimensional, or a length is not a whole number from 1 to time.
    """
    if x.dim() != 3:
        raise ValueError(f"expected (batch, channels, time), got {tuple(x.shape)}")
    batch, _, time = x.shape
    if time < 1:
        raise ValueError(f"expected at least one frame, got {tuple(x.shape)}")
    if lengths is None:
        return torch.full((batch,), time, dtype=torch.int64, device=x.device)
    lengths = torch.as_tensor(lengths, device=x.device)
    if lengths.shape != (batch,) or lengths.is_floating_point():
        raise ValueError(f"expected {batch} whole-number lengths, got {lengths.dtype} {tuple(lengths.shape)}")
    if batch and not (int(lengths.min()) >= 1 and int(lengths.max()) <= time):
        raise ValueError(f"lengths must lie in 1..{time}, got {lengths.tolist()}")
    return lengths.long()


def output_lengths(lengths: Tensor, stride: float) -> Tensor:
    """L = ceil(T / stride) per example: (batch,) int64. Example: 313 frames at stride 2 make 157."""
    return torch.ceil(lengths.to("cpu", torch.float64) / check_stride(stride)).long().to(lengths.device)


def length_mask(lengths: Tensor, time: int) -> Tensor:
    """(batch, time) bool, True on the first lengths[b] frames."""
    return torch.arange(time, device=lengths.device) < lengths[:, None]


def unit_positions(scores: Tensor, lengths: Tensor) -> Tensor:
    """Vector positioning up to scale: u_t = (p_t - p_0) / (p_last - p_0), equation 3 without its (L - 1).

    Scores w.x_t become displacements exp(score); their running sum is the position. They depend on neither sigma
    nor stride. The first displacement never matters (positions count from p_0), so it is left out before the largest
    of the others is factored out: nothing overflows, and a sum of zero cannot happen.

    Shape: scores (batch, time), lengths (batch,) -> (batch, time) float64 from 0 to 1, never falling. Past an
    example's length the last position repeats. One frame sits at 0. Gradients flow to the scores.
    """
    scores = scores.to(torch.float64)
    time = scores.shape[1]
    moves = length_mask(lengths, time)
    moves = moves & (torch.arange(time, device=scores.device) > 0)
    masked = scores.masked_fill(~moves, -math.inf)
    top = masked.detach().amax(dim=1, keepdim=True) if time > 1 else torch.zeros_like(scores)
    top = top.masked_fill(torch.isneginf(top), 0.0)
    displacement = torch.exp(masked - top)
    path = displacement.cumsum(dim=1)
    total = path[:, -1:]
    return path / total.masked_fill(total == 0, 1.0)


def position_loss(positions: Tensor, lengths: Tensor) -> Tensor:
    """Equation 5: steps larger than one output frame, sum of relu(p_{t+1} - p_t - 1) / (T - 1), mean over the batch.

    Shape: positions (batch, time), lengths (batch,) -> scalar in output frames. An example of one frame counts 0.
    """
    excess = F.relu(positions.diff(dim=1) - 1)
    excess = excess.masked_fill(~length_mask(lengths - 1, positions.shape[1] - 1), 0.0)
    return (excess.sum(dim=1) / (lengths - 1).clamp(min=1)).mean()


@dataclass(frozen=True)
class Alignment:
    """Where each input frame of a layer went: positions, lengths and sigma; everything else follows from them.

    unit_positions: (batch, time) float64 in [0, 1], see `unit_positions`.
    lengths, output_lengths: (batch,) int64, valid input and output frames.
    sigma: width of a row in output frames, a number or a scalar tensor (then gradients flow to it).
    nearest: AdaStride-F; each frame counts only for its nearest output frame round(p) (half to even, as torch rounds).
    dtype: the type matrices are returned in.
    """

    unit_positions: Tensor
    lengths: Tensor
    output_lengths: Tensor
    sigma: float | Tensor
    nearest: bool = False
    dtype: torch.dtype = torch.float32
    positions: Tensor = field(init=False, repr=False)
    _plans: dict = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self):
        last = (self.output_lengths - 1).to(torch.float64)[:, None]
        object.__setattr__(self, "positions", self.unit_positions * last)

    @property
    def frames(self) -> int:
        """Padded output length: the longest of `output_lengths`."""
        return int(self.output_lengths.max())

    def _indices(self) -> Tensor:
        """The output indices q_i = i for every example: (batch, L) float64."""
        index = torch.arange(self.frames, dtype=torch.float64, device=self.positions.device)
        return index.expand(len(self.lengths), -1).contiguous()

    def _inverse_variance(self) -> Tensor:
        sigma = torch.as_tensor(self.sigma, dtype=torch.float64, device=self.positions.device)
        return sigma.reshape(()) ** -2

    def pool(self, x: Tensor) -> Tensor:
        """Y = A X (equations 4 and 7), in O(time).

        Shape: x (batch, channels, time) -> (batch, channels, L), zero past each example's output length and, for
        `nearest`, where no frame rounds to an index. Differentiable in x, the positions and sigma.
        """
        self._check(x, self.positions.shape[1], "time")
        return self._product(x, up=False)

    def upsample(self, y: Tensor) -> Tensor:
        """A_up^T Y, back to input time: the same distances, softmax over output frames for every input frame (the VQ-VAE's).

        Shape: y (batch, channels, L) -> (batch, channels, time), zero past each example's length.
        """
        self._check(y, self.frames, "output frames")
        return self._product(y, up=True)

    def _product(self, values: Tensor, up: bool) -> Tensor:
        """Softmax-weighted means of `values`; half precision is summed in float32."""
        exact = values if values.dtype in _TAIL else values.float()
        keys, queries = (self._indices(), self.positions) if up else (self.positions, self._indices())
        return _SoftmaxProduct.apply(exact, keys, queries, self._inverse_variance(), self._plan(exact.dtype, up)).to(values.dtype)

    def _plan(self, dtype: torch.dtype, up: bool = False) -> _Blocks:
        """Blocks and windows of a product, found once and used for every signal that is pooled with this alignment."""
        if (dtype, up) not in self._plans:
            keys, queries = (self._indices(), self.positions) if up else (self.positions, self._indices())
            counts = (self.output_lengths, self.lengths) if up else (self.lengths, self.output_lengths)
            self._plans[dtype, up] = _Blocks(keys.detach(), queries.detach(), _number(self.sigma) ** 2, *counts, self.nearest, dtype)
        return self._plans[dtype, up]

    @torch.no_grad()
    def compose(self, rows: Tensor) -> Tensor:
        """Rows of the layer above, written in this layer's input frames: R A.

        Shape: rows (batch, n, L), weights over this layer's output frames -> (batch, n, time). Carries no gradient.
        """
        self._check(rows, self.frames, "output frames")
        exact = rows if rows.dtype in _TAIL else rows.float()
        blocks = self._plan(exact.dtype)
        result = exact.new_zeros(rows.shape[0], rows.shape[1], self.positions.shape[1])
        for group in blocks.groups:
            blocks.scatter_windows(group, exact, blocks.weights(group).to(rows.device), result)
        return result.to(rows.dtype)

    def dense(self) -> Tensor:
        """A itself, plainly from its formula: (batch, L, time), rows past an example's output length zero. For looking."""
        delta = self.positions[:, None, :] - self._indices()[:, :, None]
        logits = -self._inverse_variance() * delta.square()
        keep = length_mask(self.lengths, self.positions.shape[1])[:, None, :] & length_mask(self.output_lengths, self.frames)[:, :, None]
        if self.nearest:
            keep = keep & (self.positions.round()[:, None, :] == self._indices()[:, :, None])
        logits = logits.masked_fill(~keep, -math.inf)
        top = logits.amax(dim=2, keepdim=True)
        weights = torch.exp(logits - top.masked_fill(torch.isneginf(top), 0.0))
        return (weights / weights.sum(dim=2, keepdim=True).clamp(min=1e-300)).to(self.dtype)

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
        counts = torch.tensor([time]), torch.tensor([last - first])
        blocks = _Blocks(self.positions[example : example + 1], queries, _number(self.sigma) ** 2, *counts, self.nearest, self.dtype)
        rows = torch.zeros(last - first, stop - start, dtype=self.dtype, device=edges.device)
        for group in blocks.groups:
            weights = blocks.weights(group)
            for number, (_, row, count, begin, width) in enumerate(blocks.spans(group)):
                left, right = max(start, begin), min(stop, begin + width)
                if left < right:
                    rows[row : row + count, left - start : right - start] = weights[number, :count, left - begin : right - begin]
        return first, rows

    def boundaries(self) -> Tensor:
        """Where, in input frames, one output frame ends and the next begins: the moment the position passes i + 1/2.

        Shape: (batch, L + 1) float64 from 0 to T_b, rising; frame j occupies [j, j + 1). Past an example's output
        length T_b repeats. They depend on the positions alone, not on sigma.
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

    def strides(self) -> Tensor:
        """How many input frames each output frame stands for: differences of `boundaries`.

        Shape: (batch, L) float64; each example's sum to T_b, zero past its output length.
        """
        return self.boundaries().diff(dim=1)

    @torch.no_grad()
    def entropy(self) -> Tensor:
        """Entropy of each row of A in nats, (batch, L): ln(n) where a row is the plain mean of n frames; 0 where it is one."""
        blocks = self._plan(self.dtype)
        result = self.positions.new_zeros(blocks.block_queries.shape)
        for group in blocks.groups:
            result[torch.tensor(group.blocks, device=result.device)] = torch.special.entr(blocks.weights(group)).sum(dim=2).to(result.dtype)
        return result.view(len(self.lengths), -1)[:, : self.frames]

    def _check(self, x: Tensor, size: int, what: str) -> None:
        if x.dim() != 3 or x.shape[0] != len(self.lengths) or x.shape[2] != size:
            raise ValueError(f"expected ({len(self.lengths)}, channels, {size} {what}), got {tuple(x.shape)}")


def _sliced(values: Tensor) -> bool:
    """Whether windows are multiplied one by one. On a CPU a slice of the signal goes to BLAS as it is, without being
    copied; on an accelerator one launch a block would cost more than the work, so windows are gathered into a batch."""
    return values.device.type == "cpu"


@dataclass(frozen=True)
class _Group:
    """Blocks computed together because their windows are about equally wide."""

    number: int
    blocks: list[int]  # flat block numbers, example * blocks_per_example + block
    starts: list[int]  # first key of each block's window
    stops: list[int]
    width: int


class _Blocks:
    """Splits queries into blocks and finds the window of keys each needs.

    keys (batch, K) sorted, queries (batch, Q) sorted, both float64 and detached; variance is sigma^2; only the first key_counts / query_counts count.
    A query's window holds every key whose weight exceeds exp(-tail) of its largest. Blocks whose windows are of
    similar width form groups, so that their weights are one tensor operation.
    """

    def __init__(self, keys: Tensor, queries: Tensor, variance: float, key_counts: Tensor, query_counts: Tensor, nearest: bool, dtype: torch.dtype):
        device = keys.device
        key_counts, query_counts = key_counts.to(device), query_counts.to(device)
        self.keys, self.queries, self.variance, self.nearest, self.dtype = keys, queries, variance, nearest, dtype
        key_total, query_total = keys.shape[1], queries.shape[1]
        tail = _TAIL[dtype] + math.log(key_total)
        # Wide rows share most of their window, so larger blocks waste little there and mean fewer products.
        self.rows = 128 if tail * variance > 256 else 32

        finite = keys.masked_fill(~length_mask(key_counts, key_total), math.inf)
        after = torch.searchsorted(finite, queries).clamp(max=key_total - 1).minimum(key_counts[:, None] - 1)
        before = (after - 1).clamp(min=0)
        above, below = (keys.gather(1, after) - queries).abs(), (keys.gather(1, before) - queries).abs()
        closest = torch.minimum(above, below)
        if nearest:
            low, high = torch.searchsorted(finite, queries - 0.5), torch.searchsorted(finite, queries + 0.5, right=True)
        else:
            radius = torch.sqrt(closest.square() + tail * variance)
            at = torch.where(below <= above, before, after)
            low = torch.searchsorted(finite, queries - radius).minimum(at)
            high = torch.searchsorted(finite, queries + radius, right=True).maximum(at + 1)
        valid = length_mask(query_counts, query_total)
        low, high = low.masked_fill(~valid, key_total), high.masked_fill(~valid, 0)

        self.per_example = -(-query_total // self.rows)
        extra = self.per_example * self.rows - query_total
        self.block_queries = F.pad(queries, (0, extra)).view(-1, self.rows)
        self.block_closest = F.pad(closest, (0, extra)).view(-1, self.rows)
        self.block_valid = F.pad(valid, (0, extra)).view(-1, self.rows)
        self.block_low = F.pad(low, (0, extra), value=key_total).view(-1, self.rows)
        block_high = F.pad(high, (0, extra)).view(-1, self.rows)
        self.row_widths = (block_high - self.block_low).amax(dim=1).tolist()
        self.groups = self._group(self.block_low.amin(dim=1).tolist(), block_high.amax(dim=1).tolist())
        elements = sum(len(group.blocks) * self.rows * group.width for group in self.groups)
        self._kept: dict[int, Tensor] | None = {} if elements <= _KEPT_ELEMENTS else None

    def _group(self, first: list[int], last: list[int]) -> list[_Group]:
        filled = sorted((b for b in range(len(first)) if last[b] > first[b]), key=lambda b: last[b] - first[b])
        groups, begin = [], 0
        while begin < len(filled):
            limit = 2 * (last[filled[begin]] - first[filled[begin]]) + self.rows
            end = begin + 1
            while end < len(filled):
                width = last[filled[end]] - first[filled[end]]
                if width > limit or (end + 1 - begin) * self.rows * width > _GROUP_ELEMENTS:
                    break
                end += 1
            members = sorted(filled[begin:end])
            starts, stops = [first[b] for b in members], [last[b] for b in members]
            groups.append(_Group(len(groups), members, starts, stops, max(b - a for a, b in zip(starts, stops, strict=True))))
            begin = end
        return groups

    def columns(self, group: _Group) -> tuple[Tensor, Tensor]:
        """(n, width) flat indices into keys, and which of them lie inside the window."""
        device, total = self.keys.device, self.keys.shape[1]
        column = torch.tensor(group.starts, device=device)[:, None] + torch.arange(group.width, device=device)
        inside = column < torch.tensor(group.stops, device=device)[:, None]
        example = self._members(group, self.keys)[:, None] // self.per_example
        return example * total + column.clamp(max=total - 1), inside

    def distances(self, group: _Group) -> tuple[Tensor, Tensor]:
        """key - query, (n, rows, width), and each query's distance to its nearest key, (n, rows, 1); both float64."""
        index, _ = self.columns(group)
        member = self._members(group, self.keys)
        return self.keys.reshape(-1)[index][:, None, :] - self.block_queries[member][:, :, None], self.block_closest[member][:, :, None]

    def weights(self, group: _Group) -> Tensor:
        """Softmax weights (n, rows, width) in the product's type, zero outside of the windows; not to be changed.

        d^2 - d_min^2 is formed as (d - d_min)(d + d_min), the first factor in float64: the difference of two large
        squares would lose the digits that a small sigma multiplies.
        """
        if self._kept is not None and group.number in self._kept:
            return self._kept[group.number]
        member = self._members(group, self.keys)
        queries, closest = self.block_queries[member][:, :, None], self.block_closest[member][:, :, None]
        valid = self.block_valid[member][:, :, None]
        width = max(self.row_widths[block] for block in group.blocks)
        if 2 * width > group.width:
            index, inside = self.columns(group)
            weights = self._softmax(self.keys.reshape(-1)[index][:, None, :], queries, closest, inside[:, None, :] & valid)
        else:  # rows need much less than their block: compute those keys alone and put them where they belong
            start = torch.tensor(group.starts, device=member.device)[:, None, None]
            stop = torch.tensor(group.stops, device=member.device)[:, None, None]
            low = self.block_low[member][:, :, None].minimum(stop - 1)
            column = low + torch.arange(width, device=member.device)
            inside = column < stop
            column = column.minimum(stop - 1)
            keys = self.keys.reshape(-1)[(member // self.per_example * self.keys.shape[1])[:, None, None] + column]
            weights = keys.new_zeros(len(group.blocks), self.rows, group.width, dtype=self.dtype)
            weights.scatter_add_(2, column - start, self._softmax(keys, queries, closest, inside & valid))
        if self._kept is not None:
            self._kept[group.number] = weights
        return weights

    def _softmax(self, keys: Tensor, queries: Tensor, closest: Tensor, keep: Tensor) -> Tensor:
        """Weights of keys (n, 1 or rows, width) for queries and their nearest distances (n, rows, 1), zero where not kept."""
        excess = ((keys - queries).abs_() - closest).to(self.dtype)
        weights = torch.exp_((excess + (2 * closest).to(self.dtype)).mul_(excess).mul_(-1.0 / self.variance))
        if self.nearest:
            keep = keep & (keys.round() == queries.round())
        weights.masked_fill_(~keep, 0.0)
        # A block's window is wider than its single rows need. What lies outside of a row's is negligible, and as
        # denormal numbers it would make the products thirty times slower.
        F.threshold_(weights, 1e-30, 0.0)
        return weights.div_(weights.sum(dim=2, keepdim=True).clamp_(min=1e-30))

    def spans(self, group: _Group):
        """For each block of a group: (example, first query, queries, first key, keys)."""
        total = self.queries.shape[1]
        for block, start, stop in zip(group.blocks, group.starts, group.stops, strict=True):
            example, row = block // self.per_example, block % self.per_example * self.rows
            yield example, row, min(self.rows, total - row), start, stop - start

    # The three products of a window, sliced or in batches: see `_sliced`.

    def multiply(self, group: _Group, values: Tensor, weights: Tensor, out: Tensor) -> None:
        """out[..., queries] = values[..., window] @ weights^T for every block."""
        if _sliced(values):
            signals, results = values.unbind(0), out.unbind(0)
            for matrix, (example, row, rows, start, width) in zip(weights.unbind(0), self.spans(group), strict=True):
                if rows < self.rows or width < group.width:
                    matrix = matrix[:rows, :width]
                torch.mm(signals[example].narrow(1, start, width), matrix.t(), out=results[example].narrow(1, row, rows))
            return
        rows = torch.bmm(self._gather(group, values), weights.transpose(1, 2))
        self._query_view(out).index_put_((self._members(group, out),), rows)

    def window_products(self, group: _Group, values: Tensor, grad: Tensor) -> Tensor:
        """grad[..., queries]^T @ values[..., window]: (n, rows, width), the gradient to the weights."""
        if _sliced(values):
            result = values.new_zeros(len(group.blocks), self.rows, group.width)
            for i, (example, row, rows, start, width) in enumerate(self.spans(group)):
                torch.mm(grad[example].narrow(1, row, rows).t(), values[example].narrow(1, start, width), out=result[i, :rows, :width])
            return result
        return torch.bmm(self._gather_queries(group, grad).transpose(1, 2), self._gather(group, values))

    def scatter_windows(self, group: _Group, grad: Tensor, weights: Tensor, out: Tensor) -> None:
        """out[..., window] += grad[..., queries] @ weights for every block."""
        if _sliced(grad):
            for i, (example, row, rows, start, width) in enumerate(self.spans(group)):
                target = out[example].narrow(1, start, width)
                torch.addmm(target, grad[example].narrow(1, row, rows), weights[i, :rows, :width], out=target)
            return
        products = torch.bmm(self._gather_queries(group, grad), weights)
        index, _ = self.columns(group)  # weights are zero outside the window, so clamped columns add nothing
        flat = out.transpose(1, 2).clone(memory_format=torch.contiguous_format).view(-1, out.shape[1])
        flat.index_add_(0, index.reshape(-1).to(out.device), products.transpose(1, 2).reshape(-1, out.shape[1]))
        out.copy_(flat.view(out.shape[0], out.shape[2], out.shape[1]).transpose(1, 2))

    def _members(self, group: _Group, like: Tensor) -> Tensor:
        return torch.tensor(group.blocks, device=like.device)

    def _gather(self, group: _Group, values: Tensor) -> Tensor:
        """(n, channels, width) windows of values."""
        index, _ = self.columns(group)
        flat = values.transpose(1, 2).reshape(-1, values.shape[1])
        return flat[index.to(values.device)].transpose(1, 2)

    def _query_view(self, padded: Tensor) -> Tensor:
        """(blocks, channels, rows) view of a (batch, blocks per example, channels, rows) buffer."""
        return padded.view(-1, padded.shape[-2], self.rows)

    def _gather_queries(self, group: _Group, grad: Tensor) -> Tensor:
        batch, channels, total = grad.shape
        padded = F.pad(grad, (0, self.per_example * self.rows - total)).view(batch, channels, self.per_example, self.rows)
        return padded.transpose(1, 2).reshape(-1, channels, self.rows)[self._members(group, grad)]

    def new_output(self, values: Tensor) -> Tensor:
        """A zeroed buffer for `multiply`: (batch, channels, Q), or blocked where windows are multiplied in batches."""
        batch, channels = values.shape[:2]
        if _sliced(values):
            return values.new_zeros(batch, channels, self.queries.shape[1])
        return values.new_zeros(batch, self.per_example, channels, self.rows)

    def unblocked(self, buffer: Tensor) -> Tensor:
        """(batch, channels, Q) from a buffer of `new_output`."""
        if buffer.dim() == 3:
            return buffer
        batch, _, channels, _ = buffer.shape
        return buffer.transpose(1, 2).reshape(batch, channels, -1)[..., : self.queries.shape[1]].contiguous()


class _SoftmaxProduct(torch.autograd.Function):
    """Blockwise softmax(-(key - query)^2 / sigma^2) @ values, differentiable in the values, both positions and sigma^-2."""

    @staticmethod
    def forward(ctx, values, keys, queries, inverse_variance, blocks: _Blocks):
        buffer = blocks.new_output(values)
        for group in blocks.groups:
            blocks.multiply(group, values, blocks.weights(group).to(values.device), buffer)
        ctx.save_for_backward(values)
        ctx.blocks = blocks
        return blocks.unblocked(buffer)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        (values,) = ctx.saved_tensors
        blocks: _Blocks = ctx.blocks
        grad = grad.contiguous()
        grad_values = torch.zeros_like(values) if ctx.needs_input_grad[0] else None
        geometry = any(ctx.needs_input_grad[1:4])
        grad_keys, grad_queries = torch.zeros_like(blocks.keys), torch.zeros_like(blocks.block_queries)
        grad_inverse_variance = torch.zeros((), dtype=torch.float64, device=blocks.keys.device)
        for group in blocks.groups:
            weights = blocks.weights(group)
            if grad_values is not None:
                blocks.scatter_windows(group, grad, weights.to(values.device), grad_values)
            if not geometry:
                continue
            slopes = blocks.window_products(group, values, grad).to(weights.device)
            logit = (weights * (slopes - (weights * slopes).sum(dim=2, keepdim=True))).to(torch.float64)
            delta, closest = blocks.distances(group)
            moved = logit * delta * (-2 / blocks.variance)
            index, _ = blocks.columns(group)
            grad_keys.view(-1).index_add_(0, index.reshape(-1), moved.sum(dim=1).reshape(-1))
            grad_queries[torch.tensor(group.blocks, device=moved.device)] = -moved.sum(dim=2)
            grad_inverse_variance -= (logit * (delta.square() - closest.square())).sum()
        total = blocks.queries.shape[1]
        grad_queries = grad_queries.view(len(blocks.queries), -1)[:, :total]
        return grad_values, grad_keys, grad_queries, grad_inverse_variance, None
