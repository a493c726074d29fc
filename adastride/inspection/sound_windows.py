"""A window of a clip as networks of spectrograms take it: a picture, and what its rows, columns and levels stand for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from adastride import audio
from adastride.audio import MelPreset, Waveform
from adastride.models.spectrograms import decibels_of_level, picture_of_mel

_SHOWN_DECIBELS = 80.0  # below the loudest level: what is weaker has the darkest colour


@dataclass(frozen=True, eq=False)
class SoundWindow:
    """A window of a clip.

    pixels: (bands, frames, 3) uint8, grey, see `picture_of_mel`. first: the clip's frame in its first column, below 0 where a shorter clip
    stands in the middle of silence. frames: of the clip. mel: the front end.
    """

    pixels: np.ndarray
    first: int
    frames: int
    mel: MelPreset

    @property
    def begin(self) -> float:
        """Where it begins, in seconds of the clip."""
        return self.first / self.mel.frames_per_second

    @property
    def end(self) -> float:
        """Where it ends, in seconds of the clip."""
        return self.begin + self.pixels.shape[1] / self.mel.frames_per_second

    @property
    def rates(self) -> tuple[float, float]:
        """Rows in a mel band, and columns in a second."""
        return 1.0, self.mel.frames_per_second

    @property
    def levels(self) -> tuple[int, int]:
        """The levels, from 0 to 255, of the darkest and of the brightest colour."""
        high = max(1, int(self.pixels.max()))
        step = decibels_of_level(1) - decibels_of_level(0)
        return max(0, min(high - 1, round(high - _SHOWN_DECIBELS / step))), high

    @property
    def decibels(self) -> tuple[float, float]:
        """`levels` in dB, 0 dB being a magnitude of 1."""
        low, high = self.levels
        return decibels_of_level(low), decibels_of_level(high)

    @property
    def hertz(self) -> np.ndarray:
        """The centre frequency of each row, (bands,), highest first."""
        return audio.mel_band_centres(self.mel)[::-1]

    @property
    def frequency_ticks(self) -> list[tuple[str, float]]:
        """Frequencies along its height: (text, place in rows from the top)."""
        return [(text, self.mel.n_mels - 0.5 - band) for text, band in audio.mel_band_ticks(self.mel)]

    @property
    def second_ticks(self) -> list[tuple[str, float]]:
        """Times of the clip along its width: (text, place in columns from the left); text without the unit."""
        rate, columns = self.mel.frames_per_second, self.pixels.shape[1]
        step = next(step for step in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, float("inf")) if step >= columns / rate / 3)
        first = int(np.ceil(round(self.begin / step, 6)))
        times = [n * step for n in range(first, first + 5)]
        ends = min(columns, self.frames - self.first)
        placed = [(f"{round(time, 6):g}", time * rate - self.first) for time in times]
        return [(text, round(place, 6)) for text, place in placed if -1e-6 <= place <= ends + 1e-6]


def most_first(waveform: Waveform, mel: MelPreset, frames: int) -> int:
    """The last frame of a clip at which a window may begin, 0 where there is one window alone.

    A last frame alone, which a clip of a whole number of seconds has, says nothing about it.
    """
    return max(0, _frames(waveform, mel) - 1 - frames)


def loudest_first(waveform: Waveform, mel: MelPreset, frames: int) -> int:
    """The frame at which the window with the most energy begins, the first of several."""
    hop = mel.hop * waveform.sample_rate / mel.sample_rate
    energy = np.concatenate([[0.0], np.cumsum(np.square(waveform.samples, dtype=np.float64))])
    begins = np.arange(most_first(waveform, mel, frames) + 1)
    edges = [np.minimum(((begins + more) * hop).astype(int), len(energy) - 1) for more in (0, frames)]
    # Where sums differ by rounding alone, as in silence, the first is as loud.
    found = energy[edges[1]] - energy[edges[0]]
    return int(np.flatnonzero(found >= found.max() - 1e-9 * max(float(energy[-1]), 1e-12))[0])


def sound_window(waveform: Waveform, mel: MelPreset, frames: int, first: int) -> SoundWindow:
    """The window of `frames` frames of a clip that begins at its frame `first`, as `training.spectrograms.windows_of` cuts it.

    A clip with fewer frames stands in the middle, whatever `first` is. Only the samples that the window needs are worked on.
    """
    if waveform.sample_rate != mel.sample_rate:
        waveform = audio.from_samples(waveform.samples, waveform.sample_rate, mel.sample_rate, sha256=waveform.sha256)
    count = _frames(waveform, mel)
    margin = -(-mel.window // mel.hop)  # frames at either side, so that those within meet no edge but the clip's
    first = min(first, most_first(waveform, mel, frames)) if count > frames else -((frames - count) // 2)
    begin, end = max(0, first - margin), min(count, first + frames + margin)
    samples = waveform.samples[begin * mel.hop : (end + margin) * mel.hop]
    known = picture_of_mel(audio.log_mel(torch.from_numpy(samples.copy()), mel)).numpy()[:, : end - begin]
    window = np.zeros((mel.n_mels, frames), np.uint8)
    low, high = max(0, first), min(count, first + frames)
    window[:, low - first : high - first] = known[:, low - begin : high - begin]
    pixels = np.repeat(window[:, :, None], 3, axis=2)
    pixels.setflags(write=False)
    return SoundWindow(pixels, first, count, mel)


def _frames(waveform: Waveform, mel: MelPreset) -> int:
    """How many frames a clip has."""
    return 1 + round(waveform.samples.shape[0] * mel.sample_rate / waveform.sample_rate) // mel.hop

