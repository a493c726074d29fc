"""Checks strides, widths and lengths, and makes lengths whose numbers are known on the host.

Lengths decide shapes, so the host has to know them, and every look at a tensor of an accelerator waits until all work
before it is done. Lengths that this package makes therefore remember their numbers: `whole_numbers` looks once and never
again, and a network's second layer does not look at all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

SIGMA_LIMITS = (1e-4, 1e6)


def check_stride(stride: float) -> float:
    """Returns `stride` as a float; ValueError unless it is a finite number of at least 1."""
    stride = float(stride)
    if not (math.isfinite(stride) and stride >= 1):
        raise ValueError(f"stride must be a finite number of at least 1, got {stride:g}")
    return stride


def check_sigma(sigma: float | Tensor) -> float | Tensor:
    """Returns `sigma` (a length in output frames) unchanged; ValueError unless it lies in `SIGMA_LIMITS`.

    Beyond either limit sigma^2 would leave the range of float32. Near the lower one a row is a single frame anyway.
    """
    value = number(sigma)
    if not SIGMA_LIMITS[0] <= value <= SIGMA_LIMITS[1]:
        raise ValueError(f"sigma must be a number from {SIGMA_LIMITS[0]:g} to {SIGMA_LIMITS[1]:g}, got {value:g}")
    return sigma


def number(value: float | Tensor) -> float:
    """A number, or a tensor of one element, as a float."""
    return float(value.detach()) if isinstance(value, Tensor) else float(value)


def check_lengths(lengths: Tensor | None, x: Tensor) -> Tensor:
    """Checks the lengths of a (batch, channels, time) tensor and returns them as (batch,) int64 on its device.

    Where lengths is None, all of `time` is valid. The result is known on the host (`whole_numbers`) and does not share memory with
    a caller's tensor that may change.
    Raises ValueError if x is not three-dimensional, or a length is not a whole number from 1 to time.
    """
    if x.dim() != 3:
        raise ValueError(f"expected (batch, channels, time), got {tuple(x.shape)}")
    batch, _, time = x.shape
    if time < 1:
        raise ValueError(f"expected at least one frame, got {tuple(x.shape)}")
    if lengths is None:
        return known_lengths((time,) * batch, x.device)
    lengths = torch.as_tensor(lengths)
    if lengths.shape != (batch,) or lengths.is_floating_point():
        raise ValueError(f"expected {batch} whole-number lengths, got {lengths.dtype} {tuple(lengths.shape)}")
    numbers = whole_numbers(lengths)
    if numbers and not (min(numbers) >= 1 and max(numbers) <= time):
        raise ValueError(f"lengths must lie in 1..{time}, got {list(numbers)}")
    if _remembered(lengths) is not None and lengths.device == x.device:
        return lengths
    return known_lengths(numbers, x.device)


def known_lengths(numbers: Sequence[int], device: torch.device) -> Tensor:
    """Makes (batch,) int64 lengths on a device. They remember their numbers, so that nobody has to wait for an accelerator."""
    if device.type == "cpu":
        lengths = torch.tensor(numbers, dtype=torch.int64)
    elif len(set(numbers)) == 1:
        lengths = torch.full((len(numbers),), numbers[0], dtype=torch.int64, device=device)
    else:
        lengths = torch.tensor(numbers, dtype=torch.int64).to(device, non_blocking=True)
    version = None if lengths.is_inference() else lengths._version
    lengths._numbers_of_version = (tuple(numbers), version)  # type: ignore[attr-defined]
    return lengths


def whole_numbers(lengths: Tensor) -> tuple[int, ...]:
    """Lengths as Python integers. There is no wait for an accelerator where they are remembered, see `known_lengths`."""
    return _remembered(lengths) or tuple(lengths.tolist())


def _remembered(lengths: Tensor) -> tuple[int, ...] | None:
    """The numbers that lengths remember; None where there are none, or the lengths were changed since."""
    numbers, version = getattr(lengths, "_numbers_of_version", (None, None))
    return numbers if numbers is None or version is None or version == lengths._version else None


def output_lengths(lengths: Tensor, stride: float) -> Tensor:
    """The output length L = ceil(T / stride) of each example: (batch,) int64. At stride 2, 313 frames become 157."""
    stride = check_stride(stride)
    return known_lengths([math.ceil(length / stride) for length in whole_numbers(lengths)], lengths.device)


def length_mask(lengths: Tensor, time: int) -> Tensor:
    """A mask (batch, time) bool that is True on the first lengths[b] frames of example b."""
    return torch.arange(time, device=lengths.device) < lengths[:, None]


def refuse_transforms(x: Tensor) -> None:
    """Raises RuntimeError if x belongs to torch.vmap or a transform of torch.func, which can't trace what works on NumPy arrays."""
    if not torch.compiler.is_compiling() and torch._C._functorch.is_functorch_wrapped_tensor(x):
        raise RuntimeError("adaptive downsampling works under neither torch.vmap nor the transforms of torch.func (torch.func.functional_call "
                           "works): give it the whole batch, and use torch.autograd.grad")
