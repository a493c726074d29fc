"""How the browser writes numbers into links (adastride/ui/frontend/numbers.js), for tests of what Python reads of them."""

from __future__ import annotations

from collections.abc import Iterable

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def written(values: Iterable[float], low: float, high: float, steps: int) -> str:
    """A letter for each value, to the nearest of so many steps between low and high."""
    return "".join(ALPHABET[round((value - low) / (high - low) * steps)] for value in values)


def written_bars(scores: Iterable[float]) -> str:
    """The bars of a step of the lesson."""
    return written(scores, -3.0, 3.0, 60)


def written_curve(values: Iterable[float]) -> str:
    """A curve drawn on the Compare page."""
    return written(values, -3.0, 3.0, 62)
