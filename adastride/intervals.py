"""95 % intervals of measured numbers: how far other clips, or other speakers, of the same kind could move them."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

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


@dataclass(frozen=True)
class PairSums:
    """Sums over clips of what the interval of a rate needs, where clip c has e_c errors in n_c units, such as words.

    errors: Σ e. units: Σ n. errors_squared: Σ e². units_squared: Σ n². products: Σ e n. clips: how many they are.
    """

    errors: float
    units: float
    errors_squared: float
    units_squared: float
    products: float
    clips: int


def ratio(sums: PairSums) -> tuple[float, float]:
    """The 95 % interval of an error rate r = Σ e / Σ n, whose errors and units are counted clip by clip.

    Errors of one clip come together, so clips are what is sampled and not words. The variance is that of the ratio estimator, by the
    delta method, over C clips:

        v = C / (C - 1) · Σ (e - r n)² / (Σ n)²  with  Σ (e - r n)² = Σ e² - 2 r Σ e n + r² Σ n²

    but never less than if every unit were wrong on its own, r (1 - r) / Σ n with a rate that Wilson's centre keeps away from 0 and 1:
    a single clip, and clips of which none has an error, have no spread of their own. As the variance of a count grows with the rate,
    the ends are those rates R at which (r - R)² = z² v R / r. With a = z² v / r they are r + a/2 ± sqrt(a r + a²/4): r ± z sqrt(v)
    where errors are many, and never below 0. NaN where there are no units. Where only a handful of clips has errors it is a little
    narrow: then some 92 of 100 such intervals hold the rate, in clips of up to 11 words.

    >>> tuple(round(x, 3) for x in ratio(PairSums(10, 100, 10, 400, 40, 25)))  # 25 clips of 4 words, one word wrong in 10 of them
    (0.056, 0.178)
    >>> tuple(round(x, 3) for x in ratio(PairSums(0, 100, 0, 400, 0, 25)))
    (0.0, 0.038)
    """
    if not sums.units:
        return math.nan, math.nan
    rate = sums.errors / sums.units
    middle = (sums.errors + _Z**2 / 2) / (sums.units + _Z**2)
    spread = max(0.0, 1 - middle)  # variance of a unit's errors over the rate
    if sums.clips > 1 and rate:
        residual = sums.errors_squared - 2 * rate * sums.products + rate**2 * sums.units_squared
        spread = max(spread, sums.clips / (sums.clips - 1) * residual / sums.units / rate)
    step = _Z**2 * spread / sums.units
    half = math.sqrt(step * rate + step**2 / 4)
    return max(0.0, rate + step / 2 - half), rate + step / 2 + half


# Resampling n clusters never leaves the range of the n, which holds the middle in 1 - 2^(1 - n) of all cases: of 2 in half of them,
# of 5 in 94 %.
FEWEST_CLUSTERS = 5
_RESAMPLES = 5000
_ROUNDING = 1e-9  # rates that are equal but for it


def cluster_ratio(errors: np.ndarray, units: np.ndarray) -> tuple[float, float] | None:
    """The 95 % interval of an error rate Σ errors / Σ units over clusters, such as speakers, by a bootstrap.

    errors, units: (C,) of each cluster. What one speaker says is wrong together, so speakers are what is drawn, with replacement, and
    not clips or words. Percentiles of few clusters are too narrow: they are taken further out, as Hesterberg ("What teachers should
    know about the bootstrap", 2015) does it, at Φ(-t sqrt(C / (C - 1))) with t of Student's distribution for C - 1 degrees of freedom.
    The draws are always the same ones. Returns None for fewer than `FEWEST_CLUSTERS` that have units, and where all have the same rate,
    as without any error: a spread that is not there can't be drawn from.

    >>> tuple(round(x, 3) for x in cluster_ratio(np.array([1, 2, 3, 2, 1, 3, 2, 2]), np.full(8, 20)))
    (0.069, 0.131)
    """
    if (units > 0).sum() < FEWEST_CLUSTERS:
        return None
    return _ends(_rates(errors, units), len(units))


def cluster_difference(
    errors: np.ndarray, units: np.ndarray, other_errors: np.ndarray, other_units: np.ndarray,
) -> tuple[float, float] | None:
    """The 95 % interval of a difference of two error rates, Σ errors / Σ units less the other's, which the same clusters were asked for.

    errors, units, other_errors, other_units: (C,) with a cluster at the same place in each. It is made as in `cluster_ratio`, and both
    rates of a draw are those of the same clusters, so that what makes a speaker hard for both is no part of it. None as there.
    """
    if ((units > 0) & (other_units > 0)).sum() < FEWEST_CLUSTERS:
        return None
    return _ends(_rates(errors, units) - _rates(other_errors, other_units), len(units))


def _rates(errors: np.ndarray, units: np.ndarray) -> np.ndarray:
    """The error rate of each resample; where it happens to have no unit, as if it had one."""
    draws = _draws(len(units))
    return (draws @ errors) / np.maximum(draws @ units, 1)


@functools.lru_cache(maxsize=8)
def _draws(clusters: int) -> np.ndarray:
    """How often each cluster is in each resample, (resamples, clusters)."""
    drawn = np.random.default_rng(0).integers(clusters, size=(_RESAMPLES, clusters)) + clusters * np.arange(_RESAMPLES)[:, None]
    return np.bincount(drawn.ravel(), minlength=_RESAMPLES * clusters).reshape(_RESAMPLES, clusters).astype(np.float32)


def _ends(values: np.ndarray, clusters: int) -> tuple[float, float] | None:
    """The ends of the interval, from the values of the resamples."""
    if np.ptp(values) < _ROUNDING:
        return None
    from scipy.special import ndtr, stdtrit  # only the Results page should wait for them

    tail = ndtr(-stdtrit(clusters - 1, 0.975) * math.sqrt(clusters / (clusters - 1)))
    low, high = np.quantile(values, (tail, 1 - tail))
    return float(low), float(high)
