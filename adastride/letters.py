"""Reads lists of numbers from links, where one letter stands for a number: one of a few steps between two limits.

The browser writes them (frontend/numbers.js).
"""

from __future__ import annotations

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def decode(text: str, low: float, high: float, steps: int) -> tuple[float, ...]:
    """Reads a text with a letter for each value.

    The letter A stands for `low`, the last one for `high`. steps: how many steps lie between these limits, at most 63. Raises
    ValueError for anything but the letters of these steps.

    >>> decode("Ae8", -3.0, 3.0, 60)
    (-3.0, 0.0, 3.0)
    """
    places = [_LETTERS.index(letter) for letter in text]
    if any(place > steps for place in places):
        raise ValueError("a letter beyond the last step")
    return tuple(place / steps * (high - low) + low for place in places)
