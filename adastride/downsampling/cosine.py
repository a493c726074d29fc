"""The orthonormal cosine transform (DCT-II) and its inverse (DCT-III), along the last axis.

Source: Makhoul, "A fast cosine transform in one and two dimensions" (1980). Let v be x_0, x_2, x_4, ..., x_5, x_3, x_1, the even frames
rising and then the odd ones falling, and V its Fourier transform. Then W_k = exp(-i pi k / 2n) V_k holds two coefficients, but for
their scale: number k is its real part and number n - k minus its imaginary part. So a transform of n real frames does, where the
signal followed by its mirror image would take one of 2n. Here v runs backwards from its first frame; that conjugates V and W, and no
minus is left.

Short signals are multiplied by the matrix instead, see `MATRIX_FRAMES`.

Either transform is the other's transpose, so each is the other's derivative, to every order: nothing is kept for a backward pass.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from functools import lru_cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from adastride.downsampling.base import exact

# The most frames for which the matrix is used. On a CPU it breaks even with Fourier's transform at 400 on the mean of all sizes, at 150
# for a power of two and beyond 600 for a prime.
MATRIX_FRAMES = 384

# Sizes, types and devices whose numbers are kept. A stride that is dragged or learned brings new sizes, few of which come back.
_KEPT = 32


@lru_cache(maxsize=_KEPT)
def _matrix(frames: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The DCT-II as a matrix (coefficients, frames), shared by all calls: to be read only, and never returned to a caller."""
    with torch.inference_mode(False):
        place = torch.arange(frames)
        # Whole turns are taken off while the angles are still whole numbers of quarters of pi / n: a large angle's cosine is less exact.
        quarters = place[:, None] * (2 * place + 1) % (4 * frames)
        matrix = torch.cos(quarters.double() * (math.pi / (2 * frames))) * math.sqrt(2 / frames)
        matrix[0] = math.sqrt(1 / frames)
        return matrix.to(dtype).to(device)  # in this order, as Metal has no float64


class _Tables(NamedTuple):
    """What the fast transform of n frames needs, shared by all calls: to be read only, and never returned to a caller.

    Bins are those of v backwards, conj(W) / turn, and a row of them is seen as real numbers: real and imaginary parts in turns.
    order (n,): the frame at each place of v backwards. back (n,): the place of each frame. coefficients (n,): where each coefficient
    lies in a row of bins. parts (2 (n // 2 + 1),): the coefficient that goes to each place of a row.
    turn, turn_back (n // 2 + 1,): complex factors of the bins on the way to coefficients and back, with the scale.
    """

    order: Tensor
    back: Tensor
    coefficients: Tensor
    parts: Tensor
    turn: Tensor
    turn_back: Tensor


@lru_cache(maxsize=_KEPT)
def _tables(frames: int, dtype: torch.dtype, device: torch.device) -> _Tables:
    with torch.inference_mode(False):
        place = torch.arange(frames, dtype=torch.int32)
        bins = place[: frames // 2 + 1]
        order = torch.cat([place[:1], place[1::2], place[2::2].flip(0)])
        coefficients = torch.where(place < len(bins), 2 * place, 2 * (frames - place) + 1)
        parts = torch.stack([bins, (frames - bins) % frames], dim=1).flatten()
        angles = bins.double() * (math.pi / (2 * frames))
        turn = torch.polar(torch.full_like(angles, math.sqrt(2 / frames)), angles)
        turn_back = torch.polar(torch.full_like(angles, math.sqrt(frames / 2)), -angles)
        # Coefficient 0 has a bin of its own, and both parts of it are that coefficient: (1 + i) (1 - i) / 2 = 1.
        turn[0] = math.sqrt(1 / frames)
        turn_back[0] = torch.view_as_complex(torch.tensor([0.5, -0.5], dtype=angles.dtype)) * math.sqrt(frames)
        factors = [factor.to(dtype.to_complex()).to(device) for factor in (turn, turn_back)]
        return _Tables(*(table.to(device) for table in (order, order.argsort().int(), coefficients, parts)), *factors)


def _transform(rows: Tensor, count: int) -> Tensor:
    """The first `count` coefficients of each row: (rows, n) -> (rows, count)."""
    frames = rows.shape[1]
    if frames <= MATRIX_FRAMES:
        return rows @ _matrix(frames, rows.dtype, rows.device)[:count].T
    tables = _tables(frames, rows.dtype, rows.device)
    bins = torch.fft.rfft(rows.index_select(1, tables.order))
    bins[:, :count].mul_(tables.turn[:count])
    return torch.view_as_real(bins).flatten(1).index_select(1, tables.coefficients[:count])


def _transform_back(rows: Tensor, frames: int) -> Tensor:
    """The `frames` frames whose first coefficients are given, the others being 0: (rows, count) -> (rows, n)."""
    count = rows.shape[1]
    if frames <= MATRIX_FRAMES:
        return rows @ _matrix(frames, rows.dtype, rows.device)[:count]
    tables = _tables(frames, rows.dtype, rows.device)
    if count < frames:
        rows, parts = F.pad(rows, (0, 1)), tables.parts.clamp(max=count)  # one zero stands for all that are not given
    else:
        parts = tables.parts
    bins = torch.view_as_complex(rows.index_select(1, parts).unflatten(1, (-1, 2))).mul_(tables.turn_back)
    return torch.fft.irfft(bins, n=frames).index_select(1, tables.back)


class _Cosines(torch.autograd.Function):
    """The first `size` coefficients of x (..., time), or with `inverse` the `size` frames of the coefficients x."""

    @staticmethod
    def forward(x: Tensor, size: int, inverse: bool) -> Tensor:
        if not x.numel():
            return x.new_zeros(*x.shape[:-1], size)  # FFT libraries refuse to transform no rows
        rows = x.reshape(-1, x.shape[-1])  # index_select is ten times faster on two axes than on three
        # A product would be one of the operations that autocast does in half precision. Devices such as "meta" know no autocast.
        kind = x.device.type
        with torch.autocast(kind, enabled=False) if torch.amp.is_autocast_available(kind) else nullcontext():
            result = _transform_back(rows, size) if inverse else _transform(rows, size)
        return result.reshape(*x.shape[:-1], size)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int, bool], output: Tensor) -> None:
        x, ctx.size, ctx.inverse = inputs
        ctx.given = x.shape[-1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        return _Cosines.apply(gradient, ctx.given, not ctx.inverse), None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: None) -> Tensor:
        return _Cosines.apply(tangent, ctx.size, ctx.inverse)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int, None, None], x: Tensor, size: int, inverse: bool) -> tuple[Tensor, int]:
        return _Cosines.apply(x.movedim(in_dims[0], 0), size, inverse), 0


def _real(x: Tensor) -> Tensor:
    if x.dim() == 0 or x.shape[-1] == 0 or x.is_complex():
        raise ValueError(f"expected real numbers (..., time) with at least one frame, got {tuple(x.shape)} of {x.dtype}")
    return exact(x)


def cosine_transform(x: Tensor, count: int | None = None) -> Tensor:
    """The orthonormal DCT-II of x (..., time) along its last axis, in O(n log n), or only its first `count` coefficients.

    Half precision and whole numbers are transformed as float32. Derivatives of every order and the transforms of torch.func work.
    Shape: -> (..., count), by default as many coefficients as frames.
    Raises ValueError for complex numbers, no frames, or a count that is not between 1 and the number of frames.

    >>> cosine_transform(torch.ones(4))
    tensor([2., 0., 0., 0.])
    """
    x = _real(x)
    frames = x.shape[-1]
    if count is not None and not 1 <= count <= frames:
        raise ValueError(f"count must be from 1 to the {frames} frames there are, got {count}")
    return _Cosines.apply(x, frames if count is None else count, False)


def inverse_cosine_transform(coefficients: Tensor) -> Tensor:
    """The orthonormal DCT-III along the last axis, the inverse of `cosine_transform`, whose types and errors it has.

    Shape: (..., n) -> (..., n).

    >>> inverse_cosine_transform(torch.tensor([2.0, 0.0, 0.0, 0.0]))
    tensor([1., 1., 1., 1.])
    """
    coefficients = _real(coefficients)
    return _Cosines.apply(coefficients, coefficients.shape[-1], True)
