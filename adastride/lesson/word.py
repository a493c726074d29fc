"""The real word in silence that steps 1, 3, 5 to 8 and 11 look at."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import torch

from adastride import audio
from adastride.audio import PRESETS
from adastride.inspection import analysis
from adastride.lesson.controls import FRAMES
from adastride.samples import samples

_BAR_RANGE = 3.0  # of the scores that stand for energies from 0 to 1: enough to see, and far from where bars end
_BEFORE_THE_WORD, _EXCERPT_FRAMES = 28, 96
_BEFORE_THE_SIGNAL, _SIGNAL_FRAMES = 12, 64


@dataclass(frozen=True)
class Word:
    """A bundled clip of one word in silence, as the lesson shows it.

    mel: (n_mels, T) in dB. energy: (T,) the mean level of every frame, scaled to 0 to 1. part: the frames (first, stop) of the word.
    frames_per_second: of the mel.
    """

    mel: np.ndarray
    energy: np.ndarray
    part: tuple[int, int]
    frames_per_second: float


@functools.cache
def word() -> Word:
    """The clip of steps 1 and 5. Its word is the part where the smoothed energy lies above the middle of its range."""
    clip = audio.read(samples()["seven"].path)
    mel = audio.log_mel(torch.from_numpy(clip.samples.copy()), PRESETS["classification"])
    level = np.log(analysis.frame_energy(mel[None], logarithmic=True)[0].double().numpy() + 1e-10)
    energy = (level - level.min()) / np.ptp(level)
    smooth = np.convolve(energy, np.ones(5) / 5, "same")
    loud = np.flatnonzero(smooth > 0.5)
    decibels = mel.numpy() * (20 / math.log(10))
    return Word(decibels, energy, (int(loud[0]), int(loud[-1]) + 1), mel.shape[1] / clip.seconds)


@functools.cache
def word_bars() -> tuple[float, ...]:
    """The energy of `FRAMES` equal stretches around the word, as scores for bars from -1.5 to 1.5."""
    clip = word()
    begin, end = clip.part
    margin = (end - begin) // 2
    pieces = np.array_split(clip.energy[max(0, begin - margin) : end + margin], FRAMES)
    return tuple(round(float(piece.mean()) * _BAR_RANGE - _BAR_RANGE / 2, 1) for piece in pieces)


def word_levels() -> tuple[float, ...]:
    """The energies from 0 to 1 that the scores of `word_bars` stand for."""
    return tuple(bar / _BAR_RANGE + 0.5 for bar in word_bars())


def excerpt() -> tuple[int, int]:
    """The first frame of the part of the clip that step 5 shows, a little before the word, and the number of its frames."""
    return max(0, word().part[0] - _BEFORE_THE_WORD), _EXCERPT_FRAMES


def signal() -> np.ndarray:
    """The signal whose spectrum step 8 shows: the energy of the word without its mean, (_SIGNAL_FRAMES,)."""
    begin = word().part[0] - _BEFORE_THE_SIGNAL
    energy = word().energy[begin : begin + _SIGNAL_FRAMES]
    return energy - energy.mean()
