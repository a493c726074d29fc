"""Labelled clips, the silence they are placed in, and the log-mels of many at once."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np


def licence_line(folder: str | Path) -> str:
    """The sentence of a data folder's README.md that names its licence, or "" where there is none."""
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
    """Plays a clip `factor` times as fast, pitch included, by linear interpolation: (round(n / factor),)."""
    count = max(2, round(samples.size / factor))
    return np.interp(np.linspace(0, samples.size - 1, count), np.arange(samples.size), samples).astype(np.float32)
