"""What four methods make of a tone (step 2): they are linear, so that the browser can put any tone through their matrices."""

from __future__ import annotations

import functools

import numpy as np
import torch

from adastride.downsampling import METHODS

TONE_STRIDES = range(2, 7)
TONE_FRAMES = 96
TONE_METHODS = ("every-s-th", "avg-pool", "blur-pool", "spectral-pool")
GAIN_POINTS = 101  # frequencies from 0 to 1/2


@functools.cache
def tone_layers(stride: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What the four methods of step 2 do: they are linear, so a matrix says all of it.

    stride: whole input frames per output frame, one of `TONE_STRIDES`.
    Returns, for each of `TONE_METHODS`, the times (L,) in input frames that its output frames stand for, and the matrix
    (L, TONE_FRAMES) that takes a signal to its output: what the layer makes of one frame is a column.

    >>> times, matrix = tone_layers(4)["avg-pool"]
    >>> matrix[1, 3:9].tolist()
    [0.0, 0.25, 0.25, 0.25, 0.25, 0.0]
    >>> float(times[1])
    5.5
    """
    frames = torch.eye(TONE_FRAMES)
    layers = {"every-s-th": (np.arange(0.0, TONE_FRAMES, stride), frames[::stride].numpy())}
    for key in TONE_METHODS[1:]:
        with torch.no_grad():
            matrix = METHODS[key].build(1, stride=stride)(frames[:, None]).values[:, 0].T
        times = np.arange(len(matrix)) * (TONE_FRAMES / len(matrix) if key == "spectral-pool" else stride)
        if key == "avg-pool":  # the middles of its windows, the last of which may be cut
            times = (times + np.minimum(times + stride, TONE_FRAMES) - 1) / 2
        layers[key] = (times, matrix.numpy())
    return layers


def tone(frequency: float | np.ndarray, phase: float = 1.0) -> np.ndarray:
    """Cosines: (TONE_FRAMES,) of a frequency in cycles per frame, (n, TONE_FRAMES) of n of them as (n, 1).

    phase: in radians; the usual one keeps a tone at the limit from falling between the kept frames.

    >>> bool(np.ptp(tone_layers(4)["every-s-th"][1] @ tone(0.25)) < 1e-12)  # one cycle in every 4 frames looks constant
    True
    """
    return np.cos(2 * np.pi * frequency * (np.arange(TONE_FRAMES) - TONE_FRAMES / 2) + phase)


@functools.cache
def tone_gains(stride: int) -> dict[str, np.ndarray]:
    """What each method leaves of a tone, RMS out over RMS in, at `GAIN_POINTS` frequencies from 0 to 1/2: (GAIN_POINTS,) each.

    The ends of the signal, where a method meets its border, are left out.
    """
    frequencies, border = np.linspace(0, 0.5, GAIN_POINTS)[:, None], max(1, 8 // stride)
    # A cosine and a sine: the squares of what becomes of them add up to the envelope's, whatever the phase.
    cosine, sine = tone(frequencies, 0.0), tone(frequencies, -np.pi / 2)
    powers = {key: (cosine @ matrix.T) ** 2 + (sine @ matrix.T) ** 2 for key, (_, matrix) in tone_layers(stride).items()}
    return {key: np.sqrt(power[:, border:-border].mean(axis=1)) for key, power in powers.items()}
