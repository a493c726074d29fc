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
from types import ModuleType
from typing import Any

import numpy as np
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
# Above, on a CPU, the weights of single rows are worth finding.
_NARROW_ELEMENTS = 1 << 16
_NUMPY = {torch.float32: np.float32, torch.float64: np.float64}
Array = Any  # a NumPy array, or a tensor where it is not on the CPU: see `_Blocks`


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
    found = lengths.tolist()  # one look at the values: each minimum or maximum of a tensor is a step, and on an accelerator a wait
    if found and not (min(found) >= 1 and max(found) <= time):
        raise ValueError(f"lengths must lie in 1..{time}, got {found}")
    return lengths.long()


def output_lengths(lengths: Tensor, stride: float) -> Tensor:
    """L = ceil(T / stride) per example: (batch,) int64. Example: 313 frames at stride 2 make 157."""
    stride = check_stride(stride)
    return torch.tensor([math.ceil(length / stride) for length in lengths.tolist()], dtype=torch.int64, device=lengths.device)


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
    return _UnitPositions.apply(scores, lengths)


class _UnitPositions(torch.autograd.Function):
    """`unit_positions` and its gradient in closed form: as separate operations they would cost a short clip more than the pooling."""

    @staticmethod
    def forward(ctx, scores, lengths):
        time = scores.shape[1]
        moves = _array(scores.to(torch.float64, copy=True))
        xp = _namespace(moves)
        moves[:, 0] = -math.inf
        if min(lengths.tolist(), default=time) < time:
            moves[_array(~length_mask(lengths, time))] = -math.inf
        # A single frame has no move: its top is -inf and its total 0. Any other total is 1, the largest move's, or more.
        moves -= _at_least(xp.amax(moves, axis=1, keepdims=True), -1e300)
        displacement = xp.exp(moves)
        path = xp.cumsum(displacement, 1)
        total = _at_least(path[:, -1:], 1.0)
        path, share = torch.as_tensor(path / total), torch.as_tensor(displacement / total)
        ctx.save_for_backward(share, path)
        ctx.dtype = scores.dtype
        return path

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        # u_t = sum_{k<=t} d_k / sum_k d_k, so d_k du_t/dd_k = d_k/D ([k <= t] - u_t).
        share, path, grad = map(_array, (*ctx.saved_tensors, grad))
        running = _namespace(grad).cumsum(grad, 1)
        later = running[:, -1:] - running + grad
        return torch.as_tensor(share * (later - (grad * path).sum(1)[:, None])).to(ctx.dtype), None


def position_loss(positions: Tensor, lengths: Tensor) -> Tensor:
    """Equation 5: steps larger than one output frame, sum of relu(p_{t+1} - p_t - 1) / (T - 1), mean over the batch.

    Shape: positions (batch, time), lengths (batch,) -> scalar in output frames. An example of one frame counts 0.
    """
    return _PositionLoss.apply(positions, lengths)


class _PositionLoss(torch.autograd.Function):
    """`position_loss` and its gradient in closed form, for the same reason as `_UnitPositions`."""

    @staticmethod
    def forward(ctx, positions, lengths):
        path, steps = _array(positions), _array((lengths - 1).clamp(min=1))
        excess = _at_least(path[:, 1:] - path[:, :-1] - 1, 0.0)  # none in the padding: the last position repeats there
        ctx.save_for_backward(torch.as_tensor(excess), torch.as_tensor(steps))
        return torch.as_tensor((excess.sum(1) / steps).mean(), dtype=positions.dtype)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        excess, steps = map(_array, ctx.saved_tensors)
        slopes = (excess > 0) * (_array(grad) / (steps * len(steps)))[:, None]
        gradient = grad.new_zeros(excess.shape[0], excess.shape[1] + 1)
        _array(gradient)[:, 1:] += slopes
        _array(gradient)[:, :-1] -= slopes
        return gradient, None


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
        return max(self.output_lengths.tolist())

    def _indices(self) -> Tensor:
        """The output indices q_i = i for every example: (batch, L) float64."""
        return torch.arange(self.frames, dtype=torch.float64, device=self.positions.device).expand(len(self.lengths), -1)

    def _inverse_variance(self) -> Tensor:
        return torch.as_tensor(self.sigma, dtype=torch.float64, device=self.positions.device).reshape(()) ** -2

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
        inverse_variance = self._inverse_variance() if isinstance(self.sigma, Tensor) else None
        return _SoftmaxProduct.apply(exact, self.positions, inverse_variance, self._plan(exact.dtype, up), up).to(values.dtype)

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
            blocks.scatter_windows(group, exact, blocks.band(group).matrix.to(rows.device), result)
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
            weights = blocks.band(group).matrix
            for number, (_, row, count, begin) in enumerate(blocks.spans(group)):
                left, right = max(start, begin), min(stop, begin + group.width)
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
        result = self.positions.new_zeros(len(self.lengths) * blocks.per_example, blocks.rows)
        for group in blocks.groups:
            result[blocks.members(group, result)] = torch.special.entr(torch.as_tensor(blocks.band(group).weights)).sum(dim=2).to(result.dtype)
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
    """Blocks computed together because their windows are about equally wide, and now all have the same width."""

    number: int
    blocks: list[int]  # flat block numbers, example * blocks_per_example + block
    starts: list[int]  # first key of each block's window
    width: int


@dataclass(frozen=True)
class _Band:
    """Softmax weights of a group of n blocks; not to be changed.

    matrix: (n, rows, width), a tensor. weights: the same numbers as an array, of every row perhaps only those w that it
    needs: (n, rows, w). keys: their flat indices into the keys, (n, 1 or rows, w). places: theirs in `matrix`, flat; None
    where w is width. closest: what was taken off the distances, (n, rows, 1) or a number.
    """

    matrix: Tensor
    weights: Array
    keys: Array
    closest: Array | float
    places: Array | None = None


class _Blocks:
    """Splits queries into blocks and finds the window of keys each needs.

    keys (batch, K) and queries (batch, Q), both float64, sorted and detached; variance is sigma^2; only the first
    key_counts / query_counts of an example count. A query needs every key whose weight exceeds exp(-tail) of its
    largest. Blocks whose windows are of similar width form groups, so that their weights are one array operation.
    Arrays are NumPy's for what is on the CPU, where a step of NumPy costs a third of a tensor operation (a short clip
    would wait longer for its windows than for its product), and tensors elsewhere: the functions used are called alike.
    """

    def __init__(self, keys: Tensor, queries: Tensor, variance: float, key_counts: Tensor, query_counts: Tensor, nearest: bool, dtype: torch.dtype):
        self.device, self.batch, self.key_total, self.query_total = keys.device, len(keys), keys.shape[1], queries.shape[1]
        self.variance, self.nearest, self.dtype = variance, nearest, dtype
        self._reach = (_TAIL[dtype] + math.log(self.key_total)) * variance
        # Wide rows share most of their window, so larger blocks waste little there and mean fewer products.
        self.rows = 128 if self._reach > 256 else 32
        self.per_example = -(-self.query_total // self.rows)
        self._keys, self._queries = _array(keys), _array(queries)
        self._key_counts, self._query_counts = key_counts.tolist(), query_counts.tolist()
        self._ragged = min(self._key_counts) < self.key_total or min(self._query_counts) < self.query_total
        self.groups = self._group(*self._block_windows())
        elements = sum(len(group.blocks) * self.rows * group.width for group in self.groups)
        self._kept: dict[int, _Band] | None = {} if elements <= _KEPT_ELEMENTS else None

    def _block_windows(self) -> tuple[list[int], list[int], list[int]]:
        """Blocks that hold a query, where the keys they need begin, and where they end.

        The first key that a query needs never lies before the first one of the query to its left, nor the last one after
        the last of the query to its right, so the outermost queries of a block decide.
        """
        blocks, first, last = [], [], []
        for example, count in enumerate(self._query_counts):
            rows = range(0, count, self.rows)
            blocks += range(example * self.per_example, example * self.per_example + len(rows))
            first += [example * self.query_total + row for row in rows]
            last += [example * self.query_total + min(row + self.rows, count) - 1 for row in rows]
        outer = _like([first, last], self._keys)
        low, high, _ = self._needed(self._queries.reshape(-1)[outer], outer // self.query_total)
        return blocks, low[0].tolist(), high[1].tolist()

    def _needed(self, queries: Array, example: Array) -> tuple[Array, Array, Array]:
        """Of queries and their examples, of any one shape: the first key needed, the one after the last, and the distance to the nearest."""
        xp, keys = _namespace(queries), self._keys
        begin, counts = example * self.key_total, _like(self._key_counts, keys)[example]
        after = xp.minimum(self._search(keys, queries, example), counts - 1)
        before = _at_least(after - 1, 0)
        flat = keys.reshape(-1)
        above, below = abs(flat[after + begin] - queries), abs(flat[before + begin] - queries)
        closest = xp.minimum(above, below)
        if self.nearest:
            rounded, whole = xp.round(keys), xp.round(queries)
            return self._search(rounded, whole, example), self._search(rounded, whole, example, "right"), closest
        radius = xp.sqrt(closest * closest + self._reach)
        closer = xp.where(below <= above, before, after)
        low = xp.minimum(self._search(keys, queries - radius, example), closer)
        return low, xp.maximum(self._search(keys, queries + radius, example, "right"), closer + 1), closest

    def _search(self, keys: Array, wanted: Array, example: Array, side: str = "left") -> Array:
        """Where `wanted` would be inserted among the valid keys (batch, K) of its example, an array of the same shape."""
        xp = _namespace(wanted)
        if self.batch == 1:
            return _at_most(xp.searchsorted(keys.reshape(-1), wanted, side=side), self._key_counts[0])
        # Examples one after the other on one line, far enough apart: a search then finds its place in all of them at once.
        apart = float(2 * (self.key_total + self.query_total))
        line = keys + _like(range(self.batch), keys)[:, None] * apart
        found = xp.searchsorted(line.reshape(-1), wanted + example * apart, side=side) - example * self.key_total
        return xp.minimum(_at_least(found, 0), _like(self._key_counts, keys)[example])

    def _group(self, blocks: list[int], first: list[int], last: list[int]) -> list[_Group]:
        widths = [stop - start for start, stop in zip(first, last, strict=True)]
        filled = sorted((i for i in range(len(blocks)) if widths[i] > 0), key=widths.__getitem__)
        groups, begin = [], 0
        while begin < len(filled):
            limit = 2 * widths[filled[begin]] + self.rows
            end = begin + 1
            while end < len(filled) and widths[filled[end]] <= limit and (end + 1 - begin) * self.rows * widths[filled[end]] <= _GROUP_ELEMENTS:
                end += 1
            width = widths[filled[end - 1]]
            members = sorted(filled[begin:end])
            starts = [min(first[i], self.key_total - width) for i in members]
            groups.append(_Group(len(groups), [blocks[i] for i in members], starts, width))
            begin = end
        return groups

    def columns(self, group: _Group) -> Tensor:
        """(n, width) flat indices into keys of every block's window."""
        return torch.as_tensor(self._columns(group), device=self.device)

    def _columns(self, group: _Group) -> Array:
        """The same as an array."""
        start = [block // self.per_example * self.key_total + start for block, start in zip(group.blocks, group.starts, strict=True)]
        return _like(start, self._keys)[:, None] + _like(range(group.width), self._keys)

    def members(self, group: _Group, like: Tensor) -> Tensor | slice:
        """Which blocks a group is made of, to index a tensor on the device of `like` with."""
        if len(group.blocks) == self.batch * self.per_example:
            return slice(None)
        return torch.tensor(group.blocks, device=like.device)

    def _block_queries(self, group: _Group) -> tuple[Array, Array, Array]:
        """(n, rows) queries of a group's blocks, their row in the example and (n, 1) the example; past its end, the last query again."""
        row = _like([block % self.per_example * self.rows for block in group.blocks], self._queries)[:, None]
        row = _at_most(row + _like(range(self.rows), self._queries), self.query_total - 1)
        example = _like([block // self.per_example for block in group.blocks], self._queries)[:, None]
        return self._queries.reshape(-1)[row + example * self.query_total], row, example

    def band(self, group: _Group) -> _Band:
        """The weights of a group."""
        if self._kept is not None and group.number in self._kept:
            return self._kept[group.number]
        large = len(group.blocks) * self.rows * group.width > _NARROW_ELEMENTS
        band = (large and isinstance(self._keys, np.ndarray) and self._narrow(group)) or self._full(group)
        if self._kept is not None:
            self._kept[group.number] = band
        return band

    def _full(self, group: _Group) -> _Band:
        """Weights of all keys in the windows."""
        columns, (queries, row, example) = self._columns(group)[:, None, :], self._block_queries(group)
        xp = _namespace(columns)
        distance = self._keys.reshape(-1)[columns] - queries[:, :, None]
        needed = True
        if self.nearest:
            needed = xp.round(self._keys.reshape(-1)[columns]) == xp.round(queries[:, :, None])
        if self._ragged:
            needed = needed & (columns - example[:, :, None] * self.key_total < _like(self._key_counts, columns)[example][:, :, None])
            needed = needed & (row < _like(self._query_counts, columns)[example])[:, :, None]
        weights, closest = self._exponential(distance, 0.0), 0.0
        weights *= needed
        total = weights.sum(2)[:, :, None]
        if needed is not True:  # a row that needs nothing, padding or an empty output of AdaStride-F, is zero and stays so
            total = xp.where(needed.any(2)[:, :, None], total, 1.0)
        if total.min() < 1e-8:  # a query so far from all keys that what the exponent is cut off at would count: take the nearest one's distance off first
            distance = abs(distance) if needed is True else xp.where(needed, abs(distance), math.inf)
            closest = xp.amin(distance, axis=2, keepdims=True)
            closest = xp.where(closest < math.inf, closest, 0.0)
            weights = self._exponential(distance - closest, closest) * needed
            total = _at_least(weights.sum(2)[:, :, None], 1e-30)
        weights /= total
        return _Band(torch.as_tensor(weights), weights, columns, closest)

    def _narrow(self, group: _Group) -> _Band | None:
        """Weights of only those keys that each row needs, computed in NumPy; None if that is not much less than all.

        Rows of a long clip need a small part of their block's window.
        """
        queries, row, example = self._block_queries(group)
        low, high, closest = self._needed(queries, example + np.zeros_like(row))
        high = np.where(row < np.array(self._query_counts)[example], high, low)
        width = int((high - low).max())
        if 2 * width > group.width:
            return None
        column = low[:, :, None] + np.arange(width)
        needed = column < high[:, :, None]
        keys = np.where(needed, column, 0) + example[:, :, None] * self.key_total  # what a row does not need: any key, with a weight of 0
        closest = closest[:, :, None]
        weights = self._exponential(abs(self._keys.reshape(-1)[keys] - queries[:, :, None]) - closest, closest) * needed
        weights /= _at_least(weights.sum(2, keepdims=True), 1e-30)
        size = len(group.blocks) * self.rows * group.width
        places = column - np.array(group.starts)[:, None, None] + np.arange(0, size, group.width).reshape(-1, self.rows, 1)
        matrix = np.zeros(size + 1, weights.dtype)  # the last element takes what is not needed
        matrix[np.where(needed, places, size)] = weights
        matrix = torch.from_numpy(matrix[:-1]).view(-1, self.rows, group.width)
        return _Band(matrix, weights, keys, closest, _at_most(_at_least(places, 0), size - 1))

    def _exponential(self, excess: Array, closest: Array | float) -> Array:
        """exp((d_min^2 - d^2) / sigma^2) in the product's type, from d - d_min and d_min in float64.

        d^2 - d_min^2 is formed as (d - d_min)(d + d_min): the difference of two large squares would lose the digits that
        a small sigma multiplies.
        """
        excess = _as(excess, self.dtype)
        exponent = excess * excess if isinstance(closest, float) else (excess + 2 * _as(closest, self.dtype)) * excess
        exponent *= -1.0 / self.variance
        # A window is wider than its single rows need. What lies outside of a row's is negligible, and as denormal
        # numbers it would make the products thirty times slower.
        return _namespace(exponent).exp(_at_least(exponent, -69.0))

    def position_gradients(self, group: _Group, slopes: Tensor, needs: tuple[bool, bool, bool]) -> tuple[Array | None, Array | None, Array | None]:
        """Gradients to the keys (batch * K,) float64, to a group's queries (n, rows) and to sigma^-2 (scalar); None where not needed.

        slopes: (n, rows, width), gradients to `matrix`.
        """
        band, slopes = self.band(group), _array(slopes)
        xp = _namespace(slopes)
        if band.places is not None:
            slopes = slopes.reshape(-1)[band.places]
        logit = band.weights * slopes
        logit -= band.weights * logit.sum(2)[:, :, None]
        distance = self._keys.reshape(-1)[band.keys] - self._block_queries(group)[0][:, :, None]
        to_keys = to_queries = sharper = None
        if needs[0] or needs[1]:
            moved = _as(distance, self.dtype) * logit
            moved *= -2 / self.variance
            to_queries = -moved.sum(2) if needs[1] else None
            if needs[0]:
                moved = moved.sum(1) if band.keys.shape[1] == 1 else moved
                to_keys = xp.bincount(band.keys.reshape(-1), moved.reshape(-1), self.batch * self.key_total)
        if needs[2]:
            sharper = -(logit * ((abs(distance) - band.closest) * (abs(distance) + band.closest))).sum()
        return to_keys, to_queries, sharper

    def spans(self, group: _Group):
        """For each block of a group: (example, first query, queries, first key)."""
        for block, start in zip(group.blocks, group.starts, strict=True):
            example, row = block // self.per_example, block % self.per_example * self.rows
            yield example, row, min(self.rows, self.query_total - row), start

    # The three products of a window, sliced or in batches: see `_sliced`.

    def multiply(self, group: _Group, values: Tensor, weights: Tensor, out: Tensor) -> None:
        """out[..., queries] = values[..., window] @ weights^T for every block."""
        if _sliced(values):
            signals, results = values.unbind(0), out.unbind(0)
            for matrix, (example, row, rows, start) in zip(weights.unbind(0), self.spans(group), strict=True):
                if rows < self.rows:
                    matrix = matrix[:rows]
                torch.mm(signals[example].narrow(1, start, group.width), matrix.t(), out=results[example].narrow(1, row, rows))
            return
        rows = torch.bmm(self._gather(group, values), weights.transpose(1, 2))
        self._query_view(out)[self.members(group, out)] = rows

    def window_products(self, group: _Group, values: Tensor, grad: Tensor) -> Tensor:
        """grad[..., queries]^T @ values[..., window]: (n, rows, width), the gradient to a band's matrix."""
        if _sliced(values):
            result = values.new_zeros(len(group.blocks), self.rows, group.width)
            signals, grads = values.unbind(0), grad.unbind(0)
            for matrix, (example, row, rows, start) in zip(result.unbind(0), self.spans(group), strict=True):
                if rows < self.rows:
                    matrix = matrix[:rows]
                torch.mm(grads[example].narrow(1, row, rows).t(), signals[example].narrow(1, start, group.width), out=matrix)
            return result
        return torch.bmm(self._gather_queries(group, grad).transpose(1, 2), self._gather(group, values))

    def scatter_windows(self, group: _Group, grad: Tensor, weights: Tensor, out: Tensor) -> None:
        """out[..., window] += grad[..., queries] @ weights for every block."""
        if _sliced(grad):
            grads, results = grad.unbind(0), out.unbind(0)
            for matrix, (example, row, rows, start) in zip(weights.unbind(0), self.spans(group), strict=True):
                if rows < self.rows:
                    matrix = matrix[:rows]
                results[example].narrow(1, start, group.width).addmm_(grads[example].narrow(1, row, rows), matrix)
            return
        products = torch.bmm(self._gather_queries(group, grad), weights)
        index = self.columns(group)
        flat = out.transpose(1, 2).clone(memory_format=torch.contiguous_format).view(-1, out.shape[1])
        flat.index_add_(0, index.reshape(-1).to(out.device), products.transpose(1, 2).reshape(-1, out.shape[1]))
        out.copy_(flat.view(out.shape[0], out.shape[2], out.shape[1]).transpose(1, 2))

    def _gather(self, group: _Group, values: Tensor) -> Tensor:
        """(n, channels, width) windows of values."""
        flat = values.transpose(1, 2).reshape(-1, values.shape[1])
        return flat[self.columns(group).to(values.device)].transpose(1, 2)

    def _query_view(self, padded: Tensor) -> Tensor:
        """(blocks, channels, rows) view of a (batch, blocks per example, channels, rows) buffer."""
        return padded.view(-1, padded.shape[-2], self.rows)

    def _gather_queries(self, group: _Group, grad: Tensor) -> Tensor:
        batch, channels, total = grad.shape
        padded = F.pad(grad, (0, self.per_example * self.rows - total)).view(batch, channels, self.per_example, self.rows)
        return padded.transpose(1, 2).reshape(-1, channels, self.rows)[self.members(group, grad)]

    def new_output(self, values: Tensor) -> Tensor:
        """A buffer for `multiply`, zero where it won't write: (batch, channels, Q), or blocked where windows are multiplied in batches."""
        batch, channels = values.shape[:2]
        if _sliced(values):
            every = sum(len(group.blocks) for group in self.groups) == batch * self.per_example
            return (values.new_empty if every else values.new_zeros)(batch, channels, self.query_total)
        return values.new_zeros(batch, self.per_example, channels, self.rows)

    def unblocked(self, buffer: Tensor) -> Tensor:
        """(batch, channels, Q) from a buffer of `new_output`."""
        if buffer.dim() == 3:
            return buffer
        batch, _, channels, _ = buffer.shape
        return buffer.transpose(1, 2).reshape(batch, channels, -1)[..., : self.query_total].contiguous()


def _namespace(values: Array) -> ModuleType:
    """The module whose functions work on an array: numpy or torch."""
    return torch if isinstance(values, Tensor) else np


def _array(values: Tensor) -> Array:
    """A tensor as what `_Blocks` works with: a NumPy array of the same memory if it is on the CPU, else itself."""
    return values.detach().numpy() if values.device.type == "cpu" else values


def _at_least(values: Array, low: float) -> Array:
    """The values, and `low` where they are below it. A NumPy array's own clip looks up the limits of its type first, which takes longer."""
    return values.clamp(min=low) if isinstance(values, Tensor) else np.maximum(values, low)


def _at_most(values: Array, high: float) -> Array:
    """The values, and `high` where they are above it."""
    return values.clamp(max=high) if isinstance(values, Tensor) else np.minimum(values, high)


def _like(values: list | range, array: Array) -> Array:
    """Whole numbers as an int64 array of the same kind and place."""
    return torch.tensor(list(values), device=array.device) if isinstance(array, Tensor) else np.array(values)


def _as(values: Array, dtype: torch.dtype) -> Array:
    """An array in another type."""
    return values.to(dtype) if isinstance(values, Tensor) else values.astype(_NUMPY[dtype], copy=False)


class _SoftmaxProduct(torch.autograd.Function):
    """Blockwise softmax(-(key - query)^2 / sigma^2) @ values, differentiable in the values, the positions and sigma^-2.

    positions are the blocks' keys, or with `up` their queries; sigma^-2 is None where it is a plain number.
    """

    @staticmethod
    def forward(ctx, values, positions, inverse_variance, blocks: _Blocks, up: bool):
        buffer = blocks.new_output(values)
        for group in blocks.groups:
            blocks.multiply(group, values, blocks.band(group).matrix.to(values.device), buffer)
        ctx.save_for_backward(values)
        ctx.blocks, ctx.up = blocks, up
        return blocks.unblocked(buffer)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad):
        (values,) = ctx.saved_tensors
        blocks: _Blocks = ctx.blocks
        grad = grad.contiguous()
        grad_values = torch.zeros_like(values) if ctx.needs_input_grad[0] else None
        needs = (ctx.needs_input_grad[1] and not ctx.up, ctx.needs_input_grad[1] and ctx.up, ctx.needs_input_grad[2])
        grad_keys, grad_inverse_variance = torch.zeros(blocks.batch * blocks.key_total, dtype=torch.float64, device=blocks.device), 0.0
        grad_queries = torch.zeros(blocks.batch * blocks.per_example, blocks.rows, dtype=torch.float64, device=blocks.device) if needs[1] else None
        for group in blocks.groups:
            if grad_values is not None:
                blocks.scatter_windows(group, grad, blocks.band(group).matrix.to(values.device), grad_values)
            if not any(needs):
                continue
            to_keys, to_queries, sharper = blocks.position_gradients(group, blocks.window_products(group, values, grad).to(blocks.device), needs)
            if needs[0]:
                grad_keys += torch.as_tensor(to_keys)
            if needs[1]:
                grad_queries[blocks.members(group, grad_queries)] = torch.as_tensor(to_queries, dtype=torch.float64)
            if needs[2]:
                grad_inverse_variance = grad_inverse_variance + sharper
        grad_positions = None
        if needs[0]:
            grad_positions = grad_keys.view(blocks.batch, -1)
        elif needs[1]:
            grad_positions = grad_queries.view(blocks.batch, -1)[:, : blocks.query_total]
        to_variance = torch.as_tensor(grad_inverse_variance, dtype=torch.float64, device=blocks.device) if needs[2] else None
        return grad_values, grad_positions, to_variance, None, None
