"""Short lists of numbers in links: a letter each, to the nearest of a few steps between two limits. The browser writes them, in numbers.js."""

from __future__ import annotations

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def decode(text: str, low: float, high: float, steps: int) -> tuple[float, ...]:
    """The values of a text, a letter for each: A stands for the lowest. steps: between the two limits, at most 63.

    Raises ValueError for anything but the letters of these steps.

    >>> decode("Ae8", -3.0, 3.0, 60)
    (-3.0, 0.0, 3.0)
    """
    places = [_LETTERS.index(letter) for letter in text]
    if any(place > steps for place in places):
        raise ValueError("a letter beyond the last step")
    return tuple(place / steps * (high - low) + low for place in places)
