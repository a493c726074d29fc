"""Labelled folders of clips, and the silence they are placed in.

A folder has a `manifest.csv` with the columns path, label and split (train, valid, test); paths are relative to it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from adastride import audio

SPLITS = ("train", "valid", "test")


class DataError(ValueError):
    """A data folder that can't be used; the message is one sentence that names the file."""


@dataclass(frozen=True)
class Clip:
    """One labelled recording: mono float32 samples (n,) at the model's rate."""

    samples: np.ndarray
    label: str
    path: str


def load_split(folder: str | Path, split: str, sample_rate: int = 16_000) -> list[Clip]:
    """Decodes every clip of one split. Raises DataError for a missing or unusable manifest, clip or column."""
    folder = Path(folder)
    manifest = folder / "manifest.csv"
    try:
        with manifest.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = {"path", "label", "split"} - set(reader.fieldnames or ())
            if missing:
                raise DataError(f"{manifest} lacks the column {', '.join(sorted(missing))}: its first line must name path, label and split.")
            rows = []
            for row in reader:
                if not (row["path"] and row["label"] and row["split"]):
                    raise DataError(f"{manifest} has a line without a path, label or split: line {reader.line_num}.")
                if row["split"] == split:
                    rows.append(row)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{manifest} can't be read ({getattr(error, 'strerror', None) or error}): name a folder that holds a manifest.csv.") from None
    if not rows:
        raise DataError(f"{manifest} has no row whose split is {split!r}.")
    clips = []
    for row in rows:
        try:
            clips.append(Clip(audio.read(folder / row["path"], sample_rate).samples, row["label"], row["path"]))
        except audio.AudioError as error:
            raise DataError(f"{manifest} names {row['path']}, but {error}") from None
    return clips


def licence_line(folder: str | Path) -> str:
    """The sentence of a data folder's README.md that names its licence, or "" where there is none."""
    readme = Path(folder) / "README.md"
    if not readme.is_file():
        return ""
    text = " ".join(readme.read_text(encoding="utf-8", errors="replace").split())
    title = re.match(r"# (.*?)(?= [A-Z][a-z]+ )", text)
    sentence = re.search(r"(?:Licen[cs]e|Free for)[^.]*(?:\.\d[^.]*)*\.", text)
    return f"{title.group(1) + ': ' if title else ''}{sentence.group(0)}" if sentence else ""


def place_in_silence(samples: np.ndarray, length: int, start: int, snr_db: float, generator: np.random.Generator) -> np.ndarray:
    """A clip inside a longer window of quiet noise: (length,) float32.

    The noise is white, `snr_db` decibels below the clip's mean power, and lies under the clip too. start: first sample
    of the clip; what does not fit is cut off.
    """
    level = float(np.sqrt(np.mean(np.square(samples)))) or 1e-4
    window = generator.standard_normal(length, dtype=np.float32) * (level * 10 ** (-snr_db / 20))
    stop = min(length, start + samples.size)
    window[start:stop] += samples[: stop - start]
    return window


def change_speed(samples: np.ndarray, factor: float) -> np.ndarray:
    """Plays a clip `factor` times as fast, pitch included, by linear interpolation: (round(n / factor),)."""
    count = max(2, round(samples.size / factor))
    return np.interp(np.linspace(0, samples.size - 1, count), np.arange(samples.size), samples).astype(np.float32)


def stack_mels(sounds: Sequence[np.ndarray], preset: audio.MelPreset) -> tuple[Tensor, Tensor]:
    """Log-mels of waveforms of different lengths: (B, n_mels, T) zero-padded, and their lengths (B,)."""
    mels = [audio.log_mel(torch.tensor(sound), preset) for sound in sounds]
    lengths = torch.tensor([mel.shape[1] for mel in mels])
    return torch.stack([F.pad(mel, (0, int(lengths.max()) - mel.shape[1])) for mel in mels]), lengths
