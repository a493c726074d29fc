"""Small untrained recognisers for tests: what they read is no speech, but it changes with σ and with the stride."""

from __future__ import annotations

import numpy as np
import torch

from adastride import audio
from adastride.clips import Clip
from adastride.models import Recogniser, RecogniserConfig

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def recogniser(name: str = "reader", units: str = "words", tokens: tuple[str, ...] = DIGITS, methods: tuple[str, ...] = ("adastride",) * 2) -> Recogniser:
    """In evaluation mode, and it places frames unevenly."""
    torch.manual_seed(0)
    network = Recogniser(RecogniserConfig(units, tokens, methods=methods, width=16, blocks=1, heads=2)).eval().requires_grad_(False)
    for layer in network.downsamplers:
        if hasattr(layer, "score"):
            torch.nn.init.normal_(layer.score.weight, std=0.2)
    torch.nn.init.normal_(network.head.weight, std=2.0)
    network.name = name
    return network


def sound(seconds: float = 0.5, seed: int = 0) -> audio.Waveform:
    """Noise whose loudness changes."""
    count = int(16_000 * seconds)
    noise = np.random.default_rng(seed).standard_normal(count) * np.abs(np.sin(np.arange(count) / 1500))
    return audio.from_samples(noise * 0.1, 16_000)


def spoken(count: int = 40) -> list[Clip]:
    """Clips of one to five digits each, as long as their texts."""
    generator, clips = np.random.default_rng(0), []
    for number in range(count):
        words = generator.choice(DIGITS, size=generator.integers(1, 6)).tolist()
        clips.append(Clip(sound(0.15 * len(words), number).samples, "", f"{number}.wav", text=" ".join(words)))
    return clips
