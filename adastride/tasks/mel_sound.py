"""The sound of a log-mel as a network's answer: made when somebody wants to hear it, and as loud as it should be."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import numpy as np
import torch

from adastride import audio, vocoder
from adastride.tasks.prediction import Audible


def power(mel: np.ndarray, preset: audio.MelPreset) -> float:
    """The power of the spectrum that a natural-log mel (n_mels, T) is of, summed over bins and frames."""
    return float(vocoder.spectrum(torch.from_numpy(mel), preset).square().sum())


def sound_of(mel: np.ndarray, preset: audio.MelPreset, wanted: float) -> audio.Waveform:
    """The sound of a natural-log mel (n_mels, T) by `vocoder.sound`; full scale is kept. wanted: its power, as `power` counts it."""
    sound = vocoder.sound(torch.from_numpy(mel), preset)
    samples = torch.tensor(sound.samples)
    heard = torch.stft(samples, preset.window, preset.hop, window=torch.hann_window(preset.window), return_complex=True).abs().square().sum()
    gain = (wanted / heard.clamp(min=1e-9)).sqrt()
    samples *= gain.clamp(max=1 / samples.abs().max().clamp(min=1e-9))
    return audio.from_samples(samples.numpy(), preset.sample_rate, preset.sample_rate)


def mel_sound(title: str, mel: np.ndarray, preset: audio.MelPreset, wanted: Callable[[], float]) -> Audible:
    """`sound_of` a mel, as something that a page offers. wanted: works its power out when it is made."""
    return Audible(title, f"{title} {zlib.crc32(mel.tobytes()):08x}", lambda: sound_of(mel, preset, wanted()))
