"""Makes the shuffled and augmented batches of an epoch. All their randomness follows from (seed, epoch, place in the epoch).

Waveforms change speed and level, get noise of several colours under them and are placed in silence or shifted; log-mels
are tilted, band-limited and masked (SpecAugment: Park et al., 2019).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import torchaudio
from torch import Tensor

from adastride import audio
from adastride.clips import Clip
from adastride.models.network import Network
from adastride.tasks import Batch, task_of
from adastride.training.data import change_speed, place_in_silence
from adastride.training.settings import TrainingSettings

_NOISE_SECONDS = 12
_POOL = 16  # batches among which clips are sorted by their lengths
_MASK, _BATCH, _CLIP, _ORDER, _NETWORK, _LENGTHS, _RESOLUTION = range(7)  # streams of random numbers that never meet


def epoch_order(labels: Sequence[str], balanced: bool, generator: np.random.Generator) -> np.ndarray:
    """The order of the clips in one epoch: (n,) indices. balanced: whether to draw each class as often as the others, to within one."""
    if not balanced:
        return generator.permutation(len(labels))
    members = [np.flatnonzero(np.array(labels) == label) for label in sorted(set(labels))]
    share = -(-len(labels) // len(members))
    drawn = [np.concatenate([generator.permutation(indices) for _ in range(-(-share // len(indices)))])[:share] for indices in members]
    return generator.permutation(np.concatenate(drawn))[: len(labels)]


def by_length(order: np.ndarray, sizes: Sequence[int], settings: TrainingSettings, epoch: int) -> np.ndarray:
    """Another order of the clips of an epoch (n,), in which the clips of a batch are about as long.

    Clips are sorted among a few batches of neighbours in the order, and these batches come in any order: chance stays, padding goes.
    """
    generator, pool = np.random.default_rng((settings.seed, epoch, _LENGTHS)), _POOL * settings.batch_size
    sorted_pools = []
    for begin in range(0, len(order), pool):
        part = sorted(order[begin : begin + pool].tolist(), key=lambda index: (sizes[index], index))
        whole = len(part) // settings.batch_size * settings.batch_size
        rows = np.array(part[:whole], int).reshape(-1, settings.batch_size)
        sorted_pools += [generator.permutation(rows).ravel(), np.array(part[whole:], int)]
    return np.concatenate(sorted_pools)


def batches(
    network: Network, clips: Sequence[Clip], targets: Sequence[Any], settings: TrainingSettings, epoch: int, process: int = 0, processes: int = 1,
) -> Iterator[Batch]:
    """Yields the batches of one epoch, as the network's task makes them.

    targets: the right answer for each clip, from `Task.targets`. Of several processes each gets its share of every batch. The
    shares have the same size, for which a clip may be used twice.
    """
    task, rate = task_of(network), network.config.mel.sample_rate
    if task.texts:
        settings = replace(settings, crop_seconds=math.inf, circular=False)
    if (seconds := task.longest_seconds(network)) < math.inf:
        settings = replace(settings, crop_seconds=min(seconds, settings.crop_seconds), least_seconds=0.0, resolutions=())
    groups: dict[str, list[int]] = {}
    for index, clip in enumerate(clips):
        groups.setdefault(clip.group, []).append(index)
    order = epoch_order([clip.label for clip in clips], settings.balanced, np.random.default_rng((settings.seed, epoch, _ORDER)))
    if task.texts and settings.joined == (1, 1):
        order = by_length(order, [clip.samples.size for clip in clips], settings, epoch)
    for step, begin in enumerate(range(0, len(order), settings.batch_size)):
        places = np.arange(begin, min(begin + settings.batch_size, len(order)))
        places = np.resize(places, -(-len(places) // processes) * processes)[process::processes]
        generator = np.random.default_rng((settings.seed, epoch, _BATCH, step))
        windows = [_window(settings, rate, generator)] * len(places)
        if settings.mixed:
            windows = [_window(settings, rate, generator) for _ in places]
        if settings.joined == (1, 1):
            chosen = [clips[order[place]].samples for place in places]
            if task.texts:  # nothing is cut off, also of clips that become slower
                longest = int(1.2 * max(samples.size for samples in chosen))
                windows = [None if window is None else max(window, longest) for window in windows]
            sounds = [
                augment(samples, window, rate, settings, np.random.default_rng((settings.seed, epoch, _CLIP, int(place))))
                for samples, window, place in zip(chosen, windows, places, strict=True)
            ]
            answers = [targets[order[place]] for place in places]
        else:
            strings = [
                join(clips, int(order[place]), groups, rate, settings, np.random.default_rng((settings.seed, epoch, _CLIP, int(place))))
                for place in places
            ]
            sounds, answers = [sound for sound, _ in strings], [task.joined([targets[index] for index in members]) for _, members in strings]
        if settings.resolutions:
            drawn = np.random.default_rng((settings.seed, epoch, _RESOLUTION, step, process)).choice(settings.resolutions, len(places))
            batch = task.coarser_batch(network, sounds, answers, drawn.tolist())
        else:
            batch = task.batch(network, sounds, answers)
        if task.mask_value is not None:
            masks = np.random.default_rng((settings.seed, epoch, _MASK, step, process))
            batch = replace(batch, signal=mask_mels(batch.signal, batch.lengths, settings, masks, task.mask_value))
        yield batch


def _window(settings: TrainingSettings, rate: int, generator: np.random.Generator) -> int | None:
    """The samples of a window of silence for clips, None for clips as they are."""
    return None if generator.random() < settings.as_is else int(np.exp(generator.uniform(*np.log(settings.window_seconds))) * rate)


def step_seed(settings: TrainingSettings, epoch: int, step: int, process: int = 0) -> int:
    """The seed of a step's randomness inside of the network, such as dropout. It does not depend on what was drawn before."""
    return int(np.random.SeedSequence((settings.seed, epoch, _NETWORK, step, process)).generate_state(1, np.uint64)[0])


def join(
    clips: Sequence[Clip], first: int, groups: Mapping[str, Sequence[int]], rate: int, settings: TrainingSettings, generator: np.random.Generator,
) -> tuple[np.ndarray, list[int]]:
    """Puts clips one after the other: (n,) samples with noise under them, and which clips they are, in order.

    first: the clip that comes first. groups: the clips of every speaker. Half of the strings are of one speaker, the others of
    anybody. Each clip changes its speed a little on its own, the string as a whole its level, and one noise lies under all of it.
    """
    count = int(generator.integers(settings.joined[0], settings.joined[1] + 1))
    others = list(groups[clips[first].group]) if generator.random() < 0.5 else None
    chosen = [first, *(int(generator.choice(others)) if others else _anybody(groups, generator) for _ in range(count - 1))]
    speed = generator.uniform(*settings.speed)
    parts = [change_speed(clips[index].samples, speed * generator.uniform(0.95, 1.05)) for index in chosen]
    parts = [part * np.float32(generator.uniform(0.5, 1.0) / max(float(np.abs(part).max(initial=0.0)), 1e-4)) for part in parts]
    low, high = settings.gap_seconds
    gaps = low + (high - low) * np.square(generator.random(count + 1)) - settings.overlap_seconds * generator.random(count + 1)
    gaps[[0, -1]] = np.maximum(gaps[[0, -1]], 0.0) + settings.shift_seconds * generator.random(2)
    places: list[int] = []
    end = 0  # of all clips so far: one that is shorter than the overlap may end before the one in front of it does
    for part, gap in zip(parts, gaps, strict=False):
        places.append(max(places[-1] if places else 0, end + round(gap * rate)))
        end = max(end, places[-1] + part.size)
    samples = np.zeros(max(1, end + round(gaps[-1] * rate)), np.float32)
    for place, part in zip(places, parts, strict=True):
        samples[place : place + part.size] += part
    samples *= np.float32(0.3 * 10 ** (generator.uniform(*settings.gain_db) / 20))
    bank = _noises(rate)
    colour, begin = int(generator.integers(len(bank))), int(generator.integers(0, bank.shape[1]))
    noise = bank[colour].take(np.arange(begin, begin + samples.size), mode="wrap")
    return place_in_silence(samples, samples.size, 0, generator.uniform(*settings.snr_db), generator, noise), chosen


def _anybody(groups: Mapping[str, Sequence[int]], generator: np.random.Generator) -> int:
    """A clip of a speaker that is drawn first, so that speakers with few clips are heard as well."""
    members = groups[list(groups)[int(generator.integers(len(groups)))]]
    return int(members[int(generator.integers(len(members)))])


def augment(samples: np.ndarray, window: int | None, rate: int, settings: TrainingSettings, generator: np.random.Generator) -> np.ndarray:
    """One clip as training hears it: (window,) samples or, where window is None, about as many samples as the clip has."""
    seconds = settings.crop_seconds
    if settings.least_seconds:
        seconds = float(np.exp(generator.uniform(*np.log((min(settings.least_seconds, seconds), seconds)))))
    longest = max(1.0, min(seconds * rate, samples.size))
    if samples.size > longest:
        longest = int(longest)
        begin = int(generator.integers(0, samples.size - longest + 1))
        samples = samples[begin : begin + longest]
    samples = change_speed(samples, generator.uniform(*settings.speed)) * np.float32(10 ** (generator.uniform(*settings.gain_db) / 20))
    if settings.circular:
        samples = np.roll(samples, int(generator.integers(0, samples.size)))
    length = samples.size if window is None else window
    if window is None:
        reach = 0 if settings.circular else int(settings.shift_seconds * rate)
        start = int(generator.integers(-reach, reach + 1))
    else:
        start = int(generator.integers(min(0, length - samples.size), max(0, length - samples.size) + 1))
    bank = _noises(rate)
    colour, begin = int(generator.integers(len(bank))), int(generator.integers(0, bank.shape[1]))
    noise = bank[colour].take(np.arange(begin, begin + length), mode="wrap")
    return place_in_silence(samples, length, start, generator.uniform(*settings.snr_db), generator, noise)


@functools.cache
def _noises(rate: int) -> np.ndarray:
    """White, pink and brown noise of mean power 1, (3, n) float32; it joins on to itself at the ends."""
    generator = np.random.default_rng(0)
    spectrum = np.fft.rfft(generator.standard_normal(_NOISE_SECONDS * rate))
    hertz = np.maximum(np.fft.rfftfreq(_NOISE_SECONDS * rate, 1 / rate), 50.0)  # below 50 Hz all would go into a rumble nobody hears
    colours = [np.fft.irfft(spectrum * hertz**-power) for power in (0.0, 0.5, 1.0)]
    return np.stack([colour / np.sqrt(np.mean(colour**2)) for colour in colours]).astype(np.float32)


def mask_mels(mel: Tensor, lengths: Tensor, settings: TrainingSettings, generator: np.random.Generator, value: float) -> Tensor:
    """Tilts, band-limits and masks log-mels, for a tilt or a missing upper band sounds like another microphone, room or telephone.

    Shape: mel (B, n_mels, T), lengths (B,) -> (B, n_mels, T). value: what a mask is filled with.
    """
    batch, bands = mel.shape[:2]
    tilt = torch.linspace(-1, 1, bands)[:, None] * torch.tensor(generator.uniform(-settings.tilt, settings.tilt, (batch, 1, 1)), dtype=mel.dtype)
    mel = (mel + tilt).clamp_(min=np.log(audio.LOG_FLOOR))
    for example in np.flatnonzero(generator.random(batch) < settings.band_limited):
        mel[example, int(generator.integers(bands // 2, bands)) :] -= float(generator.uniform(2.0, 6.0))
    mel.clamp_(min=np.log(audio.LOG_FLOOR))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(generator.integers(2**31)))
        masked = mel[:, None]
        for _ in range(settings.frequency_masks):
            masked = torchaudio.functional.mask_along_axis_iid(masked, settings.frequency_mask, value, axis=2)
        if settings.time_mask_share:
            for row, length in enumerate(lengths.tolist()):
                for _ in range(settings.time_masks):
                    part = masked[row, :, :, :length]
                    masked[row, :, :, :length] = torchaudio.functional.mask_along_axis(part, max(1, int(settings.time_mask_share * length)), value, axis=2)
            return masked[:, 0]
        for _ in range(settings.time_masks):
            masked = torchaudio.functional.mask_along_axis_iid(masked, min(settings.time_mask, max(1, int(lengths.min()) // 5)), value, axis=3)
    return masked[:, 0]
