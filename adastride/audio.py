"""Sound in: bytes or a file -> a mono float32 waveform at the model's rate, and its log-mel spectrogram.

Files are decoded by libsndfile (WAV, FLAC, OGG, MP3) from memory, in blocks, so that what a file claims about itself
can never make the process allocate more than the limits below allow.
"""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
import torch
import torch.nn.functional as F
import torchaudio
from torch import Tensor

MAX_BYTES = 120_000_000
MAX_SECONDS = 900.0
_BLOCK_FRAMES = 1 << 18


class AudioError(ValueError):
    """A sound that can't be used; the message is one sentence that says what to do."""


@dataclass(frozen=True)
class MelPreset:
    """A log-mel front end: sample rate and edges in Hz, window and hop in samples."""

    sample_rate: int
    window: int
    hop: int
    n_mels: int = 80
    low_hz: float = 0.0
    high_hz: float = 8000.0

    @property
    def frames_per_second(self) -> float:
        return self.sample_rate / self.hop


# The AdaStride paper's table 7.
PRESETS = {
    "classification": MelPreset(16_000, window=1024, hop=256),
    "speech-recognition": MelPreset(16_000, window=400, hop=160),
    "vq-vae": MelPreset(22_050, window=1024, hop=256),
}
LOG_FLOOR = 1e-5


@dataclass(frozen=True)
class Waveform:
    """Mono sound. samples: (n,) float32 in about [-1, 1] at sample_rate Hz, read-only.

    original_rate (Hz), original_channels and seconds describe what was decoded; sha256 names its content.
    """

    samples: np.ndarray
    sample_rate: int
    original_rate: int
    original_channels: int
    seconds: float
    sha256: str


def decode(
    data: bytes, sample_rate: int = 16_000, name: str = "this file", max_seconds: float = MAX_SECONDS, max_bytes: int = MAX_BYTES,
    progress: Callable[[float], None] = lambda share: None,
) -> Waveform:
    """Decodes WAV, FLAC, OGG or MP3 bytes of any rate, depth and number of channels to mono at `sample_rate` Hz.

    Channels are averaged, then resampled. progress is told the share that is decoded, from 0 to 1. Raises AudioError, one
    sentence naming `name`, for anything that is not a sound of at least two samples, at most `max_seconds` seconds and
    `max_bytes` bytes, with finite samples.
    """
    if not data:
        raise AudioError(f"{name} is empty: choose a WAV, FLAC, OGG or MP3 file with sound in it.")
    if len(data) > max_bytes:
        raise AudioError(_too_large(name, len(data), max_bytes))
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as sound:
            rate, channels = sound.samplerate, sound.channels
            mono = _read_mono(sound, name, max_seconds, progress)
    except soundfile.LibsndfileError:
        raise AudioError(f"{name} can't be decoded: it is damaged or not a WAV, FLAC, OGG or MP3 file (convert M4A or WebM to one of these).") from None
    if not 1000 <= rate <= 768_000:
        raise AudioError(f"{name} has a sample rate of {rate} Hz: save it with a rate from 1 kHz to 768 kHz.")
    if mono.size < 2:
        raise AudioError(f"{name} holds {mono.size} sample{'s' * (mono.size != 1)}: choose a sound of at least a few milliseconds.")
    if not np.isfinite(mono).all():
        raise AudioError(f"{name} contains samples that are not numbers (NaN or infinite): export it again from the program that made it.")
    seconds = mono.size / rate
    if float(np.abs(mono).max()) > 1e4:  # a float file with broken scaling would overflow the power spectrum
        raise AudioError(f"{name} has samples as large as {np.abs(mono).max():.1g} where 1 is full scale: export it again at a normal level.")
    return from_samples(mono, rate, sample_rate, channels=channels, seconds=seconds, sha256=hashlib.sha256(data).hexdigest())


def _read_mono(sound: soundfile.SoundFile, name: str, max_seconds: float, progress: Callable[[float], None]) -> np.ndarray:
    limit = int(max_seconds * sound.samplerate)
    too_long = f"{name} is longer than the {_duration(max_seconds)} allowed: cut out the part you want to see."
    # A header may claim any length, so only what was really read counts; MP3 and OGG know theirs without a full read.
    if limit < sound.frames < 1 << 60 and sound.format in ("WAV", "FLAC", "WAVEX", "RF64", "W64", "AIFF"):
        raise AudioError(too_long)
    blocks, total = [], 0
    while True:
        block = sound.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)
        if not len(block):
            break
        total += len(block)
        if total > limit:
            raise AudioError(too_long)
        blocks.append(block.mean(axis=1))
        progress(min(1.0, total / max(1, sound.frames)))
    if total < sound.frames < 1 << 60 and sound.format in ("FLAC", "OGG"):
        whole = sound.frames / sound.samplerate
        raise AudioError(f"{name} breaks off after {total / sound.samplerate:.1f} s of {whole:.1f} s: it was not copied or downloaded completely.")
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def _too_large(name: str, size: int, most: int) -> str:
    return f"{name} has {size / 1e6:.0f} MB, more than the {most / 1e6:.0f} MB allowed: cut it, or save it as FLAC or MP3."


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"


def from_samples(
    mono: np.ndarray, rate: int, sample_rate: int = 16_000, *, channels: int = 1, seconds: float | None = None, sha256: str | None = None,
) -> Waveform:
    """A Waveform from mono samples (n,) at `rate` Hz, resampled to `sample_rate` Hz."""
    mono = np.ascontiguousarray(mono, np.float32)
    samples = torch.from_numpy(mono)
    if rate != sample_rate:
        # The filter bank has numerator x denominator taps: 44 101 Hz as it is would take gigabytes. The nearest ratio
        # with a denominator of at most 1000 is exact for all usual rates and off by a millisecond in 15 minutes at most.
        ratio = Fraction(rate, sample_rate).limit_denominator(1000)
        samples = _resample(samples, ratio)
    samples = samples.numpy().copy() if rate == sample_rate else samples.numpy()
    samples.setflags(write=False)
    seconds = mono.size / rate if seconds is None else seconds
    return Waveform(samples, sample_rate, rate, channels, seconds, sha256 or hashlib.sha256(mono.tobytes()).hexdigest())


def read(path: str | Path, sample_rate: int = 16_000) -> Waveform:
    """`decode` of a file; a missing or unreadable one is an AudioError too."""
    path = Path(path)
    try:
        if path.stat().st_size > MAX_BYTES:
            raise AudioError(_too_large(path.name, path.stat().st_size, MAX_BYTES))
        data = path.read_bytes()
    except OSError as error:
        raise AudioError(f"{path} can't be read: {error.strerror or error}.") from None
    return decode(data, sample_rate, name=path.name)


_RESAMPLED_PART = 1 << 20  # input samples at a time: resampling holds several copies of what it works on


def _resample(samples: Tensor, ratio: Fraction) -> Tensor:
    """(n,) resampled by ratio = old / new rate, in parts. Parts overlap by more than the filter reaches, so that the
    result is what it is in one piece."""
    period = ratio.numerator
    overlap = period * -(-1024 * max(1, period // ratio.denominator) // period)
    step = period * max(1, _RESAMPLED_PART // period)
    parts = []
    for begin in range(0, samples.numel(), step):
        first = max(0, begin - overlap)
        part = torchaudio.functional.resample(samples[first : begin + step + overlap], ratio.numerator, ratio.denominator)
        skip = (begin - first) // period * ratio.denominator
        last = begin + step >= samples.numel()
        parts.append(part[skip:] if last else part[skip : skip + step // period * ratio.denominator].clone())
    return torch.cat(parts)


@functools.cache
def _mel_transform(preset: MelPreset) -> torchaudio.transforms.MelSpectrogram:
    return torchaudio.transforms.MelSpectrogram(
        sample_rate=preset.sample_rate, n_fft=preset.window, win_length=preset.window, hop_length=preset.hop, center=False,
        f_min=preset.low_hz, f_max=preset.high_hz, n_mels=preset.n_mels, power=1.0, norm="slaney", mel_scale="slaney",
    )


# Frames whose spectra are in memory at a time: a spectrum is as large as four hops of sound, so a long clip goes in parts.
_SPECTRUM_FRAMES = 4096


def log_mel(samples: Tensor, preset: MelPreset = PRESETS["classification"]) -> Tensor:
    """Natural-log mel spectrogram with a floor: ln(max(mel, 1e-5)) of the magnitude spectrum.

    Shape: samples (n,) float32, n >= 1 -> (n_mels, T), T = 1 + floor(n / hop). Frame j is centred on sample j * hop;
    edges are reflected, or padded with zeros where a clip is too short to reflect.
    """
    half, frames = preset.window // 2, 1 + samples.shape[-1] // preset.hop
    samples = F.pad(samples, (0, max(0, half + 1 - samples.shape[-1])))
    padded = F.pad(samples[None], (half, half), mode="reflect")[0]
    transform, parts = _mel_transform(preset), []
    for first in range(0, frames, _SPECTRUM_FRAMES):
        last = min(frames, first + _SPECTRUM_FRAMES) - 1
        parts.append(transform(padded[first * preset.hop : last * preset.hop + preset.window]))
    return torch.cat(parts, dim=-1).clamp_(min=LOG_FLOOR).log_()


def mel_band_centres(preset: MelPreset = PRESETS["classification"]) -> np.ndarray:
    """Centre frequencies of the mel bands in Hz, (n_mels,), for axis labels."""
    filters = _mel_transform(preset).mel_scale.fb  # (bins, n_mels)
    frequencies = torch.linspace(0, preset.sample_rate / 2, filters.shape[0])
    return ((filters * frequencies[:, None]).sum(0) / filters.sum(0).clamp(min=1e-9)).numpy()
