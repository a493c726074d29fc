"""How colours look to people with another colour vision, and how different two colours look.

Machado, Oliveira and Fernandes: *A Physiologically-based Model for Simulation of Color Vision Deficiency*, IEEE TVCG 15 (6), 2009;
Sharma, Wu and Dalal: *The CIEDE2000 Color-Difference Formula*, Color Research and Application 30 (1), 2005.
"""

from __future__ import annotations

import numpy as np

# For linear RGB, severity 1.
VISIONS = {
    "usual": np.eye(3),
    "protanopia": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
    "deuteranopia": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]]),
    "tritanopia": np.array([[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]]),
}
_XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])
_WHITE = _XYZ.sum(axis=1)  # D65


def rgb(colour: str) -> np.ndarray:
    """The (R, G, B) from 0 to 1 of a "#RRGGBB"."""
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)]) / 255


def linear(colours: np.ndarray) -> np.ndarray:
    """(..., 3) sRGB from 0 to 1 -> (..., 3) linear RGB."""
    return np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)


def lab(colours: np.ndarray, vision: str = "usual") -> np.ndarray:
    """(..., 3) sRGB from 0 to 1, seen with a colour vision -> (..., 3) CIE L*, a*, b*."""
    seen = np.clip(linear(colours) @ VISIONS[vision].T, 0, 1) @ _XYZ.T / _WHITE
    f = np.where(seen > (6 / 29) ** 3, np.cbrt(seen), seen / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def ciede2000(first: np.ndarray, second: np.ndarray) -> float:
    """The difference of two colours, each (3,) CIE L*, a*, b*; 1 can just be seen side by side."""
    mean_chroma = (np.hypot(*first[1:]) + np.hypot(*second[1:])) / 2
    stretch = 1.5 - 0.5 * np.sqrt(mean_chroma**7 / (mean_chroma**7 + 25**7))
    (l1, c1, h1), (l2, c2, h2) = (
        (light, np.hypot(stretch * a, b), np.degrees(np.arctan2(b, stretch * a)) % 360) for light, a, b in (first, second)
    )
    grey = c1 * c2 == 0
    turn = 0.0 if grey else (h2 - h1 + 180) % 360 - 180
    hue_difference = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2))
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    hue = h1 + h2 if grey else (h1 + turn / 2) % 360
    around = 1 - 0.17 * _cos(hue - 30) + 0.24 * _cos(2 * hue) + 0.32 * _cos(3 * hue + 6) - 0.2 * _cos(4 * hue - 63)
    rotation = -np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2)))) * 2 * np.sqrt(chroma**7 / (chroma**7 + 25**7))
    in_light = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2))
    in_chroma, in_hue = (c2 - c1) / (1 + 0.045 * chroma), hue_difference / (1 + 0.015 * chroma * around)
    return float(np.sqrt(in_light**2 + in_chroma**2 + in_hue**2 + rotation * in_chroma * in_hue))


def _cos(degrees: float) -> float:
    return float(np.cos(np.radians(degrees)))


def contrast(first: str, second: str) -> float:
    """The contrast of two "#RRGGBB", as WCAG 2 counts it: 1 to 21."""
    low, high = sorted(float(linear(rgb(colour)) @ [0.2126, 0.7152, 0.0722]) for colour in (first, second))
    return (high + 0.05) / (low + 0.05)
