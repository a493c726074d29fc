"""Small untrained codecs for tests: what they make of a sound is no sound, but it changes with σ and with the stride."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from made_up_networks import unsettle
from torch import Tensor

from adastride import audio
from adastride.clips import Clip
from adastride.models import Codec, CodecConfig
from adastride.models.codec import codec_options


def mels(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 5


def codec(method: str = "adastride", **options: Any) -> Codec:
    """In evaluation mode. It places frames unevenly, its biases are not 0, and its codebook is made of what it says of noise."""
    torch.manual_seed(0)
    network = Codec(CodecConfig(**{"codes": 16, "width": 12, **codec_options(method), **options}))
    unsettle(network)
    with torch.no_grad():
        network.train()(mels(4, 80, 200))
    network.eval().requires_grad_(False)
    network.name = "teller"
    return network


def speech(seconds: float = 0.5, seed: int = 0, rate: int = 22_050) -> audio.Waveform:
    """A harmonic sound whose pitch and loudness change."""
    times = np.arange(int(rate * seconds)) / rate
    phase = 2 * np.pi * np.cumsum(140 + 40 * np.sin(3 * times + seed)) / rate
    tone = sum(np.sin(n * phase) / n for n in range(1, 20)) * np.abs(np.sin(4 * times + seed))
    noise = np.random.default_rng(seed).standard_normal(times.size)
    return audio.from_samples(0.1 * tone + 0.001 * noise, rate, rate)


def clips(count: int = 6) -> list[Clip]:
    """Clips of about a second, with neither label nor text."""
    return [Clip(speech(0.8 + 0.1 * number, number).samples, "", f"{number}.wav") for number in range(count)]
