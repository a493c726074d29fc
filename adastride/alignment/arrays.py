"""Functions that work alike on NumPy arrays and on tensors. Numbers on the CPU are handled as arrays, those elsewhere as tensors.

On the CPU an operation of NumPy costs a third of one on tensors, with which a short clip would wait longer for its positions
and windows than for its product. On an accelerator the same lines of code work on tensors where they lie.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor

Array = Any  # a NumPy array, or a tensor where it is not on the CPU
_NUMPY = {torch.float32: np.float32, torch.float64: np.float64}


def namespace(values: Array) -> ModuleType:
    """The module whose functions work on an array: numpy or torch."""
    return torch if isinstance(values, Tensor) else np


def array(values: Tensor) -> Array:
    """A tensor as an array: NumPy's, of the same memory, if it is on the CPU, else the tensor itself."""
    return values.detach().numpy() if values.device.type == "cpu" else values


def at_least(values: Array, low: float) -> Array:
    """The values, but `low` where they are below it. This is faster than a NumPy array's own clip, which looks up its type's limits."""
    return values.clamp(min=low) if isinstance(values, Tensor) else np.maximum(values, low)


def at_most(values: Array, high: float) -> Array:
    """The values, but `high` where they are above it."""
    return values.clamp(max=high) if isinstance(values, Tensor) else np.minimum(values, high)


def like_array(values: Sequence[Any], array: Array) -> Array:
    """Whole numbers as an int64 array or tensor, as `array` is one, on its device. No accelerator is waited for."""
    return torch.tensor(list(values)).to(array.device, non_blocking=True) if isinstance(array, Tensor) else np.array(values)


def as_type(values: Array, dtype: torch.dtype) -> Array:
    """An array in another type."""
    return values.to(dtype) if isinstance(values, Tensor) else values.astype(_NUMPY[dtype], copy=False)
