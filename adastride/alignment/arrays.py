"""Arrays that are NumPy's on the CPU and tensors elsewhere, and the few functions both are called with.

On the CPU a step of NumPy costs a third of a tensor operation, so a short clip would wait longer for its positions and
windows than for its product. On an accelerator the same lines work on tensors where they lie.
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
    """The values, and `low` where they are below it. A NumPy array's own clip looks up the limits of its type first, which takes longer."""
    return values.clamp(min=low) if isinstance(values, Tensor) else np.maximum(values, low)


def at_most(values: Array, high: float) -> Array:
    """The values, and `high` where they are above it."""
    return values.clamp(max=high) if isinstance(values, Tensor) else np.minimum(values, high)


def like_array(values: Sequence[Any], array: Array) -> Array:
    """Whole numbers as an int64 array of the same kind and place, without waiting for an accelerator."""
    return torch.tensor(list(values)).to(array.device, non_blocking=True) if isinstance(array, Tensor) else np.array(values)


def as_type(values: Array, dtype: torch.dtype) -> Array:
    """An array in another type."""
    return values.to(dtype) if isinstance(values, Tensor) else values.astype(_NUMPY[dtype], copy=False)
