"""Sound in: bytes or a file -> a mono float32 waveform at the model's rate, and its log-mel spectrogram.

Files are decoded by libsndfile (WAV, FLAC, OGG, MP3, AIFF) from memory, and by FFmpeg in another process (`adastride.media`) where
libsndfile can't; in blocks, so that what a file claims about itself can never make the process allocate more than the limits below
allow.
"""

from __future__ import annotations

import functools
import hashlib
import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import soundfile
import torch
import torch.nn.functional as F
import torchaudio
from torch import Tensor

from adastride import media
from adastride.formats import FORMATS
from adastride.wording import one_line

MAX_BYTES = 120_000_000
MAX_SECONDS = 900.0
MAX_SAMPLES = 120_000_000  # of all channels: 15 minutes in stereo at 66 kHz; silence packs so well that bytes say little
MIN_RATE, MAX_RATE = 1000, 768_000
_BLOCK_SAMPLES = 1 << 18


class AudioError(ValueError):
    """A sound that can't be used; the message is one sentence that says what to do."""


class TooLongError(AudioError):
    """A sound of more seconds than were allowed."""


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

    def coarser(self, resolution: float) -> MelPreset:
        """The front end with its frame shift `resolution` times as long, to the nearest sample (ElasticAST's C, section 3.4).

        >>> PRESETS["audio-transformer"].coarser(1.2).hop
        192
        """
        return self if resolution == 1 else replace(self, hop=max(1, round(self.hop * resolution)))


# The AdaStride paper's table 7, and for transformers of patches ElasticAST's section 3.2.
PRESETS = {
    "classification": MelPreset(16_000, window=1024, hop=256),
    "speech-recognition": MelPreset(16_000, window=400, hop=160),
    # Read speech of which a part ends at 6 kHz: below 5.8 kHz all of it looks alike.
    "narrow-speech-recognition": MelPreset(16_000, window=400, hop=160, high_hz=5800.0),
    "vq-vae": MelPreset(22_050, window=1024, hop=256),
    "audio-transformer": MelPreset(16_000, window=400, hop=160, n_mels=128),
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
    """Decodes the bytes of a file of the kinds in FORMATS, of any rate, depth and number of channels to mono at `sample_rate` Hz.

    Channels are averaged, then resampled, as blocks come: what is in memory is the result and a block. progress is told the
    share that is decoded, from 0 to 1. Raises AudioError, one sentence naming `name`, for anything that is not a sound of at
    least two samples, at most `max_seconds` seconds, `max_bytes` bytes and MAX_SAMPLES samples of all channels, with a rate from
    MIN_RATE to MAX_RATE and finite samples; TooLongError where it is the seconds.
    """
    name = one_line(name)
    if not data:
        raise AudioError(f"{name} is empty: choose a {FORMATS} file with sound in it.")
    if len(data) > max_bytes:
        raise AudioError(_too_large(name, len(data), max_bytes))
    try:
        with _opened(data) as stream:
            samples, frames = _collect(stream, name, sample_rate, max_seconds, progress)
    except soundfile.LibsndfileError:
        raise AudioError(f"{name} can't be decoded: it is damaged or not a {FORMATS} file.") from None
    except media.MediaError as error:
        raise AudioError(f"{name} {error}.") from None
    return Waveform(samples, sample_rate, stream.rate, stream.channels, frames / stream.rate, hashlib.sha256(data).hexdigest())


@dataclass(frozen=True)
class _Stream:
    """A sound that is being decoded.

    rate: Hz. frames: how many samples of each channel its header claims, 0 where it does not say. no_more: so many come at the
    most, so that a limit may be held against the claim; no_less: where fewer come, the file breaks off. blocks: mono, (n,) float32.
    """

    rate: int
    channels: int
    frames: int
    no_more: bool
    no_less: bool
    blocks: Iterator[np.ndarray]


@contextmanager
def _opened(data: bytes) -> Iterator[_Stream]:
    """A file's sound. Raises LibsndfileError or MediaError for one that can't be decoded, here or while blocks are read."""
    try:
        sound = soundfile.SoundFile(io.BytesIO(data))
    except soundfile.LibsndfileError:
        kind = media.container(data)
        if kind is None:
            raise
        with media.decoding(data, kind) as other:
            yield _Stream(other.rate, other.channels, other.frames, no_more=False, no_less=False, blocks=other.blocks)
        return
    with sound:
        frames = sound.frames if sound.frames < 1 << 60 else 0
        no_more = sound.format in ("WAV", "FLAC", "WAVEX", "RF64", "W64", "AIFF")  # of MP3 and OGG it may be an estimate
        yield _Stream(sound.samplerate, sound.channels, frames, no_more, tells_its_length(sound), mono_blocks(sound))


def tells_its_length(sound: soundfile.SoundFile) -> bool:
    """Whether a file with fewer samples than its header claims has lost some."""
    return sound.format in ("FLAC", "OGG")


def mono_blocks(sound: soundfile.SoundFile, begin: int = 0, end: int | None = None) -> Iterator[np.ndarray]:
    """Reads a file's samples from `begin` to `end`, None for as many as there are: blocks of (n,) float32, channels averaged.

    An MP3 decoder is wrong for up to a tenth of a second after a jump, and soundfile jumps at the end of every read; so a block of
    an MP3 file is read with what comes before it.
    """
    count, at = max(1, _BLOCK_SAMPLES // sound.channels), begin
    jumps = sound.format == "MP3"
    if begin:
        sound.seek(begin)
    while end is None or at < end:
        run_up = min(at, sound.samplerate // 2) if jumps else 0
        if run_up:
            sound.seek(at - run_up)
        block = sound.read((count if end is None else min(end - at, count)) + run_up, dtype="float32", always_2d=True)[run_up:]
        if not len(block):
            return
        yield block.mean(axis=1)
        at += len(block)


def _collect(stream: _Stream, name: str, sample_rate: int, max_seconds: float, progress: Callable[[float], None]) -> tuple[np.ndarray, int]:
    """What a stream gives, resampled: (n,) float32, read-only, and how many samples of each channel it had."""
    rate = stream.rate
    check_rate(rate, name)
    too_long = f"{name} is longer than the {_duration(max_seconds)} allowed: cut out the part you want to see."
    too_many = (
        f"{name} has more than the {MAX_SAMPLES / 1e6:.0f} million samples allowed ({stream.channels} × {rate} Hz × its seconds): "
        "save it with a lower sample rate or with fewer channels."
    )

    def check(frames: int) -> None:
        if frames > int(max_seconds * rate):
            raise TooLongError(too_long)
        if frames * stream.channels > MAX_SAMPLES:
            raise AudioError(too_many)

    check(stream.frames if stream.no_more else 0)
    resampler, frames = _Resampler(rate, sample_rate), 0
    for block in stream.blocks:
        frames += block.size
        check(frames)  # a header may claim any length, so what really comes counts
        check_level(block, name)
        resampler.push(block)
        progress(min(1.0, frames / max(1, stream.frames)))
    if stream.no_less and frames < stream.frames:
        raise broken_off(name, frames, stream.frames, rate)
    if frames < 2:
        raise too_short(f"{name} holds {frames} sample{'s' * (frames != 1)}")
    return resampler.result(), frames


def check_rate(rate: int, name: str) -> None:
    """Raises AudioError for a sample rate, in Hz, that can't be used. name: of the file."""
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AudioError(
            f"{name} has a sample rate of {rate} Hz: save it with a rate from {MIN_RATE / 1000:g} kHz to "
            f"{MAX_RATE / 1000:g} kHz."
        )


def check_level(samples: np.ndarray, name: str) -> None:
    """Raises AudioError for samples (n,) that are not numbers, or far above full scale. name: of their file."""
    peak = float(np.abs(samples).max(initial=0.0))
    if not math.isfinite(peak):
        raise AudioError(
            f"{name} contains samples that are not numbers (NaN or infinite): "
            "export it again from the program that made it."
        )
    if peak > 1e4:  # a float file with broken scaling would overflow the power spectrum
        raise AudioError(f"{name} has samples as large as {peak:.1g} where 1 is full scale: export it again at a normal level.")


def broken_off(name: str, frames: int, claimed: int, rate: int) -> AudioError:
    """The error of a file that has fewer samples than it claims, at `rate` Hz."""
    return AudioError(
        f"{name} breaks off after {frames / rate:.1f} s of {claimed / rate:.1f} s: "
        "it was not copied or downloaded completely."
    )


def too_short(said: str) -> AudioError:
    """The error of a sound without two samples. said: what is too short, and how."""
    return AudioError(f"{said}: choose a sound of at least a few milliseconds.")


def _too_large(name: str, size: int, most: int) -> str:
    return f"{name} has {size / 1e6:.0f} MB, more than the {most / 1e6:.0f} MB allowed: cut it, or save it as FLAC or MP3."


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} minutes" if seconds >= 60 else f"{seconds:g} seconds"


def from_samples(
    mono: np.ndarray, rate: int, sample_rate: int = 16_000, *, channels: int = 1, seconds: float | None = None, sha256: str | None = None,
) -> Waveform:
    """A Waveform from mono samples (n,), n >= 1, at `rate` Hz, resampled to `sample_rate` Hz."""
    mono = np.ascontiguousarray(mono, np.float32)
    resampler = _Resampler(rate, sample_rate)
    for begin in range(0, mono.size, _BLOCK_SAMPLES):
        resampler.push(mono[begin : begin + _BLOCK_SAMPLES])
    seconds = mono.size / rate if seconds is None else seconds
    return Waveform(resampler.result(), sample_rate, rate, channels, seconds, sha256 or hashlib.sha256(mono.tobytes()).hexdigest())


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
_MOST_TAPS = 4_000_000  # of the filters for one ratio, 16 MB


def _ratio(rate: int, sample_rate: int) -> Fraction:
    """rate / sample_rate, or a ratio near it whose filters are small.

    There are denominator filters of about numerator taps: 44 101 Hz as it is would take gigabytes. The nearest ratio with a
    denominator of at most 1000 is exact for all usual rates, and off by 0.053 % at most. Above four times the rate that is
    asked for, denominators become smaller, and what is lost stays below 0.0125 %.

    >>> _ratio(44_100, 16_000), _ratio(192_000, 22_050), _ratio(767_983, 16_000)
    (Fraction(441, 160), Fraction(1280, 147), Fraction(48, 1))
    """
    return Fraction(rate, sample_rate).limit_denominator(min(1000, math.isqrt(_MOST_TAPS * sample_rate // rate)))


class _Resampler:
    """Resamples mono blocks from one rate to another as they come, in parts.

    A part is worked on when what follows it is there. Parts overlap by more than the filter reaches, so that the result is
    what it is in one piece.
    """

    def __init__(self, rate: int, sample_rate: int):
        ratio = _ratio(rate, sample_rate)
        self.up, self.period = ratio.denominator, ratio.numerator
        self.filter = None if rate == sample_rate else torchaudio.transforms.Resample(self.period, self.up, dtype=torch.float32)
        self.overlap = self.period * -(-1024 * max(1, self.period // self.up) // self.period)
        self.step = self.period * max(1, _RESAMPLED_PART // self.period)
        self.parts: list[Tensor] = []
        self.waiting: list[Tensor] = []  # input from sample `first` on
        self.first = self.begin = self.received = 0  # begin: of the next part

    def push(self, block: np.ndarray) -> None:
        """Takes the next samples, (n,) float32; they may change afterwards."""
        samples = torch.tensor(block)
        if self.filter is None:
            self.parts.append(samples)
            return
        self.waiting.append(samples)
        self.received += block.size
        while self.received >= self.begin + self.step + self.overlap:
            self._part(self.step // self.period * self.up)

    def _part(self, most: int | None) -> None:
        """Resamples the next part. most: how many samples it has; all there are if None."""
        samples = torch.cat(self.waiting)
        resampled = self.filter(samples[: self.begin + self.step + self.overlap - self.first])
        skip = (self.begin - self.first) // self.period * self.up
        self.parts.append(resampled[skip:][:most].clone())
        self.begin += self.step
        first = max(0, self.begin - self.overlap)
        self.waiting, self.first = [samples[first - self.first :].clone()], first

    def result(self) -> np.ndarray:
        """All of it, (n,) float32, read-only; nothing can be pushed any more."""
        while self.begin < self.received:
            self._part(None if self.begin + self.step >= self.received else self.step // self.period * self.up)
        samples = torch.cat(self.parts).numpy()
        samples.setflags(write=False)
        return samples


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
    if samples.shape[-1] <= half:
        samples = F.pad(samples, (0, half + 1 - samples.shape[-1]))
    # Only the ends are reflected: a padded copy of an hour would take as much memory again.
    before, after = samples[1 : half + 1].flip(0), samples[-half - 1 : -1].flip(0)
    transform, parts = _mel_transform(preset), []
    for first in range(0, frames, _SPECTRUM_FRAMES):
        last = min(frames, first + _SPECTRUM_FRAMES) - 1
        begin, end = first * preset.hop - half, last * preset.hop - half + preset.window
        beyond = max(0, end - samples.shape[-1])
        part = torch.cat([before[half + begin :] if begin < 0 else before[:0], samples[max(0, begin) : end], after[:beyond]])
        parts.append(transform(part))
    return torch.cat(parts, dim=-1).clamp_(min=LOG_FLOOR).log_()


def mel_of(waveform: Waveform, preset: MelPreset) -> Tensor:
    """`log_mel` of a sound of any rate, which is resampled to the preset's: (n_mels, T)."""
    if waveform.sample_rate != preset.sample_rate:
        waveform = from_samples(waveform.samples, waveform.sample_rate, preset.sample_rate)
    return log_mel(torch.from_numpy(waveform.samples.copy()), preset)


def mel_filters(preset: MelPreset = PRESETS["classification"]) -> Tensor:
    """The weights of the mel bands, (window // 2 + 1, n_mels): a mel is their product with a magnitude spectrum."""
    return _mel_transform(preset).mel_scale.fb


def mel_band_centres(preset: MelPreset = PRESETS["classification"]) -> np.ndarray:
    """Centre frequencies of the mel bands in Hz, (n_mels,), for axis labels."""
    filters = mel_filters(preset)
    frequencies = torch.linspace(0, preset.sample_rate / 2, filters.shape[0])
    return ((filters * frequencies[:, None]).sum(0) / filters.sum(0).clamp(min=1e-9)).numpy()


@functools.cache
def mel_band_ticks(preset: MelPreset) -> tuple[tuple[str, float], ...]:
    """Frequencies along the axis of a mel's bands, for a picture: (text, band)."""
    centres = mel_band_centres(preset)
    hertz = [float(value) for value in (250, 1000, 4000) if centres[0] <= value <= centres[-1]]
    return tuple((f"{value / 1000:g} kHz", float(np.interp(value, centres, np.arange(len(centres))))) for value in hertz)
