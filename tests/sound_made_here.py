"""A short sound for tests of what looks at spectrograms: silence, a loud tone that rises, silence."""

from __future__ import annotations

import io

import numpy as np
import soundfile

from adastride.audio import Waveform, from_samples

RATE = 16_000
LOUD_FROM = 1.4  # seconds


def samples(seconds: float = 3.0, loud: float = 1.0) -> np.ndarray:
    """(n,) float32: faint noise, and `loud` seconds of a rising tone from LOUD_FROM on."""
    time = np.arange(round(seconds * RATE)) / RATE
    tone = 0.5 * np.sin(2 * np.pi * (400 + 300 * time) * time) * ((time >= LOUD_FROM) & (time < LOUD_FROM + loud))
    return (tone + np.random.default_rng(0).normal(0, 1e-3, time.shape)).astype(np.float32)


def waveform(seconds: float = 3.0, loud: float = 1.0, rate: int = RATE) -> Waveform:
    """`samples` as a clip at `rate` Hz."""
    return from_samples(samples(seconds, loud), RATE, rate)


def wav(sound: np.ndarray, rate: int = RATE) -> bytes:
    """A WAV file."""
    buffer = io.BytesIO()
    soundfile.write(buffer, sound, rate, format="WAV")
    return buffer.getvalue()
