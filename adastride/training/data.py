"""Small tools for clips of a data set: placing them in silence, changing their speed, and finding their licence."""

from __future__ import annotations

import functools
import re
from pathlib import Path

import numpy as np
import torch
from torchaudio.transforms import Resample

_FILTER_WIDTH = 32  # zero crossings: what lies a tenth above the limit is 60 dB down, at a fifth of a millisecond a second of sound


def licence_line(folder: str | Path) -> str:
    """The sentence in a data folder's README.md that names the licence of the data; "" where there is none."""
    readme = Path(folder) / "README.md"
    if not readme.is_file():
        return ""
    text = " ".join(readme.read_text(encoding="utf-8", errors="replace").split())
    title = re.match(r"# (.*?)(?= [A-Z][a-z]+ )", text)
    sentence = re.search(r"(?:Licen[cs]e|Free for)[^.]*(?:\.\d[^.]*)*\.", text)
    return f"{title.group(1) + ': ' if title else ''}{sentence.group(0)}" if sentence else ""


def place_in_silence(
    samples: np.ndarray, length: int, start: int, snr_db: float, generator: np.random.Generator, noise: np.ndarray | None = None,
) -> np.ndarray:
    """A clip inside a longer window of quiet noise: (length,) float32.

    The noise lies `snr_db` decibels below the clip's mean power, and under the clip too. start: the window's sample where
    the clip begins, negative if it begins before; what does not fit is cut off. noise: (length,) of mean power 1; white
    noise where none is given.
    """
    level = float(np.sqrt(np.mean(np.square(samples)))) or 1e-4
    if noise is None:
        noise = generator.standard_normal(length, dtype=np.float32)
    window = noise * np.float32(level * 10 ** (-snr_db / 20))
    first, stop = max(0, start), min(length, start + samples.size)
    if first < stop:
        window[first:stop] += samples[first - start : stop - start]
    return window


def change_speed(samples: np.ndarray, factor: float) -> np.ndarray:
    """Plays a clip `factor` times as fast, pitch included: (ceil(n / factor),) samples.

    Band-limited resampling by torchaudio: what would lie above half the sample rate is filtered away, not folded back. The
    factor is rounded to hundredths, so that a training has a few dozen filters, which are worked out once.
    """
    percent = max(1, round(100 * factor))
    if percent == 100:
        return samples
    with torch.no_grad():
        return _resampler(percent)(torch.tensor(samples, dtype=torch.float32)).numpy()


@functools.lru_cache(maxsize=256)
def _resampler(percent: int) -> Resample:
    """The resampler that makes a clip last 100 / percent times as long."""
    return Resample(percent, 100, lowpass_filter_width=_FILTER_WIDTH)
