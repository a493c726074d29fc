"""The kernel: softmax(-(key - query)^2 / sigma^2) @ values along time, in time and memory that grow with the input alone.

Positions are sorted, so the keys (input frames) with noticeable weight for a query (an output frame) lie in one contiguous window:
those within sqrt(d_min^2 + reach) of it, where d_min is the distance to the nearest key, reach = sigma^2 * tail, and exp(-tail) of
a row's largest weight is negligible. So:

1. Queries are split into blocks of 32 or 128 neighbours. One binary search finds the window each block needs.
2. Blocks whose windows are about equally wide form a group; the weights of a group are one small array (n, rows, width),
   worked out by the formula and divided by their sums.
3. A block's result is one small matrix product of its window of values with its weights. On a CPU windows are slices that
   go to BLAS as they are; on an accelerator they are gathered and multiplied together.

Where all of a matrix is small, searching for windows would cost more than it saves: then a block is all queries of an
example, its window all keys, and nothing has to be known on the host. Larger matrices cost an accelerator one wait, for
the windows.

Gradients are products of the same blocks with the factors exchanged (`SoftmaxProduct`). Upsampling is the same kernel with keys and
queries exchanged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from adastride.alignment.arrays import Array, array, as_type, at_least, at_most, like_array, namespace

# Weights below exp(-tail) of a row's largest are left out; the tail grows with log(T) so that all of them together
# stay below the rounding error of the type the product is computed in.
TAIL = {torch.float32: 18.0, torch.float64: 40.0}
# Elements of block weights computed at a time: it bounds memory whatever the positions, and a group stays in the cache.
_GROUP_ELEMENTS = 1 << 20
# Weights of up to this many elements are kept for the next product (the shortcut's, the backward pass's).
_KEPT_ELEMENTS = 1 << 22
# Matrices of up to this many elements, all examples together, are worked out whole: on a CPU, and on an accelerator.
_WHOLE_ELEMENTS, _WHOLE_ELEMENTS_ACCELERATED = 1 << 14, 1 << 20
# Above, on a CPU, the weights of single rows are worth finding.
_NARROW_ELEMENTS = 1 << 16


def _sliced(values: Tensor) -> bool:
    """Whether windows are multiplied one by one, as on a CPU, or gathered into a batch.

    On a CPU a slice of the signal goes to BLAS as it is, without being copied. On an accelerator to launch a product for each block
    would cost more than the work.
    """
    return values.device.type == "cpu"


@dataclass(frozen=True)
class Group:
    """Blocks that are computed together, because their windows are about equally wide and can all be given the width of the widest."""

    number: int
    blocks: list[int]  # flat block numbers, example * blocks_per_example + block
    starts: list[int]  # first key of each block's window
    width: int


@dataclass(frozen=True)
class Band:
    """The softmax weights of a group of n blocks, which nobody may change.

    matrix: (n, rows, width), a tensor. weights: the same numbers as an array (n, rows, w), which holds all w = width weights of a row
    or only the w that it needs. queries: (n, rows). keys: flat indices of the weights' keys, (n, 1 or rows, w). closest: what was
    taken off the distances, (n, rows, 1) or a number. places: flat indices of the weights in `matrix`; None where w is width.
    """

    matrix: Tensor
    weights: Array
    queries: Array
    keys: Array
    closest: Array | float
    places: Array | None = None


class Blocks:
    """Splits queries into blocks and finds the window of keys that each block needs.

    keys: (batch, K), queries: (batch, Q), both float64, sorted and detached. variance: sigma^2. key_counts, query_counts: how many
    keys and queries of each example are valid. nearest: whether a key counts for its nearest query alone. dtype: the type of the
    product. A query needs every key whose weight exceeds exp(-tail) of its largest. Blocks whose windows are about equally wide form
    a group, so that their weights are worked out by one array operation.
    """

    def __init__(
        self, keys: Tensor, queries: Tensor, variance: float, key_counts: Sequence[int], query_counts: Sequence[int], nearest: bool,
        dtype: torch.dtype,
    ):
        self.device, self.batch, self.key_total, self.query_total = keys.device, len(keys), keys.shape[1], queries.shape[1]
        self.variance, self.nearest, self.dtype = variance, nearest, dtype
        self._reach = (TAIL[dtype] + math.log(self.key_total)) * variance
        elements, on_host = self.batch * self.key_total * self.query_total, _sliced(keys)
        undivided = elements <= (_WHOLE_ELEMENTS if on_host else _WHOLE_ELEMENTS_ACCELERATED)
        # Wide rows share most of their window, so larger blocks waste little there and mean fewer products.
        self.rows = self.query_total if undivided else 128 if self._reach > 256 else 32
        self.per_example = -(-self.query_total // self.rows)
        self._keys, self._queries = array(keys), array(queries)
        self._key_counts, self._query_counts = key_counts, query_counts
        self._ragged = min(self._key_counts) < self.key_total or min(self._query_counts) < self.query_total
        if undivided:
            self.groups = [Group(0, list(range(self.batch)), [0] * self.batch, self.key_total)]
        else:
            self.groups = self._group(*self._block_windows())
            elements = sum(len(group.blocks) * self.rows * group.width for group in self.groups)
        self._kept: dict[int, Band] | None = {} if elements <= _KEPT_ELEMENTS else None

    def _block_windows(self) -> tuple[list[int], list[int], list[int]]:
        """The numbers of the blocks that hold a query, and where the keys that each of them needs begin and end.

        The first key that a query needs never lies before the first one of the query to its left, nor the last one after
        the last of the query to its right, so the outermost queries of a block decide.
        """
        blocks: list[int] = []
        first: list[int] = []
        last: list[int] = []
        for example, count in enumerate(self._query_counts):
            rows = range(0, count, self.rows)
            blocks += range(example * self.per_example, example * self.per_example + len(rows))
            first += [example * self.query_total + row for row in rows]
            last += [example * self.query_total + min(row + self.rows, count) - 1 for row in rows]
        outer = like_array([first, last], self._keys)
        queries, example = self._queries.reshape(-1)[outer], outer // self.query_total
        radius = self._common_radius()
        if radius is None:
            low, high, _ = self._needed(queries, example)
            begin, end = namespace(low).stack([low[0], high[1]]).tolist()  # together: on an accelerator this is the wait
            return blocks, begin, end
        begin = self._search(self._keys, queries[0] - radius, example[0]).tolist()
        return blocks, begin, self._search(self._keys, queries[1] + radius, example[1], "right").tolist()

    def _common_radius(self) -> float | None:
        """A distance within which every query has all keys that it needs; None where that distance would be much too large for most.

        No query is farther from its nearest key than half of the largest gap between keys. On an accelerator it is None as well: to ask
        for the gap would be a wait.
        """
        if not isinstance(self._keys, np.ndarray):
            return None
        if self.nearest:
            return 0.5
        half_gap = float((self._keys[:, 1:] - self._keys[:, :-1]).max(initial=0.0)) / 2
        radius = math.sqrt(half_gap**2 + self._reach)
        return radius if radius <= max(1.5 * math.sqrt(self._reach), self.rows / 8) else None

    def _needed(self, queries: Array, example: Array) -> tuple[Array, Array, Array]:
        """The first key that each query needs, the one after the last, and the distance to its nearest key.

        queries, example: arrays of one shape, which the three results have as well. example: the example of each query.
        """
        xp, keys = namespace(queries), self._keys
        begin, counts = example * self.key_total, self._key_counts[0]
        if self.batch > 1:
            counts = like_array(self._key_counts, keys)[example]
        after = self._search(keys, queries, example)
        after = at_most(after, counts - 1) if self.batch == 1 else xp.minimum(after, counts - 1)
        before = at_least(after - 1, 0)
        flat = keys.reshape(-1)
        above, below = abs(flat[after + begin] - queries), abs(flat[before + begin] - queries)
        closest = xp.minimum(above, below)
        if self.nearest:
            rounded, indices = xp.round(keys), xp.round(queries)
            return self._search(rounded, indices, example), self._search(rounded, indices, example, "right"), closest
        radius = xp.sqrt(closest * closest + self._reach)
        closer = xp.where(below <= above, before, after)
        low = xp.minimum(self._search(keys, queries - radius, example), closer)
        return low, xp.maximum(self._search(keys, queries + radius, example, "right"), closer + 1), closest

    def _search(self, keys: Array, queries: Array, example: Array, side: str = "left") -> Array:
        """Where queries would be inserted among the valid keys (batch, K) of their examples: an array of the shape of `queries`."""
        xp = namespace(queries)
        if self.batch == 1:
            return at_most(xp.searchsorted(keys.reshape(-1), queries, side=side), self._key_counts[0])
        # Examples one after the other on one line, far enough apart: a search then finds its place in all of them at once.
        apart = float(2 * (self.key_total + self.query_total))
        line = keys + like_array(range(self.batch), keys)[:, None] * apart
        place = xp.searchsorted(line.reshape(-1), queries + example * apart, side=side) - example * self.key_total
        return xp.minimum(at_least(place, 0), like_array(self._key_counts, keys)[example])

    def _group(self, blocks: list[int], first: list[int], last: list[int]) -> list[Group]:
        widths = [stop - start for start, stop in zip(first, last, strict=True)]
        filled = sorted((i for i in range(len(blocks)) if widths[i] > 0), key=widths.__getitem__)
        groups: list[Group] = []
        begin = 0
        while begin < len(filled):
            limit = 2 * widths[filled[begin]] + self.rows
            end = begin + 1
            while end < len(filled) and widths[filled[end]] <= limit and (end + 1 - begin) * self.rows * widths[filled[end]] <= _GROUP_ELEMENTS:
                end += 1
            width = widths[filled[end - 1]]
            members = sorted(filled[begin:end])
            starts = [min(first[i], self.key_total - width) for i in members]
            groups.append(Group(len(groups), [blocks[i] for i in members], starts, width))
            begin = end
        return groups

    def columns(self, group: Group) -> Tensor:
        """The flat indices of the keys in every block's window: (n, width)."""
        return torch.as_tensor(self._columns(group), device=self.device)

    def _columns(self, group: Group) -> Array:
        """`columns` as an array."""
        start = [block // self.per_example * self.key_total + start for block, start in zip(group.blocks, group.starts, strict=True)]
        return like_array(start, self._keys)[:, None] + like_array(range(group.width), self._keys)

    def members(self, group: Group, like: Tensor) -> Tensor | slice:
        """Which blocks a group is made of, to index a tensor on the device of `like` with."""
        if len(group.blocks) == self.batch * self.per_example:
            return slice(None)
        return torch.tensor(group.blocks, device=like.device)

    def _block_queries(self, group: Group) -> tuple[Array, Array, Array]:
        """The queries of a group's blocks, (n, rows), their rows in the example, (n, rows), and the examples, (n, 1).

        Past the end of an example its last query repeats.
        """
        row = like_array([block % self.per_example * self.rows for block in group.blocks], self._queries)[:, None]
        row = at_most(row + like_array(range(self.rows), self._queries), self.query_total - 1)
        if self.batch == 1:
            return self._queries[0][row], row, row[:, :1] * 0
        example = like_array([block // self.per_example for block in group.blocks], self._queries)[:, None]
        return self._queries.reshape(-1)[row + example * self.query_total], row, example

    def band(self, group: Group) -> Band:
        """The weights of a group, which are kept for the next product if all groups together are small."""
        if self._kept is not None and group.number in self._kept:
            return self._kept[group.number]
        large = len(group.blocks) * self.rows * group.width > _NARROW_ELEMENTS
        band = (large and isinstance(self._keys, np.ndarray) and self._narrow(group)) or self._full(group)
        if self._kept is not None:
            self._kept[group.number] = band
        return band

    def _full(self, group: Group) -> Band:
        """The weights of all keys in the windows."""
        columns, (queries, row, example) = self._columns(group)[:, None, :], self._block_queries(group)
        xp = namespace(columns)
        keys, needed = self._keys.reshape(-1)[columns], None
        distance = keys - queries[:, :, None]
        if self.nearest:
            needed = xp.round(keys) == xp.round(queries)[:, :, None]
        if self._ragged:
            inside = columns - example[:, :, None] * self.key_total < like_array(self._key_counts, columns)[example][:, :, None]
            inside = inside & (row < like_array(self._query_counts, columns)[example])[:, :, None]
            needed = inside if needed is None else needed & inside
        if isinstance(columns, np.ndarray):
            return self._full_on_host(distance, needed, queries, columns)
        # The distance of the nearest key is taken off first, always: to ask whether a row needs it would be a wait.
        distance = abs(distance) if needed is None else xp.where(needed, abs(distance), math.inf)
        closest = xp.amin(distance, axis=2, keepdims=True)
        closest = xp.where(closest < math.inf, closest, 0.0)
        weights = self._exponential(distance - closest, closest)
        if needed is not None:
            weights *= needed
        weights /= at_least(weights.sum(2)[:, :, None], 1e-30)
        return Band(weights, weights, queries, columns, closest)

    def _full_on_host(self, distance: Array, needed: Array | None, queries: Array, columns: Array) -> Band:
        """`_full` on the CPU, from distances (n, rows, width) of which only those `needed` count.

        It uses the plain formula, and works the rows for which that is not exact out again.
        """
        weights: Array = self._exponential(distance, 0.0)
        closest: Array = 0.0
        if needed is not None:
            weights *= needed
        total = weights.sum(2)
        if needed is not None:  # a row that needs nothing, padding or an empty output of AdaStride-F, is zero and stays so
            total[~needed.any(2)] = 1.0
        far = total < 1e-8
        if far.any():
            # A query so far from all keys that what the exponent is cut off at would count: the nearest one's distance is taken off first.
            closest = np.zeros((*total.shape, 1))
            apart = abs(distance[far]) if needed is None else np.where(needed[far], abs(distance[far]), math.inf)
            closest[far] = apart.min(1)[:, None]
            weights[far] = self._exponential(apart - closest[far], closest[far])
            if needed is not None:
                weights[far] *= needed[far]
            total[far] = weights[far].sum(1)
        weights *= (1 / total)[:, :, None]
        return Band(torch.from_numpy(weights), weights, queries, columns, closest)

    def _narrow(self, group: Group) -> Band | None:
        """The weights of only those keys that each row needs, on the CPU; None if these are not much fewer than all.

        Rows of a long clip need only a small part of their block's window.
        """
        queries, row, example = self._block_queries(group)
        low, high, closest = self._needed(queries, example + np.zeros_like(row))
        end: Array = np.where(row < np.array(self._query_counts)[example], high, low)
        width = int((end - low).max())
        if 2 * width > group.width:
            return None
        column = low[:, :, None] + np.arange(width)
        needed = column < end[:, :, None]
        keys = np.where(needed, column, 0) + example[:, :, None] * self.key_total  # what a row does not need: any key, with a weight of 0
        closest = closest[:, :, None]
        weights = self._exponential(abs(self._keys.reshape(-1)[keys] - queries[:, :, None]) - closest, closest) * needed
        weights /= at_least(weights.sum(2, keepdims=True), 1e-30)
        size = len(group.blocks) * self.rows * group.width
        places = column - like_array(group.starts, column)[:, None, None] + np.arange(0, size, group.width).reshape(-1, self.rows, 1)
        matrix = np.zeros(size + 1, weights.dtype)  # the last element takes what is not needed
        matrix[np.where(needed, places, size)] = weights
        windows = torch.from_numpy(matrix[:-1]).view(-1, self.rows, group.width)
        return Band(windows, weights, queries, keys, closest, at_most(at_least(places, 0), size - 1))

    def _exponential(self, excess: Array, closest: Array | float) -> Array:
        """exp((d_min^2 - d^2) / sigma^2) in the product's type, from d - d_min and d_min in float64.

        d^2 - d_min^2 is formed as (d - d_min)(d + d_min): the difference of two large squares would lose the digits that
        a small sigma multiplies.
        """
        excess = as_type(excess, self.dtype)
        exponent = excess * excess if isinstance(closest, float) else (excess + 2 * as_type(closest, self.dtype)) * excess
        exponent *= -1.0 / self.variance
        # A window is wider than its single rows need. What lies outside of a row's is negligible, and as denormal
        # numbers it would make the products thirty times slower.
        if isinstance(exponent, Tensor):
            return exponent.clamp_(min=-69.0).exp_()
        return np.exp(np.maximum(exponent, -69.0, out=exponent), out=exponent)

    def position_gradients(self, group: Group, slopes: Tensor, needs: tuple[bool, bool, bool]) -> tuple[Array | None, Array | None, Array | None]:
        """The gradients to the keys (batch * K,) float64, to a group's queries (n, rows), and to sigma^-2 (scalar).

        slopes: (n, rows, width), the gradients to `Band.matrix`. needs: which of the three are needed; the others are None.
        """
        band, slopes = self.band(group), array(slopes)
        xp = namespace(slopes)
        if band.places is not None:
            slopes = slopes.reshape(-1)[band.places]
        logit = band.weights * slopes
        logit -= band.weights * logit.sum(2)[:, :, None]
        distance = self._keys.reshape(-1)[band.keys] - band.queries[:, :, None]
        to_keys = to_queries = sharper = None
        if needs[0] or needs[1]:
            moved = as_type(distance, self.dtype) * logit
            moved *= -2 / self.variance
            to_queries = -moved.sum(2) if needs[1] else None
            if needs[0]:
                moved = moved.sum(1) if band.keys.shape[1] == 1 else moved
                to_keys = xp.bincount(band.keys.reshape(-1), moved.reshape(-1), self.batch * self.key_total)
        if needs[2]:
            sharper = -(logit * ((abs(distance) - band.closest) * (abs(distance) + band.closest))).sum()
        return to_keys, to_queries, sharper

    def spans(self, group: Group) -> Iterator[tuple[int, int, int, int]]:
        """Yields for each block of a group its example, its first query, its number of queries, and the first key of its window."""
        for block, start in zip(group.blocks, group.starts, strict=True):
            example, row = block // self.per_example, block % self.per_example * self.rows
            yield example, row, min(self.rows, self.query_total - row), start

    # The three products of a window, sliced or in batches: see `_sliced`.

    def multiply(self, group: Group, values: Tensor, weights: Tensor, out: Tensor) -> None:
        """Sets out[..., queries] = values[..., window] @ weights^T for every block."""
        if _sliced(values):
            signals, results = values.unbind(0), out.unbind(0)
            for matrix, (example, row, rows, start) in zip(weights.unbind(0), self.spans(group), strict=True):
                if rows < self.rows:
                    matrix = matrix[:rows]
                torch.mm(signals[example].narrow(1, start, group.width), matrix.t(), out=results[example].narrow(1, row, rows))
            return
        self._query_view(out)[self.members(group, out)] = torch.bmm(self._gather(group, values), weights.transpose(1, 2))

    def gradients(self, group: Group, values: Tensor, grad: Tensor, to_values: Tensor | None, to_weights: bool) -> Tensor | None:
        """The two products of a backward pass, from grad (batch, channels, Q), the gradient to a product of these values.

        For every block it does to_values[..., window] += grad[..., queries] @ weights, unless to_values is None. With `to_weights` it
        returns grad[..., queries]^T @ values[..., window], the gradient to a band's matrix: (n, rows, width).
        """
        if not _sliced(values):
            slopes = torch.bmm(self._gather_queries(group, grad).transpose(1, 2), self._gather(group, values)) if to_weights else None
            if to_values is not None:
                self.scatter_windows(group, grad, to_values)
            return slopes
        weights, signals, grads = self.band(group).matrix.unbind(0), values.unbind(0), grad.unbind(0)
        results = None if to_values is None else to_values.unbind(0)
        slopes = values.new_empty(len(group.blocks), self.rows, group.width) if to_weights else None
        for block, (example, row, rows, start) in enumerate(self.spans(group)):
            part = grads[example].narrow(1, row, rows)
            if results is not None:
                matrix = weights[block] if rows == self.rows else weights[block][:rows]
                results[example].narrow(1, start, group.width).addmm_(part, matrix)
            if slopes is not None:
                slope = slopes[block]
                if rows < self.rows:
                    slope[rows:] = 0.0
                    slope = slope[:rows]
                torch.mm(part.t(), signals[example].narrow(1, start, group.width), out=slope)
        return slopes

    def scatter_windows(self, group: Group, grad: Tensor, out: Tensor) -> None:
        """Adds grad[..., queries] @ weights to out[..., window] for every block."""
        if _sliced(grad):
            self.gradients(group, grad, grad, out, to_weights=False)
            return
        products = torch.bmm(self._gather_queries(group, grad), self.band(group).matrix.to(grad.device))
        index = self.columns(group)
        flat = out.transpose(1, 2).clone(memory_format=torch.contiguous_format).view(-1, out.shape[1])
        flat.index_add_(0, index.reshape(-1).to(out.device), products.transpose(1, 2).reshape(-1, out.shape[1]))
        out.copy_(flat.view(out.shape[0], out.shape[2], out.shape[1]).transpose(1, 2))

    def _gather(self, group: Group, values: Tensor) -> Tensor:
        """The windows of values of a group's blocks: (n, channels, width)."""
        flat = values.transpose(1, 2).reshape(-1, values.shape[1])
        return flat[self.columns(group).to(values.device)].transpose(1, 2)

    def _query_view(self, padded: Tensor) -> Tensor:
        """A view (blocks, channels, rows) of a buffer (batch, blocks per example, channels, rows)."""
        return padded.view(-1, padded.shape[-2], self.rows)

    def _gather_queries(self, group: Group, grad: Tensor) -> Tensor:
        batch, channels, total = grad.shape
        padded = F.pad(grad, (0, self.per_example * self.rows - total)).view(batch, channels, self.per_example, self.rows)
        return padded.transpose(1, 2).reshape(-1, channels, self.rows)[self.members(group, grad)]

    def new_output(self, values: Tensor) -> Tensor:
        """A buffer for `multiply`, zero where it won't write: (batch, channels, Q), or blocked where windows are multiplied in batches."""
        batch, channels = values.shape[:2]
        if _sliced(values):
            fills_all = sum(len(group.blocks) for group in self.groups) == batch * self.per_example
            return (values.new_empty if fills_all else values.new_zeros)(batch, channels, self.query_total)
        return values.new_zeros(batch, self.per_example, channels, self.rows)

    def unblocked(self, buffer: Tensor) -> Tensor:
        """Turns a buffer of `new_output` into (batch, channels, Q)."""
        if buffer.dim() == 3:
            return buffer
        batch, _, channels, _ = buffer.shape
        return buffer.transpose(1, 2).reshape(batch, channels, -1)[..., : self.query_total].contiguous()


def softmax_product(values: Tensor, positions: Tensor, inverse_variance: Tensor | None, blocks: Blocks, up: bool) -> Tensor:
    """Works out softmax(-(key - query)^2 / sigma^2) @ values block by block, differentiable in values, positions and sigma^-2.

    positions: the keys of the blocks or, with `up`, their queries. inverse_variance: sigma^-2, None where it is a plain number.
    Shape: values (batch, channels, K) -> (batch, channels, Q).
    """
    learns = values.requires_grad or positions.requires_grad or (inverse_variance is not None and inverse_variance.requires_grad)
    if learns and torch.is_grad_enabled():
        return SoftmaxProduct.apply(values, positions, inverse_variance, blocks, up)
    return _product(values, blocks)


def _product(values: Tensor, blocks: Blocks) -> Tensor:
    buffer = blocks.new_output(values)
    for group in blocks.groups:
        blocks.multiply(group, values, blocks.band(group).matrix.to(values.device), buffer)
    return blocks.unblocked(buffer)


class SoftmaxProduct(torch.autograd.Function):
    """`softmax_product` with its gradient."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, positions: Tensor, inverse_variance: Tensor | None, blocks: Blocks, up: bool) -> Tensor:
        ctx.save_for_backward(values, positions)  # positions only so that torch notices when they are changed: blocks share their memory
        ctx.blocks, ctx.up = blocks, up
        return _product(values, blocks)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        values, _ = ctx.saved_tensors
        blocks: Blocks = ctx.blocks
        grad = grad.contiguous()
        grad_values = torch.zeros_like(values) if ctx.needs_input_grad[0] else None
        needs = (ctx.needs_input_grad[1] and not ctx.up, ctx.needs_input_grad[1] and ctx.up, ctx.needs_input_grad[2])
        sums: list[Any] = [None, None, None]  # of the groups' gradients: arrays to the keys and the queries, a number to sigma^-2
        for group in blocks.groups:
            slopes = blocks.gradients(group, values, grad, grad_values, to_weights=any(needs))
            if slopes is None:
                continue
            to_keys, to_queries, sharper = blocks.position_gradients(group, slopes.to(blocks.device), needs)
            if to_queries is not None:
                all_queries = torch.zeros(blocks.batch * blocks.per_example, blocks.rows, dtype=torch.float64, device=blocks.device)
                all_queries[blocks.members(group, all_queries)] = torch.as_tensor(to_queries, dtype=torch.float64)
                to_queries = array(all_queries)
            sums = [part if total is None else total + part for total, part in zip(sums, (to_keys, to_queries, sharper), strict=True)]
        grad_positions = None
        if needs[0]:
            grad_positions = torch.as_tensor(sums[0], dtype=torch.float64, device=blocks.device).view(blocks.batch, -1)
        elif needs[1]:
            grad_positions = torch.as_tensor(sums[1], device=blocks.device).view(blocks.batch, -1)[:, : blocks.query_total]
        to_variance = torch.as_tensor(sums[2], dtype=torch.float64, device=blocks.device) if needs[2] else None
        return grad_values, grad_positions, to_variance, None, None
