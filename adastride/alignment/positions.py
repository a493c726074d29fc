"""Vector positioning and the position loss (equations 3 and 5), with their gradients in closed form.

As separate tensor operations they would cost a short clip more time than the pooling.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from adastride.alignment.arrays import array, at_least, like_array, namespace
from adastride.alignment.checks import length_mask, refuse_transforms, whole_numbers


def unit_positions(scores: Tensor, lengths: Tensor) -> Tensor:
    """Vector positioning up to its scale: u_t = (p_t - p_0) / (p_last - p_0), which is equation 3 without the factor L - 1.

    Scores w.x_t become displacements exp(score); their running sum is the position. They depend on neither sigma
    nor stride. The first displacement never matters (positions count from p_0), so it is left out before the largest
    of the others is factored out: nothing overflows, and a sum of zero cannot happen.

    Shape: scores (batch, time), lengths (batch,) -> (batch, time) float64 from 0 to 1, never falling. Past an
    example's length the last position repeats. One frame sits at 0. Gradients flow to the scores, once: a second
    derivative, torch.vmap and the transforms of torch.func raise RuntimeError.
    """
    refuse_transforms(scores)
    if scores.requires_grad and torch.is_grad_enabled():
        return _UnitPositions.apply(scores, lengths)
    return _unit_positions(scores, lengths)[0]


def _unit_positions(scores: Tensor, lengths: Tensor) -> tuple[Tensor, Any, Any]:
    """The positions as a tensor, and as arrays the displacements (batch, time) and their sums (batch, 1), for the gradient."""
    moves = array(scores.to(torch.float64, copy=True))
    xp = namespace(moves)
    moves[:, 0] = -math.inf
    if min(whole_numbers(lengths), default=0) < scores.shape[1]:
        moves[array(~length_mask(lengths, scores.shape[1]))] = -math.inf
    # A single frame has no move: its top is -inf and its total 0. Any other total is 1, the largest move's, or more.
    moves -= at_least(xp.amax(moves, axis=1, keepdims=True), -1e300)
    displacement = xp.exp(moves)
    path = xp.cumsum(displacement, 1)
    total = at_least(path[:, -1:], 1.0)
    path /= total
    return torch.as_tensor(path), displacement, total


class _UnitPositions(torch.autograd.Function):
    """`unit_positions` with its gradient."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, lengths: Tensor) -> Tensor:
        path, displacement, total = _unit_positions(scores, lengths)
        ctx.save_for_backward(path)
        ctx.displacement, ctx.total, ctx.dtype = displacement, total, scores.dtype
        return path

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        # u_t = sum_{k<=t} d_k / sum_k d_k, so d_k du_t/dd_k = d_k/D ([k <= t] - u_t).
        path, slopes = array(ctx.saved_tensors[0]), array(grad)
        running = namespace(slopes).cumsum(slopes, 1)
        later = running[:, -1:] - running
        later += slopes
        later -= (slopes * path).sum(1)[:, None]
        later *= ctx.displacement / ctx.total
        return torch.as_tensor(later).to(ctx.dtype), None


def position_loss(positions: Tensor, lengths: Tensor) -> Tensor:
    """The position loss (equation 5), which punishes steps larger than one output frame.

    It is the sum of relu(p_{t+1} - p_t - 1) / (T - 1) over an example, and the mean of that over the batch.

    Shape: positions (batch, time), lengths (batch,) -> scalar in output frames, in the type of the positions. An example of
    one frame counts 0. Gradients flow to the positions, once.
    """
    refuse_transforms(positions)
    if positions.requires_grad and torch.is_grad_enabled():
        return _PositionLoss.apply(positions, lengths)
    return _position_loss(positions, lengths)[0]


def _position_loss(positions: Tensor, lengths: Tensor) -> tuple[Tensor, Any, Any]:
    """The loss as a tensor, and as arrays by how much each step is too large, (batch, time - 1), and T - 1, (batch,)."""
    path = array(positions)
    steps = like_array([max(length - 1, 1) for length in whole_numbers(lengths)], path)
    excess = path[:, 1:] - path[:, :-1]
    excess -= 1
    excess = at_least(excess, 0.0)  # none in the padding: the last position repeats there
    shares = excess.sum(1) / steps
    loss = shares.mean() if isinstance(shares, Tensor) else torch.tensor(float(shares.sum()) / max(len(shares), 1), dtype=positions.dtype)
    return loss, excess, steps


class _PositionLoss(torch.autograd.Function):
    """`position_loss` with its gradient."""

    @staticmethod
    def forward(ctx: Any, positions: Tensor, lengths: Tensor) -> Tensor:
        loss, ctx.excess, ctx.steps = _position_loss(positions, lengths)
        return loss

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        slopes = (ctx.excess > 0) * (array(grad) / (ctx.steps * len(ctx.steps)))[:, None]
        gradient = grad.new_zeros(slopes.shape[0], slopes.shape[1] + 1)
        array(gradient)[:, 1:] += slopes
        array(gradient)[:, :-1] -= slopes
        return gradient, None
