"""Makes the short clips that come with the project, and catalogue.json, which lists them in the order the app shows.

Everything is synthesised: speech by espeak-ng, the rest by the formulas below. Every random number has a fixed seed, so a
second run writes the same bytes (speech as long as espeak-ng and the resampler keep their versions). All clips are mono
FLAC, 16 kHz, 16 bit, peak at -3 dBFS, over a faint noise floor, so that no silence is digital zero.

Usage: python samples/make_samples.py   (needs the program espeak-ng)
"""

from __future__ import annotations

import functools
import json
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
import torchaudio
from make_spoken_digits import WORDS, speak  # beside this file

FOLDER = Path(__file__).resolve().parent
RATE = 16_000  # Hz
PEAK_DB = -3.0  # dBFS, of every clip
FLOOR_DB = -63.0  # dBFS RMS; a word at the peak level has about -21 to -14, so its silences lie 40 to 50 dB below it
HIGHEST_HZ = 7600.0  # nothing synthetic goes above, which leaves room below RATE / 2

Part = tuple[float, np.ndarray]  # seconds, samples (n,)


@dataclass(frozen=True)
class Clip:
    """One clip of the catalogue. make: () -> samples (n,) at RATE, any scale; label: what a digits model should say."""

    name: str
    title: str
    description: str
    make: Callable[[], np.ndarray]
    label: str | None = None


# Building blocks


def gain(decibels: float) -> float:
    """The factor for an amplitude: 0 dB -> 1, -20 dB -> 0.1."""
    return 10 ** (decibels / 20)


def times(seconds: float) -> np.ndarray:
    """The time of every sample, in seconds, (n,)."""
    return np.arange(round(seconds * RATE)) / RATE


def mix(seconds: float, parts: Iterable[Part]) -> np.ndarray:
    """A clip of `seconds` with every part added at its start, in seconds; what would stick out at the end is cut off."""
    clip = np.zeros(round(seconds * RATE))
    for start, samples in parts:
        place = clip[round(start * RATE) :][: len(samples)]
        place += samples[: len(place)]
    return clip


def after_pauses(seconds: float, parts: Iterable[Part]) -> np.ndarray:
    """A clip of `seconds` with the parts one after another, each after its pause in seconds."""
    starts, now = [], 0.0
    for pause, samples in parts:
        starts.append((now + pause, samples))
        now += pause + len(samples) / RATE
    return mix(seconds, starts)


def fade(samples: np.ndarray, attack: float = 0.01, release: float | None = None) -> np.ndarray:
    """The samples with raised-cosine ramps at both ends, so that neither clicks; attack, release (None: the same): seconds."""
    rising = np.minimum(times(len(samples) / RATE) / attack, 1.0)
    falling = np.minimum(times(len(samples) / RATE)[::-1] / (attack if release is None else release), 1.0)
    return samples * (0.5 - 0.5 * np.cos(np.pi * rising)) * (0.5 - 0.5 * np.cos(np.pi * falling))


def noise(seconds: float, seed: int, tilt_db: float = -3.0, band_hz: tuple[float, float] = (60.0, RATE / 2)) -> np.ndarray:
    """Stationary Gaussian noise (n,) of RMS 1 within `band_hz`, its power falling by `tilt_db` per octave: 0 is white, -3 pink."""
    samples = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    hertz = np.fft.rfftfreq(len(samples), 1 / RATE)
    low, high = band_hz
    shape = np.maximum(hertz, 1.0) ** (tilt_db / 20 / np.log10(2))
    shape[(hertz < low) | (hertz > high)] = 0.0
    samples = np.fft.irfft(np.fft.rfft(samples) * shape, len(samples))
    return samples / np.sqrt(np.mean(samples**2))


def tone(hertz: np.ndarray, harmonics_db: tuple[float, ...] = (0.0,)) -> np.ndarray:
    """A tone whose pitch in Hz is given for every sample, (n,); levels in dB of its harmonics, which fade out below HIGHEST_HZ."""
    phase = 2 * np.pi * np.cumsum(hertz) / RATE
    room = [np.clip((HIGHEST_HZ - k * hertz) / 300, 0, 1) for k in range(1, len(harmonics_db) + 1)]
    return sum(gain(level) * room[k] * np.sin((k + 1) * phase) for k, level in enumerate(harmonics_db))


def finish(samples: np.ndarray, seed: int) -> np.ndarray:
    """The clip over its noise floor, faded at both ends, its peak at PEAK_DB."""
    samples = samples / np.abs(samples).max() * gain(PEAK_DB)
    samples = fade(samples + gain(FLOOR_DB) * noise(len(samples) / RATE, seed))
    return samples / np.abs(samples).max() * gain(PEAK_DB)


# Speech


def spoken(text: str, voice: str, words_per_minute: int = 140, pitch: int = 50) -> np.ndarray:
    """What an espeak-ng voice says, (n,) at RATE, without silence at its ends, peak 1. pitch: 0 (low) to 99 (high)."""
    samples, rate = speak(text, voice, words_per_minute, pitch)
    samples = torchaudio.functional.resample(torch.from_numpy(samples), rate, RATE).double().numpy()
    return fade(samples / np.abs(samples).max(), 0.005, 0.03)


def word_clip(word: str, voice: str, seconds: float, start: float) -> np.ndarray:
    """One unhurried word (n,), from `start` seconds in a clip of `seconds`."""
    return mix(seconds, [(start, spoken(word, voice, 130))])


def digit_clip(word: str, voice: str, seconds: float, start: float, description: str) -> Clip:
    """The catalogue's entry for one spoken digit."""
    make = functools.partial(word_clip, word, voice, seconds, start)
    return Clip(word, f"One word in silence: {word}", description, make, str(WORDS.index(word)))


def counting() -> np.ndarray:
    """Three digits by two voices in turn, after pauses of 0.35, 0.3 and 2.2 seconds."""
    man, woman = "en-us+m4", "en-gb-x-rp+linda"
    return after_pauses(5.5, [(0.35, spoken("four", man)), (0.3, spoken("two", woman)), (2.2, spoken("eight", man))])


def sentence() -> np.ndarray:
    """Three short phrases by one lively voice, with pauses between them."""
    voice = "en-us+Annie"
    phrases = [
        (0.5, spoken("Wait!", voice, 150, 65)),
        (0.95, spoken("Did you hear that?", voice, 165, 60)),
        (0.75, spoken("There it is again!", voice, 155, 70)),
    ]
    return after_pauses(5.5, phrases)


# Birds


def glide(points_khz: tuple[float, ...], seconds: float) -> np.ndarray:
    """A pitch in Hz for every sample, (n,), that moves smoothly through equally spaced points in kHz."""
    position = times(seconds) / seconds * (len(points_khz) - 1)
    index = np.minimum(position.astype(int), len(points_khz) - 2)
    ease = 0.5 - 0.5 * np.cos(np.pi * (position - index))
    points = 1000 * np.array(points_khz)
    return points[index] * (1 - ease) + points[index + 1] * ease


def chirp(points_khz: tuple[float, ...], seconds: float, level_db: float = 0.0, wobble: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """One note of a bird (n,), swelling and dying away; wobble: rate in Hz and depth in kHz of a vibrato."""
    time = times(seconds)
    hertz = glide(points_khz, seconds) + 1000 * wobble[1] * np.sin(2 * np.pi * wobble[0] * time)
    swell = np.sin(np.pi * (time / seconds) ** 0.7) ** 0.8
    return gain(level_db) * swell * tone(hertz, (0.0, -17.0, -27.0))


def trill(points_khz: tuple[float, ...], seconds: float, period: float, count: int, level_db: float = 0.0) -> list[Part]:
    """The same short note `count` times, every `period` seconds, growing louder by 6 dB: (start in seconds, note)."""
    rise = np.linspace(-6, 0, count)
    return [(i * period, chirp(points_khz, seconds, level_db + rise[i])) for i in range(count)]


def later(start: float, parts: list[Part]) -> list[Part]:
    """The parts moved by `start` seconds."""
    return [(start + moment, samples) for moment, samples in parts]


def birds() -> np.ndarray:
    """A songbird near by, thin high calls and a dove far away, a breath of wind, and the echo of a wood."""
    near = [
        (0.35, chirp((2.6, 3.5, 2.9), 0.20)),
        (0.64, chirp((3.0, 4.7, 2.5), 0.24)),
        *later(0.98, trill((5.4, 3.6, 2.9), 0.052, 0.074, 9, -2)),
        (2.12, chirp((3.4, 3.8, 3.1), 0.46, -1, (15.0, 0.4))),
        (3.00, chirp((4.6, 2.3), 0.10)),
        (3.13, chirp((2.2, 3.4, 2.4), 0.15)),
        *later(3.52, trill((2.4, 4.4), 0.038, 0.055, 7, -3)),
        (4.03, chirp((4.4, 5.2, 3.4, 2.2), 0.34)),
    ]
    far = [(moment, chirp((6.9, 6.2, 6.6), 0.07, -20)) for moment in (0.12, 1.75, 1.87, 2.72, 4.52, 4.62, 4.72)]
    coo = [(0.0, chirp((0.50, 0.58), 0.14, -23)), (0.17, chirp((0.56, 0.66, 0.54), 0.34, -20)), (0.62, chirp((0.53, 0.50), 0.20, -25))]
    song = mix(5.0, near + far + later(1.15, coo) + later(3.90, coo))
    tail = noise(0.35, 71, 0.0) * np.exp(-times(0.35) / 0.06)
    echo = np.convolve(song, tail)[: len(song)]
    wet = np.concatenate([np.zeros(RATE // 50), echo[: -RATE // 50]])
    return song + gain(-26) * wet / np.abs(wet).max() + gain(-50) * noise(5.0, 72, -4.0)


# Tones, clicks, noise, a rhythm


def sweep(low_hz: float = 100.0, high_hz: float = 7000.0, seconds: float = 4.0, silence: float = 0.5) -> np.ndarray:
    """A tone that rises by the same number of octaves every second, 2 dB weaker per octave to be kind to ears."""
    hertz = low_hz * (high_hz / low_hz) ** (times(seconds) / seconds)
    rising = np.sin(2 * np.pi * np.cumsum(hertz) / RATE) * gain(1) ** (-2 * np.log2(hertz / low_hz))
    return mix(seconds + 2 * silence, [(silence, fade(rising, 0.02))])


def click(hertz: float, decay: float) -> np.ndarray:
    """A struck resonance with an overtone, (n,), that falls to 1/e in `decay` seconds."""
    time = times(8 * decay)
    body = np.sin(2 * np.pi * hertz * time) + 0.4 * np.sin(2 * np.pi * 1.8 * hertz * time)
    return fade(np.exp(-time / decay) * body, 0.0005)


def clicks() -> np.ndarray:
    """Damped clicks of different pitch, decay and level at irregular moments over stationary noise."""
    moments = (0.40, 0.52, 1.05, 1.90, 1.99, 2.08, 2.17, 3.05, 3.62, 4.50)
    chance = np.random.default_rng(9)
    parts = []
    for moment in moments:
        level_db, octaves, decay = chance.uniform(-9, 0), chance.uniform(0, 2.6), chance.uniform(0.004, 0.014)
        parts.append((moment, gain(level_db) * click(650 * 2**octaves, decay)))
    return mix(5.0, parts) + gain(-41) * noise(5.0, 91)


def kick() -> np.ndarray:
    """A bass drum (n,): a tone that falls from 190 to 52 Hz."""
    time = times(0.3)
    hertz = 52 + 138 * np.exp(-time / 0.03)
    return fade(np.exp(-time / 0.075) * np.sin(2 * np.pi * np.cumsum(hertz) / RATE), 0.002)


def snare() -> np.ndarray:
    """A snare drum (n,): a short tone under a burst of noise."""
    time = times(0.22)
    burst = 0.25 * noise(0.22, 111, -1.0, (500.0, HIGHEST_HZ)) * np.exp(-time / 0.055)
    return fade(burst + 0.5 * np.sin(2 * np.pi * 185 * time) * np.exp(-time / 0.04), 0.001)


def hihat(decay: float) -> np.ndarray:
    """A hi-hat (n,): noise above 5 kHz that falls to 1/e in `decay` seconds."""
    return fade(0.14 * noise(6 * decay, 112, 0.0, (4000.0, 7900.0)) * np.exp(-times(6 * decay) / decay), 0.001)


def rhythm() -> np.ndarray:
    """Two bars of bass drum, snare and hi-hat at 132 beats a minute, with a stop of four eighths before the last two strokes."""
    eighth = 60 / 132 / 2
    pattern = {
        "k": "k..k....k.....k.",
        "s": "..s...s...s....s",
        "h": "hhh.hhh.hhh.....",
        "o": ".......o........",
    }
    sounds = {"k": kick(), "s": 0.8 * snare(), "h": hihat(0.018), "o": hihat(0.07)}
    return mix(4.0, [(0.2 + i * eighth, sounds[row]) for row, steps in pattern.items() for i, step in enumerate(steps) if step != "."])


CLIPS = (
    digit_clip(
        "seven", "en-us+m4", 5.0, 1.8,
        "The word fills an eighth of the clip: see whether the time steps gather on it and leave the silence.",
    ),
    digit_clip(
        "three", "en-gb-x-rp+linda", 3.0, 1.4,
        "A soft hiss, a glide, then a steady vowel: see whether the glide gets shorter strides than the vowel.",
    ),
    digit_clip(
        "six", "en-us+linda", 4.0, 0.9,
        "A hiss, a short vowel, a moment of silence and a second hiss: see which of the edges the strides follow.",
    ),
    digit_clip(
        "nine", "en-gb-x-rp+m4", 4.0, 2.3,
        "Voiced from end to end, without a hiss or a gap: see how the strides follow the slow glide of the formants.",
    ),
    Clip(
        "counting", "Three digits, two voices: four, two, eight",
        "One pause is seven times as long as the other: see whether it costs seven times as many time steps.",
        counting,
    ),
    Clip(
        "sentence", "A lively sentence with pauses",
        "Three short phrases with rests between them: see how the strides differ between the phrases and the rests.",
        sentence,
    ),
    Clip(
        "birds", "Bird song with trills",
        "Whistles, trills and a dove far away: see whether the fast trills get shorter strides than the slow notes.",
        birds,
    ),
    Clip(
        "sweep", "A tone sweep from 100 Hz to 7 kHz",
        "The pitch rises by the same number of octaves every second: see which pitches shorten the strides.",
        sweep,
    ),
    Clip(
        "clicks", "Clicks in noise",
        "Events of a few milliseconds in steady noise: see whether each click keeps a time step of its own.",
        clicks,
    ),
    Clip(
        "noise", "Steady noise, the counterexample",
        "Nothing happens, so there is nothing to adapt to: see whether the strides stay uniform.",
        lambda: noise(4.0, 101),
    ),
    Clip(
        "rhythm", "A drum rhythm with a stop",
        "Strokes on a regular grid, then a gap: see whether the strides pulse with the beat and widen in the gap.",
        rhythm,
    ),
    Clip(
        "left", "One command in silence: left",
        "For the networks that know commands. A soft onset, a vowel, a hiss, a gap and a burst: see which of them get time steps.",
        functools.partial(word_clip, "left", "en-gb-x-rp+m3", 3.0, 1.1), "left",
    ),
    Clip(
        "number", "A number read aloud: three one nine four seven",
        "Said in one breath, for the networks that write digits down: raise the stride and see which word vanishes first.",
        lambda: mix(4.5, [(0.5, spoken("three one nine four seven", "en-us+m4", 125))]),
    ),
    Clip(
        "clock", "A sentence read aloud: there was no sound in the house but the clock",
        "For the networks that write phonemes: see whether a short sound gets about as many output frames as a long one.",
        lambda: mix(4.0, [(0.4, spoken("there was no sound in the house but the clock", "en-us+m7", 150))]),
    ),
    Clip(
        "clock-halting", "The same sentence with rests: there was no sound … in the house … but the clock",
        "For codecs: keep the durations of one of the two readings, open the other, and give it these durations.",
        lambda: after_pauses(5.5, [
            (pause, spoken(words, "en-us+m7", 135)) for pause, words in ((0.4, "there was no sound"), (0.7, "in the house"), (0.5, "but the clock"))
        ]),
    ),
)


def main() -> None:
    """Writes every clip and the catalogue beside this file."""
    if shutil.which("espeak-ng") is None:
        sys.exit("make_samples.py needs the program espeak-ng: install it (apt-get install espeak-ng) and run this again.")
    torch.set_num_threads(1)
    catalogue, total = [], 0
    for seed, clip in enumerate(CLIPS, start=1):
        path = FOLDER / f"{clip.name}.flac"
        samples = finish(clip.make(), seed)
        soundfile.write(path, samples, RATE, subtype="PCM_16")
        catalogue.append({"name": clip.name, "file": path.name, "title": clip.title, "description": clip.description, "label": clip.label})
        total += path.stat().st_size
        print(f"{path.name:14} {len(samples) / RATE:4.1f} s {path.stat().st_size / 1000:6.1f} kB  {clip.title}")
    (FOLDER / "catalogue.json").write_text(json.dumps(catalogue, indent=2) + "\n", encoding="utf-8")
    print(f"{total / 1000:.0f} kB in all")


if __name__ == "__main__":
    main()
