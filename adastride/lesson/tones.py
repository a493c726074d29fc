"""The matrices of four linear methods, through which the browser can put any tone (step 2), and what they leave of tones."""

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
    """Works out the matrices of the four methods of step 2, which are linear, so that their matrix says all about them.

    stride: whole input frames per output frame, one of `TONE_STRIDES`.
    Returns for each of `TONE_METHODS` the times (L,) in input frames that its output frames stand for, and the matrix
    (L, TONE_FRAMES) that takes a signal to its output. A column of it is the output for a signal of one frame.

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
    """A cosine as a signal of `TONE_FRAMES` frames.

    frequency: in cycles per frame. A number gives (TONE_FRAMES,), an array (n, 1) gives (n, TONE_FRAMES). phase: in radians; its
    default keeps a tone at the Nyquist limit from being zero at all kept frames.

    >>> bool(np.ptp(tone_layers(4)["every-s-th"][1] @ tone(0.25)) < 1e-12)  # one cycle in every 4 frames looks constant
    True
    """
    return np.cos(2 * np.pi * frequency * (np.arange(TONE_FRAMES) - TONE_FRAMES / 2) + phase)


@functools.cache
def tone_gains(stride: int) -> dict[str, np.ndarray]:
    """What each method leaves of tones, as RMS of the output over RMS of the input: (GAIN_POINTS,) by method.

    The frequencies go from 0 to 1/2 cycles per frame. The ends of the signal, where a method meets its border, are left out.
    """
    frequencies, border = np.linspace(0, 0.5, GAIN_POINTS)[:, None], max(1, 8 // stride)
    # A cosine and a sine: the squares of what becomes of them add up to the envelope's, whatever the phase.
    cosine, sine = tone(frequencies, 0.0), tone(frequencies, -np.pi / 2)
    powers = {key: (cosine @ matrix.T) ** 2 + (sine @ matrix.T) ** 2 for key, (_, matrix) in tone_layers(stride).items()}
    return {key: np.sqrt(power[:, border:-border].mean(axis=1)) for key, power in powers.items()}
