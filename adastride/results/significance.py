"""Whether a difference between runs may be chance: SciPy's t-tests and statsmodels' Holm, and when they say nothing.

Both are imported when a test is asked for: they take two seconds, which only the Results page should wait for.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

_NO_SPREAD = 1e-18  # of a squared standard error: shares that are equal but for rounding


def welch(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Two-sided p-value of Welch's t-test for equal means of two samples.

    None where it says nothing: fewer than two values, or values without any spread that differ.
    """
    if min(len(first), len(second)) < 2:
        return None
    if sum(statistics.variance(values) / len(values) for values in (first, second)) < _NO_SPREAD:
        return _without_spread(statistics.fmean(first) - statistics.fmean(second))
    from scipy.stats import ttest_ind

    return float(ttest_ind(first, second, equal_var=False).pvalue)


def paired(differences: Sequence[float]) -> float | None:
    """Two-sided p-value of the paired t-test for a mean difference of zero; None where it says nothing, as in `welch`."""
    if len(differences) < 2:
        return None
    if statistics.variance(differences) / len(differences) < _NO_SPREAD:
        return _without_spread(statistics.fmean(differences))
    from scipy.stats import ttest_1samp

    return float(ttest_1samp(differences, 0.0).pvalue)


def _without_spread(difference: float) -> float | None:
    """1 for values that are all the same; of others nobody can say how often chance would make them differ."""
    return 1.0 if abs(difference) < 1e-9 else None


def holm(values: Sequence[float | None]) -> list[float | None]:
    """P-values adjusted after Holm for as many comparisons as there are values; None stays None and is not counted.

    >>> [round(p, 2) for p in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    adjusted, known = list(values), [place for place, value in enumerate(values) if value is not None]
    if known:
        from statsmodels.stats.multitest import multipletests

        for place, value in zip(known, multipletests([values[place] for place in known], method="holm")[1], strict=True):
            adjusted[place] = float(value)
    return adjusted
