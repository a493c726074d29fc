"""Intervals over speakers: the same as a plain bootstrap's, and they hold the rate about as often as they say."""

from __future__ import annotations

import random

import numpy as np
import pytest
import scipy.stats

from adastride.intervals import FEWEST_CLUSTERS, cluster_difference, cluster_ratio


def speakers(generator: np.random.Generator, count: int, spread: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Errors and units of made-up speakers, who have a rate of 20 % on average and differ."""
    units = generator.integers(40, 200, count)
    rates = 0.2 * generator.lognormal(-(spread**2) / 2, spread, count)
    return generator.binomial(units, np.minimum(rates, 1.0)), units


def tail_of(count: int) -> float:
    """How much is cut off at an end, worked out by SciPy's distributions."""
    return scipy.stats.norm.cdf(-scipy.stats.t.ppf(0.975, count - 1) * (count / (count - 1)) ** 0.5)


@pytest.mark.parametrize("count", [6, 12, 40])
def test_a_plain_loop_gives_the_same(count: int):
    errors, units = speakers(np.random.default_rng(count), count)
    plain, values = random.Random(1), []
    for _ in range(20_000):
        drawn = [plain.randrange(count) for _ in range(count)]
        values.append(sum(errors[one] for one in drawn) / sum(units[one] for one in drawn))
    tail = tail_of(count)
    expected = np.quantile(values, (tail, 1 - tail))
    assert cluster_ratio(errors, units) == pytest.approx(expected, abs=0.06 * np.ptp(expected))


def test_scipys_bootstrap_gives_the_same():
    errors, units = speakers(np.random.default_rng(3), 25)
    theirs = scipy.stats.bootstrap(
        (errors, units), lambda e, u, axis: e.sum(axis) / u.sum(axis), paired=True, vectorized=True, method="percentile",
        n_resamples=20_000, confidence_level=1 - 2 * tail_of(25), rng=0,
    ).confidence_interval
    assert cluster_ratio(errors, units) == pytest.approx(tuple(theirs), abs=0.05 * (theirs.high - theirs.low))


@pytest.mark.parametrize(("count", "least"), [(7, 0.88), (20, 0.91), (60, 0.925)])
def test_they_hold_the_rate_nearly_as_often_as_they_say(count: int, least: float):
    """Few speakers can't tell how far the hardest ones may lie, so that theirs hold it a little less often."""
    generator, held = np.random.default_rng(0), 0
    for _ in range(1000):
        low, high = cluster_ratio(*speakers(generator, count))
        held += low <= 0.2 <= high
    assert least <= held / 1000 <= 0.97


def test_a_difference_holds_nothing_as_often_and_what_is_hard_for_both_does_not_widen_it():
    generator, held, widths = np.random.default_rng(0), 0, []
    for _ in range(600):
        units = generator.integers(40, 200, 20)
        rates = np.minimum(0.2 * generator.lognormal(-0.125, 0.5, 20), 1.0)
        one, other = (generator.binomial(units, rates) for _ in range(2))
        low, high = cluster_difference(one, units, other, units)
        held += low <= 0 <= high
        widths.append((high - low) / np.ptp(cluster_ratio(one, units)))
    assert 0.92 <= held / 600 <= 0.98
    assert np.median(widths) < 0.7, "two rates of the same speakers differ less than each varies"


def test_a_difference_has_a_sign():
    units = np.full(10, 100)
    errors = np.arange(10) + 20
    assert cluster_difference(errors + np.arange(10) % 2 + 5, units, errors, units)[0] >= 0.05
    low, high = cluster_difference(errors, units, errors + np.arange(10) % 2 + 5, units)
    assert low < high <= -0.05


def test_the_same_again():
    errors, units = speakers(np.random.default_rng(5), 9)
    assert cluster_ratio(errors, units) == cluster_ratio(errors.copy(), units.copy())


def test_too_little_has_no_interval():
    """One speaker has no spread, two bound the rate in half of all cases, and where nobody made an error there is none to draw from."""
    errors, units = speakers(np.random.default_rng(5), FEWEST_CLUSTERS)
    assert cluster_ratio(errors, units) is not None
    for count in range(FEWEST_CLUSTERS):
        assert cluster_ratio(errors[:count], units[:count]) is None
        assert cluster_difference(errors[:count], units[:count], errors[:count], units[:count]) is None
    assert cluster_ratio(errors, np.array([*units[:-1], 0])) is None, "who was asked for nothing does not count"
    assert cluster_ratio(0 * units, units) is None
    assert cluster_ratio(units, units) is None


def test_speakers_of_whom_some_were_asked_for_nothing():
    errors, units = speakers(np.random.default_rng(5), 12)
    low, high = cluster_ratio(np.append(errors, 1), np.append(units, 0))
    assert 0 < low < high < 1
