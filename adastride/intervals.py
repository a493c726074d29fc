"""95 % intervals of measured numbers: how far other clips of the same kind could move them. Only Python itself is needed."""

from __future__ import annotations

import math

_Z = 1.959964  # of a 95 % interval


def wilson(share: float, count: int) -> tuple[float, float]:
    """Wilson's 95 % interval for a share that was measured in `count` independent trials.

    This is the closed form. SciPy's function takes whole numbers of successes alone, which the mean share of several runs is not,
    and a page would wait two seconds for the import.

    >>> tuple(round(x, 3) for x in wilson(0.9, 100))
    (0.826, 0.945)
    """
    middle = (share + _Z**2 / (2 * count)) / (1 + _Z**2 / count)
    half = _Z / (1 + _Z**2 / count) * math.sqrt(share * (1 - share) / count + _Z**2 / (4 * count**2))
    return max(0.0, middle - half), min(1.0, middle + half)


def normal(mean: float, std: float, count: int) -> tuple[float, float]:
    """The 95 % interval of a mean of `count` independent values with a standard deviation of `std`.

    >>> tuple(round(x, 3) for x in normal(2.0, 1.0, 100))
    (1.804, 2.196)
    """
    half = _Z * std / math.sqrt(count)
    return mean - half, mean + half
