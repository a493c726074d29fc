"""The score: one learned number a frame, w . x_t, from which adaptive methods get their positions or weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from adastride.alignment import refuse_transforms

_FLOAT32_FRAMES = 4096  # positions stay right to 1e-4 up to here
_PART_CHANNELS = 32


class Score(nn.Conv1d):
    """A 1x1 convolution to one channel, without a bias and zero at the start, summed as exactly as positions need it.

    A rounded score moves a position by about 4e-8 of the output length. Long sequences are therefore summed in float64 (in float32 on
    Metal, which lacks it), a few channels at a time, so that there is no second copy of the input in memory.
    channels: channels of the input. always_float32: whether long sequences stay in float32, for scores that make no positions.

    Like any module it can be hooked, pruned and parametrised; `weight` is (1, channels, 1).
    Shape: (batch, channels, time) -> (batch, 1, time), float32 or float64. A second derivative, torch.vmap and the
    transforms of torch.func raise RuntimeError.

    >>> Score(channels=2)(torch.ones(1, 2, 3)).tolist()
    [[[0.0, 0.0, 0.0]]]
    """

    def __init__(self, channels: int, always_float32: bool = False):
        super().__init__(channels, 1, kernel_size=1, bias=False)
        self.always_float32 = always_float32
        nn.init.zeros_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        refuse_transforms(x)
        weight, short = self.weight, self.always_float32 or x.shape[2] <= _FLOAT32_FRAMES or x.device.type == "mps"
        exact = torch.float32 if short and x.dtype != torch.float64 else torch.float64
        if torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad):
            return _Scores.apply(x, weight, exact)
        return _scores(x, weight, exact)


def _scores(x: Tensor, weight: Tensor, exact: torch.dtype) -> Tensor:
    row = weight[:, :, 0].to(exact)
    if x.dtype == exact:
        return torch.matmul(row, x)
    parts = zip(row.split(_PART_CHANNELS, dim=1), x.split(_PART_CHANNELS, dim=1), strict=True)
    return torch.stack([torch.matmul(weights, part.to(exact)) for weights, part in parts]).sum(dim=0)


class _Scores(torch.autograd.Function):
    """w . x_t, with gradients in the type of x. Shape: x (batch, channels, time), weight (1, channels, 1) -> (batch, 1, time)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, exact: torch.dtype) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _scores(x, weight, exact)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        grad = grad.to(x.dtype)
        to_x = weight.to(x.dtype) * grad if ctx.needs_input_grad[0] else None
        to_weight = None
        if ctx.needs_input_grad[1]:
            by_example = torch.matmul(x, grad.transpose(1, 2))
            to_weight = (by_example if len(by_example) == 1 else by_example.sum(dim=0, keepdim=True)).to(weight.dtype)
        return to_x, to_weight, None
