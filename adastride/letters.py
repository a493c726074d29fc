"""Short lists of numbers in links: a letter each, to the nearest of a few steps between two limits. ui/frontend/numbers.js writes them, too."""

from __future__ import annotations

from collections.abc import Iterable

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def encode(values: Iterable[float], low: float, high: float, steps: int) -> str:
    """A letter for each value from low to high; steps: between the two, at most 63.

    >>> encode((-3.0, 0.0, 3.0), -3.0, 3.0, 60)
    'Ae8'
    """
    return "".join(_LETTERS[round((value - low) / (high - low) * steps)] for value in values)


def decode(text: str, low: float, high: float, steps: int) -> tuple[float, ...]:
    """The values again. Raises ValueError for anything but the letters of these steps.

    >>> decode("Ae8", -3.0, 3.0, 60)
    (-3.0, 0.0, 3.0)
    """
    places = [_LETTERS.index(letter) for letter in text]
    if any(place > steps for place in places):
        raise ValueError("a letter beyond the last step")
    return tuple(place / steps * (high - low) + low for place in places)
